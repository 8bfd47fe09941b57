from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.gray import GrayMemory
from fer_edge.engine.sources.demo import FACE_BOX, PHOTOGRAPH
from fer_edge.engine.sources.images import read_image
from fer_edge.engine.tracking.alignment import LIMITS, Step, Templates
from fer_edge.engine.tracking.patches import GrayFrame
from fer_edge.engine.tracking.poses import Pose

SIDE = 40
IMAGE = read_image(PHOTOGRAPH)
X, Y, W, H = FACE_BOX
FACE = Pose(X + W / 2, Y + H / 2, 3.0, 0.0)
SIZE = np.array([[W / 3, H / 3]])


def patch(pose: Pose, image: np.ndarray = IMAGE) -> np.ndarray:
    out = np.empty((1, SIDE, SIDE), np.uint8)
    GrayFrame(image, [pose], SIDE, GrayMemory()).cut([pose], out)
    return out


def started(*poses: Pose) -> Templates:
    templates = Templates(SIDE)
    for pose in poses:
        templates.add(patch(pose), SIZE)
    return templates


def settled(templates: Templates, pose: Pose, image: np.ndarray = IMAGE) -> tuple[Pose, Step]:
    """Aligned frame by frame with a picture that stands still."""
    for _ in range(6):
        (step,) = templates.align(patch(pose, image))
        pose = pose.moved(*step[:4])
    return pose, step


@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(-0.06, 0.06), st.floats(-0.1, 0.1))
def test_a_face_is_found_from_a_pose_beside_it(
    across: float, down: float, growth: float, turn: float
) -> None:
    pose, step = settled(started(FACE), FACE.moved(across, down, growth, turn))
    assert (pose.x, pose.y) == pytest.approx((FACE.x, FACE.y), abs=0.25)
    assert pose.scale == pytest.approx(FACE.scale, rel=0.005)
    assert pose.angle == pytest.approx(0, abs=0.01)
    assert step.likeness > 0.99
    assert step.trusted > 0.9


@pytest.mark.parametrize(("gain", "bias"), [(0.4, 0), (0.6, 90), (1, -20)])
def test_light_is_no_motion(gain: float, bias: float) -> None:
    other = np.clip(IMAGE * float(gain) + bias, 0, 255).astype(np.uint8)
    pose, step = settled(started(FACE), FACE.moved(0.8, -0.6, 0.03, 0.03), other)
    assert (pose.x, pose.y) == pytest.approx((FACE.x, FACE.y), abs=0.5)
    assert pose.scale == pytest.approx(FACE.scale, rel=0.01)
    assert step.likeness > 0.98


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_face_that_is_partly_covered_is_found_by_the_rest(side: str) -> None:
    covered = IMAGE.copy()
    third = {
        "left": np.s_[int(Y) : int(Y + H), int(X) : int(X + W / 3)],
        "right": np.s_[int(Y) : int(Y + H), int(X + 2 * W / 3) : int(X + W)],
        "top": np.s_[int(Y) : int(Y + H / 3), int(X) : int(X + W)],
        "bottom": np.s_[int(Y + 2 * H / 3) : int(Y + H), int(X) : int(X + W)],
    }[side]
    shape = covered[third].shape
    covered[third] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pose, step = settled(started(FACE), FACE.moved(0.5, 0.5), covered)
    assert (pose.x, pose.y) == pytest.approx((FACE.x, FACE.y), abs=2.0)
    assert step.likeness > 0.9
    assert step.trusted < 0.9


@pytest.mark.parametrize("grey", [0, 255])
def test_what_comes_before_a_face_does_not_decide_where_it_is(grey: int) -> None:
    """Not in the frame that it comes in, and not for another face."""
    covered = IMAGE.copy()
    covered[int(Y) : int(Y + H), int(X + 0.8 * W) : int(X + W)] = grey
    other = FACE._replace(x=300, y=300)
    together, alone = started(FACE, other), started(other)
    moved = patch(other.moved(0.4, -0.3, 0.01, 0.02))
    for seen in (IMAGE, covered):
        step, beside = together.align(np.concatenate([patch(FACE, seen), moved]))
        np.testing.assert_allclose(beside, alone.align(moved)[0], atol=1e-4)
    np.testing.assert_allclose(step[:2], 0, atol=0.4)
    assert step.alike


def test_a_stranger_is_not_alike() -> None:
    templates = started(FACE)
    rng = np.random.default_rng(0)
    (noise,) = templates.align(rng.integers(0, 256, (1, SIDE, SIDE), np.uint8))
    (elsewhere,) = templates.align(patch(FACE._replace(x=400, y=300)))
    assert noise.likeness < 0.6
    assert elsewhere.likeness < 0.8


@given(st.integers(0, 2**32 - 1))
def test_no_step_goes_farther_than_its_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (step,) = started(FACE).align(rng.integers(0, 256, (1, SIDE, SIDE), np.uint8))
    assert (np.abs(step[:4]) <= LIMITS).all()
    assert 0 <= step.likeness <= 1
    assert 0 <= step.trusted <= 1.001


def test_all_together_are_as_each_alone() -> None:
    poses = [FACE, FACE._replace(x=300, y=300), FACE._replace(x=100, y=400, scale=2.0)]
    seen = [patch(pose.moved(0.4, -0.3, 0.01, 0.02)) for pose in poses]
    together = started(*poses)
    rates = np.array([0.2, 0.0, 0.5], np.float32)
    first = together.align(np.concatenate(seen))
    together.learn(np.concatenate(seen), rates)
    second = together.align(np.concatenate(seen))
    for index, pose in enumerate(poses):
        alone = started(pose)
        np.testing.assert_allclose(alone.align(seen[index])[0], first[index], atol=1e-4)
        alone.learn(seen[index], rates[index : index + 1])
        np.testing.assert_allclose(alone.align(seen[index])[0], second[index], atol=1e-4)
    together.keep(np.array([2, 1]))
    kept = together.align(np.concatenate([seen[2], seen[1]]))
    np.testing.assert_allclose(kept, [second[2], second[1]], atol=1e-2)


def test_what_is_learnt_becomes_the_template() -> None:
    templates = started(FACE)
    other = patch(FACE._replace(x=300, y=300))
    templates.learn(other, np.ones(1, np.float32))
    for _ in range(2):
        (step,) = templates.align(other)
    assert step.likeness > 0.999
    np.testing.assert_allclose(step[:4], 0, atol=1e-3)


def test_a_flat_patch_is_no_trouble() -> None:
    flat = np.full((1, SIDE, SIDE), 77, np.uint8)
    templates = Templates(SIDE)
    templates.add(flat, SIZE)
    for seen in (flat, patch(FACE), np.zeros_like(flat)):
        (step,) = templates.align(seen)
        assert np.isfinite(step).all()
