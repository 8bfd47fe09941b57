"""Fixtures and settings shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"

# Timing belongs to benchmarks: a slow machine must not fail a property.
settings.register_profile("fer-edge", deadline=None, max_examples=50)
settings.load_profile("fer-edge")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and photographs beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared material at {SHARED}")
    return SHARED
