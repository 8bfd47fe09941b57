"""What the history tells: a day's shares, its sessions, and all rows for export."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from .history_file import NAME, QUARTER_S, TABLES, UNSURE
from .levels import LEVELS


@dataclass(frozen=True)
class Share:
    """How long faces showed an expression.

    Attributes:
        start: UNIX seconds at which the hour begins.
        expression: `unsure` where the model was; None without expressions.
        level: None where the expression has none.
        seconds: faces times seconds.
    """

    start: int
    expression: str | None
    level: str | None
    seconds: int


@dataclass(frozen=True)
class Session:
    """One run of one source.

    Attributes:
        id: its number.
        source: name of the source, without credentials.
        started, ended: UNIX seconds of the first and last frame.
        seconds: how many seconds had a frame.
        faces: different ids that were seen.
        shares: expression, or `unsure`, to faces times seconds.
        levels: level to faces times seconds.
    """

    id: int
    source: str
    started: int
    ended: int
    seconds: int
    faces: int
    shares: dict[str, int]
    levels: dict[str, int]


@dataclass(frozen=True)
class Row:
    """A second of a face, as it is exported; `expression` may be `unsure`."""

    time: int
    session: int
    source: str
    face: int
    frames: int
    expression: str | None
    level: str | None
    probabilities: dict[str, float]


class HistoryQueries:
    """Reads the history file of a folder; each call opens it anew, for any thread.

    Without a file all answers are empty.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def days(self) -> list[date]:
        """The days with seconds in them, in local time, newest first."""
        with closing(self._open()) as database:
            quarters = database.execute("SELECT DISTINCT quarter FROM quarters").fetchall()
        found = {datetime.fromtimestamp(quarter * QUARTER_S).date() for (quarter,) in quarters}
        return sorted(found, reverse=True)

    def day(self, day: date) -> list[Share]:
        """The shares of a day's hours, in local time, oldest first."""
        start, end = day_bounds(day)
        with closing(self._open()) as database:
            labels = _labels(database)
            rows = database.execute(
                "SELECT quarter, session, expression, level, seconds FROM quarters"
                " WHERE quarter >= ? AND quarter < ?",
                (start // QUARTER_S, end // QUARTER_S),
            ).fetchall()
        sums: dict[tuple[int, str | None, str | None], int] = {}
        for quarter, session, expression, level, seconds in rows:
            hour = start + (quarter * QUARTER_S - start) // 3600 * 3600
            key = (hour, _expression(labels[session], expression), _name(LEVELS, level))
            sums[key] = sums.get(key, 0) + seconds
        return [Share(*key, seconds) for key, seconds in sorted(sums.items(), key=str)]

    def sessions(self, day: date) -> list[Session]:
        """The sessions of which a day has seconds, oldest first."""
        start, end = day_bounds(day)
        with closing(self._open()) as database:
            rows = database.execute(
                "SELECT id FROM sessions WHERE started < ? AND ended >= ? ORDER BY started",
                (end, start),
            ).fetchall()
            return [_session(database, id_) for (id_,) in rows]

    def session(self, id_: int) -> Session | None:
        """A session; None where there is none of that number."""
        with closing(self._open()) as database:
            found = database.execute("SELECT 1 FROM sessions WHERE id = ?", (id_,)).fetchone()
            return _session(database, id_) if found else None

    def rows(self, start: int, end: int) -> Iterator[Row]:
        """The rows from UNIX second `start` to before `end`, oldest first."""
        with closing(self._open()) as database:
            labels = _labels(database)
            names = dict(database.execute("SELECT id, source FROM sessions").fetchall())
            found = database.execute(
                "SELECT time, session, face, frames, expression, level, probabilities"
                " FROM seconds WHERE time >= ? AND time < ? ORDER BY time, session, face",
                (start, end),
            )
            for time, session, face, frames, expression, level, blob in found:
                known = labels[session]
                values = struct.unpack(f">{len(blob) // 2}H", blob)
                yield Row(
                    time,
                    session,
                    names[session],
                    face,
                    frames,
                    # Probabilities without an expression: the model was unsure.
                    _expression(known, UNSURE if expression is None and blob else expression),
                    _name(LEVELS, level),
                    {label: value / 1000 for label, value in zip(known, values, strict=False)},
                )

    def labels(self) -> tuple[str, ...]:
        """All labels of all sessions, in the order of their first use."""
        with closing(self._open()) as database:
            known = _labels(database)
        return tuple(dict.fromkeys(label for labels in known.values() for label in labels))

    def _open(self) -> sqlite3.Connection:
        if not self._path.is_file() or not self._path.stat().st_size:
            empty = sqlite3.connect(":memory:")
            empty.executescript(TABLES)
            return empty
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=5, check_same_thread=False)


def day_bounds(day: date) -> tuple[int, int]:
    """UNIX seconds at which a day begins and ends in local time."""
    begin = datetime(day.year, day.month, day.day)
    end = begin + timedelta(days=1)
    return int(begin.timestamp()), int(end.timestamp())


def _labels(database: sqlite3.Connection) -> dict[int, tuple[str, ...]]:
    rows = database.execute("SELECT id, labels FROM sessions").fetchall()
    return {id_: tuple(json.loads(labels)) for id_, labels in rows}


def _name(names: tuple[Any, ...], index: int | None) -> Any:
    return names[index] if index is not None and 0 <= index < len(names) else None


def _expression(labels: tuple[str, ...], index: int | None) -> str | None:
    return "unsure" if index == UNSURE else _name(labels, index)


def _session(database: sqlite3.Connection, id_: int) -> Session:
    source, labels, started, ended, seconds, faces = database.execute(
        "SELECT source, labels, started, ended, seconds, faces FROM sessions WHERE id = ?", (id_,)
    ).fetchone()
    names = tuple(json.loads(labels))
    counts = database.execute(
        "SELECT expression, level, sum(seconds) FROM quarters WHERE session = ?"
        " AND quarter BETWEEN ? AND ? GROUP BY expression, level",
        (id_, started // QUARTER_S, ended // QUARTER_S),
    ).fetchall()
    shares: dict[str, int] = {}
    levels: dict[str, int] = {}
    for expression, level, count in counts:
        known = ((shares, _expression(names, expression)), (levels, _name(LEVELS, level)))
        for sums, name in known:
            if name is not None:
                sums[name] = sums.get(name, 0) + count
    return Session(id_, source, started, ended, seconds, faces, shares, levels)
