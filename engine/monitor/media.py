"""What the page may open: cameras, the demo, streams, and files of the allowed folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import BadInput
from ..redaction import redacted
from ..sources.listing import FILMS, PICTURES, at_home

SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "http", "https", "udp"})
MAX_OFFERS = 500
MAX_URI = 2048


class Media:
    """Decides which sources the page may add.

    Args:
        folders: whose files may be opened, with all below them.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = tuple(folder.resolve() for folder in folders)

    def offers(self) -> tuple[list[str], list[str]]:
        """Cameras as `camera:N`, and the files found in the allowed folders."""
        cameras = sorted(
            int(path.name[5:]) for path in Path("/dev").glob("video*") if path.name[5:].isdigit()
        )
        return [f"camera:{number}" for number in cameras], [str(p) for p in self._files()]

    def _files(self) -> list[Path]:
        found: list[Path] = []
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                if len(found) == MAX_OFFERS:
                    return found
                if path.suffix.lower() in FILMS | PICTURES and self._is_inside(path):
                    found.append(path)
        return found

    def allowed(self, uri: str) -> str:
        """The URI to open.

        Raises:
            BadInput: the page may not open it.
        """
        uri = uri.strip()
        if not uri or len(uri) > MAX_URI or not uri.isprintable():
            raise BadInput("give a camera, a file or an address")
        if uri == "demo":
            return uri
        if uri.startswith("camera:"):
            if not uri[7:].isdecimal() or len(uri) > 12:
                raise BadInput(f"{uri}: give the number of a camera, as camera:0")
            return uri
        if "://" in uri and not uri.startswith("file://"):
            return self._address(uri)
        return self._file(uri.removeprefix("file://"))

    def _address(self, uri: str) -> str:
        try:
            parts = urlsplit(uri)
            known = parts.scheme in SCHEMES and parts.hostname
        except ValueError:
            known = None
        if not known:
            raise BadInput(f"{redacted(uri)}: give an address of rtsp, rtmp, udp or http")
        return uri

    def _file(self, text: str) -> str:
        # Resolved first: neither `..` nor links lead out of the folders.
        try:
            path = at_home(Path(text)).resolve()
            if self._is_inside(path) and path.exists():
                return str(path)
        except (OSError, RuntimeError, ValueError):  # no name that a file could have
            pass
        raise BadInput(f"{redacted(text)}: not in a folder given with --media")

    def _is_inside(self, path: Path) -> bool:
        resolved = path.resolve()
        return any(resolved == folder or folder in resolved.parents for folder in self._folders)
