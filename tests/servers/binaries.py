"""Programs that tests lean on: missing, they skip here and fail in CI."""

import os
import shutil

import pytest


def require(name: str) -> str:
    """The path of program `name`."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return path
