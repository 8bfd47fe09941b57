"""What an engine became, as TensorRT's own inspector tells.

An engine has to be in a GPU's memory to be inspected. Without one, `build.network_precision`
tells what a strongly typed network asks for, which the builder has to keep to.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from ..errors import BadInput

# Of a layer's type or that of its parameters. Fused layers carry several names.
_HEAVY = re.compile(r"conv|gemm|matmul|matrix_?multiply|fully_?connected", re.IGNORECASE)
# "Channel major FP16 format where channel % 8 == 0" in version 8, "Half" in version 10.
_TYPES = (("int8", r"int8"), ("fp16", r"fp16|half"), ("fp32", r"fp32|float"))


def inspected(trt: Any, engine: Any) -> str:
    """What the inspector tells of a loaded engine, as JSON."""
    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def reached_precision(information: str) -> dict[str, int]:
    """How many heavy layers take their input in each precision.

    Args:
        information: of the inspector, as JSON; layers without details are left out.

    Returns:
        Counts by precision; empty where nothing is told.
    """
    try:
        layers = json.loads(information)["Layers"]
    except (ValueError, KeyError, TypeError):
        return {}
    told = [_precision(layer) for layer in layers if isinstance(layer, dict) and _is_heavy(layer)]
    return dict(Counter(kind for kind in told if kind))


def check_reached(found: dict[str, int], wanted: str, name: str) -> None:
    """Make sure that an engine did not fall back to a slower precision.

    A few layers may be left in another: a first one that takes the picture as it is, say.

    Raises:
        BadInput: fewer than half of the heavy layers are in the precision asked for; of an
            int8 model, none.
    """
    if not found:
        return
    reached = found.get(wanted, 0)
    if reached == 0 or (wanted != "int8" and 2 * reached < sum(found.values())):
        counts = ", ".join(f"{count} in {kind}" for kind, count in sorted(found.items()))
        raise BadInput(
            f"{name}: asked for {wanted}, but the engine's heavy layers compute {counts}; this "
            f"GPU or TensorRT has no fast {wanted}: take another --precision"
        )


def _is_heavy(layer: dict[str, Any]) -> bool:
    return any(_HEAVY.search(str(layer.get(key, ""))) for key in ("LayerType", "ParameterType"))


def _precision(layer: dict[str, Any]) -> str | None:
    inputs = layer.get("Inputs") or []
    told = str(inputs[0].get("Format/Datatype", "")) if inputs else ""
    for kind, sign in _TYPES:
        if re.search(sign, told, re.IGNORECASE):
            return kind
    return None
