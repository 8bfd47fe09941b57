"""A frozen SSD graph, run by TensorFlow as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from fer_edge.engine.types import Detections, Image

from .frozen_ssd import OUTPUTS, FrozenSSD, Runner, corners_by_row, open_session
from .originals import Candidates


@dataclass(frozen=True)
class SSDOriginal:
    """A frozen SSD graph; see `originals.OriginalDetector`."""

    ssd: FrozenSSD

    @contextmanager
    def opened(self) -> Iterator[OpenSSD]:
        """Load it into a session."""
        with open_session(self.ssd.graph_def) as run:
            yield OpenSSD(self.ssd, run)


@dataclass(frozen=True)
class OpenSSD:
    """A frozen SSD graph in a session; see `originals.OpenOriginal`."""

    ssd: FrozenSSD
    run: Runner

    def candidates(self, image: Image) -> Candidates:
        """All anchors' boxes and best scores."""
        ssd = self.ssd
        fetches = [ssd.cut.score_output, ssd.cut.decoded]
        raw = self.run(fetches, {ssd.cut.image: image[None, ..., ::-1]})
        by_class = np.asarray(raw[0]).reshape(len(ssd.anchors), -1)[:, int(ssd.background) :]
        return Candidates(corners_by_row(raw[1]), by_class.max(axis=1))

    def detections(self, image: Image, least_score: float) -> list[Detections]:
        """What the graph's own suppression leaves."""
        fetches = [f"{name}:0" for name in OUTPUTS[:3]]
        outputs = self.run(fetches, {self.ssd.cut.image: image[None, ..., ::-1]})
        corners, scores, classes = (np.asarray(output)[0] for output in outputs)
        height, width = image.shape[:2]
        scale = np.array([width, height, width, height], np.float32)
        boxes = np.clip(corners[:, [1, 0, 3, 2]], 0, 1) * scale
        boxes[:, 2:] -= boxes[:, :2]
        found = []
        for column in range(self.ssd.classes):
            # The API counts classes from 1.
            chosen = (classes.astype(int) == column + 1) & (scores >= least_score)
            found.append(Detections(boxes[chosen], scores[chosen]))
        return found
