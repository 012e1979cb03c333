"""What every test shares: a numba cache that cannot go stale, and the folder of real motion data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from latemiles.compiled import use_fresh_cache

ROOT = Path(__file__).resolve().parent.parent
# Before numba is imported by any test module. Each of several processes has a cache of its own: numba does
# not lock one, and two that compile a kernel for different types at one moment could take each other's code.
use_fresh_cache(ROOT / ".venv" / "numba" / os.environ.get("PYTEST_XDIST_WORKER", ""))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real motion data; CI has it."""
    folder = Path(os.environ.get("LATEMILES_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real motion data not found at {folder}; set LATEMILES_DATA to include this test")
    return folder
