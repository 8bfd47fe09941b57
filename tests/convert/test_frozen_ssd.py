from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from fer_edge.convert.cli import main
from fer_edge.convert.frozen_ssd import find_cut, read_graph, understand
from fer_edge.convert.graph import GraphIndex
from fer_edge.engine.backends import open_backend
from fer_edge.engine.detector import Detector
from fer_edge.engine.errors import BadInput, UnsafeModel
from fer_edge.engine.geometry import iou_matrix
from fer_edge.engine.model import read_facts

from .ssd_graph import Builder, Recipe, tf, write_ssd

RECIPES = {
    "2017: resize, then scale": Recipe(),
    "later: scale, then resize": Recipe(scale_first=True, suppression=5),
    "three classes, 80x80": Recipe(classes=3, size=(80, 80), seed=1),
    "batch norm unfused": Recipe(batch_norm="unfused", suppression=2, seed=12),
    "batch norm folded": Recipe(batch_norm="folded", scale_first=True, seed=3),
    "MobileNet v2": Recipe(inverted=True, size=(128, 64), seed=14),
    "MobileNet v2 unfused": Recipe(inverted=True, batch_norm="unfused", scale_first=True, seed=5),
    "softmax scores": Recipe(softmax=True, classes=2, seed=6),
    "other box coding": Recipe(box_scales=(8.0, 12.0, 4.0, 6.0), seed=7),
    "300x300, which divides no frame": Recipe(size=(300, 300), seed=9),
    "half-pixel resize": Recipe(half_pixel=True, seed=8),
}
# What TensorRT 8.6 to 11 parse without plugins.
PLAIN_OPERATORS = {
    "Add", "AveragePool", "Cast", "Clip", "Concat", "Conv", "Exp", "Gather", "MaxPool", "Mul",
    "Pad",
    "ReduceMax", "Relu", "Reshape", "Sigmoid", "Slice", "Softmax", "Sub", "TopK", "Transpose",
}  # fmt: skip


def convert(source: Path, output: Path, *options: str) -> dict[str, object]:
    """Convert on the command line; returns the report."""
    report = output.with_suffix(".json")
    arguments = [str(source), "-o", str(output), "--json", str(report), "--quiet", *options]
    assert main(arguments) == 0
    return json.loads(report.read_text())


@pytest.mark.parametrize("name", RECIPES)
def test_every_form_of_export_is_understood_and_converted(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    builder = write_ssd(tmp_path / "graph.pb", recipe)
    graph_def = read_graph(tmp_path / "graph.pb")
    ssd = understand(graph_def, tmp_path / "graph.pb")
    np.testing.assert_allclose(ssd.anchors, builder.anchors, atol=1e-5)
    assert ssd.box_scales == recipe.box_scales
    assert (ssd.input.height, ssd.input.width) == recipe.size
    assert ssd.input.colour == "rgb"
    assert ssd.input.resize == ("half_pixel_bilinear" if recipe.half_pixel else "tf1_bilinear")
    assert ssd.input.mean == pytest.approx((127.5,) * 3, rel=1e-5)
    assert ssd.input.scale == pytest.approx((1 / 127.5,) * 3, rel=1e-5)
    assert (ssd.classes, ssd.background) == (recipe.classes, True)
    assert ssd.iou_threshold == pytest.approx(recipe.iou_threshold)
    assert ssd.score_threshold == pytest.approx(recipe.score_threshold)
    assert ssd.max_detections == recipe.max_detections

    names = ("face", "hand", "foot")[: recipe.classes]
    words = ["--labels", ",".join(names)] if recipe.classes > 1 else []
    report = convert(tmp_path / "graph.pb", tmp_path / "d.onnx", *words)
    parity = report["parity"]
    assert isinstance(parity, dict)
    assert parity["detections"] > 10, "the comparison must not be empty"
    assert parity["matched"] == parity["detections"]
    assert parity["mean_survivor_error"] < 1e-3

    model = onnx.load(tmp_path / "d.onnx")
    assert {node.op_type for node in model.graph.node} <= PLAIN_OPERATORS
    assert model.opset_import[0].version == 17
    assert model.ir_version == 8
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.output
    }
    k = min(200, len(builder.anchors))
    assert shapes == {"boxes": [1, k, 4], "scores": [1, k, recipe.classes]}
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for value in inferred.graph.value_info:
        assert all(d.dim_value > 0 for d in value.type.tensor_type.shape.dim), value.name


def test_half_precision_reaches_the_weights_and_stays_close(tmp_path: Path) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe(seed=9))
    convert(tmp_path / "graph.pb", tmp_path / "whole.onnx")
    convert(tmp_path / "graph.pb", tmp_path / "half.onnx", "--precision", "fp16")
    model = onnx.load(tmp_path / "half.onnx")
    types = {weights.name: weights.data_type for weights in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert {types[node.input[1]] for node in convolutions} == {onnx.TensorProto.FLOAT16}
    io = [*model.graph.input, *model.graph.output]
    assert {v.type.tensor_type.elem_type for v in io} == {onnx.TensorProto.FLOAT}
    size = [(tmp_path / name).stat().st_size for name in ("half.onnx", "whole.onnx")]
    assert size[0] < 0.9 * size[1]
    assert read_facts(tmp_path / "half.onnx").precision == "fp16"


def test_labels_decide_which_class_is_the_face(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe(classes=2))
    (tmp_path / "map.pbtxt").write_text(
        "item {\n  id: 2\n  name: 'face'\n}\nitem {\n  id: 1\n  name: 'hand'\n}\n"
    )
    words = ["--labels", str(tmp_path / "map.pbtxt")]
    report = convert(tmp_path / "graph.pb", tmp_path / "d.onnx", *words)
    assert report["notes"] == ["of 2 classes, 'face' is taken for the face"]
    facts = read_facts(tmp_path / "d.onnx")
    assert facts.labels == ("hand", "face")
    assert facts.detector is not None
    assert facts.detector.face_class == 1
    arguments = [str(tmp_path / "graph.pb"), "-o", str(tmp_path / "x.onnx"), "--quiet"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "graph.pb: 2 classes, and nothing says which of them is a face" in said
    assert main([*arguments, "--labels", "aeroplane,bicycle"]) == 2
    assert "named a face: aeroplane, bicycle" in capsys.readouterr().err


def test_top_k_limits_the_survivors_and_one_too_small_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    convert(tmp_path / "graph.pb", tmp_path / "d.onnx", "--top-k", "150")
    output = onnx.load(tmp_path / "d.onnx").graph.output[0]
    assert [d.dim_value for d in output.type.tensor_type.shape.dim] == [1, 150, 4]
    before = (tmp_path / "d.onnx").read_bytes()
    arguments = [str(tmp_path / "graph.pb"), "-o", str(tmp_path / "d.onnx"), "--top-k", "1"]
    assert main([*arguments, "--quiet"]) == 2
    assert "not converted" in capsys.readouterr().err
    assert (tmp_path / "d.onnx").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"graph.pb", "d.onnx", "d.json"}


def test_a_resizer_the_runtime_has_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    write_ssd(path, Recipe(keep_aspect=True))
    graph_def = read_graph(path)
    with pytest.raises(BadInput, match=r"graph\.pb"):
        understand(graph_def, path)


def fixed(node: Any, graph_def: Any) -> None:
    """A placeholder of one size, larger than the network's."""
    del node.attr["shape"].shape.dim[:]
    for side in (1, 96, 160, 3):
        node.attr["shape"].shape.dim.add(size=side)


def defaulted(node: Any, graph_def: Any) -> None:
    """A placeholder that has a picture of its own where none is given."""
    own = graph_def.node.add(name="own_picture", op="Const")
    own.attr["dtype"].type = node.attr["dtype"].type
    picture = tf.make_tensor_proto(np.zeros((1, 64, 64, 3), np.uint8))
    own.attr["value"].tensor.CopyFrom(picture)
    node.op = "PlaceholderWithDefault"
    node.input.append("own_picture")


@pytest.mark.parametrize("change", [fixed, defaulted])
def test_pictures_may_come_in_by_other_placeholders(
    change: Callable[[Any, Any], None], tmp_path: Path
) -> None:
    graph_def = Builder(Recipe()).build()
    change(next(node for node in graph_def.node if node.op == "Placeholder"), graph_def)
    (tmp_path / "graph.pb").write_bytes(graph_def.SerializeToString())
    parity = convert(tmp_path / "graph.pb", tmp_path / "d.onnx")["parity"]
    assert isinstance(parity, dict)
    assert parity["matched"] == parity["detections"] > 10


def test_raw_scores_and_quantised_graphs_say_how_to_export_them(tmp_path: Path) -> None:
    raw = Builder(Recipe()).build()
    next(node for node in raw.node if node.op == "Sigmoid").op = "Identity"
    (tmp_path / "raw.pb").write_bytes(raw.SerializeToString())
    with pytest.raises(BadInput, match=r"raw\.pb: .*score_converter: SIGMOID"):
        understand(read_graph(tmp_path / "raw.pb"), tmp_path / "raw.pb")
    quantised = Builder(Recipe()).build()
    quantised.node.add(name="weights", op="Dequantize")
    (tmp_path / "uint8.pb").write_bytes(quantised.SerializeToString())
    with pytest.raises(BadInput, match=r"quantised graph \(it has Dequantize\); export .*in float"):
        read_graph(tmp_path / "uint8.pb")


def test_an_operator_outside_the_list_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    builder = write_ssd(path, Recipe())
    graph_def = builder.build()
    node = graph_def.node.add(name="innocent", op="ReadFile")
    node.input.append("camera_picture")
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsafeModel, match=r"ReadFile.*innocent"):
        read_graph(path)
    graph_def = builder.build()
    function = graph_def.library.function.add()
    function.signature.name = "hidden"
    function.node_def.add(name="x", op="PyFunc")
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsafeModel, match="PyFunc"):
        read_graph(path)


def test_a_graph_without_the_outputs_of_an_export_is_refused() -> None:
    graph_def = Builder(Recipe()).build()
    kept = [node for node in graph_def.node if not node.name.startswith("detection_")]
    del graph_def.node[:]
    graph_def.node.extend(kept)
    with pytest.raises(BadInput, match="detection_boxes"):
        find_cut(GraphIndex(graph_def))


@pytest.fixture(scope="module")
def real_detector(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("real")
    graph = shared / "models" / "frozen_inference_graph_face.pb"
    photos = shared / "data" / "photos"
    report = convert(graph, folder / "face.onnx", "--images", str(photos))
    return folder / "face.onnx", report


def test_the_real_graph_equals_tensorflow_on_all_photos(real_detector: tuple[Path, dict]) -> None:
    parity = real_detector[1]["parity"]
    assert parity["images"] == 6
    assert parity["detections"] == parity["matched"] == 22
    assert parity["min_iou"] >= 0.99
    assert parity["max_score_error"] <= 0.01
    facts = read_facts(real_detector[0])
    assert (facts.input.height, facts.input.width) == (512, 512)
    assert facts.input.resize == "tf1_bilinear"
    assert real_detector[1]["description"]["anchors"].startswith("5,118")
    assert "BatchNormalization" not in real_detector[1]["operators_after"]


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("shipped", [False, True])
def test_the_runtime_finds_the_reference_faces(
    backend: str, shipped: bool, real_detector: tuple[Path, dict], shared: Path
) -> None:
    from fer_edge.engine.config import DETECTOR_FILE, shipped_weights

    path = shipped_weights(DETECTOR_FILE) if shipped else real_detector[0]
    reference = json.loads((shared / "data/photos/reference_detections.json").read_text())
    with open_backend(path, backend) as opened:
        exact = opened.precision == opened.facts.precision == "fp32"
        detector = Detector(opened, min_score=0.2)
        for name, known in reference.items():
            image = cv2.imread(str(shared / "data/photos" / name))
            found = detector(image)
            for face in known["faces"]:
                x0, y0, x1, y1 = face["box_xyxy"]
                truth = np.array([[x0, y0, x1 - x0, y1 - y0]], np.float32)
                overlap = iou_matrix(truth, found.boxes)[0]
                # fp16 weights and bf16 arithmetic may prefer a neighbouring anchor.
                assert overlap.max() >= (0.99 if exact else 0.9)
                error = abs(found.scores[overlap.argmax()] - face["score"])
                assert error <= (0.01 if exact else 0.05)


def test_progress_goes_to_standard_error_and_the_table_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    assert main([str(tmp_path / "graph.pb")]) == 0
    said = capsys.readouterr()
    assert "comparing it with the original" in said.err
    assert "detections matched" in said.out
    assert "passed" in said.out
    assert (tmp_path / "graph.onnx").is_file()
    assert {p.name for p in tmp_path.iterdir()} == {"graph.pb", "graph.onnx"}
