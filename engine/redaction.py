"""Addresses without their secrets, fit for logs, pages and errors."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)://(\S+)")
_SECRET = re.compile(
    r"([?&;][^=&;#\s]*(?:pass|pwd|token|key|auth|user|secret|sig)[^=&;#\s]*=)[^&;#\s]*", re.I
)


def redacted(text: str) -> str:
    """Return a text with user, password and secret parameters left out of every address in it.

    A password may hold an unescaped `/`, `?` or `#`, which no address may: what stands before
    the last `@` is then left out as a whole, rather the host's name too than half a password.
    """
    return _ADDRESS.sub(lambda match: f"{match[1]}://{_without_secrets(match[2])}", text)


def _without_secrets(rest: str) -> str:
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    before_query = re.split(r"[?#]", rest, maxsplit=1)[0]
    if "@" in before_query and ("@" in authority or ":" in authority):
        rest = rest[before_query.rindex("@") + 1 :]
    elif "@" in rest and ":" in authority:
        rest = rest[rest.rindex("@") + 1 :]
    return _SECRET.sub(r"\1...", rest)
