"""The state of a run after a whole epoch, as one file that is replaced at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BadInput
from fer_edge.engine.outputs import PendingFile

from .config import EXTENSIBLE, TrainingConfig, config_from_json
from .npz import open_npz
from .schedule import same_until

Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes:
        epoch: whole epochs done.
        best_epoch: the one with the best held-out accuracy so far; 0 before the first.
        best_accuracy: of that epoch, 0-1.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on.

    Attributes:
        progress: see `Progress`.
        weights: of the network, as it is trained.
        optimizer: its variables: step, momentum, moving averages.
        best: weights of the best epoch, as they were judged; empty without patience.
        taught: what the network said of the training faces at the last restart, float16
            `(n, classes)`; empty before it and without `snapshot_share`.
    """

    progress: Progress
    weights: Arrays
    optimizer: Arrays
    best: Arrays
    taught: Arrays


GROUPS = ("weights", "optimizer", "best", "taught")


def save_checkpoint(path: Path, config: TrainingConfig, faces: str, state: Checkpoint) -> None:
    """Write a checkpoint beside its final name and move it into place.

    Args:
        path: of the file.
        config: of the run.
        faces: a fingerprint of what it trains on.
        state: to keep.
    """
    arrays = {
        f"{name}{index:04}": value
        for name in GROUPS
        for index, value in enumerate(getattr(state, name))
    }
    about = json.dumps(
        {"config": asdict(config), "faces": faces, "progress": asdict(state.progress)}
    )
    with PendingFile(path) as pending, pending.writing(), pending.open("wb") as file:
        np.savez(file, **{"about": np.array(about), **arrays})


def load_checkpoint(path: Path, config: TrainingConfig, faces: str) -> Checkpoint | None:
    """Read the state of a run with this configuration; None where there is none yet.

    Raises:
        BadInput: damaged, made with other faces, or by a configuration that this one does
            not continue.
    """
    if not path.exists():
        return None
    with open_npz(path, "a damaged checkpoint ({why}); remove it to begin anew") as archive:
        about = json.loads(str(archive["about"]))
        state = Checkpoint(
            Progress(**about["progress"]),
            *(_group(archive, name) for name in GROUPS),
        )
    if about.get("faces") != faces:
        raise BadInput(f"{path}: was made with other faces; give another --output for these")
    _check_continues(path, about["config"], config, state.progress.epoch)
    return state


def _group(archive: Any, name: str) -> Arrays:
    return [archive[key] for key in sorted(archive.files) if key.startswith(name)]


def _check_continues(
    path: Path, made_by: dict[str, Any], config: TrainingConfig, epoch: int
) -> None:
    """A run continues another as long as both were the same so far."""
    before = config_from_json(json.dumps(made_by))
    # Through JSON, so that lists and tuples compare.
    now, then = (json.loads(c.to_json()) for c in (config, before))
    changed = sorted(key for key in now if now[key] != then[key])
    if not changed:
        return
    taught = "snapshot_share" in changed and any(end < epoch for end, _ in config.restarts)
    if (
        taught
        or not EXTENSIBLE.issuperset(changed)
        or epoch > config.epochs
        or not same_until(before, config, epoch)
    ):
        raise BadInput(
            f"{path}: its {epoch} epochs were made with another {', '.join(changed)}; "
            "give another --output, or the configuration it began with"
        )


def assign_all(variables: Sequence[Any], arrays: Arrays, path: Path) -> None:
    """Give variables their saved values.

    Raises:
        BadInput: their number or shapes differ.
    """
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise BadInput(f"{path}: does not fit the network; remove it to begin anew")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
