"""Faces drawn into a picture."""

from __future__ import annotations

import cv2

from .types import Face, FrameResult, Image

# BGR, one colour an id, chosen to differ in hue and to be seen on skin.
COLOURS = (
    (80, 220, 60), (255, 170, 40), (60, 170, 255), (230, 90, 230), (230, 230, 60), (90, 110, 255),
)  # fmt: skip
BLACK = (0, 0, 0)


def annotate(result: FrameResult, blur: bool = False, landmarks: bool = False) -> Image:
    """Return a copy of a BGR uint8 frame with box, id and expression of each face.

    Args:
        result: the frame, and the faces in it.
        blur: hide the faces first; see `hide_faces`.
        landmarks: a dot for each landmark too; none where faces are blurred, whose features
            they would give away.
    """
    picture = result.frame.image.copy()
    if blur:
        hide_faces(picture, result)
    for face in result.faces:
        _draw(picture, face)
        if landmarks and not blur:
            _draw_landmarks(picture, face)
    return picture


def hide_faces(picture: Image, result: FrameResult) -> None:
    """Pixelate all faces of a frame in place, so that nobody can be recognised.

    Where no detector looked at the frame, it may show faces that are not known yet: then the
    whole picture is pixelated.
    """
    if result.found is None:
        height, width = picture.shape[:2]
        hide(picture, (0.0, 0.0, width, height))
        return
    for box in (*(face.track.box for face in result.faces), *result.found.tolist()):
        hide(picture, box)


def hide(picture: Image, box: tuple[float, float, float, float]) -> None:
    """Pixelate a box `(x, y, w, h)`, enlarged by a quarter, in place.

    At most six cells a side remain, too few to recognise a person or an expression.
    """
    x, y, w, h = box
    left, top = max(0, int(x - w / 8)), max(0, int(y - h / 8))
    right, bottom = int(x + w * 9 / 8) + 1, int(y + h * 9 / 8) + 1
    region = picture[top : max(0, bottom), left : max(0, right)]
    if not region.size:
        return
    height, width = region.shape[:2]
    cells = cv2.resize(region, (min(6, width), min(6, height)), interpolation=cv2.INTER_AREA)
    region[...] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)


def caption(face: Face) -> str:
    """The text beside a face: its id, and its expression with the probability, or `unsure`."""
    if face.unsure is not None:
        return f"{face.track.id} unsure"
    name = face.expression
    if name is None:
        return f"{face.track.id}"
    return f"{face.track.id} {name} {face.probabilities[name]:.0%}"


def _draw(picture: Image, face: Face) -> None:
    x, y, w, h = (round(value) for value in face.track.box)
    colour = COLOURS[face.track.id % len(COLOURS)]
    unit = _unit(picture)
    cv2.rectangle(picture, (x, y), (x + w, y + h), colour, 2 * unit)
    text, scale = caption(face), 0.5 * unit
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, unit)
    left = max(0, min(x, picture.shape[1] - width - 4 * unit))
    top = max(height + base + 2 * unit, y)
    cv2.rectangle(
        picture, (left, top - height - base - 2 * unit), (left + width + 4 * unit, top), colour, -1
    )
    cv2.putText(
        picture, text, (left + 2 * unit, top - base), cv2.FONT_HERSHEY_SIMPLEX, scale, BLACK, unit,
        cv2.LINE_AA,
    )  # fmt: skip


def _draw_landmarks(picture: Image, face: Face) -> None:
    # Dots of a small face are small, that it can still be seen.
    share = min(face.track.box[2:]) / 40
    radius = max(1, round(min(2.0 * _unit(picture), share)))
    colour = COLOURS[face.track.id % len(COLOURS)]
    for x, y in face.track.landmarks:
        # OpenCV takes 32 bits, four of them for sixteenths of a pixel.
        middle = (_sixteenths(x), _sixteenths(y))
        cv2.circle(picture, middle, 16 * (radius + 1), BLACK, -1, cv2.LINE_AA, shift=4)
        cv2.circle(picture, middle, 16 * radius, colour, -1, cv2.LINE_AA, shift=4)


def _sixteenths(value: float) -> int:
    return round(16 * min(max(value, -1e6), 1e6))


def _unit(picture: Image) -> int:
    """What sizes follow, so that 4K is as readable as VGA."""
    return max(1, round(min(picture.shape[:2]) / 360))
