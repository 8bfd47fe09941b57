from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.benchmarks.conversion import measure_conversion
from fer_edge.engine.errors import BadInput

from ..convert.ssd_graph import Recipe, write_ssd


def test_a_conversion_is_timed_from_start_to_end_and_leaves_nothing(tmp_path: Path) -> None:
    write_ssd(tmp_path / "graph.pb", Recipe())
    told: list[str] = []
    made = measure_conversion(tmp_path / "graph.pb", 1, told.append)
    assert (made.model, len(made.seconds)) == ("graph.pb", 1)
    # TensorFlow alone takes longer to import.
    assert made.seconds[0] > 0.5
    assert told == ["convert graph.pb, 1 of 1"]
    assert [path.name for path in tmp_path.iterdir()] == ["graph.pb"]


def test_a_file_that_cannot_be_converted_says_why(tmp_path: Path) -> None:
    (tmp_path / "noise.pb").write_bytes(np.random.default_rng(0).bytes(3000))
    with pytest.raises(BadInput, match=r"noise\.pb") as caught:
        measure_conversion(tmp_path / "noise.pb", 1)
    assert "Traceback" not in str(caught.value)
