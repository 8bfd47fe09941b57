from __future__ import annotations

import os
from pathlib import Path

import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.places import check_apart


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A file with several names."""
    path = tmp_path / "talk.mp4"
    path.write_text("recorded once")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.mp4").symlink_to("talk.mp4")
    (tmp_path / "second.mp4").symlink_to("link.mp4")
    (tmp_path / "hard.mp4").hardlink_to(path)
    (tmp_path / "here").symlink_to(".")
    return path


NAMES = ["talk.mp4", "folder/../talk.mp4", "link.mp4", "second.mp4", "hard.mp4", "here/talk.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_an_output_is_no_input_by_any_name(
    name: str, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(talk.parent)
    for output in (Path(name), talk.parent / name):
        with pytest.raises(BadInput, match="is the input"):
            check_apart([None, output], [Path("missing.jpg"), talk])
    with pytest.raises(BadInput, match="is the input"):
        check_apart([talk], [Path(name)])
    check_apart([Path("other.mp4"), None], [talk, Path(name)])


@pytest.mark.parametrize("name", NAMES)
def test_two_outputs_are_no_one_file_by_any_name(name: str, talk: Path) -> None:
    with pytest.raises(BadInput, match="one file for two outputs"):
        check_apart([talk, talk.parent / name])


def test_two_outputs_that_are_to_be_made_are_told_apart(talk: Path) -> None:
    folder = talk.parent
    (folder / "to-new").symlink_to("new.csv")
    for name in ("new.csv", "here/new.csv", "folder/../new.csv", "to-new"):
        with pytest.raises(BadInput, match="one file for two outputs"):
            check_apart([folder / "new.csv", folder / name])
    check_apart([folder / "new.csv", folder / "new.jsonl", folder / "folder" / "new.csv"])


def test_streams_are_one_output_and_nothing_takes_everything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BadInput, match="one file for two outputs"):
        check_apart([tmp_path / "fifo", tmp_path / "fifo"])
    with pytest.raises(BadInput, match="one file for two outputs"):
        check_apart([Path("-"), Path("/dev/stdout")])
    check_apart([Path(os.devnull), Path(os.devnull)])
