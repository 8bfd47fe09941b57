"""History rows as an Apache Parquet file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import BackendUnavailable
from .history_queries import Row

MISSING = "Parquet needs a library: pip install 'fer-edge[parquet]'"
_ROWS = 50_000


def write_parquet(rows: Iterable[Row], labels: tuple[str, ...]) -> Path:
    """Write rows to a temporary file, which the caller removes.

    Raises:
        BackendUnavailable: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as missing:
        raise BackendUnavailable(MISSING) from missing
    schema = pa.schema(
        [
            ("time", pa.timestamp("s", tz="UTC")),
            ("session", pa.int64()),
            ("source", pa.string()),
            ("face", pa.int64()),
            ("frames", pa.int32()),
            ("expression", pa.string()),
            ("level", pa.string()),
            *((label, pa.float32()) for label in labels),
        ]
    )
    handle, name = tempfile.mkstemp(suffix=".parquet")
    os.close(handle)
    with ParquetWriter(name, schema) as writer:
        for chunk in _chunks(rows):
            columns = [_column(chunk, field.name, field.name in labels) for field in schema]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return Path(name)


def _column(rows: list[Row], name: str, is_label: bool) -> list[Any]:
    if is_label:
        return [row.probabilities.get(name) for row in rows]
    return [getattr(row, name) for row in rows]


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while chunk := list(islice(left, _ROWS)):
        yield chunk
