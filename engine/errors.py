"""Every error a user can cause or meet, in one tree.

    FerError
    ├── BadInput (ValueError)                 a file or value that cannot be used
    │   └── UnsafeModel                       a model file that asks to run foreign code
    ├── InputNotFound (FileNotFoundError)     a file, folder or camera that is not there
    ├── OutputNotWritable (OSError)           a result that cannot be stored
    │   └── ReaderGone                        nobody reads an output any more
    ├── BackendUnavailable (ImportError)      a backend, toolkit or extra that is not installed
    ├── SourceFailed (RuntimeError)           a source that broke while it was read
    └── ParityError (ArithmeticError)         a converted model that differs from its original

A command line prints the message in one line and exits with 2; a traceback is a bug.
Messages say what was seen, in which file, and what to do.
"""

from __future__ import annotations


class FerError(Exception):
    """Root of the tree: catch it to catch every expected failure."""


class BadInput(FerError, ValueError):
    """A file or value was read and cannot be used."""


class UnsafeModel(BadInput):
    """A model file holds layers or operators outside the allow-list."""


class InputNotFound(FerError, FileNotFoundError):
    """A file, folder or camera does not exist."""


class OutputNotWritable(FerError, OSError):
    """An output cannot be created or written."""


class ReaderGone(OutputNotWritable):
    """Whoever read an output, as the other end of a pipe, has seen enough."""


class BackendUnavailable(FerError, ImportError):
    """A backend, window toolkit or extra is not installed."""


class SourceFailed(FerError, RuntimeError):
    """A source opened well and then stopped giving frames."""


class ParityError(FerError, ArithmeticError):
    """A converted model does not reproduce the original within its tolerance."""


def first_line(error: BaseException) -> str:
    """What a library's error says first; the name of its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(error: BaseException) -> str:
    """What a library's error says last; the name of its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
