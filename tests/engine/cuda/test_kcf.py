"""The tracker's kernels on the CPU, against the tracker."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.cuda import kcf
from fer_edge.engine.cuda.compile import SOURCES
from fer_edge.engine.cuda.kcf import Faces, find_launches
from fer_edge.engine.cuda.launch import BgrFrame
from fer_edge.engine.gray import GrayMemory
from fer_edge.engine.tracking import alignment, matching
from fer_edge.engine.tracking.alignment import Templates
from fer_edge.engine.tracking.correlation import LAMBDA, CorrelationFilters, wanted_of, window_of
from fer_edge.engine.tracking.patches import GrayFrame
from fer_edge.engine.tracking.poses import Pose

from .cpu_gpu import StandIn, build
from .kcf_run import KernelsOnArrays, OnThisMachine
from .reference import gray_patch
from .sanitized import sanitized
from .test_kernels import frame, picture, pixels

SIDE, INNER = 64, 40
poses = st.builds(
    Pose, st.floats(-300, 500), st.floats(-300, 500), st.floats(0.1, 9), st.floats(-3.2, 3.2)
)
# Faces in view, upright or tilted, of which parts may stick out.
inside = st.builds(
    Pose, st.floats(20, 280), st.floats(20, 180), st.floats(0.3, 3), st.floats(-0.6, 0.6)
)
orders = st.permutations(range(20))


@pytest.fixture(scope="module")
def runner(kernels: StandIn) -> OnThisMachine:
    return OnThisMachine(kernels)


def test_sizes_are_those_of_the_tracker() -> None:
    assert (kcf.SIDE, kcf.INNER) == (matching.SIDE, matching.INNER)
    assert (kcf.BLOCKS, kcf.UNKNOWNS) == (alignment.BLOCKS, alignment.UNKNOWNS)


@given(
    height=st.integers(1, 200), width=st.integers(1, 200), padding=st.integers(0, 7),
    seed=st.integers(0, 2**32 - 1), where=st.lists(poses, min_size=1, max_size=3), order=orders,
)  # fmt: skip
def test_patches_anywhere(
    runner: OnThisMachine, height: int, width: int, padding: int, seed: int, where: list[Pose],
    order: list[int],
) -> None:  # fmt: skip
    rows = picture(seed, height, width, padding)
    image = pixels(rows, width)
    ours = KernelsOnArrays(runner, order[: len(where)])
    ours.learn(frame(rows, width), where, np.ones(len(where), np.float32))
    ours.take(frame(rows, width), where)
    for pose, face in zip(where, ours.faces, strict=True):
        for name, side in (("patch", SIDE), ("face", INNER)):
            exact = gray_patch(image, *pose, side)
            # Half a level by rounding, and what 24 bits are off by in positions and means.
            assert np.abs(face[name] - exact).max() <= 0.5 + 0.02


@given(seed=st.integers(0, 2**32 - 1), where=st.lists(inside, min_size=1, max_size=3))
def test_smooth_patches_are_within_two_levels_of_the_tracker_s(
    runner: OnThisMachine, seed: int, where: list[Pose]
) -> None:
    """OpenCV rounds positions to 1/32 pixel, and each halving to whole levels."""
    small = np.random.default_rng(seed).integers(60, 190, (4, 5, 3), np.uint8)
    image = cv2.resize(small, (300, 200), interpolation=cv2.INTER_LINEAR)
    ours = KernelsOnArrays(runner, range(len(where)))
    ours.learn(frame(image.reshape(200, 900), 300), where, np.ones(len(where), np.float32))
    theirs = np.empty((len(where), SIDE, SIDE), np.uint8)
    GrayFrame(image, where, SIDE, GrayMemory()).cut(where, theirs)
    assert np.abs(ours.faces["patch"].astype(int) - theirs).max() <= 2


@given(
    seed=st.integers(0, 2**32 - 1), where=st.lists(inside, min_size=1, max_size=4), order=orders,
    rates=st.lists(st.sampled_from([0.0, 0.06, 0.5]), min_size=4, max_size=4),
)  # fmt: skip
def test_filters_learn_and_find_as_the_tracker_s(
    runner: OnThisMachine, seed: int, where: list[Pose], order: list[int], rates: list[float]
) -> None:
    """From the same patches: those that the kernels have cut."""
    rows = picture(seed, 200, 300)
    seen = frame(rows, 300)
    count = len(where)
    ours = KernelsOnArrays(runner, order[:count])
    theirs = CorrelationFilters(SIDE)
    ours.learn(seen, where, np.ones(count, np.float32))
    theirs.add(ours.faces["patch"])
    share = np.array(rates[:count], np.float32)
    moved = [pose.moved(3.3, -2.6) for pose in where]
    ours.learn(seen, moved, share)
    theirs.learn(ours.faces["patch"], share)
    found = ours.find(seen, [pose.moved(-4.0, 1.5) for pose in where])
    for mine, peak in zip(found, theirs.find(ours.faces["patch"]), strict=True):
        np.testing.assert_allclose(mine["ratio"], peak.ratio, rtol=2e-3)
        if peak.ratio > 6:
            np.testing.assert_allclose([mine["across"], mine["down"]], peak[:2], atol=0.01)


@given(seed=st.integers(0, 2**32 - 1), where=st.lists(inside, min_size=1, max_size=2))
def test_transforms_are_those_of_the_equations(
    runner: OnThisMachine, seed: int, where: list[Pose]
) -> None:
    """In float64: numerators, powers, filters and responses, coefficient by coefficient."""
    rows = picture(seed, 200, 300)
    ours = KernelsOnArrays(runner, range(1, len(where) + 1))
    ours.learn(frame(rows, 300), where, np.ones(len(where), np.float32))
    window = np.outer(window_of(SIDE), window_of(SIDE)).astype(float)
    wanted = np.fft.rfft2(wanted_of(SIDE).astype(float))
    whole = np.fft.fft2(ours.faces["patch"] * window)
    half = whole[..., : SIDE // 2 + 1]
    mean = (np.abs(whole) ** 2).mean(axis=(1, 2), keepdims=True)
    power = np.abs(half) ** 2 / mean
    numerators = wanted * half.conj() / mean
    known = ours.faces
    close(known["powers"], power, 1e-5)
    close(known["numerators"], numerators, 1e-5)
    close(known["filter"], known["numerators"] / (known["powers"] + LAMBDA), 1e-5)
    ours.find(frame(rows, 300), where)
    spectra = np.fft.rfft2(ours.faces["patch"] * window)
    response = np.fft.irfft2(spectra * known["filter"]) * SIDE**2
    close(ours.faces["response"], response, 1e-4)
    close(ours.faces["row_powers"].sum(axis=1), mean[:, 0, 0], 1e-5)


def close(found: np.ndarray, wanted: np.ndarray, share: float) -> None:
    """Off by no more than a share of the largest."""
    assert np.abs(found - wanted).max() <= share * np.abs(wanted).max()


@given(
    seed=st.integers(0, 2**32 - 1), where=st.lists(inside, min_size=1, max_size=3), order=orders,
    width=st.floats(0.5, 63), rate=st.sampled_from([0.0, 0.1, 1.0]),
)  # fmt: skip
def test_templates_are_compared_as_the_tracker_s(
    runner: OnThisMachine, seed: int, where: list[Pose], order: list[int], width: float,
    rate: float,
) -> None:  # fmt: skip
    rows = picture(seed, 200, 300)
    seen = frame(rows, 300)
    # A patch is twice as wide as the mean side of its box.
    sizes = np.array([(width, SIDE - width)] * len(where))
    ours, theirs = KernelsOnArrays(runner, order[: len(where)]), Templates(INNER)
    ours.weigh(sizes)
    ours.take(seen, where)
    normals = ours.adopt(np.ones(len(where), np.float32))
    theirs.add(ours.faces["face"], sizes)
    agree(ours, theirs, normals)
    ours.align(seen, [pose.moved(0.7, -0.4, 0.02, 0.05) for pose in where])
    share = np.full(len(where), rate, np.float32)
    normals = ours.adopt(share)
    theirs.learn(ours.faces["face"], share)
    agree(ours, theirs, normals)
    products = ours.align(seen, [pose.moved(-1.0, 0.2, 0.0, -0.03) for pose in where])
    values = alignment._blocks(ours.faces["face"])
    expected = np.einsum("nbup,nbp->nbu", theirs._matrices.astype(float), values)
    squares = np.einsum("nbp,nbp->nb", theirs._block_weights.astype(float), values**2)
    close(products[..., :6], expected, 1e-5)
    close(products[..., 6], squares, 1e-5)


def agree(ours: KernelsOnArrays, theirs: Templates, normals: np.ndarray) -> None:
    np.testing.assert_allclose(ours.faces["picture"], theirs._patches, atol=1e-3)
    equations = alignment.Equations()
    equations.put(0, normals)
    close(equations._normal, theirs._equations._normal, 1e-5)


@pytest.mark.parametrize("count", [1, 16])
def test_each_of_many_is_as_it_is_alone(runner: OnThisMachine, count: int) -> None:
    rows = picture(5, 200, 300)
    seen = frame(rows, 300)
    rng = np.random.default_rng(count)
    where = [Pose(*rng.uniform((0, 0, 0.3, -1), (300, 200, 2, 1))) for _ in range(count)]
    together = KernelsOnArrays(runner, rng.permutation(count + 3)[:count])
    together.learn(seen, where, np.ones(count, np.float32))
    found = together.find(seen, where)
    for index in {0, count // 2, count - 1}:
        alone = KernelsOnArrays(runner, [0])
        alone.learn(seen, where[index : index + 1], np.ones(1, np.float32))
        (peak,) = alone.find(seen, where[index : index + 1])
        assert peak == found[index]


def test_a_picture_without_any_structure_gives_numbers(runner: OnThisMachine) -> None:
    for level in (0, 255):
        rows = np.full((50, 150), level, np.uint8)
        ours = KernelsOnArrays(runner, [2])
        ours.learn(frame(rows, 50), [Pose(25, 25, 0.5, 0)], np.ones(1, np.float32))
        (peak,) = ours.find(frame(rows, 50), [Pose(25, 25, 0.5, 0)])
        assert np.isfinite([*peak]).all()
        assert abs(peak["across"]) <= SIDE / 2
        assert abs(peak["down"]) <= SIDE / 2


def test_the_largest_sums_fit(runner: OnThisMachine) -> None:
    """White, halved as often as may be: four rows of 4096 pixels in one."""
    rows = np.full((4096, 3 * 8192), 255, np.uint8)
    ours = KernelsOnArrays(runner, [0])
    ours.take(frame(rows, 8192), [Pose(4096, 2, 2.0**12, 0.0)])
    assert (ours.faces["face"] == 255).all()


def test_launches_name_kernels_of_their_own_source() -> None:
    launches = find_launches(BgrFrame(0, 8, 8, 24), Faces(0, 0, 3, 0), 5, 0)
    text = SOURCES["kcf"].read_text()
    for launch in launches:
        assert launch.source == "kcf"
        assert f"__global__ void {launch.name}(" in text


SANITIZED = """
import sys
from pathlib import Path
import numpy as np
from fer_edge.engine.tracking.poses import Pose
from tests.engine.cuda.cpu_gpu import StandIn
from tests.engine.cuda.kcf_run import KernelsOnArrays, OnThisMachine
from tests.engine.cuda.test_kernels import frame, picture
runner = OnThisMachine(StandIn(Path(sys.argv[1])))
rng = np.random.default_rng(0)
for turn in range(8):
    # Too small to be halved as often as large faces want it, too.
    height, width = rng.integers(1, 70 if turn < 5 else 7, 2)
    rows = picture(turn, height, width)
    count = int(rng.integers(1, 4))
    ours = KernelsOnArrays(runner, rng.permutation(count + 1)[:count])
    where = [Pose(*rng.uniform((-80, -80, 0.1, -3), (150, 150, 9, 3))) for _ in range(count)]
    rates = np.ones(count, np.float32)
    seen = frame(rows, width)
    ours.learn(seen, where, rates)
    ours.learn(seen, where, rates / 3)
    ours.find(seen, where)
    ours.weigh(rng.uniform(1, 50, (count, 2)))
    ours.take(seen, where)
    ours.adopt(rates)
    ours.align(seen, where)
    ours.adopt(rates / 3)
print("clean")
"""


def test_nothing_reads_or_writes_outside(watched_kernels: Path) -> None:
    done = sanitized(SANITIZED, watched_kernels)
    assert done.stdout == "clean\n", done.stderr[-3000:]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("fmaxf(x, 0.0f)", "x"),
        ("right = left + side < width ? left + side : width;", "right = left + side;"),
        ("if (x >= INNER || y >= INNER || index >= count) return;", "if (index >= count) return;"),
        ("block >= BLOCKS * BLOCKS || index >= count", "index >= count"),
    ],
)
def test_the_sanitizer_sees_a_kernel_that_does(tmp_path: Path, right: str, wrong: str) -> None:
    text = SOURCES["kcf"].read_text()
    assert right in text
    done = sanitized(SANITIZED, build(tmp_path, text.replace(right, wrong), sanitize=True))
    assert "ERROR: AddressSanitizer" in done.stderr or "runtime error" in done.stderr
    assert done.returncode != 0
