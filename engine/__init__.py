"""The runtime: a frame goes in, faces with expressions come out.

from fer_edge.engine import Pipeline

with Pipeline.open("demo") as pipeline:
    for result in pipeline:
        print(result.frame.time_s, [face.expression for face in result.faces])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import PipelineConfig
    from .errors import FerError
    from .head_pose import HeadPose
    from .pipeline import Pipeline
    from .sources import open_source
    from .types import Detections, Face, Frame, FrameResult, Track

_HOMES = {
    "Detections": ".types",
    "Face": ".types",
    "FerError": ".errors",
    "Frame": ".types",
    "FrameResult": ".types",
    "HeadPose": ".head_pose",
    "Pipeline": ".pipeline",
    "PipelineConfig": ".config",
    "Track": ".types",
    "open_source": ".sources",
}
__all__ = [
    "Detections",
    "Face",
    "FerError",
    "Frame",
    "FrameResult",
    "HeadPose",
    "Pipeline",
    "PipelineConfig",
    "Track",
    "open_source",
]


def __getattr__(name: str) -> Any:
    # Late, so that `fer-run --help` and the converter do not pay for OpenCV.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
