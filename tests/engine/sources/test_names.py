"""Names and addresses of any kind open what they name, or get one line."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.engine.errors import BadInput, InputNotFound
from fer_edge.engine.sources import open_reader

from .films import write_film

NAMES = [
    b"10:30.mp4", b"http:.mp4", b"my video.mp4", b"100%.mp4", b"%20.mp4", b"%d.mp4", b"a\xe9.mp4",
    b"~backup.mp4", b"~", b"-", b"file:x.mp4", b"a\nb.mp4", b"#1?.mp4", b"[1].mp4",
    b"x" * 251 + b".mp4", "\u65e5\u672c.mp4".encode(), b"subfile,,start,1,end,9,,:a.mp4",
    b"concat:a.mp4|b.mp4",
]  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", [0]).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_film_opens_by_its_name_whatever_is_in_it(
    name: bytes, film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(os.fsdecode(name)).write_bytes(film)
    path = os.fsencode(tmp_path) + b"/" + name
    uris = [os.fsdecode(name), os.fsdecode(path), "file://" + quote_from_bytes(path)]
    for uri in uris:
        reader = open_reader(uri)
        assert reader.read() is not None
        reader.close()


@given(st.text(st.characters(codec=None, exclude_characters="/")) | st.text(min_size=256))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises((InputNotFound, BadInput)) as caught:
        open_reader(f"/nowhere/{name}")
    assert str(caught.value)


@pytest.mark.parametrize("uri", ["cache:http://x/y", "concat://x", "gopher://x/y", "lavfi://x"])
def test_other_kinds_of_address_are_refused(uri: str) -> None:
    with pytest.raises(BadInput, match="unknown kind of address; there are http, https"):
        open_reader(uri)
