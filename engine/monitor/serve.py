"""`fer-run --serve`: an engine, its monitor and its server, from start to clean end."""

from __future__ import annotations

import argparse
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from ..config import PipelineConfig
from ..console import say
from ..errors import BackendUnavailable, BadInput, ReaderGone
from ..redaction import redacted
from ..signals import stopping
from ..sinks.base import Sink
from ..sources import Reader, SourceInfo
from ..sources.capture import is_live
from ..streams import StreamResult, Streams
from .options import (
    MonitorOptions,
    default_data,
    default_media,
    is_loopback,
    make_token,
    parse_address,
    parse_age,
    parse_size,
)
from .watchdog import notify

MISSING = "--serve needs a web server: pip install 'fer-edge[monitor]'"

SinkOpener = Callable[[tuple[str, ...], SourceInfo, Callable[[], None]], Iterator[Sink]]
"""Opens outputs one by one, given the labels, the source, and what ends the run."""


def options_from(args: argparse.Namespace) -> MonitorOptions:
    """The monitor's options out of the command line's.

    Raises:
        BadInput: a value of another form or outside its range.
    """
    host, port = parse_address(args.serve)
    # A command line can be read by every user of the machine; the environment cannot.
    token = args.token or os.environ.get("FER_EDGE_TOKEN") or None
    if token is None and not is_loopback(host):
        token = make_token()
    return MonitorOptions(
        host=host,
        port=port,
        token=token,
        keep_s=parse_age(args.keep),
        keep_bytes=parse_size(args.keep_size),
        data=args.data or default_data(),
        media=tuple(args.media) if args.media else default_media(),
        rules=args.rules,
    )


def serve(
    args: argparse.Namespace, uris: Sequence[str], config: PipelineConfig, sinks: SinkOpener | None
) -> int:
    """Run the monitor until TERM, Ctrl-C or its window ends it; returns the exit status.

    Args:
        args: parsed options of `fer-run`.
        uris: sources to start with; none starts idle.
        config: the pipeline's options.
        sinks: opens the outputs of the run; None without any.

    Raises:
        FerError: something is missing or unusable.
    """
    options = options_from(args)
    _check(uris, sinks)
    try:
        from .monitor import Monitor
        from .server import Server, listen
    except ImportError as missing:
        raise BackendUnavailable(MISSING) from missing
    _log_to_stderr()
    with ExitStack() as stack:
        listening = listen(options)
        stack.callback(listening.close)
        opener = stack.enter_context(_Opener(uris, config.open_reader, every=sinks is not None))
        streams = stack.enter_context(Streams.from_config(_paced(config, sinks), opener))
        streams.endless = sinks is None
        monitor = stack.enter_context(Monitor(streams, options, fixed=sinks is not None))
        server = stack.enter_context(Server(monitor, listening))
        stack.enter_context(stopping(streams.stop))
        for uri in uris:
            streams.add(uri)
        _welcome(options, server.port)
        if sinks is not None:
            _write(streams, monitor.observe, sinks, opener.info, args.max_frames)
            streams.endless = True
        for result in streams:
            monitor.observe(result)
            if args.max_frames is not None and sum_processed(streams) >= args.max_frames:
                streams.stop()
        notify("STOPPING=1")
    return 0


def _write(
    streams: Streams,
    observe: Callable[[StreamResult], None],
    sinks: SinkOpener,
    info: SourceInfo,
    max_frames: int | None,
) -> None:
    """Run to the sources' end, into the outputs too, and make those complete."""
    with ExitStack() as outputs:
        opened = [outputs.enter_context(s) for s in sinks(streams.labels, info, streams.stop)]
        for result in streams:
            try:
                for sink in opened:
                    sink.write(result.result)
            except ReaderGone:
                return
            observe(result)
            if max_frames is not None and sum_processed(streams) >= max_frames:
                streams.stop()


def sum_processed(streams: Streams) -> int:
    """Frames processed of all sources."""
    return sum(status.processed for status in streams.sources)


def _check(uris: Sequence[str], sinks: SinkOpener | None) -> None:
    if sinks is not None and len(uris) != 1:
        raise BadInput("files and windows take one source: give one --source, or leave them out")


def _paced(config: PipelineConfig, sinks: SinkOpener | None) -> PipelineConfig:
    """Recordings at their own pace, for people to watch, unless a file wants every frame."""
    if config.delivery == "auto" and sinks is None:
        return replace(config, delivery="realtime")
    return config


class _Opener:
    """Opens recordings before the engine starts, so that a wrong name ends it at once.

    Args:
        uris: of the command line.
        opener: opens one.
        every: open live sources too.
    """

    def __init__(self, uris: Sequence[str], opener: Callable[[str], Reader], every: bool) -> None:
        self.info = SourceInfo("", 0.0, None, live=False)
        self._opener = opener
        self._opened: dict[str, list[Reader]] = {}
        for uri in uris:
            if every or not is_live(uri):
                reader = opener(uri)
                self.info = reader.info
                self._opened.setdefault(uri, []).append(reader)

    def __call__(self, uri: str) -> Reader:
        waiting = self._opened.get(uri)
        return waiting.pop() if waiting else self._opener(uri)

    def __enter__(self) -> _Opener:
        return self

    def __exit__(self, *_: object) -> None:
        for readers in self._opened.values():
            for reader in readers:
                reader.close()


def _welcome(options: MonitorOptions, port: int) -> None:
    # Every address of the machine is none to go to.
    named = socket.gethostname() if options.host in ("0.0.0.0", "::") else options.host
    host = f"[{named}]" if ":" in named else named
    query = f"/?token={options.token}" if options.token else "/"
    say(f"monitor at http://{host}:{port}{query}")
    notify("READY=1")


class _Redacting(logging.Formatter):
    """No password reaches the log, whoever wrote the line."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(message)s"))
    for name in ("fer_edge", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
