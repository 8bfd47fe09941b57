"""Kernelised correlation filters for all faces at once, with size and tilt.

A face is found in two steps, each for all faces in a few calls: a correlation filter finds how
far it has moved (`correlation`), then it is aligned with its template, which gives its size, its
tilt and its place to a fraction of a pixel (`alignment`). That second step takes the place of
KCF's search over several scales: it costs one patch a face instead of three or more. Held against
each other on the tracking benchmark's classes but its largest crowds (two videos each, at 30 and
15 fps; mean IoU at detection every 10th and 30th frame; update time with one face and eight):

| | every 10 | every 30 | one face | eight |
| --- | ---: | ---: | ---: | ---: |
| alignment | 0.965 | 0.923 | 1 | 1 |
| three scales, 1.05 apart, instead | 0.939 | 0.881 | 0.84 | 1.40 |
| a 1-D filter of 33 scales as DSST's, instead | 0.940 | 0.880 | 3.0 | 5.9 |

The time of the 1-D filter is a plain NumPy sketch's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..geometry import iou_matrix
from ..types import Image
from .alignment import Step
from .base import Box, Followed, Follower
from .matching import SIDE, Matching, PatchMatching
from .poses import Pose

# Side of a patch over the mean side of a box: how far around the face is searched.
PADDING = 2.0
# A smaller face has too few pixels to tell it from another place.
LEAST_SIDE_PX = 4.0
# Filters take in every third frame: they change little from one to the next, and learning costs
# as much as finding.
LEARN_EVERY = 3
# Share of such a frame in the filter, and of a detected one in the template.
FILTER_RATE = 0.06
TEMPLATE_RATE = 0.1
# Peak-to-sidelobe ratio under which a face that its template does not know again is lost, and
# above which a face is surely there.
LOST_RATIO, SURE_RATIO = 6.0, 20.0
# A face of which less is trusted keeps its size and tilt: what is left of it says too little.
WHOLE_TRUSTED = 0.8
# A box that a detection moves by more no longer belongs to the template.
KEEP_IOU = 0.5
# Share of a box that must be in the frame.
LEAST_INSIDE = 0.4


class KCF(Follower):
    """Follows position, size and tilt; see the module's description.

    Args:
        matching: compares the faces with the frames; None for the CPU's.
    """

    def __init__(self, matching: Matching | None = None) -> None:
        # Rows of everything below, in this order.
        self._ids: list[int] = []
        self._poses: list[Pose] = []
        # Boxes in template pixels: middle, from the template's, and size.
        self._boxes: list[Box] = []
        # In pixels of the frame from one frame to the next.
        self._velocities: list[tuple[float, float]] = []
        # Whether the template knew the last frame's face again.
        self._aligned: list[bool] = []
        self._matching = matching or PatchMatching()
        self._frames = 0

    def start(self, image: Image, boxes: Mapping[int, Box]) -> None:
        """Follow these faces too; see `Follower.start`."""
        self.stop(boxes)
        fit = {id_: box for id_, box in boxes.items() if _can_be_followed(box, image)}
        if not fit:
            return
        first = len(self._ids)
        for id_, (x, y, w, h) in fit.items():
            scale = PADDING * (w + h) / 2 / SIDE
            self._ids.append(id_)
            self._poses.append(Pose(x + w / 2, y + h / 2, scale, 0.0))
            self._boxes.append((0.0, 0.0, w / scale, h / scale))
            self._velocities.append((0.0, 0.0))
            self._aligned.append(True)
        self._matching.add(image, self._poses[first:], np.array(self._boxes[first:])[:, 2:])

    def correct(self, boxes: Mapping[int, Box]) -> set[int]:
        """Take over better boxes; see `Follower.correct`.

        The template stays and its box moves, unless they would come apart.
        """
        apart = boxes.keys() - set(self._ids)
        rates = np.zeros(len(self._ids), np.float32)
        for row, id_ in enumerate(self._ids):
            if id_ not in boxes:
                continue
            if not self._aligned[row] or _iou(self._box(row), boxes[id_]) < KEEP_IOU:
                apart.add(id_)
                continue
            x, y, w, h = boxes[id_]
            pose = self._poses[row]
            middle = pose.to_template(x + w / 2, y + h / 2)
            self._boxes[row] = (*middle, w / pose.scale, h / pose.scale)
            rates[row] = TEMPLATE_RATE
        if rates.any():
            self._matching.adopt(rates)
        return apart

    def stop(self, ids: Collection[int]) -> None:
        """Forget these faces; see `Follower.stop`."""
        self._keep([row for row, id_ in enumerate(self._ids) if id_ not in ids])

    def update(self, image: Image) -> dict[int, Followed]:
        """Find the faces in the next frame; see `Follower.update`."""
        if not self._ids:
            return {}
        expected = [
            pose._replace(x=pose.x + dx, y=pose.y + dy)
            for pose, (dx, dy) in zip(self._poses, self._velocities, strict=True)
        ]
        self._frames += 1
        with self._matching.seeing(image, expected):
            peaks = self._matching.find(expected)
            found = [
                pose.moved(peak.across, peak.down)
                for pose, peak in zip(expected, peaks, strict=True)
            ]
            steps = self._matching.align(found)
            self._look_again(expected, found, steps)
            self._aligned = [step.alike for step in steps]
            if self._frames % LEARN_EVERY == 0 and any(self._aligned):
                self._matching.learn(found, np.float32(FILTER_RATE) * np.array(self._aligned))
        before = self._poses
        self._poses = [
            _moved(pose, step) if alike else pose
            for pose, step, alike in zip(found, steps, self._aligned, strict=True)
        ]
        self._velocities = [
            (now.x - then.x, now.y - then.y) if alike else (0.0, 0.0)
            for now, then, alike in zip(self._poses, before, self._aligned, strict=True)
        ]
        answer = {}
        kept = []
        for row, (id_, peak) in enumerate(zip(self._ids, peaks, strict=True)):
            box = self._box(row)
            there = peak.ratio >= LOST_RATIO or self._aligned[row]
            if there and _inside(box, image) >= LEAST_INSIDE:
                sure = min(peak.ratio / SURE_RATIO, 1.0) if self._aligned[row] else 0.0
                answer[id_] = Followed(box, sure, self._poses[row].angle)
                kept.append(row)
        self._keep(kept)
        return answer

    def _look_again(self, expected: list[Pose], found: list[Pose], steps: list[Step]) -> None:
        """Look where their motion leads for faces that were not where their filters say.

        A filter sees the face's surroundings too: what moves there, before the face or beside
        it, can mislead it while the face itself is plain to see.
        """
        astray = [row for row, step in enumerate(steps) if self._aligned[row] and not step.alike]
        if not astray:
            return
        poses = list(found)
        for row in astray:
            poses[row] = expected[row]
        for row, step in zip(astray, self._matching.align_some(poses, astray), strict=True):
            if step.alike:
                found[row], steps[row] = poses[row], step

    def _box(self, row: int) -> Box:
        pose = self._poses[row]
        across, down, w, h = self._boxes[row]
        x, y = pose.to_frame(across, down)
        w, h = w * pose.scale, h * pose.scale
        return x - w / 2, y - h / 2, w, h

    def _keep(self, rows: list[int]) -> None:
        if len(rows) == len(self._ids):
            return
        self._ids = [self._ids[row] for row in rows]
        self._poses = [self._poses[row] for row in rows]
        self._boxes = [self._boxes[row] for row in rows]
        self._velocities = [self._velocities[row] for row in rows]
        self._aligned = [self._aligned[row] for row in rows]
        self._matching.keep(rows)


def _moved(pose: Pose, step: Step) -> Pose:
    if step.trusted < WHOLE_TRUSTED:
        return pose.moved(step.across, step.down)
    return pose.moved(step.across, step.down, step.growth, step.turn)


def _iou(a: Box, b: Box) -> float:
    return float(iou_matrix(np.array([a], np.float32), np.array([b], np.float32))[0, 0])


def _inside(box: Box, image: Image) -> float:
    """Share of a box that is in the frame."""
    x, y, w, h = box
    height, width = image.shape[:2]
    across = max(0.0, min(x + w, width) - max(x, 0.0))
    return across * max(0.0, min(y + h, height) - max(y, 0.0)) / (w * h)


def _can_be_followed(box: Box, image: Image) -> bool:
    return min(box[2:]) >= LEAST_SIDE_PX and _inside(box, image) >= LEAST_INSIDE
