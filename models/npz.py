"""NumPy archives from outside, read without pickle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.engine.errors import BadInput, FerError


@contextmanager
def open_npz(path: Path, complaint: str) -> Iterator[Any]:
    """Open an `.npz`; what fails inside the `with` is the file's fault.

    Args:
        path: of the file.
        complaint: what is wrong with it then; `{why}` stands for NumPy's words.

    Raises:
        BadInput: the complaint.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except FerError:
        raise
    # Damaged archives raise errors of many kinds, those of Python's own tokenizer among them.
    except Exception as error:
        why = " ".join(str(error).split())
        raise BadInput(f"{path}: {complaint.format(why=why)}") from error
