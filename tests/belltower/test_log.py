"""The log serves; it never stands in the way."""

import json
import os
import subprocess
import sys

import pytest
import structlog

from belltower import log
from belltower.log import Willing


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Full:
    """A disk without room."""

    def write(self, text: str) -> None:
        raise OSError(28, "No space left on device")

    flush = write


def test_a_log_that_cannot_be_written_fails_nobody() -> None:
    """The line is dropped; whoever logs goes on."""
    Willing(Full()).write("a line\n")


def test_a_reader_that_stalls_holds_nobody_up() -> None:
    """A full pipe drops lines; once it is read again, whole lines arrive."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as far, os.fdopen(writer, "w") as near:
        log.configure(lane="alarm", stream=near)
        for number in range(5_000):
            log.get("test").info("line", number=number)
        held = far.read(1 << 20)
        log.get("test").info("later")

        lines = [json.loads(line) for line in held.splitlines()]
        assert list(range(len(lines))) == [line["number"] for line in lines]
        assert len(lines) < 5_000
        assert "later" == json.loads(far.read(1 << 16))["event"]


def test_what_a_program_prints_has_no_lines_of_the_log_in_it() -> None:
    """Where nobody configured the log, it still goes to standard error."""
    said = subprocess.run(
        [sys.executable, "-c", "from belltower import log; log.get('room').warning('lost'); print('{}')"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "{}\n" == said.stdout
    assert "lost" in said.stderr
