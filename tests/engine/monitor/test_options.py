from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.engine.errors import BadInput
from fer_edge.engine.monitor.options import (
    MonitorOptions,
    is_loopback,
    make_token,
    parse_address,
    parse_age,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("box.local:8080", ("box.local", 8080)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "box", "box:", "::1:80", "80a", "box:-1"])
def test_addresses_of_another_form(text: str) -> None:
    with pytest.raises(BadInput, match="HOST:PORT"):
        parse_address(text)


def test_ages_and_sizes() -> None:
    assert [parse_age(t) for t in ("30m", "12h", "7d", "4w")] == [1800, 43200, 604800, 2419200]
    assert [parse_size(t) for t in ("500MB", "2GB", "1000kB")] == [5 * 10**8, 2 * 10**9, 10**6]
    for text in ("7", "d", "0d", "-1d", "7y"):
        with pytest.raises(BadInput, match="12h, 7d or 4w"):
            parse_age(text)
    for text in ("500", "MB", "0MB", "900kB", "1mb"):
        with pytest.raises(BadInput, match="500MB or 2GB"):
            parse_size(text)


def test_open_addresses_need_a_token_and_nobody_prints_it() -> None:
    with pytest.raises(BadInput, match="give a token"):
        MonitorOptions(host="0.0.0.0")
    token = make_token()
    options = MonitorOptions(host="0.0.0.0", token=token)
    assert token not in repr(options)
    assert len({make_token() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"port": 70000}, "0-65535"),
        ({"token": "short"}, "12 characters"),
        ({"token": "with spaces; and=more"}, "letters, digits"),
        ({"media": (Path("/nowhere/at/all"),)}, "no such folder"),
    ],
)
def test_values_check_themselves(values: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        MonitorOptions(**values)  # type: ignore[arg-type]


def test_loopback() -> None:
    assert all(
        is_loopback(host) for host in ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost")
    )
    assert not any(
        is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "box", "localhost.evil")
    )
