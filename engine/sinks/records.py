"""Results as JSON lines and as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic
from typing import IO, Any

from ..errors import OutputNotWritable, ReaderGone
from ..outputs import PendingFile
from ..types import Face, Frame, FrameResult
from .base import Sink

SCHEMA = 1
# The five landmarks in CSV, in their order: left and right as one sees the picture.
LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
POSE = ("roll", "yaw", "pitch")
# What a crash of the machine may cost at most.
FLUSH_EVERY_S = 1.0


class _TextSink(Sink):
    """Text written beside its final name and flushed every second; into streams at once."""

    def __init__(self, path: Path) -> None:
        self._pending = PendingFile(path)
        self._results = 0
        try:
            # Names of files may hold what is no text.
            self._file: IO[str] = self._pending.open(
                encoding="utf-8", errors="backslashreplace", newline=""
            )
        except OSError as error:
            raise self._failure(error) from error
        self._flushed_s = monotonic()

    def write(self, result: FrameResult) -> None:
        """Write one result; see `Sink.write`."""
        try:
            self._write(self._file, result)
            self._results += 1
            if self._pending.stream or monotonic() - self._flushed_s >= FLUSH_EVERY_S:
                self._file.flush()
                self._flushed_s = monotonic()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> OutputNotWritable:
        if isinstance(error, OutputNotWritable):
            return error
        if isinstance(error, BrokenPipeError):
            return ReaderGone(f"{self._pending.final}: nobody reads it any more")
        text = f"{self._pending.final}: cannot be written ({error.strerror})"
        if not self._pending.stream and self._results:
            text += f"; what was written is in {self._pending.path}"
        return OutputNotWritable(text)

    def _write(self, file: IO[str], result: FrameResult) -> None:
        raise NotImplementedError

    def finish(self, complete: bool) -> None:
        """Close the file; a run without a frame leaves an earlier one. See `Sink.finish`."""
        try:
            self._file.close()
        except BrokenPipeError:
            pass
        except OSError as error:
            if complete:
                raise self._failure(error) from error
        if complete and (self._results or not self._pending.final.exists()):
            self._pending.commit()
        elif self._results:
            self._pending.keep()
        else:
            self._pending.discard()


class JSONLines(_TextSink):
    """One JSON object a frame; times in seconds, boxes in pixels of the frame.

    Args:
        path: of the file.
        raw: whether faces have a key `raw`, the probabilities before smoothing.
    """

    def __init__(self, path: Path, raw: bool = False) -> None:
        super().__init__(path)
        self._raw = raw

    def _write(self, file: IO[str], result: FrameResult) -> None:
        file.write(json.dumps(record(result, self._raw), ensure_ascii=False) + "\n")


class CSV(_TextSink):
    """One row a face: the same as JSONL, with a column a label, coordinate and angle."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        super().__init__(path)
        self._writer = csv.writer(self._file)
        self._labels = labels
        self._writer.writerow(
            ["frame", "time", "file", "id", *"xywh", "score", "origin", "expression", *labels]
            + [f"{name}_{axis}" for name in LANDMARKS for axis in "xy"]
            + [f"pose_{angle}" for angle in POSE]
            + ["unsure", "utc"]
        )

    def _write(self, file: IO[str], result: FrameResult) -> None:
        for face in result.faces:
            known = face_record(face)
            probabilities, pose = known.get("probabilities", {}), known.get("pose", {})
            landmarks = known.get("landmarks", [("", "")] * len(LANDMARKS))
            self._writer.writerow(
                [
                    result.frame.index,
                    round(result.frame.time_s, 6),
                    result.frame.file,
                    known["id"],
                    *known["box"],
                    known["score"],
                    known["origin"],
                    known.get("expression") or "",
                    *(probabilities.get(label, "") for label in self._labels),
                    *(value for point in landmarks for value in point),
                    *(pose.get(angle, "") for angle in POSE),
                    known.get("unsure", ""),
                    _utc(result.frame),
                ]
            )


def record(result: FrameResult, raw: bool = False) -> dict[str, Any]:
    """The JSONL object of a frame, schema 1; with `raw`, a key more a face."""
    frame = result.frame
    return {
        "schema": SCHEMA,
        "frame": frame.index,
        "time": round(frame.time_s, 6),
        **({"utc": _utc(frame)} if frame.utc_s is not None else {}),
        **({"file": frame.file} if frame.file else {}),
        "faces": [face_record(face, raw) for face in result.faces],
    }


def face_record(face: Face, raw: bool = False) -> dict[str, Any]:
    """The JSON object of a face; keys of what is not known are left out."""
    track = face.track
    known: dict[str, Any] = {
        "id": track.id,
        "box": [round(value, 2) for value in track.box],
        "score": round(track.score, 4),
        "origin": track.origin,
    }
    if track.landmarks:
        known["landmarks"] = [[round(x, 2), round(y, 2)] for x, y in track.landmarks]
    if (pose := track.pose) is not None:
        # No minus before a zero.
        known["pose"] = {angle: round(getattr(pose, angle), 1) + 0.0 for angle in POSE}
    if face.probabilities:
        known["expression"] = face.expression
        if face.unsure is not None:
            known["unsure"] = face.unsure
        known["probabilities"] = _rounded(face.probabilities)
        if raw:
            known["raw"] = _rounded(face.raw)
    return known


def _utc(frame: Frame) -> str:
    """When a live frame arrived, ISO 8601 with milliseconds; empty for others."""
    if frame.utc_s is None:
        return ""
    arrived = datetime.fromtimestamp(frame.utc_s, timezone.utc)
    return arrived.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {label: round(value, 4) for label, value in probabilities.items()}
