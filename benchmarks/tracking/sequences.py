"""The sequences: a class for each thing that makes following faces hard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import cos, exp, pi, sin

import cv2
import numpy as np

from fer_edge.engine.types import Image

from .material import Head, Photograph
from .render import HEIGHT, WIDTH, Actor, Matrix, Motion, Scene, Thing, Truth, render

SECONDS = 3.0
# An opaque thing covers a face wholly from here to there.
_HIDDEN_S = (1.2, 2.0)


@dataclass(frozen=True)
class Sequence:
    """A short video with ground truth.

    Attributes:
        kind: its class.
        name: of its own.
        fps: frames a second of its motion.
        frames: BGR uint8 `(480, 640, 3)`.
        truth: of each frame, by face id.
    """

    kind: str
    name: str
    fps: float
    frames: tuple[Image, ...]
    truth: tuple[dict[int, Truth], ...]


class Director:
    """Makes the scenes of one seed.

    Args:
        photographs: at least one.
        heads: at least two.
        seed: chooses among them, and the details of motion.
    """

    def __init__(self, photographs: list[Photograph], heads: list[Head], seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._photographs = photographs
        self._heads = heads
        self._seed = seed

    def scenes(self, kind: str) -> list[Scene]:
        """The scenes of a class, shown one after the other."""
        if kind.startswith(_CROWD):
            return _crowd(int(kind.removeprefix(_CROWD)))(self)
        return KINDS[kind](self)

    def group(self, camera: Callable[[float], tuple[float, float, float, float]]) -> Scene:
        """A photograph with its faces, seen by a camera.

        Args:
            camera: time to shift x and y in pixels of the frame, zoom, and angle in radians.
        """
        photograph = self._photographs[self._seed % len(self._photographs)]
        boxes = np.array(photograph.boxes)
        # Faces stay in the frame: leaving it is a class of its own.
        left, top = boxes[:, :2].min(axis=0)
        right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
        fit = min(
            95 / boxes[:, 3].mean(), 0.6 * WIDTH / (right - left), 0.6 * HEIGHT / (bottom - top)
        )
        middle = np.array([left + right, top + bottom]) / 2
        faces = dict(enumerate(photograph.boxes, start=1))
        return Scene(photograph.image, _camera(middle, fit, camera), faces)

    def stage(self, *layers: Actor | Thing) -> Scene:
        """Layers before a real background that holds no upright face, and stands still."""
        photograph = self._photographs[(self._seed + 1) % len(self._photographs)]
        turned = np.ascontiguousarray(photograph.image[::-1])
        middle = np.array([turned.shape[1] / 2, turned.shape[0] / 2])
        fit = 1.15 * max(WIDTH / turned.shape[1], HEIGHT / turned.shape[0])
        return Scene(turned, _camera(middle, fit, lambda _: (0, 0, 1, 0)), {}, layers)

    def actor(
        self, id_: int, path: Callable[[float], tuple[float, float]], height: float = 100.0,
        attitude: Callable[[float], tuple[float, float, float]] = lambda _: (0, 0, 0),
    ) -> Actor:  # fmt: skip
        """A head on its way.

        Args:
            id_: of its face.
            path: time to the middle of its face in the frame.
            height: of its face in pixels.
            attitude: time to yaw, pitch and roll in radians.
        """
        head = self._heads[(3 * self._seed + 5 * id_) % len(self._heads)]
        return Actor(id_, head, _head_motion(head, path, height, attitude))

    def wanderer(self, id_: int, x: float, y: float, reach: float, height: float) -> Actor:
        """A head that moves as people do, near a place."""
        phases = self._rng.uniform(0, 2 * pi, 4)
        rates = self._rng.uniform(0.25, 0.6, 4)

        def path(t: float) -> tuple[float, float]:
            return (
                x + reach * (sin(2 * pi * rates[0] * t + phases[0])),
                y + 0.4 * reach * sin(2 * pi * rates[1] * t + phases[1]),
            )

        def attitude(t: float) -> tuple[float, float, float]:
            return (
                0.15 * sin(2 * pi * rates[2] * t + phases[2]), 0.0,
                0.08 * sin(2 * pi * rates[3] * t + phases[3]),
            )  # fmt: skip

        return self.actor(id_, path, height, attitude)

    def board(
        self, width: float, height: float, path: Callable[[float], tuple[float, float]]
    ) -> Thing:
        """An opaque piece of another photograph; `path` is of its middle."""
        image = self._photographs[(self._seed + 2) % len(self._photographs)].image
        w, h = min(round(width), image.shape[1]), min(round(height), image.shape[0])
        part = np.ascontiguousarray(image[-h:, -w:])

        def motion(t: float) -> Matrix:
            x, y = path(t)
            return np.array(
                [[width / w, 0, x - width / 2], [0, height / h, y - height / 2], [0, 0, 1]]
            )

        return Thing(part, motion)

    @property
    def noise(self) -> np.random.Generator:
        """For what is random in each frame."""
        return self._rng


def _camera(
    middle: np.ndarray, fit: float, look: Callable[[float], tuple[float, float, float, float]]
) -> Motion:
    def motion(t: float) -> Matrix:
        dx, dy, zoom, angle = look(t)
        c, s = fit * zoom * cos(angle), fit * zoom * sin(angle)
        x, y = middle
        return np.array(
            [
                [c, -s, WIDTH / 2 + dx - c * x + s * y],
                [s, c, HEIGHT / 2 + dy - s * x - c * y],
                [0, 0, 1],
            ]
        )

    return motion


def _head_motion(
    head: Head, path: Callable[[float], tuple[float, float]], height: float,
    attitude: Callable[[float], tuple[float, float, float]],
) -> Motion:  # fmt: skip
    x, y, w, h = head.box
    scale = height / h
    # Seen from eight face heights away.
    far = 8 * height

    def motion(t: float) -> Matrix:
        yaw, pitch, roll = attitude(t)
        to_middle = np.array(
            [[scale, 0, -scale * (x + w / 2)], [0, scale, -scale * (y + h / 2)], [0, 0, 1]]
        )
        turn = (
            np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
            @ np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
            @ np.array([[1, 0, 0], [0, cos(pitch), -sin(pitch)], [0, sin(pitch), cos(pitch)]])
        )  # fmt: skip
        # A plane through the middle of the face: its points (u, v, 0), turned, then projected.
        plane = np.column_stack([turn[:, 0], turn[:, 1], [0, 0, far]])
        project = np.array([[far, 0, 0], [0, far, 0], [0, 0, 1]])
        u, v = path(t)
        return np.array([[1, 0, u], [0, 1, v], [0, 0, 1]]) @ project @ plane @ to_middle

    return motion


def _pan(d: Director) -> list[Scene]:
    return [d.group(lambda t: (110 * sin(2 * pi * 0.45 * t), 50 * sin(2 * pi * 0.6 * t), 1, 0))]


def _zoom(d: Director) -> list[Scene]:
    return [d.group(lambda t: (0, 0, exp(0.45 * sin(2 * pi * 0.4 * t)), 0))]


def _rotation(d: Director) -> list[Scene]:
    return [d.group(lambda t: (0, 0, 1, 0.5 * sin(2 * pi * 0.35 * t)))]


def _turn(d: Director) -> list[Scene]:
    def attitude(t: float) -> tuple[float, float, float]:
        return 0.7 * sin(2 * pi * 0.4 * t), 0.25 * sin(2 * pi * 0.55 * t), 0.0

    return [d.stage(d.actor(1, lambda t: (320 + 40 * sin(2 * pi * 0.4 * t), 240), 120, attitude))]


def _walk(d: Director) -> list[Scene]:
    return [d.stage(d.wanderer(1, 200, 250, 130, 110), d.wanderer(2, 460, 200, 110, 80))]


def _blur(d: Director) -> list[Scene]:
    scene = d.group(lambda t: (120 * sin(2 * pi * 0.7 * t), 35 * sin(2 * pi * 1.1 * t), 1, 0))
    return [replace(scene, shutter_s=1 / 30)]


def _light(d: Director) -> list[Scene]:
    def finish(image: Image, t: float) -> Image:
        gain = 0.8 + 0.5 * sin(2 * pi * 0.5 * t)
        return cv2.convertScaleAbs(image, alpha=gain, beta=12)  # type: ignore[return-value]

    return [replace(_walk(d)[0], finish=finish)]


def _noise(d: Director) -> list[Scene]:
    def finish(image: Image, t: float) -> Image:
        grain = d.noise.normal(0, 18, image.shape).astype(np.float32)
        return np.clip(image + grain, 0, 255).astype(np.uint8)

    return [replace(_walk(d)[0], finish=finish)]


def _partial(d: Director) -> list[Scene]:
    """A board covers up to two fifths of a face from the side, goes away and comes back."""
    height = 110.0
    face = d.actor(1, lambda t: (320 + 40 * sin(2 * pi * 0.3 * t), 240), height)
    width = face.head.box[2] / face.head.box[3] * height

    def path(t: float) -> tuple[float, float]:
        covered = 0.4 * (0.5 - 0.5 * cos(2 * pi * 0.5 * t))
        x = 320 + 40 * sin(2 * pi * 0.3 * t)
        return x - width / 2 - 100 + covered * width, 240

    return [d.stage(face, d.board(200, 300, path))]


def _occlusion(d: Director) -> list[Scene]:
    """Something larger than the face slides before it, stays, and goes on."""

    def path(t: float) -> tuple[float, float]:
        return 320 + 12 * sin(2 * pi * 0.3 * t), 230

    start, end = _HIDDEN_S

    def board(t: float) -> tuple[float, float]:
        before, after = min(0.0, t - start), max(0.0, t - end)
        return path(t)[0] + 500 * (before + after), 250

    return [d.stage(d.actor(1, path, 100), d.board(220, 300, board))]


def _crossing(d: Director) -> list[Scene]:
    """Two faces pass each other, one before the other, up to half overlapping."""
    size = 95.0

    def back(t: float) -> tuple[float, float]:
        return 180 + 280 * t / SECONDS, 205

    def front(t: float) -> tuple[float, float]:
        return 460 - 280 * t / SECONDS, 205 + 0.78 * size

    return [d.stage(d.actor(1, back, size), d.actor(2, front, size))]


def _leaving(d: Director) -> list[Scene]:
    """A face walks out at one side and comes back, beside one that stays."""

    def path(t: float) -> tuple[float, float]:
        return 180 - 300 * sin(pi * t / SECONDS), 240

    return [d.stage(d.actor(1, path, 100), d.wanderer(2, 470, 240, 40, 90))]


def _cut(d: Director) -> list[Scene]:
    # Elsewhere after the cut: a box that stays where it was must find no other face there.
    first = d.stage(d.wanderer(1, 110, 110, 30, 100))
    second = d.stage(d.wanderer(2, 560, 380, 25, 105))
    other = d.group(lambda t: (100 + 20 * sin(2 * t), 60, 1, 0))
    faces = {10 + id_: box for id_, box in other.faces.items()}
    return [first, replace(other, faces=faces, layers=second.layers)]


def _crowd(count: int) -> Callable[[Director], list[Scene]]:
    def scenes(d: Director) -> list[Scene]:
        columns = max(1, round((count * WIDTH / HEIGHT) ** 0.5))
        rows = -(-count // columns)
        w, h = WIDTH / columns, HEIGHT / rows
        return [
            d.stage(
                *(
                    d.wanderer(
                        n + 1, (n % columns + 0.5) * w, (n // columns + 0.5) * h,
                        min(40.0, 0.12 * w), min(90.0, 0.6 * h),
                    )
                    for n in range(count)
                )
            )
        ]  # fmt: skip

    return scenes


KINDS: dict[str, Callable[[Director], list[Scene]]] = {
    "pan": _pan,
    "zoom": _zoom,
    "rotation": _rotation,
    "turn": _turn,
    "walk": _walk,
    "blur": _blur,
    "light": _light,
    "noise": _noise,
    "partial": _partial,
    "occlusion": _occlusion,
    "crossing": _crossing,
    "leaving": _leaving,
    "cut": _cut,
    "crowd 4": _crowd(4),
    "crowd 8": _crowd(8),
    "crowd 16": _crowd(16),
}
_CROWD = "crowd "


def make_sequences(
    photographs: list[Photograph], heads: list[Head], kinds: list[str], rates: list[float],
    seeds: int, seconds: float = SECONDS,
) -> Iterator[Sequence]:  # fmt: skip
    """Render every class at every frame rate with every seed, one at a time."""
    for kind in kinds:
        for seed in range(seeds):
            for fps in rates:
                director = Director(photographs, heads, seed)
                yield _film(director.scenes(kind), kind, f"{kind} {fps:g} fps {seed}", fps, seconds)


def _film(scenes: list[Scene], kind: str, name: str, fps: float, seconds: float) -> Sequence:
    count = round(seconds * fps)
    shots = [render(scenes[n * len(scenes) // count], n / fps) for n in range(count)]
    return Sequence(
        kind, name, fps, tuple(image for image, _ in shots), tuple(truth for _, truth in shots)
    )
