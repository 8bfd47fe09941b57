"""The API's routes: state and control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ..errors import BackendUnavailable, BadInput, FerError, InputNotFound
from ..redaction import redacted
from . import schemas
from .metrics import exposition
from .monitor import Monitor
from .pictures import View

PREFIX = "/api/v1"
_PROBLEM: dict[str, Any] = {"model": schemas.Problem}
REFUSED: dict[int | str, dict[str, Any]] = {409: _PROBLEM}
FORBIDDEN: dict[int | str, dict[str, Any]] = {403: _PROBLEM}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: _PROBLEM}
# Settings that are the pictures' and not the engine's.
VIEW = tuple(field.name for field in fields(View))
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="number of a source")]


def add_api(app: FastAPI, monitor: Monitor) -> None:
    """Add the routes of state and control."""
    app.include_router(_state_router(monitor), prefix=PREFIX, tags=["state"])
    app.include_router(_source_router(monitor), prefix=PREFIX, tags=["sources"])
    app.include_router(_box_router(monitor), tags=["box"])
    app.add_exception_handler(FerError, _problem)
    app.add_exception_handler(RequestValidationError, _misfit)


def _state_router(monitor: Monitor) -> APIRouter:
    router = APIRouter()

    @router.get("/state")
    def state() -> schemas.State:
        """All that the page shows, but pictures."""
        streams = monitor.streams
        return schemas.State(
            version=version("fer-edge"),
            started=monitor.started,
            labels=list(streams.labels),
            levels=dict(monitor.levels.of),
            expressions=bool(streams.labels),
            viewers=monitor.viewers,
            history=monitor.history_message,
            settings=settings_of(monitor),
            sources=[schemas.Source(**asdict(status)) for status in streams.sources],
            messages=[schemas.Message(id=m.id, **m.fields) for m in monitor.messages()],
        )

    @router.get("/settings")
    def settings() -> schemas.Settings:
        """The settings in force."""
        return settings_of(monitor)

    @router.patch("/settings")
    def change_settings(change: schemas.SettingsChange) -> schemas.Settings:
        """Change settings, from the next frame on."""
        values = change.model_dump(exclude_none=True)
        view = {name: values.pop(name) for name in VIEW if name in values}
        monitor.change(replace(monitor.streams.config, **values), replace(monitor.view, **view))
        return settings_of(monitor)

    return router


def _source_router(monitor: Monitor) -> APIRouter:
    router = APIRouter()

    @router.get("/offers")
    def offers() -> schemas.Offers:
        """Cameras, and files of the allowed folders."""
        cameras, files = monitor.media.offers()
        return schemas.Offers(cameras=cameras, files=files)

    @router.get("/sources")
    def sources() -> list[schemas.Source]:
        """Every source and how it is doing."""
        return [schemas.Source(**asdict(status)) for status in monitor.streams.sources]

    @router.post("/sources", status_code=201, responses=REFUSED | FORBIDDEN)
    def add(new: schemas.NewSource) -> schemas.Source:
        """Add a source and start it; 403 for one that the page may not open."""
        try:
            uri = monitor.media.allowed(new.uri)
        except BadInput as error:
            raise HTTPException(403, str(error)) from error
        return _source(monitor, monitor.add(uri))

    @router.delete("/sources/{source}", status_code=204, responses=REFUSED | UNKNOWN)
    def remove(source: Number) -> None:
        """Stop a source and forget it."""
        monitor.remove(source)

    def control(name: str, act: Callable[[int], None], what: str) -> None:
        def change(source: Number) -> schemas.Source:
            act(source)
            return _source(monitor, source)

        router.add_api_route(
            f"/sources/{{source}}/{name}",
            change,
            methods=["POST"],
            name=name,
            description=what,
            responses=UNKNOWN,
            response_model=schemas.Source,
        )

    control("start", monitor.start, "Go on after a pause; open it anew after its end.")
    control("pause", monitor.pause, "Hold a recording; let a camera's frames pass unseen.")
    control("stop", monitor.stop, "Close a source and keep it in the list.")

    @router.get(
        "/sources/{source}/picture",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, **UNKNOWN},
    )
    def picture(source: Number) -> Response:
        """The newest frame with its faces drawn into it, as JPEG."""
        jpeg = monitor.pictures.snapshot(source)
        if jpeg is None:
            raise HTTPException(404, f"there is no picture of source {source}")
        return Response(jpeg, media_type="image/jpeg")

    @router.get("/sources/{source}/timeline", responses=UNKNOWN)
    def timeline(
        source: Number, seconds: Annotated[int, Query(ge=1, le=600)] = 180
    ) -> list[schemas.SourceSecond]:
        """The last seconds of a source, averaged, oldest first."""
        _source(monitor, source)
        return [schemas.SourceSecond(**asdict(s)) for s in monitor.timeline(source, seconds)]

    return router


def _box_router(monitor: Monitor) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz", responses={503: {"model": schemas.Health}})
    def healthz(response: Response) -> schemas.Health:
        """Whether the engine's loop goes round; 503 where it hangs."""
        alive = monitor.alive
        response.status_code = 200 if alive else 503
        return schemas.Health(alive=alive)

    @router.get(
        "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
    )
    def metrics() -> Response:
        """Counters and gauges for Prometheus."""
        return Response(exposition(monitor), media_type="text/plain; version=0.0.4")

    return router


def settings_of(monitor: Monitor) -> schemas.Settings:
    """The settings in force."""
    config, view = monitor.streams.config, monitor.view
    return schemas.Settings(
        detect_every=config.detect_every,
        smooth_s=config.smooth_s,
        min_confidence=config.min_confidence or 0.0,
        min_score=config.min_score or 0.0,
        blur=view.blur,
        mirror=view.mirror,
        landmarks=view.landmarks,
    )


def _source(monitor: Monitor, source: int) -> schemas.Source:
    for status in monitor.streams.sources:
        if status.source == source:
            return schemas.Source(**asdict(status))
    raise InputNotFound(f"there is no source {source}")


def _problem(request: Request, error: Exception) -> JSONResponse:
    """One line for every expected failure."""
    status = 409
    if isinstance(error, InputNotFound):
        status = 404
    elif isinstance(error, BackendUnavailable):
        status = 501
    return JSONResponse({"detail": redacted(str(error))}, status)


def _misfit(request: Request, error: Exception) -> JSONResponse:
    """What does not fit the description, without what was sent: that may be NaN, or secret."""
    assert isinstance(error, RequestValidationError)
    told = [{key: one[key] for key in ("loc", "msg", "type")} for one in error.errors()]
    return JSONResponse({"detail": told}, 422)
