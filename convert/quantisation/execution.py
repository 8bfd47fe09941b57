"""Networks in memory, run by ONNX Runtime, Q/DQ pairs as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from fer_edge.engine.types import Floats


class Session:
    """An open network.

    Args:
        session: an `onnxruntime.InferenceSession`.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._names = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """All outputs by name."""
        return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))


def open_session(model: Any, also: Sequence[str] = ()) -> Session:
    """Open an `onnx_ir.Model` on the CPU.

    The arithmetic between the pairs is float: kernels for int8 saturate on processors without
    VNNI, and what is measured would depend on the machine.

    Args:
        model: the network.
        also: names of inner values that become outputs.
    """
    import onnx
    import onnxruntime

    proto = ir.to_proto(model)
    present = {output.name for output in proto.graph.output}
    proto.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in also
        if name not in present
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return Session(
        onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    )
