"""One run of `fer-run`: a pipeline, its sinks, progress, and a clean end."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from .batch import OUTPUTS, run_each
from .config import PipelineConfig
from .console import say
from .errors import BadInput, ReaderGone, SourceFailed
from .input_size import FaceSize, parse_size
from .pipeline import Pipeline
from .places import check_apart
from .progress import Progress, open_progress
from .scheduler import Interval
from .signals import stopping
from .sinks.annotated import Annotated
from .sinks.base import PictureSink, Sink
from .sinks.records import CSV, JSONLines
from .sinks.window import open_window
from .sources import Connection, SourceInfo, files_of, listing_of
from .timing import FrameClock, RunSummary
from .tracing import span, trace_file

log = logging.getLogger("fer_edge")


def run(args: argparse.Namespace) -> int:
    """Carry out parsed options of `fer-run`; returns the exit status.

    Raises:
        FerError: something is missing, unusable or broke off; the results up to there
            are kept.
    """
    config = config_from(args)
    if args.serve:
        _check_outputs(args, config)
        return _serve(args, config)
    listing = listing_of(_uri(args), config.recursive)
    if listing is None and (config.recursive or config.strict):
        raise BadInput("--recursive and --strict are for folders; leave them out")
    if listing is not None and listing.films and not listing.pictures:
        if left_out := listing.left_out(films=True):
            log.warning("%s: left out: %s", _uri(args), left_out)
        return run_each(args, listing, partial(_run, config=config))
    return _run(args, config)


def _run(args: argparse.Namespace, config: PipelineConfig) -> int:
    _check_outputs(args, config)
    with ExitStack() as stack:
        feed = stack.enter_context(config.open_source(_uri(args)))
        pipeline = stack.enter_context(Pipeline.from_config(feed, config))
        stack.enter_context(stopping(pipeline.stop))
        total = _length(args.max_frames, feed.info.frame_count)
        with ExitStack() as outputs:
            sinks = [
                outputs.enter_context(sink)
                for sink in _sinks(args, pipeline.labels, feed.info, pipeline.stop)
            ]
            progress = outputs.enter_context(open_progress(feed.info.name, total, args.quiet))
            with trace_file(args.trace):
                clock, faces, failure = _loop(pipeline, sinks, progress, args.max_frames)
        pipeline.close()
        if not args.quiet:
            source = pipeline.source
            summary = clock.summary(source.captured, source.dropped, faces)
            say(describe(summary, pipeline.plans))
    if failure is not None:
        raise failure
    return 0


def _check_outputs(args: argparse.Namespace, config: PipelineConfig) -> None:
    check_apart((getattr(args, name) for name in OUTPUTS), _files_read(args, config))


def _files_read(args: argparse.Namespace, config: PipelineConfig) -> Iterator[Path]:
    for uri in args.source:
        yield from files_of(uri, config.recursive)
    if config.detector_path is not None:
        yield config.detector_path
    yield config.expression_path
    if args.serve:
        yield Path(args.rules)


def _loop(
    pipeline: Pipeline, sinks: Sequence[Sink], progress: Progress, max_frames: int | None
) -> tuple[FrameClock, int, SourceFailed | None]:
    """Run to the end; a source that broke off, or a reader that went, loses no output."""
    clock, faces = FrameClock(), 0
    try:
        for result in pipeline:
            with span("sinks"):
                for sink in sinks:
                    sink.write(result)
            faces += len(result.faces)
            clock.tick()
            progress.update(clock, len(result.faces), pipeline.source.dropped)
            if clock.frames == max_frames:
                pipeline.stop()
    except SourceFailed as failure:
        return clock, faces, failure
    except ReaderGone:
        pipeline.stop()
    return clock, faces, None


def _serve(args: argparse.Namespace, config: PipelineConfig) -> int:
    """Hand the run to the monitor, with the outputs that were asked for."""
    from .monitor.serve import serve

    wanted = args.jsonl or args.csv or args.save or args.show
    uris = [f"camera:{args.camera}"] if args.camera is not None else args.source
    return serve(args, uris, config, partial(_sinks, args) if wanted else None)


def _sinks(
    args: argparse.Namespace, labels: tuple[str, ...], info: SourceInfo, stop: Callable[[], None]
) -> Iterator[Sink]:
    """Open the outputs one by one, so that the caller can close those that did open."""
    if args.jsonl:
        yield JSONLines(args.jsonl, args.raw)
    if args.csv:
        yield CSV(args.csv, labels)
    if args.save:
        yield Annotated(_video(args, info), args.blur, args.landmarks)
    if args.show:
        yield Annotated(open_window(stop), args.blur, args.landmarks)


def _video(args: argparse.Namespace, info: SourceInfo) -> PictureSink:
    # Late: FFmpeg's libraries are large, and other outputs need none.
    from .sinks.sound import open_sound
    from .sinks.video import VideoSink

    sink = VideoSink(args.save, info.fps, args.encoder)
    if info.file is not None and not args.no_audio:
        sink.add_sound(open_sound(info.file, info.begins_s))
    return sink


def _uri(args: argparse.Namespace) -> str:
    if args.camera is not None:
        return f"camera:{args.camera}"
    return str(args.source[0]) if args.source else "demo"


def _length(max_frames: int | None, frame_count: int | None) -> int | None:
    known = [count for count in (max_frames, frame_count) if count is not None]
    return min(known, default=None)


def config_from(args: argparse.Namespace) -> PipelineConfig:
    """The pipeline's options out of the command line's."""
    delivery = "realtime" if args.realtime else "lossless" if args.lossless else "auto"
    return PipelineConfig(
        detector=args.detector,
        expression=args.expression,
        classify=not args.no_expression,
        head=args.head,
        backend=args.backend,
        device=args.device,
        threads=args.threads,
        precision=args.precision,
        measure=args.measure,
        detect_every=_interval(args.detect_every),
        classify_every=args.classify_every,
        background=args.background,
        tracker=args.tracker,
        max_age_s=args.max_age,
        smooth_s=args.smooth,
        min_confidence=args.min_confidence,
        min_score=args.min_score,
        min_face=FaceSize.parse(args.min_face),
        detect_size=parse_size(args.detect_size) if args.detect_size is not None else None,
        blur=args.blur,
        delivery=delivery,  # type: ignore[arg-type]
        connection=Connection(args.timeout, args.rtsp_transport, args.reconnect, args.decoder),
        recursive=args.recursive,
        strict=args.strict,
    )


def _interval(text: str) -> Interval:
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"--detect-every {text}: give a number of frames, or auto") from None


def describe(summary: RunSummary, plans: Mapping[str, str]) -> str:
    """The closing lines of a run; `plans` say how each model ran."""
    lines = [f"{name:10} {plan}" for name, plan in plans.items()]
    lines += [
        f"frames     {summary.processed} processed, {summary.dropped} dropped, "
        f"{summary.captured} captured",
        f"faces      {summary.faces}",
        f"speed      {summary.fps:.1f} fps over {summary.elapsed_s:.2f} s, "
        "from capture to the last output",
    ]
    if summary.processed:
        lines.append(
            f"frame time {summary.p50_s * 1e3:.2f} ms median, {summary.p99_s * 1e3:.2f} ms p99"
        )
    return "\n".join(lines)
