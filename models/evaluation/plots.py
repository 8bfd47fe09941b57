"""Pictures of an evaluation, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .crops import CropFigures
from .metrics import Counts, Curve, ReliabilityBin

DPI = 130
# Pixels between the faces of a sheet.
GAP = 6


def confusion_png(confusion: Counts, classes: Sequence[str], title: str) -> bytes:
    """The confusion matrix: rows normalised by the true class, counts beneath.

    Args:
        confusion: faces `(classes, classes)`, true class by row.
        classes: names.
        title: above the picture.
    """
    totals = confusion.sum(axis=1, keepdims=True)
    share = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    side = 1.6 + 0.85 * len(classes)
    figure, axes = _figure(side + 0.6, side)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*confusion.shape):
        colour = "white" if share[row, column] > 0.55 else "black"
        place = {"ha": "center", "color": colour}
        text = f"{share[row, column]:.0%}" if totals[row, 0] else "-"
        axes.text(column, row, text, va="bottom", fontsize=11, **place)
        axes.text(column, row, f"{confusion[row, column]:,}", va="top", fontsize=7.5, **place)
    axes.set_xticks(range(len(classes)), classes, rotation=35, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    axes.set_title(title)
    return _png(figure)


def roc_png(curves: Sequence[Curve], classes: Sequence[str], title: str) -> bytes:
    """ROC curves of all classes, each against the rest."""
    figure, axes = _figure(6.4, 5.6)
    for curve, name in zip(curves, classes, strict=True):
        if len(curve.false_alarms):
            axes.plot(curve.false_alarms, curve.true_alarms, label=f"{name}  {curve.area:.3f}")
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8, linestyle="--")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    axes.set_title(title)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title="area under the curve", loc="lower right")
    axes.grid(alpha=0.3)
    return _png(figure)


def reliability_png(models: Mapping[str, Sequence[ReliabilityBin]], title: str) -> bytes:
    """How often answers are right by how sure they are.

    Args:
        models: bins by name; of a single model, numbers of faces are told.
        title: above the picture.
    """
    figure, axes = _figure(6.4, 5.6)
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8, linestyle="--")
    for name, bins in models.items():
        axes.plot([b.confidence for b in bins], [b.right for b in bins], marker="o", label=name)
        for b in bins if len(models) == 1 else ():
            place = {"xytext": (4, -10), "textcoords": "offset points", "size": 7}
            axes.annotate(f"{b.faces:,}", (b.confidence, b.right), **place)
    if len(models) > 1:
        axes.legend(loc="upper left")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of right answers")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    return _png(figure)


def coverage_png(curves: Mapping[str, Sequence[tuple[float, float]]], title: str) -> bytes:
    """Risk-coverage curves: (share of faces that get an answer, share that is right), by model."""
    figure, axes = _figure(6.4, 4.6)
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    if len(curves) > 1:
        axes.legend(loc="lower left")
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of faces that get an answer, the surest first")
    axes.set_ylabel("share on which people agree")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    return _png(figure)


def recall_png(recalls: Mapping[str, Sequence[float]], classes: Sequence[str], title: str) -> bytes:
    """Bars of each class's recall, 0-1, side by side for several models."""
    figure, axes = _figure(2 + 0.9 * len(classes), 4.6)
    width = 0.8 / len(recalls)
    for number, (name, values) in enumerate(recalls.items()):
        places = np.arange(len(classes)) - 0.4 + width * (number + 0.5)
        axes.bar(places, values, width, label=name)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_ylim(0, 1)
    axes.set_ylabel("recall")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=len(recalls))
    axes.grid(axis="y", alpha=0.3)
    return _png(figure)


def crop_png(sizes: Sequence[CropFigures], title: str) -> bytes:
    """What is found and what is right by the size of the face in its scene."""
    figure, axes = _figure(6.4, 4.6)
    sides = [row.side for row in sizes]
    wholes = [row.whole.share for row in sizes if row.whole is not None]
    axes.plot(sides, [row.found / row.asked for row in sizes], marker="o", label="found")
    axes.plot(sides, wholes, marker="o", label="right of those found, as they are")
    axes.plot(sides, [row.cropped.share for row in sizes], marker="o", label="the same, cropped")
    axes.set_ylim(0, 1)
    axes.set_xlabel("pixels a side in the scene")
    axes.set_ylabel("share of faces")
    axes.set_title(title)
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    return _png(figure)


def sheet_png(
    images: npt.NDArray[np.uint8], captions: Sequence[str], title: str, columns: int = 8
) -> bytes:
    """Faces in rows with a caption beneath each; images uint8 `(n, h, w)`."""
    height, width = images.shape[1:]
    beneath = height // 3
    sheet = mosaic(images, columns, beneath)
    wide, tall = width + GAP, height + beneath
    # One picture of all: axes for each face take seconds.
    figure, axes = _figure(columns * 1.25, len(sheet) * columns * 1.25 / sheet.shape[1] + 0.5)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    axes.axis("off")
    for index, caption in enumerate(captions):
        row, column = divmod(index, columns)
        place = column * wide + width / 2, row * tall + height + 1
        axes.text(*place, caption, fontsize=7, ha="center", va="top")
    figure.suptitle(title, fontsize=10)
    return _png(figure)


def mosaic(
    images: npt.NDArray[np.uint8], columns: int, beneath: int = GAP
) -> npt.NDArray[np.uint8]:
    """Images uint8 `(n, h, w)` in rows on white, GAP pixels beside and `beneath` under each."""
    height, width = images.shape[1:]
    wide, tall = width + GAP, height + beneath
    sheet = np.full((max(1, -(-len(images) // columns)) * tall, columns * wide), 255, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        sheet[row * tall :, column * wide :][:height, :width] = image
    return sheet


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # No pyplot: it looks for a screen and keeps figures alive.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _png(figure: Any) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    return data.getvalue()
