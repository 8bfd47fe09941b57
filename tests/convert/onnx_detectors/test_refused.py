"""What is no face detector of a known family, or not safe, is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_edge.convert.cli import main

from .networks import Form, Network, centerface, retinaface, save, yunet


def classifier(_: Path) -> Any:
    net = Network(Form())
    (x,) = net.backbone((32,))
    net.give(net("Softmax", net("Flatten", net("GlobalAveragePool", x)), axis=1), 1, 8)
    return net.model()


def two_classes(_: Path) -> Any:
    """A CenterNet of two kinds of things."""
    model = centerface()
    net = Network(Form(seed=1))
    net.nodes, net.weights = list(model.graph.node), list(model.graph.initializer)
    heat, scale, offset, points = (output.name for output in model.graph.output)
    for name, channels in ((heat, 2), (scale, 2), (offset, 2), (points, 10)):
        value = net("Concat", name, name, axis=1) if name == heat else name
        net.give(value, 1, channels, "a", "b")
    return net.model()


def without_sigmoid(_: Path) -> Any:
    return yunet(Form(activated=False))


def without_landmarks(_: Path) -> Any:
    model = retinaface()
    del model.graph.output[2]
    return model


def wrong_side(_: Path) -> Any:
    model = yunet()
    for dimension, side in zip(
        model.graph.input[0].type.tensor_type.shape.dim[2:], (120, 160), strict=True
    ):
        dimension.dim_value = side
    return model


def nhwc(_: Path) -> Any:
    model = centerface()
    shape = model.graph.input[0].type.tensor_type.shape
    for dimension, length in zip(shape.dim, (1, 256, 320, 3), strict=True):
        dimension.dim_value = length
    return model


def two_inputs(_: Path) -> Any:
    model = centerface()
    value = helper.make_tensor_value_info("second", TensorProto.FLOAT, [1])
    model.graph.input.append(value)
    return model


def looped(_: Path) -> Any:
    model = centerface()
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["z"], body=body))
    return model


def foreign(_: Path) -> Any:
    model = centerface()
    model.graph.node.append(helper.make_node("Gelu", ["image"], ["z"], domain="com.microsoft"))
    return model


def outside(folder: Path) -> Any:
    model = centerface()
    (folder / "weights.bin").write_bytes(bytes(4096))
    tensor = model.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return model


def hungry(_: Path) -> Any:
    """An input that is enlarged beyond all measure."""
    model = centerface()
    scales = numpy_helper.from_array(np.float32([1, 1, 4096, 4096]), "scales")
    model.graph.initializer.append(scales)
    model.graph.node.append(helper.make_node("Resize", ["image", "scales", "scales"], ["huge"]))
    model.graph.node.append(helper.make_node("MaxPool", ["huge"], ["z"], kernel_shape=[1, 1]))
    model.graph.output.append(
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3, "a", "b"])
    )
    return model


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (classifier, "no face detector of a known family"),
        (two_classes, "no face detector of a known family"),
        (without_sigmoid, "no face detector of a known family"),
        (without_landmarks, "no face detector of a known family"),
        (wrong_side, "sides in steps of 32"),
        (nhwc, "expected one picture, float32 (1, 3, height, width)"),
        (two_inputs, "expected one picture"),
        (looped, "'Loop' () has no place in a face detector"),
        (foreign, "'com.microsoft.Gelu'"),
        (outside, "weights lie in another file"),
        (hungry, "no detector needs so many"),
    ],
)
def test_others_are_refused_in_one_line(
    build: Callable[[Path], Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "source.onnx"
    source.write_bytes(build(tmp_path).SerializeToString())
    assert main([str(source), "-o", str(tmp_path / "out.onnx"), "--quiet"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fer-convert: error: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out.onnx").exists()


def test_what_was_expected_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(classifier(tmp_path), tmp_path / "source.onnx")
    assert main([str(source), "-o", str(tmp_path / "out.onnx"), "--quiet"]) == 2
    said = capsys.readouterr().err
    for words in ("(1, 8)", "CenterFace", "YuNet", "RetinaFace", "320x256"):
        assert words in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--score", "1.5"], "score 1.5 is outside 0-1"),
        (["--iou", "0"], "iou 0 is outside 0-1"),
        (["--labels", "face,hat"], "2 labels for 1 classes"),
        (["--input-size", "250x320"], "steps of 32 from 128 on"),
        (["--input-size", "96x320"], "steps of 32 from 128 on"),
        (["--top-k", "0"], "top-k 0"),
        (["--input-range=0,1"], "--input-range changes nothing"),
    ],
)
def test_values_that_cannot_be_are_one_line(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(centerface(), tmp_path / "source.onnx")
    assert main([str(source), "-o", str(tmp_path / "out.onnx"), "--quiet", *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = centerface().SerializeToString()
    path = tmp_path / "cut.onnx"
    for share in np.linspace(0.02, 0.98, 13):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert main([str(path), "-o", str(tmp_path / "out.onnx"), "--quiet"]) == 2


def test_a_network_that_lacks_any_one_node_is_refused(tmp_path: Path) -> None:
    model = yunet()
    for index in range(0, len(model.graph.node), 7):
        damaged = onnx.ModelProto()
        damaged.CopyFrom(model)
        del damaged.graph.node[index]
        path = tmp_path / "gap.onnx"
        path.write_bytes(damaged.SerializeToString())
        assert main([str(path), "-o", str(tmp_path / "out.onnx"), "--quiet"]) == 2


def test_a_detector_is_never_written_over_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(centerface(), tmp_path / "source.onnx")
    before = source.read_bytes()
    for options in ([], ["--target", "tensorrt-rtx", "--sm", "86"]):
        assert main([str(source), "--quiet", *options]) == 2
        assert "is the input" in capsys.readouterr().err
    assert source.read_bytes() == before
