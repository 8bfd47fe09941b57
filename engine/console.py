"""Lines for people on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Print a line on standard error; where nobody can read it, go on without a word."""
    if sys.stderr is None:
        return
    with suppress(OSError):  # the terminal was closed
        print(text, file=sys.stderr, flush=True)
