"""Which inputs kernels make."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fer_edge.engine.cuda.launch import BgrFrame, faces_launch, frame_launch
from fer_edge.engine.errors import BadInput
from fer_edge.engine.gpu.inputs import has_kernel, kernel_precision
from fer_edge.engine.model import InputFacts
from fer_edge.engine.tensorrt.buffers import Tensor

from ..scripted import detector_facts, expression_facts


@pytest.mark.parametrize("colour", ["rgb", "bgr", "gray"])
@pytest.mark.parametrize("resize", ["tf1_bilinear", "half_pixel_bilinear", "area", "letterbox"])
@pytest.mark.parametrize("facts", [detector_facts(), expression_facts()])
def test_there_is_a_kernel_exactly_where_one_can_be_launched(
    facts: object, colour: str, resize: str
) -> None:
    channels = 1 if colour == "gray" else 3
    see = InputFacts("x", 8, 8, colour, resize, (0.0,) * channels, (1.0,) * channels)  # type: ignore[arg-type]
    model = replace(facts, input=see)  # type: ignore[type-var]
    source = BgrFrame(0, 8, 8, 24)
    try:
        if model.kind == "detector":  # type: ignore[attr-defined]
            frame_launch(source, see, 0, "fp32")
        else:
            faces_launch(source, 0, 1, see, 0, "fp32")
    except BadInput:
        assert not has_kernel(model)  # type: ignore[arg-type]
    else:
        assert has_kernel(model)  # type: ignore[arg-type]


def test_kernels_write_two_kinds_of_numbers() -> None:
    found = [kernel_precision(Tensor("x", True, np.dtype(kind), (1,))) for kind in ("f4", "f2")]
    assert found == ["fp32", "fp16"]
    with pytest.raises(BadInput, match="input x is int64"):
        kernel_precision(Tensor("x", True, np.dtype(np.int64), (1,)))
