"""Which of the shipped PTX files a GPU takes."""

from __future__ import annotations

from pathlib import Path

from ..errors import BackendUnavailable
from .compile import ARCHITECTURES, ptx_path


def ptx_for(name: str, capability: str) -> Path:
    """The PTX of a source for a GPU: of the newest architecture that it knows.

    The driver compiles PTX of an older architecture for any newer GPU.

    Args:
        name: of the source, one of `SOURCES`.
        capability: compute capability, as `8.9`.

    Raises:
        BackendUnavailable: the GPU is older than all of them.
    """
    known = [name for name in ARCHITECTURES if _number(name) <= _number(capability)]
    if not known:
        raise BackendUnavailable(
            f"the GPU has compute capability {capability}; "
            f"{_dotted(min(ARCHITECTURES, key=_number))} or later is needed"
        )
    return ptx_path(name, max(known, key=_number))


def _number(capability: str) -> int:
    return int(capability.replace(".", ""))


def _dotted(architecture: str) -> str:
    return f"{architecture[:-1]}.{architecture[-1]}"
