from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.engine import backends
from fer_edge.engine.backends import BACKENDS, FakeBackend, choose_backend, open_backend
from fer_edge.engine.backends.exact import Exact
from fer_edge.engine.engine_file import to_bytes
from fer_edge.engine.errors import BackendUnavailable, BadInput, InputNotFound
from fer_edge.engine.model import InputFacts, read_facts
from fer_edge.engine.preprocess import face_inputs, network_input, network_pixels, scaled
from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image

from ...conftest import REPOSITORY
from ..scripted import detector_facts, expression_facts
from ..test_engine_file import ENGINE
from ..tiny_models import write_detector, write_expression, write_mirror

SHIPPED = [
    path
    for path in sorted((REPOSITORY / "models").glob("*.onnx"))
    if read_facts(path).kind == "detector"
]
installed = pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(not entry.installed_version(), reason=entry.install)
        )
        for name, entry in BACKENDS.items()
        # What it takes to run an engine is held by tests/engine/gpu, and on GPUs by
        # benchmarks/gpu_check.py.
        if name != "tensorrt"
    ],
)


@installed
def test_a_batch_of_any_size_gives_the_softmax_of_each_face(name: str, tmp_path: Path) -> None:
    path = write_expression(tmp_path / "e.onnx")
    weights = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    with open_backend(path, name) as backend:
        for size in (1, 3, 1, 16):
            faces = np.random.default_rng(size).normal(0, 50, (size, 1, 8, 8)).astype(np.float32)
            rows = backend.infer({"face": faces})["probabilities"]
            logits = faces.reshape(size, 64) @ weights
            expected = np.exp(logits - logits.max(axis=1, keepdims=True))
            expected /= expected.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(
                rows, expected, atol=2e-2 if backend.precision == "bf16" else 1e-5
            )


@installed
def test_outputs_belong_to_the_caller(name: str, tmp_path: Path) -> None:
    with open_backend(write_expression(tmp_path / "e.onnx"), name) as backend:
        first = backend.infer({"face": np.ones((1, 1, 8, 8), np.float32)})["probabilities"]
        before = first.copy()
        # No memory of the model is behind it, which would not be given back before it.
        assert first.flags.owndata
        backend.infer({"face": np.full((1, 1, 8, 8), -100, np.float32)})
        np.testing.assert_array_equal(first, before)


@installed
def test_facts_come_from_the_file_and_close_is_idempotent(name: str, tmp_path: Path) -> None:
    backend = open_backend(write_detector(tmp_path / "d.onnx"), name)
    assert backend.facts == detector_facts()
    backend.close()
    backend.close()


@installed
def test_a_broken_graph_with_good_facts_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "d.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type = "Abracadabra"
    onnx.save(model, path)
    with pytest.raises(BadInput, match=r"d\.onnx.*cannot load") as caught:
        open_backend(path, name)
    assert "\n" not in str(caught.value)


@installed
@given(seed=st.integers(0, 1000))
def test_damaged_files_never_crash(name: str, seed: int, tmp_path_factory) -> None:
    path = write_expression(tmp_path_factory.mktemp("damage") / "e.onnx")
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(data), 5):
        data[at] = rng.integers(0, 256)
    path.write_bytes(data)
    said = ""
    try:
        open_backend(path, name).close()
    except BadInput as error:
        said = str(error)
    assert "\n" not in said


def test_missing_files_and_unknown_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"none\.onnx"):
        open_backend(tmp_path / "none.onnx")
    with pytest.raises(BackendUnavailable, match="openvino, onnxruntime"):
        open_backend(tmp_path / "none.onnx", "abacus")


def test_a_missing_library_names_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        backends, "find_spec", lambda name: None if name == "openvino" else find_spec(name)
    )
    with pytest.raises(BackendUnavailable, match="pip install openvino"):
        choose_backend("openvino")
    if find_spec("onnxruntime"):
        assert choose_backend("auto") == "onnxruntime"
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match="pip install openvino"):
        choose_backend("auto")


def test_the_fake_backend_answers_from_its_script() -> None:
    fake = FakeBackend(lambda call, _: {"n": np.full(1, call, np.float32)}, detector_facts())
    assert [fake.infer({})["n"][0] for _ in range(3)] == [0, 1, 2]
    assert fake.calls == 3
    with fake:
        pass
    assert fake.closed
    with pytest.raises(BackendUnavailable):
        FakeBackend.open(Path("x.onnx"))


def test_a_provider_without_its_device_leaves_the_model_to_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        open_backend(write_expression(tmp_path / "m.onnx"), "onnxruntime") as backend,
    ):
        assert backend.device == "CPU"


def test_an_engine_is_told_from_a_broken_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    path.write_bytes(to_bytes(expression_facts(), ENGINE, b"code"))
    with pytest.raises(BackendUnavailable, match=r"m\.engine: a TensorRT engine.*ONNX file"):
        open_backend(path, "openvino")
    if BACKENDS["tensorrt"].installed_version() is None:
        with pytest.raises(BackendUnavailable, match="backend tensorrt is not installed: pip"):
            open_backend(path)


@installed
@pytest.mark.parametrize("size", [(480, 640), (33, 1), (32, 32)])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_whole_frames_are_seen_as_the_oracle_prepares_them(
    name: str, size: tuple[int, int], colour: str, tmp_path: Path
) -> None:
    facts = detector_facts(
        input=InputFacts(
            "image", 32, 32, colour, "tf1_bilinear", (120.0, 110.0, 100.0), (1 / 60, 1 / 50, 1 / 40)
        )
    )
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    with open_backend(write_mirror(tmp_path / "m.onnx", facts), name) as backend:
        seen = backend.infer_frame(frame)["boxes"]
        expected = network_input(frame, facts.input)
        np.testing.assert_allclose(backend.infer({"image": expected})["boxes"], expected, atol=0.02)
        # Half a grey level of rounding, and bf16 keeps eight binary digits.
        np.testing.assert_allclose(seen, expected, atol=0.5 / 40 + 0.02)
        assert backend.infer_frame(frame)["boxes"] is not seen


@installed
@pytest.mark.parametrize("colour", ["rgb", "gray"])
def test_frames_are_seen_in_every_size_that_is_asked_for(
    name: str, colour: str, tmp_path: Path
) -> None:
    channels = 1 if colour == "gray" else 3
    see = InputFacts(
        "image", 160, 192, colour, "letterbox", (20.0,) * channels, (1 / 50,) * channels, 32
    )
    facts = detector_facts(input=see)
    frame = np.random.default_rng(0).integers(0, 256, (99, 140, 3)).astype(np.uint8)
    # Back to the first ones after others.
    sizes = [None, (192, 128), (128, 128), (256, 160), (160, 256), (320, 192), None, (192, 128)]
    with open_backend(write_mirror(tmp_path / "m.onnx", facts), name) as backend:
        for size in sizes:
            asked = see.of_size(*size) if size else None
            expected = network_input(frame, asked or see)
            seen = backend.infer_frame(frame, asked)["boxes"]
            assert seen.shape == expected.shape
            np.testing.assert_allclose(seen, expected, atol=0.5 / 50 + 0.02)
            np.testing.assert_allclose(
                backend.infer({"image": expected})["boxes"], expected, atol=0.02
            )
            assert backend.infer_frame(frame, asked)["boxes"] is not seen


@installed
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_detectors_answer_to_frames_as_to_arrays(name: str, path: Path) -> None:
    image = read_image(PHOTOGRAPH)
    with open_backend(path, name) as backend:
        facts, detector = backend.facts.input, backend.facts.detector
        assert detector is not None
        pixels = scaled(network_pixels(image, facts), facts)
        expected = backend.infer({facts.name: pixels})[detector.scores_output]
        actual = backend.infer_frame(image)[detector.scores_output]
        np.testing.assert_allclose(actual, expected, atol=2e-3)


@installed
def test_exact_sees_frames_as_the_oracle_to_the_last_digit(name: str, tmp_path: Path) -> None:
    facts = detector_facts(input=InputFacts("image", 32, 32, "bgr", "area", (9.0,) * 3, (1.0,) * 3))
    frame = np.random.default_rng(0).integers(0, 256, (99, 140, 3)).astype(np.uint8)
    backend = open_backend(write_mirror(tmp_path / "m.onnx", facts), name)
    with Exact(backend) as exact:
        expected = backend.infer({"image": network_input(frame, facts.input)})["boxes"]
        np.testing.assert_array_equal(exact.infer_frame(frame)["boxes"], expected)
    with pytest.raises(BackendUnavailable):
        Exact.open(tmp_path / "m.onnx")


@installed
@pytest.mark.parametrize("count", [1, 5])
def test_faces_are_seen_as_the_oracle_prepares_them(name: str, count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(count)
    frame = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    corners = rng.uniform(-10, 60, (count, 2))
    boxes = np.concatenate([corners, rng.uniform(2, 40, (count, 2))], axis=1).astype(np.float32)
    with open_backend(write_expression(tmp_path / "e.onnx"), name) as backend:
        facts = backend.facts
        inputs = face_inputs(frame, boxes, facts.input)
        expected = backend.infer({"face": inputs})["probabilities"]
        actual = backend.infer_faces(frame, boxes)["probabilities"]
        # 64 levels off by half at most, through weights of 0.01.
        np.testing.assert_allclose(actual, expected, atol=0.03)
