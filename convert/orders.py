"""Which order of the seven expressions a network without names has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer_edge.engine.model import FER2013_LABELS
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.sources.listing import list_folder
from fer_edge.engine.types import Floats, Image

ORDERS = {"fer2013": FER2013_LABELS, "alphabetical": tuple(sorted(FER2013_LABELS))}
# Faces of each class that are looked at.
MOST_FACES = 50


def choices() -> str:
    """The orders, for people."""
    return " or ".join(f"--order {name} ({', '.join(order)})" for name, order in ORDERS.items())


def labelled_faces(folder: Path) -> list[tuple[Image, str]]:
    """Faces of the folders in a folder that have the name of an expression, in any case.

    Raises:
        BadInput: an image that is none.
    """
    named = [(path, path.name.lower()) for path in sorted(folder.iterdir()) if path.is_dir()]
    return [
        (read_image(picture), label)
        for path, label in named
        if label in FER2013_LABELS
        for picture in list_folder(path).pictures[:MOST_FACES]
    ]


def judge(
    answers: Callable[[list[Image]], Floats], faces: list[tuple[Image, str]]
) -> tuple[str, str] | None:
    """(the better order, both shares for people) by labelled faces; None where there are none.

    Args:
        answers: probabilities `(n, 7)` of faces.
        faces: of `labelled_faces`.
    """
    if not faces:
        return None
    best = answers([face for face, _ in faces]).argmax(axis=1)
    shares = {
        name: float(np.mean([order[b] == label for b, (_, label) in zip(best, faces, strict=True)]))
        for name, order in ORDERS.items()
    }
    told = ", ".join(f"{name} is right about {share:.0%}" for name, share in shares.items())
    return max(shares, key=lambda name: shares[name]), f"of {len(faces)} labelled faces {told}"
