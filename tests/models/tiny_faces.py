"""Small data sets whose classes a tiny network can learn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_edge.models.config import TrainingConfig
from fer_edge.models.data import LabelledFaces
from fer_edge.models.data.faces import UNKNOWN

TINY = TrainingConfig(
    architecture="plain", network={"widths": [4], "convolutions": [1]}, epochs=2,
    batch_size=16, warmup_epochs=0.5, average_decay=0.9, precision="float32",
)  # fmt: skip
SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def shades(count: int, classes: int = 7, seed: int = 0) -> LabelledFaces:
    """Faces whose brightness is their class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    noise = rng.integers(0, 20, (count, 48, 48))
    images = (noise + 32 * labels[:, None, None]).astype(np.uint8)
    return LabelledFaces(images, labels.astype(np.int64), tuple(map(str, range(count))))


def voted(count: int, seed: int = 0) -> LabelledFaces:
    """`shades` on which people mostly agree; some lack votes for a class, some their label."""
    faces = shades(count, seed=seed)
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(3, [1 / 8] * 8, count).astype(np.uint8)
    votes[np.arange(count), faces.labels] += 7
    votes[::5] = 0
    labels = faces.labels.copy()
    labels[::7] = UNKNOWN
    return LabelledFaces(faces.images, labels, faces.names, votes)


def write_npz(path: Path, count: int = 160, held_out: int = 32) -> Path:
    """A FER2013 archive, of which one held-out face also occurs in training."""
    faces = shades(count)
    images = faces.images.copy()
    usage = (np.arange(count) >= count - held_out).astype(np.uint8)
    images[count - 2] = images[3]
    np.savez(path, pixels=images, emotion=faces.labels.astype(np.uint8), usage=usage)
    return path


def write_folders(root: Path, classes: tuple[str, ...], people: int = 5, each: int = 2) -> Path:
    """A folder a class with CK+'s names, of shaded squares."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for person in range(people):
            for frame in range(each):
                faces = shades(len(classes), len(classes), seed=100 * person + frame)
                file = root / name / f"S{person:03}_001_{frame:08}.png"
                cv2.imwrite(str(file), faces.images[label])
    return root
