"""Everything that decides what a training run makes, as one readable file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from fer_edge.engine.errors import BadInput, InputNotFound

from .augment import Augmentation

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
DECAYS = ("cosine", "constant")
MAX_SEED = 2**32  # of NumPy
# What may change when a run is taken up again: what lies ahead of it.
EXTENSIBLE = frozenset({"epochs", "cooldown_epochs", "patience", "restarts", "snapshot_share"})


@dataclass(frozen=True)
class TrainingConfig:
    """A training run.

    Attributes:
        architecture: a name of `networks.ARCHITECTURES`.
        network: its options.
        initial_weights: see `load_initial_weights`; None for random ones.
        seed: of weights, division, order, augmentation and dropout.
        epochs: passes over the training faces.
        patience: epochs without a better held-out accuracy after which the run ends and the
            best weights are taken; 0 takes the last.
        batch_size: faces a step.
        peak_learning_rate: of SGD with Nesterov momentum 0.9.
        warmup_epochs: over which the rate rises to its peak; may be a fraction.
        decay: `cosine` falls along a half cosine to zero (arXiv 1608.03983); `constant` stays,
            so that a run can be made longer when it is taken up again.
        cooldown_epochs: the last ones, over which the rate falls linearly to zero from
            where it is (Hägele et al., arXiv 2405.18392); 0 for none.
        restarts: `[epoch, cooldown_epochs]` of each earlier end of the run, after which it went
            on at the full rate (warm restarts, Loshchilov and Hutter, arXiv 1608.03983).
        snapshot_share: of the target, which after a restart is what the network said of the
            face at that restart (snapshot distillation, Yang et al., arXiv 1812.00123), and
            before it what the network of `previous` said; the rest is its label.
        weight_decay: decoupled, on every weight.
        label_share: of the target of a face that has both a label and votes of people, that of
            the label; the rest are the votes. For a network with a head for the label
            (`label_head` of its options) it is the share of that head in the loss.
        kept_back_share: of the training faces, that of those that are not trained on. By them
            the temperature of the finished network is fitted (`temperature.py`); 0 for none.
        label_smoothing: share of the target that is spread over all classes.
        mixup: parameter of the beta distribution by which pairs of faces are mixed (Zhang
            et al., arXiv 1710.09412); 0 for none.
        class_balance: exponent p of the weight `(1 / count) ** p` of a class, weights having
            mean 1 over the faces; 0 treats faces alike, 1 classes.
        average_decay: of the moving average of the weights, by step, which is what is judged
            and kept; 0 for none.
        precision: a Keras dtype policy: float32, mixed_bfloat16 or mixed_float16.
        augmentation: of the training faces.
        previous: an earlier run, whose network this one begins with in place of
            `initial_weights`. Layers go by name, and those that it did not have are new, so a
            network can grow: new blocks of the residual network begin as the identity. A
            MobileNet with fewer filters begins with the most useful of the earlier one's, see
            `networks/pruning.py`. What the earlier network says of the faces takes
            `snapshot_share` of the target (born-again networks, Furlanello et al., arXiv
            1805.04770).
        teachers: other runs, which are made first; equal ones once. The mean answer of their
            networks to each batch, as it was moved and mixed, takes `teacher_share` of its
            target.
        previous_teaches: whether the network of `previous` is one of the teachers.
        teacher_share: see `teachers`; 0-1.
        teachers_take_turns: whether each teacher answers for its part of a batch, in place of
            the mean of all for all of it. That teaches the same on average, since
            cross-entropy is linear in the target, and many teachers cost no more than one.

    Raises:
        BadInput: a value outside its range.
    """

    architecture: str = "residual"
    network: Mapping[str, Any] = field(default_factory=dict)
    initial_weights: str | None = None
    seed: int = 1
    epochs: int = 40
    patience: int = 0
    batch_size: int = 64
    peak_learning_rate: float = 0.05
    warmup_epochs: float = 1.0
    decay: str = "cosine"
    cooldown_epochs: int = 0
    restarts: Sequence[Sequence[int]] = field(default_factory=list)
    snapshot_share: float = 0.0
    weight_decay: float = 5e-4
    label_share: float = 1.0
    kept_back_share: float = 0.0
    label_smoothing: float = 0.1
    mixup: float = 0.0
    class_balance: float = 0.0
    average_decay: float = 0.999
    precision: str = "mixed_bfloat16"
    augmentation: Augmentation = field(default_factory=Augmentation)
    previous: TrainingConfig | None = None
    teachers: Sequence[TrainingConfig] = field(default_factory=list)
    previous_teaches: bool = False
    teacher_share: float = 0.9
    teachers_take_turns: bool = False

    def __post_init__(self) -> None:
        self._check("precision", self.precision in PRECISIONS, " or ".join(PRECISIONS))
        self._check("decay", self.decay in DECAYS, " or ".join(DECAYS))
        for name in ("epochs", "batch_size"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        self._check("seed", 0 <= self.seed < MAX_SEED, "from 0 to below 2**32")
        for name in ("patience", "warmup_epochs", "weight_decay", "mixup"):
            self._check(name, getattr(self, name) >= 0, "at least 0")
        for name in ("label_smoothing", "average_decay", "snapshot_share", "kept_back_share"):
            self._check(name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        for name in ("class_balance", "teacher_share", "label_share"):
            self._check(name, 0 <= getattr(self, name) <= 1, "from 0 to 1")
        self._check("peak_learning_rate", self.peak_learning_rate > 0, "above 0")
        self._check("cooldown_epochs", 0 <= self.cooldown_epochs <= self.epochs, "from 0 to epochs")
        alone = self.previous is None
        self._check("previous_teaches", not (self.previous_teaches and alone), "a previous run")
        asked = len(self.teachers) if self.teachers_take_turns else 0
        self._check("batch_size", self.batch_size >= asked, "a face for each teacher")
        self._check(
            "restarts",
            _in_order(self.restarts, self.epochs - self.cooldown_epochs),
            "[epoch, cooldown_epochs] of each, in order and without overlap",
        )

    def _check(self, name: str, good: bool, expected: str) -> None:
        if not good:
            raise BadInput(f"{name} is {getattr(self, name)!r}, expected {expected}")

    @property
    def all_epochs(self) -> int:
        """Epochs of this run and of those it needs."""
        return sum(run.epochs for run in self.runs)

    @property
    def runs(self) -> list[TrainingConfig]:
        """This run and those it needs, in the order they are made; equal runs once."""
        earlier = [] if self.previous is None else [self.previous]
        found: list[TrainingConfig] = []
        for needed in (*earlier, *self.teachers):
            found += [run for run in needed.runs if run not in found]
        return [*found, self]

    @property
    def first(self) -> TrainingConfig:
        """The first of the runs in a row."""
        return self.previous.first if self.previous else self

    def scaled(self, epochs: int) -> TrainingConfig:
        """Runs of another length altogether, in the same proportions.

        Runs that would be shorter than an epoch are left out, but for this one.

        Raises:
            BadInput: fewer than one epoch.
        """
        share = epochs / self.all_epochs
        left = self._needing(share)
        return left._alone(epochs - (left.all_epochs - left.epochs))

    def _needing(self, share: float) -> TrainingConfig:
        """This run as it is, and those it needs of another length."""
        earlier = self.previous._of_share(share) if self.previous else None
        teachers = [one for teacher in self.teachers if (one := teacher._of_share(share))]
        return replace(
            self,
            previous=earlier,
            previous_teaches=self.previous_teaches and earlier is not None,
            initial_weights=self.initial_weights if earlier else self.first.initial_weights,
            teachers=teachers,
        )

    def _of_share(self, share: float) -> TrainingConfig | None:
        epochs = int(self.epochs * share)
        return self._needing(share)._alone(epochs) if epochs else None

    def with_all(self, **changes: Any) -> TrainingConfig:
        """The same changes to this run and to those it needs.

        A new seed moves theirs as far: equal runs stay equal, and others different.
        """
        return self._changed(changes, changes.pop("seed", self.seed) - self.seed)

    def _changed(self, changes: Mapping[str, Any], seeds: int) -> TrainingConfig:
        return replace(
            self,
            **changes,
            seed=(self.seed + seeds) % MAX_SEED,
            previous=self.previous and self.previous._changed(changes, seeds),
            teachers=[teacher._changed(changes, seeds) for teacher in self.teachers],
        )

    def _alone(self, epochs: int) -> TrainingConfig:
        """This run of another length."""
        share = epochs / self.epochs
        cooldown = round(self.cooldown_epochs * share)
        restarts: list[list[int]] = []
        for epoch, length in self.restarts:
            last = restarts[-1][0] if restarts else 0
            end = min(round(epoch * share), epochs - cooldown)
            if end > last:
                restarts.append([end, min(round(length * share), end - last)])
        return replace(self, epochs=epochs, cooldown_epochs=cooldown, restarts=restarts)

    def to_json(self) -> str:
        """One JSON object that `read_config` understands."""
        return json.dumps(asdict(self), indent=2)


def _in_order(restarts: Sequence[Any], end: int) -> bool:
    last = 0
    for restart in restarts:
        if not isinstance(restart, list | tuple) or [type(v) for v in restart] != [int, int]:
            return False
        epoch, cooldown = restart
        if cooldown < 0 or epoch < 1 or epoch - cooldown < last:
            return False
        last = epoch
    return last <= end


def read_config(path: Path) -> TrainingConfig:
    """Read a JSON configuration; what it leaves out keeps its default.

    Its `runs` names runs, which `previous` and `teachers` may then give by their name, and so
    may those further down in `runs`.

    Args:
        path: of the file; a name alone may also be that of one that ships.

    Raises:
        InputNotFound: no file at `path`.
        BadInput: no JSON object, an unknown key, or a value of the wrong type or range.
    """
    if not path.is_file():
        shipped = {file.name: file for file in Path(__file__).parent.glob("*.json")}
        if str(path) not in shipped:
            raise InputNotFound(
                f"{path}: no such training configuration; shipped with fer-edge are "
                + ", ".join(sorted(shipped))
            )
        path = shipped[str(path)]
    try:
        return config_from_json(path.read_text())
    except (BadInput, ValueError) as error:
        raise BadInput(f"{path}: {error}") from error


def config_from_json(text: str) -> TrainingConfig:
    """See `read_config`."""
    try:
        return _whole(json.loads(text))
    except BadInput:
        raise
    except (ValueError, RecursionError) as error:
        raise BadInput(f"no JSON ({error})") from error


def _whole(raw: Any) -> TrainingConfig:
    """The run of a file, which may begin by naming others."""
    runs: dict[str, TrainingConfig] = {}
    named = raw.pop("runs", {}) if isinstance(raw, dict) else {}
    if not isinstance(named, dict):
        raise BadInput("runs must be an object")
    for name, run in named.items():
        runs[name] = _inner(name, run, runs)
    return _config(raw, runs)


def _config(raw: Any, runs: Mapping[str, TrainingConfig]) -> TrainingConfig:
    if not isinstance(raw, dict):
        raise BadInput("expected one JSON object")
    changes, earlier = raw.pop("augmentation", {}), raw.pop("previous", None)
    teachers = raw.pop("teachers", [])
    if not isinstance(changes, dict):
        raise BadInput("augmentation must be an object")
    if not isinstance(teachers, list):
        raise BadInput("teachers must be a list")
    values = _known(TrainingConfig, raw)
    values["augmentation"] = Augmentation(**_known(Augmentation, changes))
    values["previous"] = None if earlier is None else _inner("previous", earlier, runs)
    values["teachers"] = [_inner("teachers", teacher, runs) for teacher in teachers]
    return TrainingConfig(**values)


def _inner(name: str, raw: Any, runs: Mapping[str, TrainingConfig]) -> TrainingConfig:
    """A run within another: as an object, or the name of one that came before."""
    try:
        if isinstance(raw, str):
            if raw not in runs:
                known = ", ".join(runs) or "none"
                raise BadInput(f"no run {raw!r} is named in runs before it; named are {known}")
            return runs[raw]
        return _config(raw, runs)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error


def _known(kind: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `raw`, each of the type of the default it replaces."""
    names = {f.name for f in fields(kind)}
    if unknown := raw.keys() - names:
        raise BadInput(
            f"unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(names))}"
        )
    defaults = kind()
    return {name: _of_type(name, value, getattr(defaults, name)) for name, value in raw.items()}


def _of_type(name: str, value: Any, default: Any) -> Any:
    """The value, as the default's type; where that is None, a text or None."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    kinds = (str, type(None)) if default is None else (type(default),)
    if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
        raise BadInput(f"{name} is {value!r}, expected something like {default!r}")
    return value
