"""Networks that TensorRT-RTX reads and builds, which needs no GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fer_edge.engine.config import DETECTOR_FILE, EXPRESSION_FILE, shipped_weights
from fer_edge.engine.errors import BadInput
from fer_edge.engine.model import read_facts
from fer_edge.engine.tensorrt.build import build_engine, check_precision, network_precision
from fer_edge.engine.tensorrt.engine_build import engine_bytes
from fer_edge.engine.tensorrt.libraries import load_library
from fer_edge.engine.tensorrt.options import EngineOptions

trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")


def test_a_network_that_is_not_what_it_says_is_refused() -> None:
    onnx = shipped_weights(EXPRESSION_FILE).read_bytes()
    library = load_library("tensorrt-rtx")
    options = EngineOptions("tensorrt-rtx", capabilities=("8.6",))
    lies = replace(read_facts(shipped_weights(EXPRESSION_FILE)), precision="fp32")
    with pytest.raises(BadInput, match=r"asked for fp32, .* in fp16"):
        build_engine(onnx, lies, library, options)


@pytest.mark.parametrize(
    ("name", "capability", "size"),
    [
        ("centerface.onnx", "7.5", (640, 480)),
        ("centerface.onnx", "12.0", (320, 256)),
        ("yunet_s.onnx", "8.9", (128, 1024)),
    ],
)
def test_open_sizes_are_closed(name: str, capability: str, size: tuple[int, int]) -> None:
    """Without a profile the builder takes no open axes: the engine is of that size alone."""
    path = shipped_weights(name)
    options = EngineOptions("tensorrt-rtx", capabilities=(capability,), size=size)
    about, data = engine_bytes(
        name, path.read_bytes(), read_facts(path), load_library("tensorrt-rtx"), options, None
    )
    assert (about.size, about.batch, about.precision) == (size, (1, 1, 1), "fp16")
    for tensor in (b"image", b"boxes", b"scores", b"landmarks"):
        assert tensor in data


def test_precision_is_counted_by_layer() -> None:
    log = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(log)
    network = builder.create_network(load_library("tensorrt-rtx").network_flags())
    assert trt.OnnxParser(network, log).parse(shipped_weights(DETECTOR_FILE).read_bytes())
    found = network_precision(network)
    assert found == {"fp16": 47}
    check_precision(found, "fp16", "m")
    with pytest.raises(BadInput, match="1 in fp16, 2 in fp32"):
        check_precision({"fp32": 2, "fp16": 1}, "fp16", "m")
    check_precision({"int8": 45, "fp16": 2}, "int8", "m")
    for fallen in ({"fp16": 47}, {"int8": 46, "fp32": 1}):
        with pytest.raises(BadInput, match="asked for int8"):
            check_precision(fallen, "int8", "m")


def test_the_vendor_s_reason_is_passed_on() -> None:
    facts = read_facts(shipped_weights(EXPRESSION_FILE))
    options = EngineOptions("tensorrt-rtx", capabilities=("8.6",))
    with pytest.raises(BadInput, match="TensorRT-RTX refuses the network: "):
        build_engine(b"no network", facts, load_library("tensorrt-rtx"), options)
