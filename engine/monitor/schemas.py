"""What the API takes and gives, as its OpenAPI description says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..types import Unsure
from .levels import Level

SourceState = Literal["opening", "running", "paused", "ended", "failed", "stopped"]


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Source(BaseModel):
    """A source and how it is doing. Times are seconds."""

    source: int = Field(description="its number, never used twice")
    run: int = Field(description="how often it was started before")
    name: str = Field(description="without credentials")
    state: SourceState
    message: str = Field(description="why it failed, or empty")
    captured: int
    processed: int
    dropped: int
    reconnects: int
    fps: float
    size: tuple[int, int] | None = Field(description="width and height in pixels")
    detect_s: float | None
    track_s: float | None
    age_s: float | None = Field(description="from capture to result, newest frame")
    faces: int


class Message(BaseModel):
    """What a rule says."""

    id: int
    rule: str
    time: int = Field(description="UNIX seconds")
    source: int
    source_name: str
    face: int | None
    held_s: int
    text: dict[str, str] = Field(description="by language")


class Settings(BaseModel):
    """What can be changed while it runs."""

    detect_every: int | Literal["auto"] = Field(
        description="frames from one detection to the next, or as measured drift decides"
    )
    smooth_s: float = Field(description="time constant of the expressions in seconds, 0 for none")
    min_confidence: float = Field(
        description="least probability of an expression that is told, 0-1"
    )
    min_score: float = Field(description="least score of a face, 0-1")
    blur: bool = Field(description="hide faces in pictures")
    mirror: bool = Field(description="pictures left to right")
    landmarks: bool = Field(
        description="eyes, nose and mouth drawn into pictures whose faces are not hidden"
    )


class SettingsChange(BaseModel):
    """The settings to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    detect_every: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] | None = None
    smooth_s: Annotated[float, Field(ge=0, le=10)] | None = None
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None
    blur: bool | None = None
    mirror: bool | None = None
    landmarks: bool | None = None


class NewSource(BaseModel):
    """A source to add."""

    model_config = ConfigDict(extra="forbid")

    uri: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        description="camera:N, demo, a file of an allowed folder, or an address"
    )


class State(BaseModel):
    """Everything the page shows besides the picture."""

    version: str
    started: float = Field(description="UNIX seconds")
    labels: list[str]
    levels: dict[str, Level]
    expressions: bool
    viewers: int
    history: str = Field(description="what is wrong with the history, or empty")
    settings: Settings
    sources: list[Source]
    messages: list[Message]


class Offers(BaseModel):
    """Sources that can be added."""

    cameras: list[str]
    files: list[str]


class FaceSecond(BaseModel):
    """A face during a second."""

    face: int
    frames: int
    probabilities: dict[str, float]
    expression: str | None
    unsure: Unsure | None = Field(description="why there is no expression")
    level: Level | None


class SourceSecond(BaseModel):
    """A source during a second with at least one frame."""

    time: int = Field(description="UNIX seconds")
    source: int
    run: int
    frames: int
    faces: list[FaceSecond]


class Share(BaseModel):
    """How long faces showed an expression in an hour."""

    start: int = Field(description="UNIX seconds")
    expression: str | None = Field(description="or unsure")
    level: Level | None
    seconds: int = Field(description="faces times seconds")


class Session(BaseModel):
    """One run of one source."""

    id: int
    source: str
    started: int
    ended: int
    seconds: int
    faces: int
    shares: dict[str, int]
    levels: dict[str, int]


class Day(BaseModel):
    """A day of the history, in the box's local time."""

    date: str
    start: int
    end: int
    shares: list[Share]
    sessions: list[Session]


class Health(BaseModel):
    """Whether the engine's loop goes round."""

    alive: bool
