"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"

# Timing belongs to benchmarks: a slow machine must not fail a property. CI tries the same
# examples every time; people's machines go on searching.
settings.register_profile(
    "fer-edge", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("fer-edge")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and photographs beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared material at {SHARED}")
    return SHARED
