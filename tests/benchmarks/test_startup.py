from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.benchmarks.startup import as_json, config_from_json
from fer_edge.engine.config import PipelineConfig
from fer_edge.engine.input_size import FaceSize
from fer_edge.engine.sources import Connection


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"connection": Connection(3.0, "udp", 0.0, "auto"), "min_face": FaceSize.parse("24")},
        {"expression": Path("x.onnx"), "detect_size": (320, 256), "detect_every": "auto"},
    ],
)
def test_another_process_gets_the_same_options(changes: dict[str, object]) -> None:
    config = replace(PipelineConfig(), **changes)  # type: ignore[arg-type]
    assert config_from_json(json.loads(json.dumps(as_json(config)))) == config
