from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import FaceFrame
from fer_edge.engine.types import Detections, Image
from fer_edge.models.data.scenes import scenes, usual_sides
from fer_edge.models.detectors.face_frame import face_frame, main, measured_boxes

from ..tiny_faces import write_npz

FACES = np.zeros((20, 48, 48), np.uint8)


@settings(max_examples=5)
@given(
    st.floats(0.5, 1.2), st.floats(0.5, 1.2), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)
)  # fmt: skip
def test_boxes_that_lie_alike_are_measured(
    width: float, height: float, right: float, down: float
) -> None:
    known = scenes(FACES, usual_sides(len(FACES)))

    def detector(image: Image) -> Detections:
        """The crop in the next scene, framed as given."""
        x, y, side = next(known).square
        middle = np.array([x, y]) + side * (0.5 + np.array([right, down]))
        size = side * np.array([width, height])
        box = np.concatenate((middle - size / 2, size)).astype(np.float32)
        return Detections(box[None], np.ones(1, np.float32))

    boxes = measured_boxes(FACES, detector)
    assert len(boxes) == len(FACES)
    frame = face_frame(boxes)
    found = (frame.width, frame.height, frame.right, frame.down)
    assert found == pytest.approx((width, height, right, down), abs=0.02)


def test_too_few_faces_have_no_median() -> None:
    with pytest.raises(BadInput, match="only 3 faces were found, 20 are needed"):
        face_frame(np.ones((3, 4)))


def test_the_program_prints_what_fer_convert_takes(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shared / "data" / "fer2013_original_train_public.npz"
    assert main([str(data), "--detector", "haar", "--faces", "60"]) == 0
    said = capsys.readouterr().out
    frame = FaceFrame.parse(said.rsplit("--face-frame=")[1])
    # FER2013's faces were cut out by such a cascade.
    assert frame.width == frame.height == pytest.approx(1, abs=0.1)
    assert abs(frame.right) + abs(frame.down) < 0.1


def test_pictures_without_faces_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(write_npz(tmp_path / "f.npz")), "--detector", "haar", "--faces", "5"]) == 2
    assert capsys.readouterr().err == "error: only 0 faces were found, 20 are needed\n"
