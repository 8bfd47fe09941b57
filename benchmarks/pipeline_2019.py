"""The program of 2019 as a contestant, written anew from its description.

Every 10th frame, and every frame while there is no face, a TensorFlow session runs the
frozen face graph on the whole frame; in between, one NumPy KCF a face follows it; every
face of every frame goes through Keras' `predict` by itself. Or OpenCV's Haar cascade
finds the faces, the program's older mode.

It is faithful in what it computes, on the libraries of today. On close-up faces the graph
also gives boxes far wider than a face; they are left out here as the engine leaves them
out, so that both have the same faces to follow and to classify. The expression network has
the published architecture and random weights: it times, it does not judge.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from fer_edge.engine.detector import FACE_ASPECT
from fer_edge.engine.errors import BackendUnavailable, BadInput, InputNotFound, SourceFailed
from fer_edge.engine.haar import HaarDetector
from fer_edge.engine.preprocess import square_crop
from fer_edge.engine.sources.base import Reader
from fer_edge.engine.tracking.base import Box
from fer_edge.engine.types import Image

from .kcf_2019 import NumpyKCF
from .laps import Runner

FindBoxes = Callable[[Image], list[Box]]
Predict = Callable[[Image], np.ndarray[Any, np.dtype[np.float32]]]
DETECT_EVERY = 10
SIDE = 48
MIN_SCORE = 0.5
FACE_CLASS = 1


class Pipeline2019(Runner):
    """The loop of the 2019 program over one source.

    Args:
        reader: the frames; it must not end.
        detector: whole frame to face boxes.
        predict: one gray face, uint8 `(h, w)`, to probabilities; None without expressions.
        name, about: see `Runner`.
        detect_every: frames from one detection to the next.
    """

    def __init__(
        self,
        reader: Reader,
        detector: FindBoxes,
        predict: Predict | None,
        name: str,
        about: str,
        detect_every: int = DETECT_EVERY,
    ) -> None:
        self.name, self.about, self.cycle = name, about, detect_every
        self._reader = reader
        self._detector = detector
        self._predict = predict
        self._trackers: list[NumpyKCF] = []
        self._count = 0

    def step(self) -> tuple[float, int, bool]:
        """Take the next frame to its result; see `Runner.step`."""
        frame = self._reader.read()
        if frame is None:
            raise SourceFailed(f"{self._reader.info.name}: has no more frames")
        started = perf_counter()
        image = frame.image
        gray: Image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
        detect = self._count % self.cycle == 0 or not self._trackers
        if detect:
            boxes = self._detector(image)
            # With a detection in every frame there is nothing to follow.
            self._trackers = [NumpyKCF(gray, box) for box in boxes] if self.cycle > 1 else []
        else:
            boxes = [tracker.update(gray) for tracker in self._trackers]
        if self._predict is not None:
            for box in boxes:
                self._predict(square_crop(gray, np.array(box, np.float32)))
        self._count += 1
        return perf_counter() - started, len(boxes), detect

    def close(self) -> None:
        """Let the source go; the models belong to `Program2019`."""
        self._reader.close()


class Program2019:
    """The models of the 2019 program, loaded once for all cases. A context manager.

    Args:
        graph: the frozen SSD graph.

    Raises:
        InputNotFound: no file at `graph`.
        BadInput: it is no frozen SSD.
        BackendUnavailable: TensorFlow or Keras is missing.
    """

    def __init__(self, graph: Path) -> None:
        if not graph.is_file():
            raise InputNotFound(f"{graph}: no such frozen graph; give the original with --graph")
        # The reader of graphs asks for plain kernels; in a race TensorFlow has its fast ones.
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
        with ExitStack() as opened:
            try:
                session = _by_session(graph, opened)
                self._predict = _by_keras()
            except ModuleNotFoundError as error:
                raise BackendUnavailable(
                    f"--baseline needs {error.name}: pip install 'fer-edge[convert]'"
                ) from error
            about = f"TensorFlow {version('tensorflow')} session on {graph.name}"
            self._detectors = {"2019": (session, about)}
            # An OpenCV without cascades leaves the older mode out.
            with suppress(BackendUnavailable):
                about = f"OpenCV {cv2.__version__} Haar cascade"
                self._detectors["2019 haar"] = (_by_cascade(HaarDetector()), about)
            self._closing = opened.pop_all()

    def runners(
        self, readers: Callable[[], Reader], classify: bool, detect_every: int = DETECT_EVERY
    ) -> list[Pipeline2019]:
        """The program in its mode with the graph, and in the older one where it is there.

        Args:
            readers: opens the source anew, for each.
            classify: whether it names expressions.
            detect_every: 10 in 2019; that of the case, so that both detect alike.
        """
        words = ["NumPy KCF a face" if detect_every > 1 else "no tracking"]
        if classify:
            words.append(f"Keras {version('keras')} predict a face, random weights")
        return [
            Pipeline2019(
                readers(), detector, self._predict if classify else None, name,
                ", ".join([about, *words]), detect_every,
            )
            for name, (detector, about) in self._detectors.items()
        ]  # fmt: skip

    def close(self) -> None:
        """End the session; may be called twice."""
        self._closing.close()

    def __enter__(self) -> Program2019:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _by_session(path: Path, opened: ExitStack) -> FindBoxes:
    from fer_edge.convert.frozen_ssd import open_session, read_graph

    graph = read_graph(path)
    pictures = [node.name for node in graph.node if node.op == "Placeholder"]
    if len(pictures) != 1:
        raise BadInput(f"{path}: {len(pictures)} inputs, a frozen face detector has one")
    run = opened.enter_context(open_session(graph))
    fetches = [f"detection_{name}:0" for name in ("boxes", "scores", "classes")]

    def detect(image: Image) -> list[Box]:
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        corners, scores, classes = run(fetches, {f"{pictures[0]}:0": rgb[None]})
        height, width = image.shape[:2]
        faces = corners[0][(scores[0] > MIN_SCORE) & (classes[0] == FACE_CLASS)]
        boxes = [
            (x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height)
            for y0, x0, y1, x1 in faces.tolist()
        ]
        least, largest = FACE_ASPECT
        return [box for box in boxes if least <= box[2] / max(box[3], 1) <= largest]

    return detect


def _by_cascade(cascade: HaarDetector) -> FindBoxes:
    def detect(image: Image) -> list[Box]:
        return [(x, y, w, h) for x, y, w, h in cascade(image).boxes.tolist()]

    return detect


def _by_keras() -> Predict:
    from fer_edge.convert.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    from fer_edge.models.networks.published import published_network

    network = published_network(keras, rescale=False)

    def predict(face: Image) -> np.ndarray[Any, np.dtype[np.float32]]:
        small = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pixels = small.astype(np.float32)[None, ..., None] / 255
        return np.asarray(network.predict(pixels, verbose=0))[0]

    return predict
