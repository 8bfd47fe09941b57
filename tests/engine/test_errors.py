from __future__ import annotations

import pytest

from fer_edge.engine.errors import first_line, last_line


@pytest.mark.parametrize(
    ("error", "first", "last"),
    [
        (ValueError("one"), "one", "one"),
        (RuntimeError("\n one\ntwo\n"), "one", "two"),
        (RuntimeError(""), "RuntimeError", "RuntimeError"),
        (KeyError(), "KeyError", "KeyError"),
    ],
)
def test_an_error_of_a_library_is_one_line(error: Exception, first: str, last: str) -> None:
    assert (first_line(error), last_line(error)) == (first, last)
