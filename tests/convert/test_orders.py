from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.convert.orders import ORDERS, judge, labelled_faces
from fer_edge.engine.types import Floats, Image

# Each expression is a shade of grey, which tells it.
SHADES = {label: 20 + 30 * at for at, label in enumerate(ORDERS["fer2013"])}


def answers_in(order: tuple[str, ...], faces: list[Image]) -> Floats:
    shades = np.array([SHADES[label] for label in order])
    return -np.abs(np.array([face.mean() for face in faces])[:, None] - shades).astype(np.float32)


@pytest.mark.parametrize("order", ORDERS)
def test_labelled_faces_tell_the_order_of_a_network(order: str, tmp_path: Path) -> None:
    for label, shade in SHADES.items():
        (tmp_path / label.title()).mkdir()
        cv2.imwrite(str(tmp_path / label.title() / "face.png"), np.full((8, 8, 3), shade, np.uint8))
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.txt").touch()
    faces = labelled_faces(tmp_path)
    assert len(faces) == 7
    better, told = judge(lambda seen: answers_in(ORDERS[order], seen), faces) or ("", "")
    assert better == order
    assert f"{order} is right about 100%" in told


def test_without_labelled_faces_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    assert labelled_faces(tmp_path) == []
    assert judge(lambda seen: answers_in(ORDERS["fer2013"], seen), []) is None
