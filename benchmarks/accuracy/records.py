"""What `fer-bench accuracy` finds. These classes are its JSON schema; schema.md explains it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..intervals import Interval
from ..records import Machine, write_json

ACCURACY_SCHEMA = 1


@dataclass(frozen=True)
class SizeResult:
    """How one detector did on the faces of a range of sizes.

    Attributes:
        size: the range, by its name.
        faces: to be found.
        average_precision: at IoU 0.5, with the bootstrap's 95 %; None without faces.
        over_first: that less the first model's, over the same draws; None for the first.
        precision, recall: at the score at which the detector is used.
        scores, precisions, recalls: the curve, thinned.
    """

    size: str
    faces: int
    average_precision: Interval | None
    over_first: Interval | None
    precision: float | None
    recall: float
    scores: list[float]
    precisions: list[float]
    recalls: list[float]


@dataclass(frozen=True)
class Robustness:
    """How many large faces are found in distorted pictures.

    Attributes:
        distortion: a name of `DISTORTIONS`.
        faces: shown.
        found: of them.
    """

    distortion: str
    faces: int
    found: int

    @property
    def share(self) -> float:
        """Found over shown."""
        return self.found / self.faces


@dataclass(frozen=True)
class ModelResult:
    """One detector.

    Attributes:
        model: as it was named.
        sha256: of the file; None for one that is no network.
        plan: what computed: back end, precision, device, threads, instruction set.
        sees: sizes of the input, the most frequent first.
        default_score: at which it is used.
        median_s: of a picture, from pixels to boxes, whatever else the machine did meanwhile.
        sizes: a range of sizes each.
        robustness: a distortion each; empty where not asked for.
    """

    model: str
    sha256: str | None
    plan: str
    sees: list[str]
    default_score: float
    median_s: float
    sizes: list[SizeResult]
    robustness: list[Robustness] = field(default_factory=list)


@dataclass(frozen=True)
class AccuracyReport:
    """Everything that one call measured.

    Attributes:
        created: UTC, ISO 8601.
        version: of fer-edge.
        command: as it was given.
        machine: where.
        method: what the figures mean, by topic.
        labels, form: the name of the labels, and their form.
        pictures, faces: that were measured; ignored faces are not among them.
        unreadable: names of pictures that could not be read.
        models: a detector each.
    """

    created: str
    version: str
    command: list[str]
    machine: Machine
    method: dict[str, str]
    labels: str
    form: str
    pictures: int
    faces: int
    unreadable: list[str]
    models: list[ModelResult]
    schema: int = ACCURACY_SCHEMA


def write_accuracy(report: AccuracyReport, path: Path) -> None:
    """Store a report as JSON.

    Raises:
        OutputNotWritable: it cannot be written.
    """
    write_json(asdict(report), path)
