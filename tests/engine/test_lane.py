"""How the options of a run make a lane; what a lane does is tested through the pipeline."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.lane import NO_ANSWERS, Lane, open_lane
from fer_edge.engine.tracking import open_tracker
from fer_edge.engine.types import Detections, Frame, Image

FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0)


def threads_of(background: bool | None, **options: bool) -> set[str]:
    """On which threads a lane detects in its first frame."""
    seen: set[str] = set()
    detected = threading.Event()

    def detect(_: Image) -> Detections:
        seen.add("loop" if threading.current_thread() is threading.main_thread() else "beside")
        detected.set()
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))

    config = PipelineConfig(tracker="none", background=background)
    values = {"stills": False, "live": False, **options}
    lane = open_lane(config, detect, open_tracker("none"), None, **values)
    through(lane)
    assert detected.wait(timeout=60)
    lane.close()
    return seen


def through(lane: Lane) -> None:
    tracks = lane.locate(FRAME)
    assert lane.finish(FRAME, tracks, lane.due(tracks), NO_ANSWERS).faces == ()


@pytest.mark.parametrize(
    ("background", "live", "where"),
    [
        (None, False, "loop"),
        (None, True, "beside"),
        (False, True, "loop"),
        (True, False, "beside"),
    ],
)
def test_detection_waits_for_nothing_where_frames_are_lost_that_wait(
    background: bool | None, live: bool, where: str
) -> None:
    assert threads_of(background, live=live) == {where}


@pytest.mark.parametrize("options", [{"stills": True}, {"detects_anywhere": False}])
def test_stills_and_detectors_bound_to_a_thread_are_never_detected_in_beside(
    options: dict[str, bool],
) -> None:
    assert threads_of(True, live=True, **options) == {"loop"}


@pytest.mark.parametrize("background", [None, True])
@pytest.mark.parametrize("blur", [False, True])
def test_where_faces_are_hidden_every_frame_is_detected_in_before_it_is_shown(
    background: bool | None, blur: bool
) -> None:
    box = np.float32([[8, 8, 16, 16]])
    config = PipelineConfig(tracker="none", detect_every=10, background=background, blur=blur)
    detect = lambda _: Detections(box, np.float32([0.9]))  # noqa: E731
    lane = open_lane(config, detect, open_tracker("none"), None, stills=False, live=True)
    results = []
    for index in range(4):
        frame = Frame(FRAME.image, index, index / 30)
        tracks = lane.locate(frame)
        results.append(lane.finish(frame, tracks, lane.due(tracks), NO_ANSWERS))
    lane.close()
    for result in results:
        assert (result.found is not None) == blur
        assert result.found is None or result.found.tolist() == box.tolist()
