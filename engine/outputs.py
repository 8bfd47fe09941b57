"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Any

from .errors import FerError, OutputNotWritable
from .places import place_of
from .signals import stop_asked

# A name has 255 bytes on most file systems.
LONGEST_NAME = 255
# Somebody else may have locked the folder for as long as we run: then we do without.
FOLDER_LOCK_WITHIN_S = 2.0
LOOK_AGAIN_S = 0.02

log = logging.getLogger("fer_edge")


class PendingFile:
    """A file beside the final one to write to, moved into place by `commit()`.

    Its name is its own, hidden, and keeps the suffix, by which some writers choose the
    format. It is locked: a second run that would write the same file is refused. What a crash
    left stays as it is, and a line on standard error says where. Symbolic links are followed,
    so that the link stays. What is no plain file (a FIFO, a device, `/dev/fd/N`, `-` for
    standard output) is written to as it is: `path` is the stream then, and nothing is moved.

    As a context manager it commits at the end, and after an error discards what was written.

    Attributes:
        final: the name as it was given.
        path: where to write.
        stream: whether that is a stream, which can be opened once and not be sought in.

    Raises:
        OutputNotWritable: a folder, a file that cannot be written, or one that another run
            is writing.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self._place = place_of(final)
        self.stream = self._place.stream
        self.path = self._place.path
        self._unlock = _nothing
        if not self.stream:
            self._begin()

    def _begin(self) -> None:
        with self.writing():
            self.path, lock = _create_beside(self._place.path, self.final)
        self._unlock = weakref.finalize(self, os.close, lock)

    def open(self, mode: str = "w", **options: Any) -> IO[Any]:
        """Open the file for writing, as `open` does; a FIFO when somebody reads it.

        Raises:
            OSError: it cannot be opened.
        """
        if self._place.descriptor is not None:
            return open(os.dup(self._place.descriptor), mode, **options)  # noqa: PTH123
        if self.stream and self.path.is_fifo():
            return open(_fifo(self.path), mode, **options)
        return self.path.open(mode, **options)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Tell errors of the disk in the block as errors of this file."""
        try:
            yield
        except FerError:
            raise
        except OSError as error:
            raise OutputNotWritable(
                f"{self.final}: cannot be written ({error.strerror or error})"
            ) from error

    def commit(self) -> None:
        """Move the file to its final name, replacing what was there.

        Raises:
            OutputNotWritable: it cannot be moved; it stays under its own name.
        """
        if self.stream:
            return
        try:
            _sync(self.path)
            _move(self.path, self._place.path)
        except OSError as error:
            raise OutputNotWritable(
                f"{self.final}: cannot be written ({error.strerror}); results are in {self.path}"
            ) from error
        finally:
            self._unlock()

    def discard(self) -> None:
        """Remove the pending file."""
        if not self.stream:
            self.path.unlink(missing_ok=True)
            self._unlock()

    def keep(self) -> None:
        """Leave what was written under its own name."""
        self._unlock()

    def __enter__(self) -> PendingFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()


def write_file(final: Path, content: str | bytes) -> None:
    """Write a whole file, text in UTF-8.

    Raises:
        OutputNotWritable: it cannot be written; an earlier file is as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with PendingFile(final) as pending, pending.writing(), pending.open("wb") as file:
        file.write(data)


def check_writable(final: Path) -> None:
    """Make sure, before long work, that an output can be written.

    Raises:
        OutputNotWritable: it cannot; see `PendingFile`.
    """
    PendingFile(final).discard()


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Make a folder, and let no second run write into it.

    Raises:
        OutputNotWritable: it cannot be made, or another run is writing into it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise OutputNotWritable(
            f"{folder}: cannot be made or written to ({error.strerror})"
        ) from error
    try:
        if not _lock(handle):
            raise OutputNotWritable(f"{folder}: another run is writing into it; give another name")
        yield
    finally:
        os.close(handle)


def _nothing() -> None:
    pass


def _create_beside(target: Path, final: Path) -> tuple[Path, int]:
    """Make a pending file for `target`; returns its path, and the descriptor that locks it."""
    before = target.stat() if target.exists() else None
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")
    prefix, suffix = _name_parts(target)
    with _locked(target.parent):
        left = _left_behind(target.parent, prefix, suffix, final)
        path = target.with_name(f"{prefix}{secrets.token_hex(4)}{suffix}")
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        _lock(handle)
    if before is not None:
        with suppress(PermissionError):
            os.fchown(handle, before.st_uid, before.st_gid)
        os.fchmod(handle, stat.S_IMODE(before.st_mode))
    if left:
        more = f", as {len(left) - 1} more beside it" if len(left) > 1 else ""
        log.warning("%s: left by a run that broke off, and kept%s", left[-1], more)
    return path, handle


def _name_parts(target: Path) -> tuple[str, str]:
    """What stands before and behind eight hexadecimal digits in a pending file's name."""
    stem, suffix = target.stem, target.suffix
    prefix = f".{stem}.partial-"
    if len(os.fsencode(f"{prefix}{suffix}")) + 8 <= LONGEST_NAME:
        return prefix, suffix
    suffix = suffix if len(suffix) <= 8 else ""
    # Shorter, and no other name's.
    mark = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    short = os.fsencode(stem)[:200].decode("utf-8", "ignore")
    return f".{short}-{mark}.partial-", suffix


def _left_behind(folder: Path, prefix: str, suffix: str, final: Path) -> list[Path]:
    """Pending files with content of runs that are gone, oldest first."""
    ours = re.compile(re.escape(prefix) + "[0-9a-f]{8}" + re.escape(suffix))
    found: list[tuple[float, Path]] = []
    with os.scandir(folder) as listing:
        entries = list(listing)
    for entry in entries:
        if not ours.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
            continue
        if _in_use(entry.path):
            raise OutputNotWritable(
                f"{final}: another run is writing it, in {entry.path}; give another name"
            )
        if (about := entry.stat()).st_size:
            found.append((about.st_mtime, Path(entry.path)))
    return [path for _, path in sorted(found)]


def _in_use(path: str) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # another user's, or gone by now
        return False
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open file for this process; False where another has done so."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let no two runs look at a folder at once, which would both think they are alone."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end_s = monotonic() + FOLDER_LOCK_WITHIN_S
        while not _lock(handle) and monotonic() < end_s:
            sleep(LOOK_AGAIN_S)
        yield
    finally:
        os.close(handle)


def _fifo(path: Path) -> int:
    """Open a FIFO as soon as it has a reader, unless the run is to end before."""
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        else:
            os.set_blocking(handle, True)
            return handle
        if stop_asked():
            raise OutputNotWritable(f"{path}: stopped before anybody read it")
        sleep(LOOK_AGAIN_S)


def _sync(path: Path) -> None:
    # A crash of the machine must not leave a name without the content.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except OSError as error:
        # A file that is itself mounted can be filled and not replaced.
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        with path.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        path.unlink()
