"""The history's routes: days, sessions, export."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from . import schemas
from .api import PREFIX, UNKNOWN
from .history_export import write_parquet
from .history_queries import HistoryQueries, Row, day_bounds

# Between them every day of local time has a UNIX time, everywhere.
_FIRST, _LAST = date(1971, 1, 1), date(2199, 12, 31)
Date = Annotated[date, Query(description="from 1971 to 2199, in the box's local time")]
_PROBLEM: dict[str, Any] = {"model": schemas.Problem}
_CSV_ROWS = 1000


def add_history_api(app: FastAPI, history: HistoryQueries) -> None:
    """Add the routes that read the history."""
    router = APIRouter()

    @router.get("/days")
    def days() -> list[date]:
        """The days with history, newest first."""
        return history.days()

    @router.get("/day", responses=UNKNOWN)
    def day(day: Date) -> schemas.Day:
        """Expression shares by hour, and the sessions of a day."""
        start, end = day_bounds(_checked(day))
        return schemas.Day(
            date=day.isoformat(),
            start=start,
            end=end,
            shares=[schemas.Share(**asdict(share)) for share in history.day(day)],
            sessions=[schemas.Session(**asdict(s)) for s in history.sessions(day)],
        )

    @router.get("/sessions/{session}", responses=UNKNOWN)
    def session(session: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> schemas.Session:
        """One run of one source."""
        found = history.session(session)
        if found is None:
            raise HTTPException(404, f"there is no session {session}")
        return schemas.Session(**asdict(found))

    @router.get(
        "/export",
        response_class=Response,
        responses={
            200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}},
            404: _PROBLEM,
            501: _PROBLEM,
        },
    )
    def export(first: Date, last: Date, format: Literal["csv", "parquet"] = "csv") -> Response:
        """All rows of some days: one a second and face."""
        start, _ = day_bounds(_checked(first))
        _, end = day_bounds(_checked(last))
        name = f"fer-edge-{first}-{last}.{format}"
        labels, rows = history.labels(), history.rows(start, end)
        if format == "csv":
            return StreamingResponse(
                csv_lines(rows, labels),
                media_type="text/csv; charset=utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        path = write_parquet(rows, labels)
        return FileResponse(
            path,
            media_type="application/vnd.apache.parquet",
            filename=name,
            background=BackgroundTask(path.unlink, missing_ok=True),
        )

    app.include_router(router, prefix=f"{PREFIX}/history", tags=["history"])


def csv_lines(rows: Iterable[Row], labels: tuple[str, ...]) -> Iterator[str]:
    """Rows as CSV text with a header, some rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["time", "session", "source", "face", "frames", "expression", "level", *labels])
    for number, row in enumerate(rows, 1):
        probabilities = [row.probabilities.get(label, "") for label in labels]
        writer.writerow(
            [
                *(row.time, row.session, row.source, row.face, row.frames),
                *(row.expression or "", row.level or "", *probabilities),
            ]
        )
        if number % _CSV_ROWS == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _checked(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise HTTPException(404, f"{day} is outside {_FIRST} to {_LAST}")
    return day
