"""What TensorRT says, kept until somebody asks."""

from __future__ import annotations

from typing import Any

MAX_REASON = 300


def open_log(trt: Any) -> Any:
    """A logger for a TensorRT module that keeps errors to itself.

    Its `reason()` is the first of them, in one line.
    """

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))

        def reason(self) -> str:
            return self.errors[0][:MAX_REASON] if self.errors else "it does not say why"

    return Log()
