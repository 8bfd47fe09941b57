"""Seconds into the history, on a thread of its own."""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import FerError
from ..types import Unsure
from .history_file import (
    NAME,
    NO_EXPRESSION,
    QUARTER_S,
    UNSURE,
    open_history,
    prune,
    set_aside,
)
from .levels import LEVELS
from .seconds import FaceSecond, SourceSecond
from .waiting import put_newest

PRUNE_EVERY_S = 600.0
# Batches that may wait for a slow disk: beyond two minutes the oldest is given up.
QUEUE = 120

log = logging.getLogger("fer_edge")


class HistoryWriter:
    """Writes each second's faces, one transaction a second. A context manager.

    A full or failing disk is reported in `message` and tried again; nobody waits for it.

    Args:
        folder: where the file is.
        labels: of the expression model, in its order.
        keep_s, keep_bytes: see `prune`.

    Raises:
        OutputNotWritable: the folder cannot be written to.
    """

    def __init__(self, folder: Path, labels: Sequence[str], keep_s: int, keep_bytes: int) -> None:
        self.folder = folder
        self.lost = 0
        self._labels = tuple(labels)
        self._keep = (keep_s, keep_bytes)
        self._database, self.message = open_history(folder)
        self._sessions: dict[tuple[int, int], int] = {}
        self._pruned_s = float("-inf")
        self._queue: queue.Queue[list[tuple[str, SourceSecond]] | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Batches that are not on disk yet."""
        return self._queue.qsize()

    def submit(self, seconds: list[tuple[str, SourceSecond]]) -> None:
        """Take seconds with the names of their sources; they are on disk soon."""
        self.lost += put_newest(self._queue, seconds)

    def _run(self) -> None:
        while (seconds := self._queue.get()) is not None:
            try:
                self._write(seconds)
                self._prune()
            except sqlite3.Error as error:
                self._recover(error)

    def _write(self, seconds: list[tuple[str, SourceSecond]]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        for name, second in seconds:
            session = self._session(name, second)
            self._database.execute(
                "UPDATE sessions SET ended = ?, seconds = seconds + 1, faces = max(faces, ?)"
                " WHERE id = ?",
                (second.time, max((face.face for face in second.faces), default=0), session),
            )
            for face in second.faces:
                self._write_face(second.time, session, face)
        self._database.execute("COMMIT")

    def _session(self, name: str, second: SourceSecond) -> int:
        key = (second.source, second.run)
        if key not in self._sessions:
            labels = json.dumps(self._labels)
            self._sessions[key] = int(
                self._database.execute(
                    "INSERT INTO sessions (source, labels, started, ended, seconds, faces)"
                    " VALUES (?, ?, ?, ?, 0, 0)",
                    (name, labels, second.time, second.time),
                ).lastrowid
                or 0
            )
        return self._sessions[key]

    def _write_face(self, time_: int, session: int, face: FaceSecond) -> None:
        expression = self._labels.index(face.expression) if face.expression else None
        level = LEVELS.index(face.level) if face.level else None
        # The wall clock may be set back: what was written first stays.
        written = self._database.execute(
            "INSERT OR IGNORE INTO seconds VALUES (?, ?, ?, ?, ?, ?, ?)",
            (time_, session, face.face, expression, level, face.frames, packed(face)),
        ).rowcount
        if written:
            self._database.execute(
                "INSERT INTO quarters VALUES (?, ?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET seconds = seconds + 1",
                (
                    time_ // QUARTER_S,
                    session,
                    _counted(expression, face.unsure),
                    -1 if level is None else level,
                ),
            )

    def _prune(self) -> None:
        if time.monotonic() - self._pruned_s >= PRUNE_EVERY_S:
            self._pruned_s = time.monotonic()
            prune(self._database, int(time.time()), *self._keep)

    def _recover(self, error: sqlite3.Error) -> None:
        """Go on after a failure: with the same file, or with a new one where it is damaged."""
        self.lost += 1
        self._sessions.clear()
        self.message = f"history: a second could not be written ({error})"
        log.warning("%s", self.message)
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # The transaction ended with the failure.
        damaged = getattr(error, "sqlite_errorname", "") in ("SQLITE_CORRUPT", "SQLITE_NOTADB")
        if damaged or "malformed" in str(error) or "not a database" in str(error):
            self._database.close()
            try:
                said = set_aside(self.folder / NAME, "is damaged")
                self._database, _ = open_history(self.folder)
                self.message = said
            except (FerError, OSError) as failure:
                self.message = f"history: {failure}"

    def close(self) -> None:
        """Write what waits, for ten seconds at most, and close; may be called twice."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(10.0)
        if not self._thread.is_alive():
            self._database.close()

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _counted(expression: int | None, unsure: Unsure | None) -> int:
    """What a second counts as in the quarters."""
    if unsure is not None:
        return UNSURE
    return NO_EXPRESSION if expression is None else expression


def packed(face: FaceSecond) -> bytes:
    """Probabilities as thousandths, unsigned 16 bit, big-endian, in the model's order."""
    values = [round(1000 * value) for value in face.probabilities.values()]
    return struct.pack(f">{len(values)}H", *values)
