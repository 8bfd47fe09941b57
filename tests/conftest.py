"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import os
import shutil
import tempfile
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


# Where tests share the cores, threads that wait for work only take time from one another.
ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)  # fmt: skip


def pytest_configure() -> None:
    """Keep to the plain plans, and out of the user's cache; other processes do so too."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    os.environ["FER_EDGE_MEASURE"] = "never"
    os.environ["FER_EDGE_CACHE"] = tempfile.mkdtemp(prefix="fer-edge-tests-")


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(os.environ["FER_EDGE_CACHE"], ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and photographs beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared material at {SHARED}")
    return SHARED
