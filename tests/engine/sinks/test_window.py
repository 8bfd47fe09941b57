from __future__ import annotations

import sys

import numpy as np
import pytest

from fer_edge.engine.errors import BackendUnavailable
from fer_edge.engine.sinks import window
from fer_edge.engine.sinks.window import open_window

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def test_the_window_shows_the_picture_and_q_quits(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame", reason="needs fer-edge[gui]")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    quits: list[bool] = []
    sink = open_window(lambda: quits.append(True))
    sink.show(PICTURE, 0.0)
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    assert (shown[..., ::-1] == PICTURE).all()
    assert not quits
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q))
    sink.show(PICTURE[:32], 0.1)
    assert quits == [True]
    sink.finish(complete=True)


def test_without_a_toolkit_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    monkeypatch.setattr(window, "_opencv_has_windows", lambda: False)
    with pytest.raises(BackendUnavailable, match=r"pip install 'fer-edge\[gui\]'"):
        open_window(lambda: None)


@pytest.mark.parametrize("display", [None, ":97"])
def test_drawing_to_nowhere_is_no_window(
    display: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pygame", reason="needs fer-edge[gui]")
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        # So that it is unset again afterwards, too.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(BackendUnavailable, match="no screen"):
        open_window(lambda: None)
    if display is None:
        assert capfd.readouterr().err == ""


def test_without_a_screen_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame", reason="needs fer-edge[gui]")
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(BackendUnavailable, match="no screen"):
        open_window(lambda: None)
