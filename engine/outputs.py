"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

from pathlib import Path

from .errors import OutputNotWritable


class PendingFile:
    """A path beside the final one to write to, moved into place by `commit()`.

    What was written stays under the pending name after a crash. The pending name keeps
    the suffix, by which some writers choose the format.

    Raises:
        OutputNotWritable: the folder is missing or cannot be written to.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final.with_name(f".{final.stem}.partial{final.suffix}")
        if final.is_dir():
            raise OutputNotWritable(f"{final}: is a folder; give the name of a file")
        try:
            self.path.touch()
        except OSError as error:
            raise OutputNotWritable(f"{final}: cannot be written ({error.strerror})") from error

    def commit(self) -> None:
        """Move the file to its final name, replacing what was there."""
        try:
            self.path.replace(self.final)
        except OSError as error:
            raise OutputNotWritable(
                f"{self.final}: cannot be written ({error.strerror}); results are in {self.path}"
            ) from error

    def discard(self) -> None:
        """Remove the pending file."""
        self.path.unlink(missing_ok=True)
