"""Which stages a run has: on the GPU where the engines are, else on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from .backends import Backend
from .backends.tensorrt import TensorRTBackend
from .classifier import ExpressionClassifier
from .config import PipelineConfig
from .detector import Detector, FindFaces
from .gpu.classifier import GPUExpressionClassifier
from .gpu.detector import GPUDetector
from .gpu.feed import UploadingFeed
from .gpu.frames import FrameUploads
from .gpu.inputs import has_kernel
from .gpu.kcf import GPUTracking
from .haar import FACE_FRAME as HAAR_FRAME
from .haar import HaarDetector
from .model import FaceFrame
from .plans import open_model
from .second_look import SecondLook
from .sources import Feed
from .tracking import FOLLOWERS, Followers
from .whole_picture import FACE_FRAME as WHOLE_PICTURE_FRAME
from .whole_picture import whole_picture


def _as_it_is(feed: Feed) -> Feed:
    return feed


@dataclass(frozen=True)
class Stages:
    """The stages of a run. A context manager.

    Attributes:
        detector: finds faces in a frame.
        classifier: names expressions; None leaves them out.
        close: gives the models' memory back; may be called twice.
        detects_anywhere: whether the detector may run in another thread than the loop, on
            frames of the past. On the GPU it may not: only the newest frames are there, and an
            engine belongs to the thread that opened it.
        feeding: makes the feed to iterate over out of the one that has the frames, which it
            then owns.
        followers: make what carries faces from frame to frame, by name.
        default_score: what a face has to score by the detector's file, 0-1.
        face_frame: see `DetectorFacts`; for who cuts faces out by the detector's boxes.
        models: by name, as they were opened; None for those that are no network.
    """

    detector: FindFaces
    classifier: ExpressionClassifier | None
    close: Callable[[], None]
    detects_anywhere: bool = True
    feeding: Callable[[Feed], Feed] = _as_it_is
    followers: Followers = field(default_factory=lambda: FOLLOWERS)
    default_score: float = 0.0
    face_frame: FaceFrame | None = None
    models: Mapping[str, Backend | None] = field(default_factory=dict)

    @property
    def plans(self) -> dict[str, str]:
        """How each model runs, and why so, for people."""
        return {name: model.why() for name, model in self.models.items() if model is not None}

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_stages(config: PipelineConfig) -> Stages:
    """Open the models that a configuration names.

    Raises:
        FerError: a file or backend is missing or unusable.
    """
    with ExitStack() as opened:
        first = second = None
        if config.detector_path is not None:
            first = opened.enter_context(open_model(config.detector_path, config.plan))
        config.sizes.check(None if first is None else first.facts.input)
        if config.classify:
            second = opened.enter_context(open_model(config.expression_path, config.plan))
        return stages_of(first, second, config, opened)


def stages_of(
    first: Backend | None, second: Backend | None, config: PipelineConfig, opened: ExitStack
) -> Stages:
    """Stages of open models.

    Args:
        first: a detector, or None for one that is no network.
        second: an expression model, or None.
        config: how they are used.
        opened: closes the models; the stages take it over.

    Raises:
        BadInput: a model of the wrong kind.
    """
    face_frame = face_frame_of(first, config)
    frames: FrameUploads | None = None
    detector: FindFaces
    classifier: ExpressionClassifier | None = None
    feeding: Callable[[Feed], Feed] = _as_it_is
    followers = FOLLOWERS
    if isinstance(first, TensorRTBackend) and has_kernel(first.facts):
        frames = FrameUploads(first.gpu)
        opened.callback(frames.close)
        detector = GPUDetector(first, frames, _least_score(first, config), config.sizes)
    else:
        detector = detector_of(first, config)
    if isinstance(second, TensorRTBackend) and has_kernel(second.facts) and frames is not None:
        classifier = GPUExpressionClassifier(second, frames, config.head, face_frame)
        opened.callback(classifier.close)
        # Without the classifier there, most frames never go to the GPU.
        tracking = GPUTracking(frames)
        opened.callback(tracking.close)
        feeding, followers = _uploading(frames), {**FOLLOWERS, "kcf": tracking.follower}
    elif second is not None:
        classifier = ExpressionClassifier(second, config.head, face_frame)
    return Stages(
        detector,
        classifier,
        opened.pop_all().close,
        not isinstance(first, TensorRTBackend),
        feeding,
        followers,
        _default_score(first),
        face_frame,
        {"detector": first, "expression": second},
    )


def detector_of(model: Backend | None, config: PipelineConfig) -> FindFaces:
    """A detector that computes on the CPU, or has its frames brought to where it does.

    Args:
        model: open; None for one that is no network.
        config: how it is used.

    Raises:
        BadInput: a model of the wrong kind.
    """
    if model is not None:
        facts = model.facts.detector
        tells_tilt = facts is not None and facts.landmarks_output is not None
        kind = SecondLook if tells_tilt else Detector
        return kind(model, _least_score(model, config), sizes=config.sizes)
    return HaarDetector() if config.haar else whole_picture


def face_frame_of(model: Backend | None, config: PipelineConfig) -> FaceFrame | None:
    """How a detector's boxes lie on pictures of faces, see `DetectorFacts`.

    Args:
        model: open; None for one that is no network.
        config: how it is used.
    """
    if model is not None:
        return None if model.facts.detector is None else model.facts.detector.face_frame
    return HAAR_FRAME if config.haar else WHOLE_PICTURE_FRAME


def _least_score(model: Backend, config: PipelineConfig) -> float:
    return _default_score(model) if config.min_score is None else config.min_score


def _default_score(model: Backend | None) -> float:
    """By the detector's file; the modes without a network know no score."""
    facts = None if model is None else model.facts.detector
    return 0.0 if facts is None else facts.default_score


def _uploading(frames: FrameUploads) -> Callable[[Feed], Feed]:
    return lambda feed: UploadingFeed(feed, frames, ahead=not feed.newest_only)
