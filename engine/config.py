"""What a run does: one frozen, self-checking object for flags and API alike."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from .certainty import Certainty
from .errors import BadInput, InputNotFound
from .expressions import Expressions
from .input_size import SMALLEST_FACE, FaceSize, InputSizes
from .model import HEADS
from .plans.options import PlanOptions
from .scheduler import Interval, Schedule
from .smoothing import ExpressionSmoother
from .sources import Delivery, Feed, Reader, open_reader, open_source
from .sources.connection import DEFAULT_CONNECTION, Connection
from .tracking import FOLLOWERS, MAX_AGE_S

# The shipped weights are data of another part of the package, found by name.
WEIGHTS_PACKAGE = "fer_edge.models"
EXPRESSION_FILE = "expression.onnx"
# The published detector, with which the published claims are verified.
DETECTOR_FILE = "face_detector.onnx"
# The shipped detectors by name, and two that are no network.
DETECTOR_FILES = {
    "default": "centerface.onnx",
    "lite": "yunet_s.onnx",
    "ssd": DETECTOR_FILE,
}
HAAR, WHOLE_PICTURE = "haar", "none"
DETECTORS = (*DETECTOR_FILES, HAAR, WHOLE_PICTURE)


@dataclass(frozen=True)
class PipelineConfig:
    """Options of a pipeline.

    Attributes:
        detector: a name of `DETECTORS`, or the path of a converted detector. `haar` is OpenCV's
            cascade, and `none` takes the whole picture as the face.
        expression: a converted expression model; None for the shipped one.
        classify: whether faces are classified at all.
        head: of the expression model whose answers count: `votes`, what people would say, or
            `label`, FER2013's, where the model has that.
        backend: a name of `backends.BACKENDS`, or `auto`.
        device, threads, precision: of the models; what is left at `auto` or 0 is measured, see
            `plans.PlanOptions`.
        measure: whether to measure even what was measured in an earlier run.
        detect_every: frames from one detection to the next, or `auto` to let measured drift
            decide.
        classify_every: frames from one classification of a face to the next; its last answer
            stands in between.
        background: whether detection runs beside the loop, so that no frame waits for it;
            None for sources that are delivered live.
        tracker: `kcf`, `opencv` for OpenCV's, or `none` to let boxes rest between detections.
        max_age_s: how long a face that is out of view keeps its id, in seconds.
        smooth_s: time constant of the expressions' smoothing in seconds; 0 for none. Stills
            are never smoothed.
        min_confidence: least probability of an expression that is told, 0-1; None for what the
            model's file says.
        min_score: least score of a detected face, 0-1; None for what the detector's file says.
        min_face: how small a face has to be found; the size of a detector's input follows from
            it, where the file leaves that open.
        detect_size: (width, height) of the detector's input in place of that; None to derive it.
        blur: whether pictures are shown without their faces: then every frame is detected in, and
            waits for it, whatever `detect_every` and `background` say.
        delivery: see `sources.open_source`.
        connection: how a source in the network is reached.
        recursive, strict: see `sources.open_source`.

    Raises:
        BadInput: a value outside its range.
    """

    detector: str | Path = "default"
    expression: Path | None = None
    classify: bool = True
    head: str = "votes"
    backend: str = "auto"
    device: str = "auto"
    threads: int = 0
    precision: str = "auto"
    measure: bool = False
    detect_every: Interval = 10
    classify_every: int = 1
    background: bool | None = None
    tracker: str = "kcf"
    max_age_s: float = MAX_AGE_S
    smooth_s: float = 0.3
    min_confidence: float | None = None
    min_score: float | None = None
    min_face: FaceSize = SMALLEST_FACE
    detect_size: tuple[int, int] | None = None
    blur: bool = False
    delivery: Delivery = "auto"
    connection: Connection = DEFAULT_CONNECTION
    recursive: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        Schedule(self.detect_every)
        _ = self.plan
        certainty = Certainty(self.min_confidence or 0.0)
        Expressions((), ExpressionSmoother(self.smooth_s), self.classify_every, certainty)
        if not self.max_age_s >= 0:
            raise BadInput(f"maximum age {self.max_age_s:g} s: give 0 or more seconds")
        if self.min_score is not None and not 0 <= self.min_score <= 1:
            raise BadInput(f"minimum score {self.min_score:g} is outside 0-1")
        if self.head not in HEADS:
            raise BadInput(f"no head {self.head!r}; there are {', '.join(HEADS)}")
        if self.tracker not in FOLLOWERS:
            raise BadInput(f"no tracker {self.tracker!r}; there are {', '.join(FOLLOWERS)}")

    @property
    def haar(self) -> bool:
        """Whether OpenCV's cascade finds the faces, in place of a network."""
        return self.detector == HAAR

    @property
    def detector_path(self) -> Path | None:
        """The detector to load; None for one that is no network.

        Raises:
            InputNotFound: the installation is incomplete.
        """
        if self.detector in (HAAR, WHOLE_PICTURE):
            return None
        if self.detector in DETECTOR_FILES:
            return shipped_weights(DETECTOR_FILES[str(self.detector)])
        path = Path(self.detector)
        if isinstance(self.detector, str) and not path.exists() and not path.suffix:
            raise InputNotFound(
                f"no detector {self.detector!r}; there are {', '.join(DETECTORS)}, or the path of "
                "a file of fer-convert"
            )
        return path

    @property
    def plan(self) -> PlanOptions:
        """What is asked of the models' execution plans."""
        return PlanOptions(self.backend, self.device, self.threads, self.precision, self.measure)

    @property
    def sizes(self) -> InputSizes:
        """Chooses the detector's input for a frame."""
        return InputSizes(self.min_face, self.detect_size)

    @property
    def follower(self) -> str:
        """The tracker to use: there is nothing to follow in a picture that is all face."""
        return "none" if self.detector == WHOLE_PICTURE else self.tracker

    @property
    def expression_path(self) -> Path:
        """The expression model to load."""
        return self.expression or shipped_weights(EXPRESSION_FILE)

    def open_source(self, uri: str) -> Feed:
        """Open a source as these options say; see `sources.open_source`."""
        return open_source(uri, self.delivery, self.connection, self.recursive, self.strict)

    def open_reader(self, uri: str) -> Reader:
        """Open a source for who paces it; see `sources.open_reader`."""
        return open_reader(uri, self.connection, self.recursive, self.strict)


def shipped_weights(name: str) -> Path:
    """The path of a model file that came with the package.

    Raises:
        InputNotFound: the installation is incomplete.
    """
    path = Path(str(files(WEIGHTS_PACKAGE) / name))
    if not path.is_file():
        raise InputNotFound(f"{path}: weights are missing; reinstall fer-edge or name a model")
    return path
