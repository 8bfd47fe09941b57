"""What reads files from outside, and small sound files of each kind to begin with.

A target reads a file. It may raise a `FerError` of one line, and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from fer_edge.engine.config import shipped_weights

from ..engine.sources.films import write_film

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """A reader of files.

    Attributes:
        seeds: makes sound files in an empty folder.
        read: reads one.
    """

    seeds: Callable[[Path], None]
    read: Read


def films(folder: Path) -> None:
    """Every container that is written here, with sound where it takes some."""
    times = [0.0, 0.1, 0.2, 0.35, 0.4]
    for name, codec, options in (
        ("a.mp4", "libx264", {"sound_s": 0.3}),
        ("b.mkv", "libx264", {"sound_s": 0.3}),
        ("c.webm", "libvpx", {}),
        ("d.avi", "mjpeg", {"pixels": "yuvj420p"}),
        ("e.ts", "libx264", {}),
        ("f.flv", "flv1", {}),
        ("g.gif", "gif", {"pixels": "rgb8"}),
        ("h.mov", "libx264", {}),
    ):
        write_film(folder / name, times, codec, **options)


def read_film(path: Path) -> None:
    """Some frames, as a run does."""
    from fer_edge.engine.sources import open_source

    with open_source(str(path)) as feed:
        for _ in islice(feed, 20):
            pass


def pictures(folder: Path) -> None:
    """Every kind of picture that OpenCV writes here."""
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    for suffix in ("png", "jpg", "bmp", "webp", "tif", "ppm"):
        cv2.imwrite(str(folder / f"a.{suffix}"), image)


def copied(*names: str) -> Callable[[Path], None]:
    """Seeds that are files of the package."""

    def seeds(folder: Path) -> None:
        for name in names:
            shutil.copy(shipped_weights(name), folder)

    return seeds


def read_facts(path: Path) -> None:
    """A converted model's facts."""
    from fer_edge.engine import model

    model.read_facts(path)


def detectors(folder: Path) -> None:
    """A network such as detectors are made of."""
    import onnx
    from onnx import helper

    weights = helper.make_tensor("w", onnx.TensorProto.FLOAT, [4, 3, 3, 3], [0.5] * 108)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Sigmoid", ["r"], ["y"]),
    ]
    inside = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 32, 32])
    outside = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 16, 16])
    graph = helper.make_graph(nodes, "g", [inside], [outside], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, str(folder / "a.onnx"))


def read_detector(path: Path) -> None:
    """A face detector of others, as the converter reads it."""
    from fer_edge.convert.onnx_detectors import reading

    reading.read_onnx(path)


def read_keras(path: Path) -> None:
    """A Keras model's configuration."""
    from fer_edge.convert.keras_model import read_keras_file

    read_keras_file(path)


def faces(folder: Path) -> None:
    """Labelled faces in FER2013's forms."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 48, 48), np.uint8)
    emotion, usage = np.arange(6, dtype=np.uint8), np.array([0, 0, 0, 0, 1, 1], np.uint8)
    votes = np.full((6, 10), 1, np.uint8)
    np.savez(folder / "a.npz", pixels=pixels, emotion=emotion, usage=usage, votes=votes)
    rows = [
        f"{label},{' '.join(map(str, face.ravel()))},{'PublicTest' if use else 'Training'}"
        for label, face, use in zip(emotion, pixels, usage, strict=True)
    ]
    (folder / "b.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")


def read_faces(path: Path) -> None:
    """A data set to train on."""
    from fer_edge.models.data import load_dataset

    load_dataset(path)


def rules(folder: Path) -> None:
    """The monitor's rules."""
    from fer_edge.engine.monitor.rulebook import SHIPPED

    for path in SHIPPED.glob("*.toml"):
        shutil.copy(path, folder)


def read_rules(path: Path) -> None:
    """As the monitor does at its start."""
    from fer_edge.engine.monitor.rulebook import read_rulebook

    read_rulebook(str(path))


def read_training(path: Path) -> None:
    """A configuration of fer-train."""
    from fer_edge.models.config import read_config

    read_config(path)


def labels(folder: Path) -> None:
    """Labelled pictures in every form."""
    (folder / "a.json").write_text(
        json.dumps({"a.jpg": [{"box_xywh": [1, 2, 30, 40.5], "ignore": True}], "b.jpg": []})
    )
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4], "category_id": 1}],
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / "b.json").write_text(json.dumps(coco))
    (folder / "c.txt").write_text("a.jpg\n1\n10 10 20 20 0 0 0 0 0 0\n")


def read_labels(path: Path) -> None:
    """As `fer-bench accuracy` does."""
    from fer_edge.benchmarks.accuracy import labels as forms

    forms.read_labels(path)


TARGETS = {
    "films": Target(films, read_film),
    "pictures": Target(pictures, read_film),
    "facts": Target(copied("yunet_s.onnx"), read_facts),
    "detectors": Target(detectors, read_detector),
    "keras": Target(copied("expression_64.keras"), read_keras),
    "faces": Target(faces, read_faces),
    "rules": Target(rules, read_rules),
    "training": Target(copied("expression.json", "fit.json"), read_training),
    "labels": Target(labels, read_labels),
}


def _raise(path: Path) -> None:
    raise ZeroDivisionError(f"of {path.name}")


def _die(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


# Faults that a run has to find.
FAULTY = {"raises": Target(rules, _raise), "dies": Target(rules, _die)}
