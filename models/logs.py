"""What a run tells while it goes: a CSV file, TensorBoard, and a line of progress."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from fer_edge.engine.outputs import write_file

COLUMNS = ("epoch", "loss", "held_out_loss", "held_out_accuracy", "learning_rate", "seconds")


class RunLog:
    """`log.csv` and TensorBoard events of a run. A context manager.

    Args:
        folder: of the run.
        done: whole epochs done before; later rows of an interrupted run are dropped.
    """

    def __init__(self, folder: Path, done: int) -> None:
        from tensorboardX import SummaryWriter

        self._path = folder / "log.csv"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        kept = [line for line in lines[1 : done + 1] if line]
        write_file(self._path, "\n".join([",".join(COLUMNS), *kept]) + "\n")
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(self, row: Sequence[float]) -> None:
        """Add an epoch; `row` has a value for each of `COLUMNS`."""
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(map(_short, row))
        for name, value in zip(COLUMNS[1:], row[1:], strict=True):
            self._events.add_scalar(name, value, int(row[0]))
        self._events.flush()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


class Bar(keras.callbacks.Callback):  # type: ignore[misc]
    """The steps of a run on the terminal, with the time left; nothing where there is none.

    Args:
        epochs: of the run.
        steps: of an epoch.
        done: whole epochs done before.
        quiet: whether to show nothing at all.
    """

    # Lets Keras read a step's loss while the device is at the next ones.
    async_safe = True

    def __init__(self, epochs: int, steps: int, done: int, quiet: bool) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._steps, self._epochs, self._quiet = steps, epochs, quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[loss]}"),
            # Epochs differ little; steps wait for one another.
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=epochs * steps, completed=done * steps, loss="")
        self.begin(done)

    def begin(self, epoch: int) -> None:
        """Say which epoch, from 0, is under way."""
        self._done = epoch * self._steps
        self._bar.update(self._task, description=f"epoch {epoch + 1}/{self._epochs}")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Move on by one step."""
        loss = f"loss {float((logs or {})['loss']):.4f}"
        self._bar.update(self._task, completed=self._done + batch + 1, loss=loss)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if not self._quiet:
            self._bar.console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.stop()
