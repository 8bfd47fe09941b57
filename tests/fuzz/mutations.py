"""Damaged copies of files."""

from __future__ import annotations

import random

# Lengths, counts and signs that parsers stumble over, little and big end first.
NUMBERS = [
    value.to_bytes(size, end)
    for size in (1, 2, 4, 8)
    for value in (0, 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1)
    for end in ("little", "big")
]
WORDS = [
    b"NaN",
    b"-1",
    b"1e999",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"\xff\xfe",
    b"\0",
    b"\n",
    b"9" * 40,
]


def mutated(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """A copy with one to eight changes, of which the first kilobytes have their share.

    Args:
        data: of a file.
        rng: chooses.
        other: of another file, from which pieces may come.
    """
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        _change(changed, rng, other or data)
    return bytes(changed)


def _change(data: bytearray, rng: random.Random, other: bytes) -> None:
    at = _place(len(data), rng)
    kind = rng.randrange(8)
    if kind == 0:
        data[at : at + 1] = bytes([rng.randrange(256)])
    elif kind == 1:
        data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ 1 << rng.randrange(8)])
    elif kind == 2:
        number = rng.choice(NUMBERS)
        data[at : at + len(number)] = number
    elif kind == 3:
        data[at:at] = rng.choice(WORDS)
    elif kind == 4:
        del data[at : at + _length(rng)]
    elif kind == 5:
        data[at:at] = data[at : at + _length(rng)]
    elif kind == 6:
        begin = _place(len(other), rng)
        data[at : at + _length(rng)] = other[begin : begin + _length(rng)]
    else:
        del data[at:]


def _place(size: int, rng: random.Random) -> int:
    if size == 0:
        return 0
    return rng.randrange(min(size, 2048) if rng.random() < 0.5 else size)


def _length(rng: random.Random) -> int:
    return 1 << rng.randrange(13)
