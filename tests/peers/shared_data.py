"""Data that belongs to others and is not copied into this repository; it lies in `shared` beside it."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BELLTOWER_SHARED", Path(__file__).parents[2].parent / "shared"))


def shared(path: str) -> Path:
    """A file or folder of the shared data; the test is skipped where it is absent."""
    found = ROOT / "data" / path
    if not found.exists():
        pytest.skip(f"{path} is not beside this repository; name its place by BELLTOWER_SHARED")
    return found
