"""Where this user's things are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FOLDER_NAME = "fer-edge"
CACHE_VARIABLE = "FER_EDGE_CACHE"


def cache_folder() -> Path:
    """Where what can be made again is kept; it need not exist.

    `FER_EDGE_CACHE` names it, else it is in the user's cache by the XDG rules. A user without
    a home has one among the temporary files.
    """
    own = os.environ.get(CACHE_VARIABLE, "")
    if own:
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there is invalid and to be ignored.
    if Path(base).is_absolute():
        return Path(base) / FOLDER_NAME
    try:
        return Path.home() / ".cache" / FOLDER_NAME
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"{FOLDER_NAME}-{os.getuid()}"
