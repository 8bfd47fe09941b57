"""Live progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from .timing import FrameClock

REFRESH_EVERY_S = 0.1


class Progress:
    """Shows nothing: for pipes and `--quiet`. A context manager."""

    def update(self, clock: FrameClock, faces: int, dropped: int) -> None:
        """Show the state after one more frame."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class TerminalProgress(Progress):
    """One line on standard error: frames, fps, faces in view, dropped frames, time left.

    Args:
        name: of the source.
        total: frames to come, or None where nobody knows.
    """

    def __init__(self, name: str, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        known = [BarColumn(bar_width=24), TimeRemainingColumn()] if total else [SpinnerColumn()]
        text = "{task.completed} frames  {task.fields[fps]:.0f} fps  {task.fields[faces]} faces"
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            TextColumn(text + "{task.fields[dropped]}"),
            *known,
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bars.add_task(name, total=total, fps=0.0, faces=0, dropped="")
        self._shown_s = 0.0

    def update(self, clock: FrameClock, faces: int, dropped: int) -> None:
        """Show the state, ten times a second at most."""
        now = monotonic()
        if now - self._shown_s < REFRESH_EVERY_S:
            return
        self._shown_s = now
        self._bars.update(
            self._task,
            completed=clock.frames,
            fps=clock.fps,
            faces=faces,
            dropped=f"  {dropped} dropped" if dropped else "",
        )
        self._on_terminal(self._bars.refresh)

    def __enter__(self) -> Progress:
        self._on_terminal(self._bars.start)
        return self

    def __exit__(self, *_: object) -> None:
        self._on_terminal(self._bars.stop)

    def _on_terminal(self, action: Callable[[], None]) -> None:
        """A terminal that was closed is no reason to lose results."""
        with suppress(OSError):
            action()


def open_progress(name: str, total: int | None, quiet: bool) -> Progress:
    """Progress for a run: on a terminal, unless `quiet`."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        return Progress()
    return TerminalProgress(name, total)
