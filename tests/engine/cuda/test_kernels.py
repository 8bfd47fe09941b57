"""The kernels, run on the CPU, against the runtime's own preprocessing and exact references."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.cuda.compile import SOURCES
from fer_edge.engine.cuda.launch import (
    BgrFrame,
    Nv12Frame,
    face_squares,
    faces_launch,
    frame_launch,
)
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import InputFacts
from fer_edge.engine.preprocess import crop_square, face_inputs, network_input

from .cpu_gpu import StandIn, build, compiler
from .reference import bgr_from_nv12, bilinear, letterbox
from .sanitized import sanitized

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")

RGB = InputFacts("image", 32, 40, "rgb", "tf1_bilinear", (127.5,) * 3, (1 / 127.5,) * 3)
LETTERBOX = replace(RGB, resize="letterbox", mean=(104.0, 117.0, 123.0), scale=(0.5, 1.0, 2.0))
GRAY = InputFacts("face", 48, 48, "gray", "area", (127.5,), (1 / 127.5,))
sides = st.integers(1, 200)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def gpu(kernels: StandIn) -> StandIn:
    return kernels


def picture(seed: int, height: int, width: int, padding: int = 0) -> np.ndarray:
    """A smooth random BGR picture whose rows are followed by `padding` bytes of rubbish."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (5, 5, 3), np.uint8)
    rows = np.full((height, 3 * width + padding), 255, np.uint8)
    image = rows[:, : 3 * width].reshape(height, width, 3) if not padding else None
    smooth = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-20, 21, (height, width, 3))
    pixels = np.clip(smooth.reshape(height, width, 3) + noise, 0, 255).astype(np.uint8)
    if image is not None:
        image[...] = pixels
    else:
        rows[:, : 3 * width] = pixels.reshape(height, 3 * width)
    return rows


def pixels(rows: np.ndarray, width: int) -> np.ndarray:
    return np.ascontiguousarray(rows[:, : 3 * width]).reshape(len(rows), width, 3)


def frame(rows: np.ndarray, width: int) -> BgrFrame:
    return BgrFrame(rows.ctypes.data, width, len(rows), rows.strides[0])


@given(
    height=sides, width=sides, out_height=sides, out_width=sides, padding=st.integers(0, 7),
    seed=seeds, resize=st.sampled_from(["tf1_bilinear", "half_pixel_bilinear"]),
    colour=st.sampled_from(["rgb", "bgr"]),
)  # fmt: skip
def test_frames_of_any_size_and_pitch(
    gpu: StandIn, height: int, width: int, out_height: int, out_width: int, padding: int,
    seed: int, resize: str, colour: str,
) -> None:  # fmt: skip
    facts = replace(RGB, height=out_height, width=out_width, resize=resize, colour=colour)  # type: ignore[arg-type]
    rows = picture(seed, height, width, padding)
    out = np.full((1, 3, out_height, out_width), np.nan, np.float32)
    gpu.run(frame_launch(frame(rows, width), facts, out.ctypes.data, "fp32"))
    image = pixels(rows, width)
    np.testing.assert_allclose(out, bilinear(image, facts), rtol=0, atol=1e-6)
    half = np.zeros(out.shape, np.float16)
    gpu.run(frame_launch(frame(rows, width), facts, half.ctypes.data, "fp16"))
    np.testing.assert_array_equal(half, out.astype(np.float16))


SIZES = [(480, 640), (720, 1280), (1080, 1920), (512, 512), (357, 631)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [300, 512])
@pytest.mark.parametrize("resize", ["tf1_bilinear", "half_pixel_bilinear"])
def test_real_sizes(gpu: StandIn, size: tuple[int, int], side: int, resize: str) -> None:
    facts = replace(RGB, height=side, width=side, resize=resize)  # type: ignore[arg-type]
    rows = picture(0, *size)
    image = pixels(rows, size[1])
    out = np.empty((1, 3, side, side), np.float32)
    gpu.run(frame_launch(frame(rows, size[1]), facts, out.ctypes.data, "fp32"))
    np.testing.assert_allclose(out, bilinear(image, facts), rtol=0, atol=1e-6)
    # OpenCV's warp rounds positions to 1/32 pixel: half of that, of what neighbours differ by
    # along both axes, is the most that the oracle itself may be off.
    steps = [np.abs(np.diff(image.astype(float), axis=axis)).max() for axis in (0, 1)]
    warped = resize == "tf1_bilinear" and any((32 * length) % side for length in size)
    allowed = sum(steps) / 64 / 127.5 if warped else 1e-5
    np.testing.assert_allclose(out, network_input(image, facts), rtol=0, atol=allowed + 1e-5)


@given(height=sides, width=sides, seed=seeds)
def test_smooth_frames_are_within_a_grey_level_of_the_runtime_on_the_cpu(
    gpu: StandIn, height: int, width: int, seed: int
) -> None:
    """Where neighbours differ little, so does what OpenCV rounds positions by."""
    facts = replace(RGB, mean=(0.0,) * 3, scale=(1.0,) * 3)
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(height), np.arange(width))[..., None] * rng.uniform(0, 0.6, 3)
    rows = np.ascontiguousarray(ramp.astype(np.uint8).reshape(height, 3 * width))
    out = np.empty((1, 3, facts.height, facts.width), np.float32)
    gpu.run(frame_launch(frame(rows, width), facts, out.ctypes.data, "fp32"))
    np.testing.assert_allclose(out, network_input(pixels(rows, width), facts), rtol=0, atol=1)


@given(
    height=sides, width=sides, seed=seeds, pads=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    resize=st.sampled_from(["tf1_bilinear", "half_pixel_bilinear"]),
)  # fmt: skip
def test_nv12_is_converted_then_sampled(
    gpu: StandIn, height: int, width: int, seed: int, pads: tuple[int, int], resize: str
) -> None:
    source, image, _held = nv12(seed, height, width, pads)
    facts = replace(RGB, resize=resize)  # type: ignore[arg-type]
    out = np.empty((1, 3, facts.height, facts.width), np.float32)
    gpu.run(frame_launch(source, facts, out.ctypes.data, "fp32"))
    np.testing.assert_allclose(out, bilinear(image, facts), rtol=0, atol=1e-6)
    half = np.zeros(out.shape, np.float16)
    gpu.run(frame_launch(source, facts, half.ctypes.data, "fp16"))
    np.testing.assert_array_equal(half, out.astype(np.float16))


@given(
    height=sides, width=sides, out_height=sides, out_width=sides, padding=st.integers(0, 7),
    seed=seeds, colour=st.sampled_from(["rgb", "bgr"]),
)  # fmt: skip
def test_letterboxes_of_any_size_agree_with_the_runtime_on_the_cpu(
    gpu: StandIn, height: int, width: int, out_height: int, out_width: int, padding: int,
    seed: int, colour: str,
) -> None:  # fmt: skip
    facts = replace(LETTERBOX, height=out_height, width=out_width, colour=colour)  # type: ignore[arg-type]
    rows = picture(seed, height, width, padding)
    out = np.full((1, 3, out_height, out_width), np.nan, np.float32)
    gpu.run(frame_launch(frame(rows, width), facts, out.ctypes.data, "fp32"))
    image = pixels(rows, width)
    # Of 0-510; OpenCV's weights have fewer digits.
    np.testing.assert_allclose(out, letterbox(image, facts), rtol=0, atol=2e-4)
    np.testing.assert_allclose(out, network_input(image, facts), rtol=0, atol=2e-3)
    half = np.zeros(out.shape, np.float16)
    gpu.run(frame_launch(frame(rows, width), facts, half.ctypes.data, "fp16"))
    np.testing.assert_array_equal(half, out.astype(np.float16))


@given(
    height=sides, width=sides, seed=seeds, pads=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    out_height=sides, out_width=sides,
)  # fmt: skip
def test_nv12_is_converted_then_letterboxed(
    gpu: StandIn, height: int, width: int, seed: int, pads: tuple[int, int], out_height: int,
    out_width: int,
) -> None:  # fmt: skip
    source, image, _held = nv12(seed, height, width, pads)
    facts = replace(LETTERBOX, height=out_height, width=out_width)
    out = np.full((1, 3, out_height, out_width), np.nan, np.float32)
    gpu.run(frame_launch(source, facts, out.ctypes.data, "fp32"))
    # OpenCV adds up in float32: a hundredth of a grey level at the most.
    np.testing.assert_allclose(out, network_input(image, facts), rtol=0, atol=1e-2)
    half = np.zeros(out.shape, np.float16)
    gpu.run(frame_launch(source, facts, half.ctypes.data, "fp16"))
    np.testing.assert_array_equal(half, out.astype(np.float16))


@pytest.mark.parametrize("size", [*SIZES, (240, 320), (64, 1600), (1600, 64)])
@pytest.mark.parametrize("see", [(256, 320), (480, 640), (352, 640)])
def test_letterboxes_of_real_sizes(
    gpu: StandIn, size: tuple[int, int], see: tuple[int, int]
) -> None:
    facts = replace(LETTERBOX, height=see[0], width=see[1])
    rows = picture(0, *size)
    image = pixels(rows, size[1])
    out = np.empty((1, 3, *see), np.float32)
    gpu.run(frame_launch(frame(rows, size[1]), facts, out.ctypes.data, "fp32"))
    np.testing.assert_allclose(out, letterbox(image, facts), rtol=0, atol=2e-4)
    # OpenCV leaves out a pixel of which less than a thousandth is covered.
    np.testing.assert_allclose(out, network_input(image, facts), rtol=0, atol=0.3)
    assert np.abs(out - network_input(image, facts)).mean() < 1e-3


def test_a_letterbox_is_black_before_it_is_scaled(gpu: StandIn) -> None:
    facts = replace(LETTERBOX, height=128, width=160)
    rows = np.full((100, 3 * 100), 255, np.uint8)
    out = np.empty((1, 3, 128, 160), np.float32)
    gpu.run(frame_launch(frame(rows, 100), facts, out.ctypes.data, "fp32"))
    for plane, mean, scale in zip(out[0], facts.mean, facts.scale, strict=True):
        assert (plane[:, :128] == (255 - mean) * scale).all()
        assert (plane[:, 128:] == -mean * scale).all()


def nv12(
    seed: int, height: int, width: int, pads: tuple[int, int]
) -> tuple[Nv12Frame, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """A random NV12 frame, the same in BGR, and the planes that have to be held."""
    rng = np.random.default_rng(seed)
    rows, columns = (height + 1) // 2, width + width % 2
    luma = rng.integers(0, 256, (height, width + pads[0]), np.uint8)
    chroma = rng.integers(0, 256, (rows, columns + pads[1]), np.uint8)
    source = Nv12Frame(
        luma.ctypes.data, chroma.ctypes.data, width, height, luma.strides[0], chroma.strides[0]
    )
    return source, bgr_from_nv12(luma[:, :width], chroma[:, :columns]), (luma, chroma)


@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=seeds)
def test_the_nv12_reference_is_opencv_s(height: int, width: int, seed: int) -> None:
    height, width = 2 * height, 2 * width
    planes = np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)
    expected = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_NV12).astype(int)
    # Some builds of OpenCV convert with other instructions.
    assert np.abs(expected - bgr_from_nv12(planes[:height], planes[height:])).max() <= 1


boxes = st.lists(
    st.tuples(
        st.floats(-150, 300), st.floats(-150, 300), st.floats(0.1, 250), st.floats(0.1, 250)
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@given(
    height=sides, width=sides, places=boxes, seed=seeds, padding=st.integers(0, 5),
    out_height=st.integers(1, 60), out_width=st.integers(1, 60),
)  # fmt: skip
def test_faces_anywhere_agree_with_the_runtime_on_the_cpu(
    gpu: StandIn, height: int, width: int, places: list[tuple[float, ...]], seed: int,
    padding: int, out_height: int, out_width: int,
) -> None:  # fmt: skip
    facts = replace(GRAY, height=out_height, width=out_width)
    rows = picture(seed, height, width, padding)
    found = np.array(places, np.float32)
    squares = face_squares(found)
    out = np.full((len(found), 1, out_height, out_width), np.nan, np.float32)
    launch = faces_launch(
        frame(rows, width), squares.ctypes.data, len(found), facts, out.ctypes.data, "fp32"
    )
    gpu.run(launch)
    expected = face_inputs(pixels(rows, width), found, facts)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-4)
    half = np.zeros(out.shape, np.float16)
    gpu.run(faces_launch(
        frame(rows, width), squares.ctypes.data, len(found), facts, half.ctypes.data, "fp16"
    ))  # fmt: skip
    np.testing.assert_array_equal(half, out.astype(np.float16))


@pytest.mark.parametrize("side", [1, 5, 47, 48, 49, 96, 331, 1500])
@pytest.mark.parametrize("place", [(0, 0), (-700, 40), (90, 2000)])
def test_faces_of_telling_sizes(gpu: StandIn, side: int, place: tuple[int, int]) -> None:
    """One pixel, just below, at and above the output, a whole multiple, larger than the frame."""
    rows = picture(side, 200, 300)
    found = np.array([(*place, side, side)], np.float32)
    squares = face_squares(found)
    assert squares.tolist() == [[*place, side]]
    out = np.empty((1, 1, 48, 48), np.float32)
    gpu.run(faces_launch(frame(rows, 300), squares.ctypes.data, 1, GRAY, out.ctypes.data, "fp32"))
    expected = face_inputs(pixels(rows, 300), found, GRAY)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-4)


def test_no_faces_have_no_squares() -> None:
    squares = face_squares(np.empty((0, 4), np.float32))
    assert squares.shape == (0, 3)
    assert squares.dtype == np.int32


@given(boxes)
def test_squares_are_those_of_the_runtime_on_the_cpu(places: list[tuple[float, ...]]) -> None:
    found = np.array(places, np.float32)
    assert face_squares(found).tolist() == [list(crop_square(box)) for box in found]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e9])
@pytest.mark.parametrize("place", range(4))
def test_faces_that_no_kernel_can_reach_are_refused(wrong: float, place: int) -> None:
    box = np.array([[10, 10, 20, 20]], np.float32)
    box[0, place] = wrong
    with pytest.raises(BadInput, match="a face"):
        face_squares(box)


def test_tilted_faces_are_refused() -> None:
    crops = np.array([[10, 10, 20, 20, 0], [10, 10, 20, 20, 7]], np.float32)
    assert face_squares(crops[:1]).tolist() == [[10, 10, 20]]
    with pytest.raises(BadInput, match="turns"):
        face_squares(crops)


def test_frames_that_cannot_be_are_refused() -> None:
    for width, height in [(0, 4), (4, 0), (-1, 4), (65536, 4)]:
        with pytest.raises(BadInput, match=f"{width}x{height} pixels"):
            BgrFrame(0, width, height, 3 * 65536)
        with pytest.raises(BadInput, match=f"{width}x{height} pixels"):
            Nv12Frame(0, 0, width, height, 65536, 65536)
    with pytest.raises(BadInput, match="BGR rows 14 bytes apart overlap; they need 15"):
        BgrFrame(0, 5, 4, 14)
    with pytest.raises(BadInput, match="luma rows 4 bytes"):
        Nv12Frame(0, 0, 5, 4, 4, 6)
    with pytest.raises(BadInput, match="chroma rows 5 bytes apart overlap; they need 6"):
        Nv12Frame(0, 0, 5, 4, 5, 5)


@pytest.mark.parametrize("resize", ["tf1_bilinear", "half_pixel_bilinear", "letterbox"])
def test_the_largest_products_fit(gpu: StandIn, resize: str) -> None:
    """One row as long as may be, to the widest input there is."""
    facts = replace(RGB, height=1, width=4096, resize=resize)  # type: ignore[arg-type]
    rows = np.random.default_rng(0).integers(0, 256, (1, 3 * 65535), np.uint8)
    rows[:, -300:] = 255
    out = np.empty((1, 3, 1, 4096), np.float32)
    gpu.run(frame_launch(frame(rows, 65535), facts, out.ctypes.data, "fp32"))
    exact = letterbox if resize == "letterbox" else bilinear
    np.testing.assert_allclose(out, exact(pixels(rows, 65535), facts), rtol=0, atol=1e-6)


def test_one_pixel_may_be_the_mean_of_a_whole_frame(gpu: StandIn) -> None:
    rows = np.full((2000, 3 * 3000), 255, np.uint8)
    facts = replace(RGB, height=1, width=1, resize="letterbox", mean=(0.0,) * 3, scale=(1.0,) * 3)
    out = np.empty((1, 3, 1, 1), np.float32)
    gpu.run(frame_launch(frame(rows, 3000), facts, out.ctypes.data, "fp32"))
    assert (out == 255).all()


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=64))
def test_half_precision_rounds_as_numpy_does(gpu: StandIn, values: list[float]) -> None:
    """Through a one-pixel frame: (0 - mean) * 1 is any number."""
    for value in values:
        facts = replace(RGB, height=1, width=1, mean=(-value,) * 3, scale=(1.0,) * 3)
        rows, out = np.zeros((1, 3), np.uint8), np.zeros(3, np.float16)
        gpu.run(frame_launch(frame(rows, 1), facts, out.ctypes.data, "fp16"))
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(out, np.full(3, np.float32(value)).astype(np.float16))


def test_what_no_kernel_makes_is_refused() -> None:
    source = BgrFrame(0, 8, 8, 24)
    with pytest.raises(BadInput, match="no kernel makes a gray input"):
        frame_launch(source, GRAY, 0, "fp32")
    with pytest.raises(BadInput, match="no kernel makes a rgb input by area"):
        frame_launch(source, replace(RGB, resize="area"), 0, "fp32")
    with pytest.raises(BadInput, match="no kernel makes faces rgb"):
        faces_launch(source, 0, 1, RGB, 0, "fp32")
    for count in (0, 65536):
        with pytest.raises(BadInput, match=f"{count} faces"):
            faces_launch(source, 0, count, GRAY, 0, "fp32")


SANITIZED = """
import sys
from pathlib import Path
import numpy as np
from fer_edge.engine.cuda.launch import Nv12Frame, face_squares, faces_launch, frame_launch
from tests.engine.cuda.cpu_gpu import StandIn
from tests.engine.cuda.test_kernels import GRAY, LETTERBOX, RGB, frame, picture
gpu = StandIn(Path(sys.argv[1]))
rng = np.random.default_rng(0)
for turn in range(12):
    height, width = rng.integers(1, 70, 2)
    rows = picture(turn, height, width)
    luma = rng.integers(0, 256, (height, width), np.uint8)
    chroma = rng.integers(0, 256, ((height + 1) // 2, width + width % 2), np.uint8)
    nv12 = Nv12Frame(
        luma.ctypes.data, chroma.ctypes.data, int(width), int(height),
        luma.strides[0], chroma.strides[0])
    found = rng.uniform((-50, -50, 0.1, 0.1), (90, 90, 120, 120), (3, 4))
    squares = face_squares(found)
    for precision, kind in (("fp32", np.float32), ("fp16", np.float16)):
        for source in (frame(rows, width), nv12):
            for facts in (RGB, LETTERBOX):
                out = np.empty((1, 3, facts.height, facts.width), kind)
                gpu.run(frame_launch(source, facts, out.ctypes.data, precision))
        batch = np.empty((3, 1, 48, 48), kind)
        gpu.run(faces_launch(
            frame(rows, width), squares.ctypes.data, 3, GRAY, batch.ctypes.data, precision))
print("clean")
"""


def test_nothing_reads_or_writes_outside(watched_kernels: Path) -> None:
    done = sanitized(SANITIZED, watched_kernels)
    assert done.stdout == "clean\n", done.stderr[-3000:]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("if (x >= out.width || y >= out.height) return;", "if (y > out.height) return;"),
        ("column * out_width < right", "column * out_width <= right"),
        ("second = first + 1 < size ? first + 1 : first;", "second = first + 1;"),
        ("(y / 2) * chroma_pitch", "y * chroma_pitch"),
        ("clamped(top + y, frame.height - 1)", "top + y"),
    ],
)
def test_the_sanitizer_sees_a_kernel_that_does(tmp_path: Path, right: str, wrong: str) -> None:
    text = SOURCES["kernels"].read_text()
    assert right in text
    done = sanitized(SANITIZED, build(tmp_path, text.replace(right, wrong), sanitize=True))
    assert "heap-buffer-overflow" in done.stderr
    assert done.returncode != 0
