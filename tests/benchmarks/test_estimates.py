from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer_edge.benchmarks.ceilings import measure_ceilings
from fer_edge.benchmarks.operations import count_work
from fer_edge.benchmarks.records import Ceilings, Work
from fer_edge.benchmarks.roofline import DEVICE_FLOP_S, estimate, roofline
from fer_edge.engine.config import DETECTOR_FILE, shipped_weights
from fer_edge.engine.errors import BadInput

from .reports import result


def write_network(path: Path, groups: int = 1) -> None:
    """A 3x3 convolution of stride 2 on 4x16x16, then a product of its 8x8x8 with 512x10."""
    weights = [
        numpy_helper.from_array(np.zeros((8, 4 // groups, 3, 3), np.float32), "w"),
        numpy_helper.from_array(np.zeros((512, 10), np.float32), "m"),
        numpy_helper.from_array(np.array([-1, 512]), "s"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4, group=groups),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("Reshape", ["r", "s"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["z"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 16, 16])
    out = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "net", [given], [out], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("bf16", 2), ("int8", 1)])
def test_operations_and_bytes_are_those_of_a_count_by_hand(
    groups: int, precision: str, size: int, tmp_path: Path
) -> None:
    write_network(tmp_path / "net.onnx", groups)
    work = count_work(tmp_path / "net.onnx", precision)
    convolution = 2 * (8 * 8 * 8) * (4 // groups) * 9
    assert work.flop == convolution + 2 * 512 * 10
    assert work.weight_bytes == size * (8 * (4 // groups) * 9 + 5120)
    assert work.activation_bytes == size * ((4 * 16 * 16 + 8 * 8 * 8) + (512 + 10))


def test_the_shipped_detector_has_the_operations_of_its_card() -> None:
    work = count_work(shipped_weights(DETECTOR_FILE), "fp16")
    assert work.flop == pytest.approx(6.6e9, rel=0.1)
    assert work.weight_bytes == pytest.approx(2 * 5.54e6, rel=0.02)


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "net.onnx")
    with pytest.raises(BadInput, match="posit8"):
        count_work(tmp_path / "net.onnx", "posit8")


def test_the_roof_is_the_slower_of_arithmetic_and_memory() -> None:
    ceilings = Ceilings(1e10, {"fp32": 1e12, "bf16": 4e12})
    heavy = roofline(Work("a", 8e9, 1e6, 1e6), "bf16", 4e-3, ceilings)
    assert heavy.bound_s == pytest.approx(2e-3)
    assert heavy.ratio == pytest.approx(0.5)
    assert heavy.other_bound_s == pytest.approx(8e9 / DEVICE_FLOP_S)
    assert heavy.other_estimate_s == pytest.approx(2 * heavy.other_bound_s)
    wide = roofline(Work("a", 1e6, 5e7, 5e7), "bf16", 1e-2, ceilings)
    assert wide.bound_s == pytest.approx(1e-2)
    # There in fp32: twice the bytes.
    assert wide.other_bound_s == pytest.approx(2e8 / 484e9)


def test_an_estimate_changes_the_networks_and_keeps_the_rest() -> None:
    case = result()
    assert case.breakdown is not None
    ceilings = Ceilings(1e10, {"fp32": 1e12})
    works = {
        "detect": (Work("a", 1e9, 1e6, 1e6), "fp32"),
        "classify": (Work("b", 1e8, 1e6, 1e6), "fp32"),
    }
    made = estimate(works, [case], ceilings)
    assert made is not None
    frame_s = case.breakdown.elapsed_s / case.breakdown.frames
    host_s = frame_s * (1 - 0.6 - 0.35)
    (fps,) = made.fps.values()
    detect, classify = made.rooflines
    # Every 10th frame detects, every frame has one face to classify.
    expected = host_s + detect.other_estimate_s / 10 + classify.other_estimate_s
    assert 1 / fps == pytest.approx(expected)
    assert estimate(works, [], ceilings) is None


def test_the_ceilings_of_this_machine_are_above_what_any_network_reached() -> None:
    ceilings = measure_ceilings()
    assert ceilings.copy_bytes_s > 1e8
    assert min(ceilings.product_flop_s.values()) > 1e9
