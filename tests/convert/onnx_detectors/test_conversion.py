"""Detectors of all families and forms, from file to file, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fer_edge.convert.cli import main
from fer_edge.convert.onnx_detectors.original import OnnxOriginal
from fer_edge.engine.backends import open_backend
from fer_edge.engine.model import LEAST_SIDE, read_facts
from fer_edge.engine.preprocess import network_input

from .networks import Form, centerface, retinaface, save, yunet

# What TensorRT 8.6 and OpenVINO take without plugins; no loop, no suppression, no NonZero.
PLAIN_OPERATORS = {
    "Add", "Cast", "Concat", "Conv", "DepthToSpace", "Div", "Equal", "Exp", "Floor", "Gather",
    "Greater", "MaxPool", "Mul", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Sqrt", "Sub",
    "TopK", "Transpose", "Where",
}  # fmt: skip
NETWORKS = {
    "CenterFace": centerface(Form(seed=1)),
    "CenterFace of IR 3, opset 9, 32x32": centerface(
        Form(size=(32, 32), opset=9, weights_as_inputs=True, seed=2)
    ),
    "CenterFace that scales": centerface(Form(scaled=True, opset=13, seed=13)),
    "YuNet as maps": yunet(Form(seed=4)),
    "YuNet as rows, 128x160": yunet(Form(size=(128, 160), rows=True, seed=5)),
    "YuNet as rows, sizes baked in": yunet(Form(size=(128, 160), rows=True, baked=True, seed=6)),
    "RetinaFace": retinaface(Form(rows=True, seed=13)),
    "RetinaFace, sizes baked in": retinaface(Form(size=(160, 128), rows=True, baked=True, seed=13)),
    "RetinaFace without its softmax": retinaface(Form(rows=True, activated=False, seed=13)),
    "RetinaFace of opset 9": retinaface(Form(size=(128, 160), rows=True, opset=9, seed=13)),
    "RetinaFace that scales": retinaface(Form(rows=True, scaled=True, opset=17, seed=11)),
}


def convert(model: Any, folder: Path, *options: str) -> tuple[Path, dict[str, Any]]:
    """Convert on the command line; returns the file and the report."""
    source = save(model, folder / "source.onnx")
    output, report = folder / "out.onnx", folder / "report.json"
    arguments = [str(source), "-o", str(output), "--json", str(report), "--quiet", *options]
    assert main(arguments) == 0
    return output, json.loads(report.read_text())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_family_and_form_is_recognised_and_converted(name: str, tmp_path: Path) -> None:
    output, report = convert(NETWORKS[name], tmp_path)
    parity = report["parity"]
    assert parity["detections"] > 10, "the comparison must not be empty"
    assert parity["matched"] == parity["detections"]
    assert parity["max_landmark_error"] < 1e-3
    assert report["description"]["network"].startswith(name.split(maxsplit=1)[0])

    model = onnx.load(output)
    assert {node.op_type for node in model.graph.node} <= PLAIN_OPERATORS
    assert model.opset_import[0].version == 17
    assert model.ir_version == 8
    (image,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == [
        1, 3, "height", "width",
    ]  # fmt: skip
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.output
    }
    assert shapes == {"boxes": [1, 200, 4], "scores": [1, 200, 1], "landmarks": [1, 200, 5, 2]}

    facts = read_facts(output)
    assert facts.detector is not None
    assert facts.input.resize == "letterbox"
    assert facts.input.step == 32
    assert facts.input.colour == ("rgb" if name.startswith("CenterFace") else "bgr")
    mean = [20.0, 30.0, 40.0] if "scales" in name else [0.0] * 3
    own = [104.0, 117.0, 123.0] if name.startswith("RetinaFace") else [0.0] * 3
    assert facts.input.mean == pytest.approx(np.add(mean, own))
    assert facts.detector.landmarks_output == "landmarks"
    assert facts.labels == ("face",)


@pytest.mark.parametrize("build", [centerface, yunet, retinaface])
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("size", [(LEAST_SIDE, LEAST_SIDE), (160, 288), (480, 640)])
def test_any_size_gives_what_the_original_gives(
    build: Callable[..., Any], backend: str, size: tuple[int, int], tmp_path: Path
) -> None:
    model = build(Form(rows=build is retinaface, seed=13))
    output, report = convert(model, tmp_path)
    family = report["description"]["network"].split(",")[0]
    height, width = size
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    original = OnnxOriginal(model, family, size, 0.3)
    with original.opened() as before:
        expected = before.candidates(picture)
    with open_backend(output, backend) as after:
        see = after.facts.input.of_size(width, height)
        pixels = network_input(picture, see)
        found = after.infer({see.name: pixels})
    scores = found["scores"][0, :, 0]
    best = np.sort(expected.scores)[::-1][: len(scores)]
    exact = 1e-4 if after.precision == "fp32" else 0.05
    np.testing.assert_allclose(scores, best, atol=exact)
    counting = found["boxes"][0][scores > 0.05]
    apart = np.abs(counting[:, None] - expected.corners[None]).max(axis=2).min(axis=1)
    assert len(counting) > 10
    assert np.median(apart) < exact


@pytest.mark.parametrize("build", [centerface, yunet, retinaface])
def test_half_precision_is_in_the_body_and_the_head_stays_float(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    model = build(Form(rows=build is retinaface, seed=13))
    output, _ = convert(model, tmp_path, "--precision", "fp16")
    half = onnx.shape_inference.infer_shapes(onnx.load(output))
    types = {v.name: v.type.tensor_type.elem_type for v in half.graph.value_info}
    for node in half.graph.node:
        if node.op_type == "Conv":
            assert types[node.output[0]] == onnx.TensorProto.FLOAT16
        if node.op_type in ("TopK", "Exp", "Sigmoid"):
            assert types[node.output[0]] == onnx.TensorProto.FLOAT
    assert read_facts(output).precision == "fp16"


def test_what_a_user_chooses_is_in_the_facts(tmp_path: Path) -> None:
    options = ["--score", "0.7", "--iou", "0.45", "--labels", "head", "--top-k", "50"]
    output, _ = convert(centerface(), tmp_path, *options, "--input-size", "192x224")
    facts = read_facts(output)
    assert facts.detector is not None
    assert facts.detector.default_score == 0.7
    assert facts.detector.iou_threshold == 0.45
    assert facts.labels == ("head",)
    assert (facts.input.height, facts.input.width) == (192, 224)
    assert facts.detector.max_detections == 50


def test_k_is_no_more_than_the_smallest_input_has(tmp_path: Path) -> None:
    output, _ = convert(yunet(), tmp_path, "--top-k", "3000")
    cells = sum((LEAST_SIDE // stride) ** 2 for stride in (8, 16, 32))
    with open_backend(output, "onnxruntime") as backend:
        see = backend.facts.input.of_size(LEAST_SIDE, LEAST_SIDE)
        picture = np.zeros((1, 3, LEAST_SIDE, LEAST_SIDE), np.float32)
        assert backend.infer({see.name: picture})["boxes"].shape == (1, cells, 4)


def test_a_size_that_is_baked_in_stays_the_default(tmp_path: Path) -> None:
    baked = retinaface(Form(size=(160, 128), rows=True, baked=True))
    output, _ = convert(baked, tmp_path)
    facts = read_facts(output)
    assert (facts.input.height, facts.input.width, facts.input.step) == (160, 128, 32)


def test_a_peak_of_the_heat_map_is_one_survivor(tmp_path: Path) -> None:
    """Two survivors of score are never neighbours, unless they are equal."""
    output, _ = convert(centerface(Form(seed=14)), tmp_path)
    picture = np.random.default_rng(1).integers(0, 256, (256, 320, 3), np.uint8)
    with open_backend(output, "onnxruntime") as backend:
        found = backend.infer({"image": network_input(picture, backend.facts.input)})
    original = OnnxOriginal(centerface(Form(seed=14)), "CenterFace", (256, 320), 0.3)
    with original.opened() as before:
        peaks = np.count_nonzero(before.candidates(picture).scores)
    scores = found["scores"][0, :, 0]
    assert np.count_nonzero(scores > 1e-30) == min(peaks, len(scores))


@pytest.mark.parametrize(
    ("file", "family", "least"),
    [("centerface.onnx", "CenterFace", 20), ("yunet_s.onnx", "YuNet", 20),
     ("yunet_n_640_640.onnx", "YuNet", 20)],
)  # fmt: skip
def test_real_networks_equal_their_originals_on_photos(
    file: str, family: str, least: int, shared: Path, tmp_path: Path
) -> None:
    photos = str(shared / "data" / "photos")
    report = tmp_path / "report.json"
    arguments = [str(shared / "models" / file), "-o", str(tmp_path / "d.onnx"), "--quiet"]
    assert main([*arguments, "--images", photos, "--json", str(report)]) == 0
    parity = json.loads(report.read_text())["parity"]
    assert parity["images"] == 6
    assert parity["detections"] == parity["matched"] >= least
    assert parity["max_score_error"] < 1e-3
    assert parity["max_landmark_error"] < 1e-3


@pytest.mark.parametrize("file", ["centerface.onnx", "yunet_s.onnx"])
def test_landmarks_come_left_first_on_photos(file: str, shared: Path) -> None:
    import cv2

    from fer_edge.engine.config import shipped_weights
    from fer_edge.engine.detector import Detector

    with open_backend(shipped_weights(file), "onnxruntime") as backend:
        detector = Detector(backend, 0.65)
        faces = 0
        for photo in sorted((shared / "data" / "photos").glob("*.jpg")):
            found = detector(cv2.imread(str(photo)))
            assert found.landmarks is not None
            left, right, nose, left_mouth, right_mouth = found.landmarks.transpose(1, 0, 2)
            assert (left[:, 0] < right[:, 0]).all()
            assert (left_mouth[:, 0] < right_mouth[:, 0]).all()
            assert (nose[:, 1] > (left[:, 1] + right[:, 1]) / 2).all()
            inside = (found.landmarks >= found.boxes[:, None, :2]) & (
                found.landmarks <= found.boxes[:, None, :2] + found.boxes[:, None, 2:]
            )
            assert inside.mean() > 0.95
            faces += len(found)
    assert faces >= 18
