"""Small networks with the structure of each family, written as exporters write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from fer_edge.engine.sources.demo import PHOTOGRAPH
from fer_edge.engine.sources.images import read_image

PYRAMID = (8, 16, 32)


@dataclass(frozen=True)
class Form:
    """How an export looks.

    Attributes:
        size: (height, width) it was traced with; None where it leaves both open.
        rows: whether maps are laid down as rows `(1, n, c)`.
        baked: whether sizes of the traced picture stand in Reshapes and Resizes.
        activated: whether sigmoid or softmax are in the graph.
        scaled: whether the graph begins with a scaling of its own.
        opset: of the file.
        weights_as_inputs: whether every weight is an input as well, as in files of IR 3.
        seed: of the weights.
    """

    size: tuple[int, int] | None = None
    rows: bool = False
    baked: bool = False
    activated: bool = True
    scaled: bool = False
    opset: int = 11
    weights_as_inputs: bool = False
    seed: int = 0


class Network:
    """Writes an ONNX network node by node."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.rng = np.random.default_rng(form.seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.outputs: list[tuple[str, tuple[int | str, ...]]] = []

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def floats(self, *shape: int, spread: float = 1.0) -> str:
        return self.constant(self.rng.normal(0, spread, shape).astype(np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], **attributes))
        return output

    def conv(self, x: str, channels: tuple[int, int], side: int = 3, stride: int = 1) -> str:
        before, after = channels
        spread = (2 / (before * side**2)) ** 0.5
        kernel, bias = (
            self.floats(after, before, side, side, spread=spread),
            self.floats(after, spread=0.05),
        )
        pad = side // 2
        return self(
            "Conv", x, kernel, bias,
            kernel_shape=[side, side], strides=[stride, stride], pads=[pad] * 4,
        )  # fmt: skip

    def norm(self, x: str, channels: int) -> str:
        positive = [np.abs(self.rng.normal(1, 0.1, channels)).astype(np.float32) for _ in range(2)]
        gamma, variance = (self.constant(array) for array in positive)
        beta, mean = self.floats(channels, spread=0.1), self.floats(channels, spread=0.1)
        return self("BatchNormalization", x, gamma, beta, mean, variance, epsilon=1e-3)

    def backbone(self, strides: tuple[int, ...]) -> list[str]:
        """Maps of 8 channels at these strides."""
        x = "image"
        if self.form.scaled:
            x = self("Mul", self("Sub", x, self.constant(np.float32([[[20]], [[30]], [[40]]]))),
                     self.constant(np.float32(1 / 64)))  # fmt: skip
        else:
            x = self("Mul", self("Relu", x), self.constant(np.full((1, 3, 1, 1), 1 / 64, "f4")))
        stride, channels, maps = 1, 3, []
        while stride < max(strides):
            x = self("Relu", self.norm(self.conv(x, (channels, 8), 3, 2), 8))
            stride, channels = 2 * stride, 8
            if stride in strides:
                maps.append(x)
        return maps

    def enlarged(self, x: str, like: str, stride: int) -> str:
        """A map brought to twice its size, in the way of the form."""
        form = self.form
        if form.opset < 10:
            return self("Upsample", x, self.constant(np.float32([1, 1, 2, 2])), mode="nearest")
        rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        none = self.constant(np.zeros(0, np.float32))
        if form.baked:
            assert form.size is not None
            height, width = form.size
            sizes = self.integers(1, 8, height // stride, width // stride)
            return self("Resize", x, none, none, sizes, mode="nearest", **rule)
        if form.size is None:
            first, two, four = self.integers(0), self.integers(2), self.integers(4)
            sides = self("Slice", self("Shape", like), two, four, first)
            sizes = self("Concat", self.integers(1, 8), sides, axis=0)
            return self("Resize", x, none, none, sizes, mode="nearest", **rule)
        return self("Resize", x, none, self.constant(np.float32([1, 1, 2, 2])), mode="nearest",
                    **rule)  # fmt: skip

    def lay_down(self, x: str, columns: int, anchors: int, stride: int) -> str:
        """Map to rows, as `permute(0, 2, 3, 1).view(n, -1, columns)` does."""
        x = self("Transpose", x, perm=[0, 2, 3, 1])
        count = -1
        if self.form.baked:
            assert self.form.size is not None
            height, width = self.form.size
            count = (height // stride) * (width // stride) * anchors
        return self("Reshape", x, self.integers(1, count, columns))

    def coded(self, x: str, middle: float) -> str:
        """What boxes and points are computed from: near a value, as of a trained network."""
        spread = self.values(x).std()
        value = self("Mul", x, self.constant(np.float32(0.2 / spread)))
        return self("Add", value, self.constant(np.float32(middle)))

    def rare(self, x: str, share: float, faces: slice = slice(None)) -> str:
        """Logits of which a share is above zero, as of a detector that finds few faces.

        Args:
            x: a map.
            share: of its values, on a photograph.
            faces: channels that are of faces; the others are of background.
        """
        logits = self.values(x)
        middle, gain = np.zeros((2, 1, logits.shape[1], 1, 1), np.float32)
        middle[:, faces] = np.quantile(logits[:, faces], 1 - share)
        gain[:] = 0.2 / logits.std()
        gain[:, faces] = 3 / logits[:, faces].std()
        return self("Mul", self("Sub", x, self.constant(middle)), self.constant(gain))

    def values(self, x: str) -> np.ndarray:
        """What the network computes so far for a photograph."""
        height, width = self.form.size if self.form.baked and self.form.size else (256, 320)
        picture = cv2.resize(read_image(PHOTOGRAPH), (width, height))
        self.outputs.append((x, (1, "c", "y", "x")))
        model = self.model()
        for dimension, side in zip(
            model.graph.input[0].type.tensor_type.shape.dim[2:], (height, width), strict=True
        ):
            dimension.dim_value = side
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(model.SerializeToString(), options)
        self.outputs.pop()
        pixels = picture.transpose(2, 0, 1)[None].astype(np.float32)
        return np.asarray(session.run([x], {"image": pixels})[0])

    def give(self, x: str, *shape: int | str) -> None:
        self.outputs.append((x, shape))

    def model(self) -> Any:
        value = helper.make_tensor_value_info
        sides = self.form.size or ("h", "w")
        inputs = [value("image", TensorProto.FLOAT, [1, 3, *sides])]
        if self.form.weights_as_inputs:
            inputs += [value(w.name, w.data_type, list(w.dims)) for w in self.weights]
        outputs = [value(name, TensorProto.FLOAT, list(shape)) for name, shape in self.outputs]
        graph = helper.make_graph(self.nodes, "net", inputs, outputs, self.weights)
        version = helper.make_opsetid("", self.form.opset)
        ir_version = 3 if self.form.weights_as_inputs else 6
        return helper.make_model(graph, opset_imports=[version], ir_version=ir_version)


def centerface(form: Form = Form()) -> Any:
    """Heat, scale, offset and points at stride 4, behind a ConvTranspose."""
    net = Network(form)
    fine, coarse = net.backbone((4, 8))
    up = net("ConvTranspose", coarse, net.floats(8, 8, 2, 2, spread=0.3), kernel_shape=[2, 2],
             strides=[2, 2])  # fmt: skip
    x = net("Add", net("Relu", net.norm(up, 8)), fine)
    heat = net.rare(net.conv(x, (8, 1), 1), 0.003)
    for channels, value in (
        (1, net("Sigmoid", heat) if form.activated else heat),
        (2, net.coded(net.conv(x, (8, 2), 1), 1.0)),
        (2, net.conv(x, (8, 2), 1)),
        (10, net.conv(x, (8, 10), 1)),
    ):
        net.give(value, 1, channels, f"a{channels}", f"b{channels}")
    return net.model()


def _pyramid(net: Network) -> list[str]:
    maps = net.backbone(PYRAMID)
    for level in (1, 0):
        larger = net.enlarged(maps[level + 1], maps[level], PYRAMID[level])
        maps[level] = net("Add", maps[level], larger)
    return maps


def yunet(form: Form = Form()) -> Any:
    """Twelve outputs: cls, obj, bbox and kps, at strides 8, 16 and 32 each."""
    net = Network(form)
    maps = _pyramid(net)
    for channels in (1, 1, 4, 10):
        for stride, x in zip(PYRAMID, maps, strict=True):
            value = net.conv(x, (8, channels), 1)
            value = net.rare(value, 0.1) if channels == 1 else net.coded(value, 0.8)
            rows = net.lay_down(value, channels, 1, stride) if form.rows else value
            if channels == 1 and form.activated:
                rows = net("Sigmoid", rows)
            shape = (1, f"n{stride}", channels) if form.rows else (1, channels, "h", "w")
            net.give(rows, *shape)
    return net.model()


def retinaface(form: Form = Form(rows=True)) -> Any:
    """Boxes, classes and points of two priors a cell, at strides 8, 16 and 32."""
    net = Network(form)
    maps = _pyramid(net)
    for columns in (4, 2, 10):
        rows = []
        for stride, x in zip(PYRAMID, maps, strict=True):
            value = net.conv(x, (8, 2 * columns), 1)
            if columns == 2:
                value = net.rare(value, 0.004, slice(1, None, 2))
            else:
                value = net.coded(value, 0.1)
            rows.append(net.lay_down(value, columns, 2, stride))
        value = net("Concat", *rows, axis=1)
        if columns == 2 and form.activated:
            value = net("Softmax", value, axis=2)
        net.give(value, 1, "n", columns)
    return net.model()


def save(model: Any, path: Path) -> Path:
    """Write a model; returns the path."""
    onnx.save(model, path)
    return path
