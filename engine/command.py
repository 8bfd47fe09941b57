"""The end of a command line: its exit status, its one line, its standard streams."""

from __future__ import annotations

import io
import logging
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .console import say
from .errors import FerError

INTERRUPTED = 130


def run_command(program: str, body: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Carry out a command; returns its exit status.

    An expected error, or one of the system such as a full disk, is one line on standard error
    and status 2, Ctrl-C is `interrupted` and 130, and a reader of standard output that has
    seen enough (`| head -1`) is no error.
    """
    _fill_standard_streams()
    try:
        with _warnings_said(program):
            status = _flushed(body)
    except FerError as error:
        return _fail(program, str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            _drop_output()
            return 0
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        return _fail(program, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        say(f"{program}: {interrupted}")
        return INTERRUPTED
    return status


class _Says(logging.Handler):
    """Warnings as lines for people."""

    def __init__(self, program: str) -> None:
        super().__init__(logging.WARNING)
        self._program = program

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        say(f"{self._program}: {' '.join(record.getMessage().split())}")


@contextmanager
def _warnings_said(program: str) -> Iterator[None]:
    log, handler = logging.getLogger("fer_edge"), _Says(program)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _fail(program: str, reason: str) -> int:
    say(f"{program}: error: {' '.join(reason.split())}")
    return 2


def _flushed(body: Callable[[], int]) -> int:
    try:
        return body()
    finally:
        # Here, where its errors can be told; Python's own flush at the end shows a traceback.
        if sys.stdout is not None:
            sys.stdout.flush()


def _fill_standard_streams() -> None:
    """Give closed streams to nobody: the next file to be opened would have their number."""
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files may hold what is no text.
        sys.stdout.reconfigure(errors="backslashreplace")


def _reader_is_gone() -> bool:
    poll = select.poll()
    poll.register(1, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _drop_output() -> None:
    """Lose what standard output still holds: nobody can have it."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
