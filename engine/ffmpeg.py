"""What reading and writing films have in common; FFmpeg does both, by PyAV."""

from __future__ import annotations

from pathlib import Path

import av

# Threads that share a picture cost a tenth more, which pays for large ones only.
PIXELS_FOR_THREADS = 1 << 20


def local(path: Path) -> str:
    """A path as FFmpeg takes it: with its protocol, so that no part of a name is taken for one."""
    return f"file:{path.absolute()}"


def threads_for(width: int, height: int) -> int:
    """How many threads shall decode or encode pictures of a size; 0 lets FFmpeg choose."""
    return 1 if width * height < PIXELS_FOR_THREADS else 0


def reason(error: av.FFmpegError) -> str:
    """What went wrong, for people; without the address, which may hold a password."""
    if isinstance(error, av.error.ExitError):
        return "nothing came in time; --timeout waits longer"
    return str(error.strerror or type(error).__name__)
