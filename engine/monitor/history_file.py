"""The history's SQLite file: its schema, how it is opened, and how it is kept small.

Rows are few bytes, so that a day with four faces stays under 40 MB: a second and face is one
row of a table without row ids, probabilities are thousandths in two bytes each. `quarters`
holds the seconds of each expression a quarter of an hour (time zones differ by quarters), so
that a day's page need not read its 86,400 seconds.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from ..errors import OutputNotWritable

SCHEMA = 1
# "fere" in ASCII: tells our files from other SQLite databases.
APPLICATION_ID = 0x66657265
QUARTER_S = 900
# What stands for an expression in `quarters` where there is none.
NO_EXPRESSION, UNSURE = -1, -2
NAME = "history.sqlite"
# Larger files are not read through at the start; what is damaged in them shows at use.
CHECKED_BYTES = 100 * 10**6

TABLES = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,       -- its name, without credentials
    labels TEXT NOT NULL,       -- JSON list, the order of `expression` and `probabilities`
    started INTEGER NOT NULL,   -- UNIX seconds
    ended INTEGER NOT NULL,     -- the last second with a frame
    seconds INTEGER NOT NULL,   -- how many had one
    faces INTEGER NOT NULL      -- highest id seen; ids count from 1
);
CREATE TABLE seconds (
    time INTEGER NOT NULL,      -- UNIX seconds
    session INTEGER NOT NULL,
    face INTEGER NOT NULL,
    expression INTEGER,         -- index into the session's labels; none where unsure
    level INTEGER,              -- 0 low, 1 medium, 2 high
    frames INTEGER NOT NULL,
    probabilities BLOB NOT NULL,
    PRIMARY KEY (time, session, face)
) WITHOUT ROWID;
CREATE TABLE quarters (
    quarter INTEGER NOT NULL,   -- UNIX seconds / 900
    session INTEGER NOT NULL,
    expression INTEGER NOT NULL,  -- -1 without expressions, -2 unsure
    level INTEGER NOT NULL,     -- -1 without one
    seconds INTEGER NOT NULL,   -- faces times seconds
    PRIMARY KEY (quarter, session, expression, level)
) WITHOUT ROWID;
"""

log = logging.getLogger("fer_edge")


def open_history(folder: Path) -> tuple[sqlite3.Connection, str]:
    """Open the history for writing, and make it where there is none.

    A file that is damaged, newer or not ours is set aside under another name.

    Returns:
        the connection, and a message about a file set aside, or an empty one.

    Raises:
        OutputNotWritable: the folder cannot be made or written to.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with path.open("r+b"):
            pass
    except OSError as error:
        raise OutputNotWritable(f"{path}: cannot be written ({error.strerror})") from error
    reason = why_unusable(path)
    said = set_aside(path, reason) if reason else ""
    try:
        return _connect(path), said
    except sqlite3.Error as error:
        raise OutputNotWritable(f"{path}: cannot be opened ({error})") from error


def why_unusable(path: Path) -> str:
    """Why a history file must not be written to; empty where it may."""
    if path.stat().st_size == 0:
        return ""
    try:
        with closing(sqlite3.connect(path, timeout=5)) as database:
            application = database.execute("PRAGMA application_id").fetchone()[0]
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if application != APPLICATION_ID:
                return "is no history of fer-edge"
            if version > SCHEMA:
                return f"was written by a newer fer-edge (schema {version}, this one has {SCHEMA})"
            if path.stat().st_size < CHECKED_BYTES:
                found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    return "is damaged"
    except sqlite3.DatabaseError:
        return "is damaged"
    return ""


def set_aside(path: Path, reason: str) -> str:
    """Rename a history file and its journal; returns and logs what was done."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    number, target = 0, path.with_name(f"{path.stem}.aside-{stamp}{path.suffix}")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.stem}.aside-{stamp}-{number}{path.suffix}")
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        journal = path.with_name(path.name + suffix)
        if journal.exists():
            journal.rename(target.with_name(target.name + suffix))
    said = f"history {path.name} {reason}; it was set aside as {target.name}, a new one begins"
    log.warning("%s", said)
    return said


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL")
    # One transaction a second: a sync each is affordable, and a power cut costs a second.
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA journal_size_limit = 4194304")
    if not database.execute("PRAGMA user_version").fetchone()[0]:
        database.executescript(
            f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {SCHEMA}; COMMIT;"
        )
    return database


def prune(database: sqlite3.Connection, now: int, keep_s: int, keep_bytes: int) -> int:
    """Delete what is older than `keep_s` seconds, then the oldest beyond `keep_bytes`.

    Returns:
        the number of rows deleted.
    """
    deleted = _delete_before(database, now - keep_s)
    size = used_bytes(database)
    if size > keep_bytes:
        rows = database.execute("SELECT count(*) FROM seconds").fetchone()[0]
        # A tenth more than needed, so that this is not done again at once.
        excess = min(rows, int(rows * min(1.0, 1.1 * (1 - keep_bytes / size))) + 1)
        cut = database.execute(
            "SELECT time FROM seconds ORDER BY time LIMIT 1 OFFSET ?", (excess,)
        ).fetchone()
        deleted += _delete_before(database, cut[0] if cut else now)
    if deleted:
        database.execute("PRAGMA incremental_vacuum").fetchall()
    return deleted


def used_bytes(database: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _delete_before(database: sqlite3.Connection, time_: int) -> int:
    database.execute("BEGIN IMMEDIATE")
    deleted = database.execute("DELETE FROM seconds WHERE time < ?", (time_,)).rowcount
    database.execute("DELETE FROM quarters WHERE quarter < ?", (time_ // QUARTER_S,))
    database.execute("DELETE FROM sessions WHERE ended < ?", (time_,))
    database.execute("COMMIT")
    return deleted
