"""Programs that tests lean on."""

import shutil

import pytest


def require(name: str) -> str:
    """The path of program `name`; without it the test fails, for a test that did not run proves nothing."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed; `make test` installs what the tests speak to")
    return path
