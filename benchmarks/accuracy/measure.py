"""Runs detectors over labelled pictures; a picture is read once for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import numpy as np

from fer_edge.engine.detector import FindFaces
from fer_edge.engine.errors import BadInput, FerError
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.types import Detections, Image

from ..opened import Opened
from .distort import DISTORTIONS, LEAST_SIDE, found
from .labels import Labels
from .matching import SIZES, Matches, Truths, match
from .precision import Pool, Values, interval
from .records import ModelResult, Robustness, SizeResult

Progress = Callable[[str], None]


@dataclass
class _Tally:
    """What one detector did so far.

    Attributes:
        matches: by range of sizes, a picture each.
        seconds: of every picture.
        sees: how often it saw a picture in which size.
        shown, found: faces in distorted pictures, by distortion.
    """

    matches: dict[str, list[Matches]] = field(
        default_factory=lambda: {size.name: [] for size in SIZES}
    )
    seconds: list[float] = field(default_factory=list)
    sees: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Measured:
    """The figures of a run.

    Attributes:
        models: a detector each.
        pictures, faces: that were measured.
        unreadable: names of pictures left out.
    """

    models: list[ModelResult]
    pictures: int
    faces: int
    unreadable: list[str]


def measure_accuracy(
    detectors: Sequence[Opened], labels: Labels, distortions: Sequence[str], progress: Progress
) -> Measured:
    """Run every detector over every picture.

    Args:
        detectors: open.
        labels: the pictures.
        distortions: of `DISTORTIONS`; may be empty.
        progress: told how far it is.

    Raises:
        BadInput: none of the pictures can be read, or there is no face in them.
    """
    tallies = [_Tally() for _ in detectors]
    unreadable: list[str] = []
    for number, picture in enumerate(labels.pictures, 1):
        progress(f"picture {number} of {len(labels.pictures)}")
        try:
            image = read_image(picture.path)
        except FerError:
            unreadable.append(str(picture.path))
            continue
        for detector, tally in zip(detectors, tallies, strict=True):
            _plain(detector, tally, image, picture.truths)
        _distorted(detectors, tallies, image, picture.truths, distortions)
    return _summed(detectors, tallies, labels, unreadable)


def _plain(detector: Opened, tally: _Tally, image: Image, truths: Truths) -> None:
    started = perf_counter()
    detections = detector.find(image)
    tally.seconds.append(perf_counter() - started)
    tally.sees[detector.sees(image)] += 1
    for size in SIZES:
        tally.matches[size.name].append(match(detections, truths, size))


def _distorted(
    detectors: Sequence[Opened],
    tallies: Sequence[_Tally],
    image: Image,
    truths: Truths,
    distortions: Sequence[str],
) -> None:
    large = ~truths.ignored & (truths.boxes[:, 2:].min(axis=1, initial=np.inf) >= LEAST_SIDE)
    if not large.any():
        return
    for name in distortions:
        for made in DISTORTIONS[name](image, truths.boxes[large]):
            for detector, tally in zip(detectors, tallies, strict=True):
                detections = _likely(detector.find, made.image, detector.default_score)
                tally.shown[name] += len(made.boxes)
                tally.found[name] += found(detections, made.boxes)


def _likely(find: FindFaces, image: Image, score: float) -> Detections:
    """What a detector finds where it is used as it comes."""
    detections = find(image)
    likely = detections.scores >= score
    return Detections(detections.boxes[likely], detections.scores[likely])


def _summed(
    detectors: Sequence[Opened],
    tallies: Sequence[_Tally],
    labels: Labels,
    unreadable: list[str],
) -> Measured:
    pictures = len(tallies[0].seconds)
    faces = sum(one.faces for one in tallies[0].matches[SIZES[0].name])
    if not pictures:
        raise BadInput(
            f"none of the {len(labels.pictures)} pictures can be read, as {unreadable[0]}; name "
            "their folder with --images"
        )
    if not faces:
        raise BadInput(f"the {pictures} pictures have no labelled face to find")
    first: dict[str, Values] = {}
    models = [
        _result(detector, tally, first) for detector, tally in zip(detectors, tallies, strict=True)
    ]
    return Measured(models, pictures, faces, unreadable)


def _result(detector: Opened, tally: _Tally, first: dict[str, Values]) -> ModelResult:
    return ModelResult(
        model=detector.name,
        sha256=detector.file_sha256,
        plan=detector.plan,
        sees=[size for size, _ in tally.sees.most_common()],
        default_score=detector.default_score,
        median_s=median(tally.seconds),
        sizes=[
            _of_size(name, matches, detector.default_score, first)
            for name, matches in tally.matches.items()
        ],
        robustness=[
            Robustness(name, shown, tally.found[name]) for name, shown in tally.shown.items()
        ],
    )


def _of_size(
    name: str, matches: Sequence[Matches], score: float, first: dict[str, Values]
) -> SizeResult:
    """Figures of one range of sizes; `first` keeps the draws of the first model."""
    pool = Pool(matches)
    curve, thinned = pool.curve(), pool.curve().thinned()
    value, drawn = pool.average_precision(), pool.resampled()
    over = None
    if name in first and value is not None:
        over = interval(value - first[name][0], drawn - first[name][1:])
    elif value is not None:
        first[name] = np.concatenate([[value], drawn])
    precision, recall = curve.at(score)
    return SizeResult(
        size=name,
        faces=pool.faces,
        average_precision=interval(value, drawn),
        over_first=over,
        precision=precision,
        recall=recall,
        scores=thinned.scores.tolist(),
        precisions=thinned.precision.tolist(),
        recalls=thinned.recall.tolist(),
    )
