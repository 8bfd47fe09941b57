from __future__ import annotations

import csv
import io
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from fer_edge.engine.errors import OutputNotWritable
from fer_edge.engine.model import FER2013_LABELS
from fer_edge.engine.monitor.history_api import csv_lines
from fer_edge.engine.monitor.history_export import write_parquet
from fer_edge.engine.monitor.history_file import NAME, open_history, prune, used_bytes
from fer_edge.engine.monitor.history_queries import HistoryQueries, day_bounds
from fer_edge.engine.monitor.history_writer import HistoryWriter
from fer_edge.engine.monitor.rulebook import default_levels
from fer_edge.engine.monitor.seconds import FaceSecond, SourceSecond

DAY = 86_400
NOON = int(datetime(2026, 3, 10, 12).timestamp())


def second(time_: int, faces: int = 1, source: int = 1, run: int = 0) -> SourceSecond:
    rng = np.random.default_rng([time_, source])
    seen = []
    for number in range(1, faces + 1):
        values = rng.dirichlet(np.ones(7))
        probabilities = dict(zip(FER2013_LABELS, values.tolist(), strict=True))
        expression = max(probabilities, key=probabilities.__getitem__)
        level = default_levels()(expression)
        seen.append(FaceSecond(number, 25, probabilities, expression, level))
    return SourceSecond(time_, source, run, 25, tuple(seen))


def writer(folder: Path, keep_s: int = 10**10, keep_bytes: int = 10**10) -> HistoryWriter:
    return HistoryWriter(folder, FER2013_LABELS, keep_s, keep_bytes)


def test_unsure_seconds_are_told_apart_from_those_without_expressions(tmp_path: Path) -> None:
    told = second(NOON)
    (seen,) = told.faces
    doubted = replace(seen, expression=None, unsure="pose", level=None)
    silent = replace(doubted, probabilities={}, unsure=None)
    with writer(tmp_path) as history:
        for index, one in enumerate((seen, doubted, doubted, silent)):
            history.submit([("talk.mp4", replace(told, time=NOON + index, faces=(one,)))])
    queries = HistoryQueries(tmp_path)
    rows = list(queries.rows(NOON, NOON + 10))
    assert [row.expression for row in rows] == [seen.expression, "unsure", "unsure", None]
    assert [row.level for row in rows] == [seen.level, None, None, None]
    assert rows[1].probabilities.keys() == seen.probabilities.keys()
    (day,) = queries.days()
    shares = {share.expression: share.seconds for share in queries.day(day)}
    assert shares == {seen.expression: 1, "unsure": 2, None: 1}
    (session,) = queries.sessions(day)
    assert session.shares == {seen.expression: 1, "unsure": 2}


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    seconds = [second(NOON + i, 1 + i % 3) for i in range(100)]
    with writer(tmp_path) as history:
        for one in seconds:
            history.submit([("talk.mp4", one)])
    queries = HistoryQueries(tmp_path)
    rows = list(queries.rows(NOON, NOON + 1000))
    expected = [(one.time, face) for one in seconds for face in one.faces]
    assert len(rows) == len(expected)
    for row, (time_, face) in zip(rows, expected, strict=True):
        assert (row.time, row.face, row.source, row.frames) == (time_, face.face, "talk.mp4", 25)
        assert (row.expression, row.level) == (face.expression, face.level)
        for label in FER2013_LABELS:
            assert abs(row.probabilities[label] - face.probabilities[label]) <= 0.00051
    day = datetime.fromtimestamp(NOON).date()
    assert queries.days() == [day]
    counts = Counter(face.expression for _, face in expected)
    assert {s.expression: s.seconds for s in queries.day(day)} == counts
    (session,) = queries.sessions(day)
    assert (session.started, session.ended, session.seconds, session.faces) == (
        NOON, NOON + 99, 100, 3,
    )  # fmt: skip
    assert session.shares == counts
    assert sum(session.levels.values()) == len(expected)
    assert queries.session(session.id) == session
    assert queries.session(99) is None
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_hours_are_of_local_time(tmp_path: Path) -> None:
    start, end = day_bounds(datetime.fromtimestamp(NOON).date())
    times = [start - 1, start, start + 3599, start + 3600, end - 1, end]
    with writer(tmp_path) as history:
        for time_ in times:
            history.submit([("a", second(time_))])
    shares = HistoryQueries(tmp_path).day(datetime.fromtimestamp(NOON).date())
    hours = Counter({share.start: 0 for share in shares})
    for share in shares:
        hours[share.start] += share.seconds
    assert hours == {start: 2, start + 3600: 1, end - 3600: 1}


def test_each_run_of_a_source_is_a_session(tmp_path: Path) -> None:
    with writer(tmp_path) as history:
        history.submit([("a", second(NOON)), ("b", second(NOON, source=2))])
        history.submit([("a", second(NOON + 1, run=1))])
    sessions = HistoryQueries(tmp_path).sessions(datetime.fromtimestamp(NOON).date())
    assert Counter(session.source for session in sessions) == {"a": 2, "b": 1}


def test_a_clock_set_back_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    with writer(tmp_path) as history:
        for time_ in (NOON, NOON + 1, NOON, NOON + 2):
            history.submit([("a", second(time_))])
    queries = HistoryQueries(tmp_path)
    assert [row.time for row in queries.rows(0, 2 * NOON)] == [NOON, NOON + 1, NOON + 2]
    assert sum(s.seconds for s in queries.day(datetime.fromtimestamp(NOON).date())) == 3


def test_an_empty_history_answers_everything(tmp_path: Path) -> None:
    queries = HistoryQueries(tmp_path)
    day = datetime.fromtimestamp(NOON).date()
    assert queries.days() == queries.day(day) == queries.sessions(day) == []
    assert queries.labels() == ()
    assert "".join(csv_lines(queries.rows(0, NOON), ())).startswith("time,session,source,face")


def test_age_and_size_are_kept(tmp_path: Path) -> None:
    with writer(tmp_path) as history:
        for day in range(10):
            history.submit([("a", second(NOON - day * DAY + i, 4)) for i in range(350)])
    database, _ = open_history(tmp_path)
    with closing(database):
        prune(database, NOON + 600, 5 * DAY, 10**9)
        oldest = database.execute("SELECT min(time) FROM seconds").fetchone()[0]
        assert NOON + 600 - 5 * DAY <= oldest < NOON + 600 - 4 * DAY
        # A tenth of what is there now.
        limit = used_bytes(database) // 2
        before = database.execute("SELECT max(time) FROM seconds").fetchone()
        prune(database, NOON + 600, 5 * DAY, limit)
        assert used_bytes(database) <= limit
        assert database.execute("SELECT max(time) FROM seconds").fetchone() == before
        assert database.execute("SELECT count(*) FROM seconds").fetchone()[0] > 100


@pytest.mark.parametrize("kind", ["damaged", "newer", "foreign", "text"])
def test_a_file_that_is_not_ours_is_set_aside_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    with writer(tmp_path) as history:
        history.submit([("a", second(NOON + i, 4)) for i in range(300)])
    if kind == "damaged":
        data = bytearray(path.read_bytes())
        data[4096:12288] = os.urandom(8192)
        path.write_bytes(data)
    elif kind == "text":
        path.write_text("dear diary\n" * 500)
    else:
        with closing(sqlite3.connect(path)) as database:
            what = "user_version" if kind == "newer" else "application_id"
            database.execute(f"PRAGMA {what} = 77")
            database.commit()
    before = path.read_bytes()
    with writer(tmp_path) as history:
        said = history.message
        history.submit([("a", second(NOON + 1000))])
    (aside,) = tmp_path.glob("history.aside-*.sqlite")
    assert aside.read_bytes() == before
    assert aside.name in said
    assert [row.time for row in HistoryQueries(tmp_path).rows(0, 2 * NOON)] == [NOON + 1000]


def test_damage_that_shows_while_writing_is_set_aside_too(tmp_path: Path) -> None:
    history = writer(tmp_path)
    history.submit([("a", second(NOON + i, 4)) for i in range(500)])
    while HistoryQueries(tmp_path).days() == []:
        time.sleep(0.01)
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = (tmp_path / NAME).stat().st_size
    with (tmp_path / NAME).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    for i in range(1000, 1020):
        history.submit([("a", second(NOON + i, 4))])
    history.close()
    assert list(tmp_path.glob("history.aside-*.sqlite"))
    assert "set aside" in history.message
    assert len(list(HistoryQueries(tmp_path).rows(0, 2 * NOON))) >= 4 * 18


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable, match="cannot be written"):
        writer(tmp_path / "file" / "folder")


KILLED = """
import sys, time
from tests.engine.monitor.test_history import HistoryQueries, second, writer
from pathlib import Path
history = writer(Path(sys.argv[1]))
for i in range(10**6):
    history.submit([("a", second(1_700_000_000 + i, 4))])
    # All but this second can be read.
    while len(list(HistoryQueries(Path(sys.argv[1])).rows(0, 2_000_000_000))) < 4 * i:
        time.sleep(0.001)
    print(i, flush=True)
"""


def test_a_kill_loses_the_last_second_at_most(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    told = -1
    for line in process.stdout:
        told = int(line)
        if told == 50:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait(10)
    process.stdout.close()
    rows = list(HistoryQueries(tmp_path).rows(0, 2_000_000_000))
    # Seconds come one by one; the last one may have been on its way.
    assert len(rows) >= 4 * told
    assert {row.face for row in rows} == {1, 2, 3, 4}


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    with writer(tmp_path) as history:
        history.submit([('a, "b"\n', second(NOON + i, 2)) for i in range(2000)])
    queries = HistoryQueries(tmp_path)
    labels = queries.labels()
    assert labels == FER2013_LABELS
    text = "".join(csv_lines(queries.rows(0, 2 * NOON), labels))
    rows = list(csv.DictReader(io.StringIO(text)))
    path = write_parquet(queries.rows(0, 2 * NOON), labels)
    try:
        table = parquet.read_table(path).to_pylist()
    finally:
        path.unlink()
    assert len(rows) == len(table) == 4000
    for row, other in zip(rows, table, strict=True):
        assert int(row["time"]) == int(other["time"].timestamp())
        assert row["source"] == other["source"]
        assert row["expression"] == other["expression"]
        assert abs(float(row["happy"]) - other["happy"]) < 1e-6
