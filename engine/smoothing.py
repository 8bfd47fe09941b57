"""Expression probabilities smoothed over time, face by face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from .errors import BadInput
from .types import Floats

# A face that has been away for that many time constants begins anew.
_FORGOTTEN = 5.0


@dataclass
class _Smoothed:
    probabilities: Floats
    time_s: float


class ExpressionSmoother:
    """An exponential mean for each id, with a time constant in seconds.

    What was answered `time_constant_s` ago counts 1/e of what is answered now, whatever the
    frame rate.

    Args:
        time_constant_s: in seconds; 0 changes nothing.

    Raises:
        BadInput: a negative or infinite time constant.
    """

    def __init__(self, time_constant_s: float) -> None:
        if not 0 <= time_constant_s < float("inf"):
            raise BadInput(f"smoothing over {time_constant_s:g} s: give 0 or more seconds")
        self._time_constant_s = time_constant_s
        self._known: dict[int, _Smoothed] = {}

    def __call__(self, ids: Sequence[int], rows: Floats, time_s: float) -> Floats:
        """Take in the answers for one frame.

        Args:
            ids: of the faces.
            rows: float32 `(n, classes)`, a row a face, summing to 1.
            time_s: of the frame in its source.

        Returns:
            float32 `(n, classes)`, rows summing to 1.
        """
        if self._time_constant_s == 0:
            return rows
        answer = np.empty_like(rows)
        for id_, row, mixed in zip(ids, rows, answer, strict=True):
            self._smooth(id_, row, mixed, time_s)
        if len(self._known) > len(ids):
            self._forget(time_s)
        return answer

    def _smooth(self, id_: int, row: Floats, mixed: Floats, time_s: float) -> None:
        known = self._known.get(id_)
        if known is None:
            mixed[:] = row
        else:
            kept = exp(-max(0.0, time_s - known.time_s) / self._time_constant_s)
            np.subtract(known.probabilities, row, out=mixed)
            mixed *= kept
            mixed += row
        self._known[id_] = _Smoothed(mixed, time_s)

    def _forget(self, time_s: float) -> None:
        """Ids are never reused: those that are long gone only cost memory."""
        oldest = time_s - _FORGOTTEN * self._time_constant_s
        self._known = {id_: face for id_, face in self._known.items() if face.time_s >= oldest}
