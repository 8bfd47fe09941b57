"""The kernels, run on the CPU, against the runtime's own preprocessing and exact references."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine.cuda.compile import SOURCE
from fer_edge.engine.cuda.launch import BgrFrame, Nv12Frame, faces_launch, frame_launch
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import InputFacts
from fer_edge.engine.preprocess import crop_square, face_inputs, network_input

from .cpu_gpu import StandIn, build, compiler
from .reference import bilinear

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")

RGB = InputFacts("image", 32, 40, "rgb", "tf1_bilinear", (127.5,) * 3, (1 / 127.5,) * 3)
GRAY = InputFacts("face", 48, 48, "gray", "area", (127.5,), (1 / 127.5,))
sides = st.integers(1, 90)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return StandIn(build(tmp_path_factory.mktemp("kernels")))


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
    np.testing.assert_allclose(out, bilinear(image, facts), atol=1e-4)
    half = np.zeros(out.shape, np.float16)
    gpu.run(frame_launch(frame(rows, width), facts, half.ctypes.data, "fp16"))
    np.testing.assert_array_equal(half, out.astype(np.float16))


@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (512, 512)])
@pytest.mark.parametrize("resize", ["tf1_bilinear", "half_pixel_bilinear"])
def test_real_sizes_agree_with_the_runtime_on_the_cpu(
    gpu: StandIn, size: tuple[int, int], resize: str
) -> None:
    facts = replace(RGB, height=512, width=512, resize=resize)  # type: ignore[arg-type]
    rows = picture(0, *size)
    out = np.empty((1, 3, 512, 512), np.float32)
    gpu.run(frame_launch(frame(rows, size[1]), facts, out.ctypes.data, "fp32"))
    np.testing.assert_allclose(out, network_input(pixels(rows, size[1]), facts), atol=1e-4)


@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=seeds, pad=st.integers(0, 5))
def test_nv12_is_bgr_of_opencv_first(
    gpu: StandIn, height: int, width: int, seed: int, pad: int
) -> None:
    height, width = 2 * height, 2 * width
    rng = np.random.default_rng(seed)
    planes = rng.integers(0, 256, (height * 3 // 2, width + pad), np.uint8)
    luma, chroma = planes[:height], planes[height:]
    image = cv2.cvtColor(np.ascontiguousarray(planes[:, :width]), cv2.COLOR_YUV2BGR_NV12)
    facts = replace(RGB, mean=(0.0,) * 3, scale=(1.0,) * 3)
    out = np.empty((1, 3, facts.height, facts.width), np.float32)
    source = Nv12Frame(
        luma.ctypes.data, chroma.ctypes.data, width, height, luma.strides[0], chroma.strides[0]
    )
    gpu.run(frame_launch(source, facts, out.ctypes.data, "fp32"))
    np.testing.assert_allclose(out, bilinear(image, facts), atol=1.0 + 1e-3)


boxes = st.lists(
    st.tuples(
        st.floats(-60, 120), st.floats(-60, 120), st.floats(0.1, 150), st.floats(0.1, 150)
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
    squares = np.array([crop_square(box, 1.1) for box in found], np.int32)
    out = np.full((len(found), 1, out_height, out_width), np.nan, np.float32)
    launch = faces_launch(
        frame(rows, width), squares.ctypes.data, len(found), facts, out.ctypes.data, "fp32"
    )
    gpu.run(launch)
    expected = face_inputs(pixels(rows, width), found, facts, 1.1)
    np.testing.assert_allclose(out, expected, atol=3e-4)
    half = np.zeros(out.shape, np.float16)
    gpu.run(replace(launch, name="faces_from_bgr_fp16", arguments=tuple(
        np.uintp(half.ctypes.data) if index == 6 else argument
        for index, argument in enumerate(launch.arguments))))  # fmt: skip
    np.testing.assert_array_equal(half, out.astype(np.float16))


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
    with pytest.raises(BadInput, match="no kernel makes faces rgb"):
        faces_launch(source, 0, 1, RGB, 0, "fp32")
    for count in (0, 65536):
        with pytest.raises(BadInput, match=f"{count} faces"):
            faces_launch(source, 0, count, GRAY, 0, "fp32")


SANITIZED = """
import sys
from pathlib import Path
import numpy as np
from fer_edge.engine.cuda.launch import BgrFrame, faces_launch, frame_launch
from tests.engine.cuda.cpu_gpu import StandIn
from tests.engine.cuda.test_kernels import GRAY, RGB, crop_square, frame, picture
gpu = StandIn(Path(sys.argv[1]))
rng = np.random.default_rng(0)
for turn in range(12):
    height, width = rng.integers(1, 70, 2)
    rows = picture(turn, height, width)
    out = np.empty((1, 3, RGB.height, RGB.width), np.float32)
    gpu.run(frame_launch(frame(rows, width), RGB, out.ctypes.data, "fp32"))
    found = rng.uniform((-50, -50, 0.1, 0.1), (90, 90, 120, 120), (3, 4))
    squares = np.array([crop_square(box, 1.1) for box in found], np.int32)
    batch = np.empty((3, 1, 48, 48), np.float16)
    gpu.run(faces_launch(
        frame(rows, width), squares.ctypes.data, 3, GRAY, batch.ctypes.data, "fp16"))
print("clean")
"""


def sanitized(library: Path) -> subprocess.CompletedProcess[str]:
    runtime = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    repository = Path(__file__).parents[3]
    environment = {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
    environment["PYTHONPATH"] = str(repository)
    # Python's own allocator would hide where one array ends and the next begins.
    environment["PYTHONMALLOC"] = "malloc"
    return subprocess.run(
        [sys.executable, "-c", SANITIZED, str(library)],
        env=environment, cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_nothing_reads_or_writes_outside(tmp_path: Path) -> None:
    done = sanitized(build(tmp_path, sanitize=True))
    assert done.stdout == "clean\n", done.stderr[-3000:]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("if (x >= out_width || y >= out_height) return;", "if (y > out_height) return;"),
        ("second = first + 1 < size ? first + 1 : first;", "second = first + 1;"),
    ],
)
def test_the_sanitizer_sees_a_kernel_that_does(tmp_path: Path, right: str, wrong: str) -> None:
    text = SOURCE.read_text()
    assert right in text
    done = sanitized(build(tmp_path, text.replace(right, wrong), sanitize=True))
    assert "heap-buffer-overflow" in done.stderr
    assert done.returncode != 0
