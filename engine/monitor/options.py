"""What the monitor is told: one frozen, self-checking object."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BadInput

LEAST_TOKEN = 12
_AGE_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE = {"kB": 10**3, "MB": 10**6, "GB": 10**9}


def default_data() -> Path:
    """The user's data folder (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "fer-edge"


@dataclass(frozen=True)
class MonitorOptions:
    """Options of the monitor.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 for any free one.
        token: what every request must know; None asks for none, on loopback only.
        keep_s: how long history is kept, in seconds.
        keep_bytes: how large it may grow.
        data: folder of the history.
        media: folders whose files the page may open.
        rules: see `rulebook.read_rulebook`.

    Raises:
        BadInput: a value outside its range, or an open address without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = field(default=None, repr=False)
    keep_s: int = 30 * 86_400
    keep_bytes: int = 500 * 10**6
    data: Path = field(default_factory=default_data)
    media: tuple[Path, ...] = ()
    rules: str = "default"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise BadInput(f"port {self.port} is outside 0-65535")
        if self.token is None and not self.loopback:
            raise BadInput(f"{self.host} can be reached by others: give a token")
        if self.token is not None and len(self.token) < LEAST_TOKEN:
            raise BadInput(f"the token is short: give {LEAST_TOKEN} characters or more")
        if self.token is not None and not re.fullmatch(r"[A-Za-z0-9._~-]+", self.token):
            raise BadInput("the token may have letters, digits and . _ ~ - only")
        for folder in self.media:
            if not folder.is_dir():
                raise BadInput(f"--media {folder}: no such folder")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return is_loopback(self.host)


def default_media() -> tuple[Path, ...]:
    """The user's folder of videos, where it exists."""
    folder = Path.home() / "Videos"
    return (folder,) if folder.is_dir() else ()


def make_token() -> str:
    """A token with 192 random bits, fit for an address."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> tuple[str, int]:
    """Read `[HOST:]PORT`; without a host it is loopback.

    Raises:
        BadInput: another form.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or (":" in host and not host.startswith("[")):
        raise BadInput(f"--serve {text}: give PORT, HOST:PORT or [IPv6]:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def parse_age(text: str) -> int:
    """Read a duration such as `12h` or `7d`, in seconds.

    Raises:
        BadInput: another form.
    """
    found = re.fullmatch(r"(\d+)([mhdw])", text)
    if not found or not int(found[1]):
        raise BadInput(f"--keep {text}: give a duration such as 12h, 7d or 4w")
    return int(found[1]) * _AGE_S[found[2]]


def parse_size(text: str) -> int:
    """Read a size such as `500MB`, in bytes.

    Raises:
        BadInput: another form, or less than 1 MB.
    """
    found = re.fullmatch(r"(\d+)(kB|MB|GB)", text)
    size = int(found[1]) * _SIZE[found[2]] if found else 0
    if size < 10**6:
        raise BadInput(f"--keep-size {text}: give a size of 1MB or more, such as 500MB or 2GB")
    return size
