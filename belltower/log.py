"""The operators' log: one event a line, ids only.

The journal is the truth; the log helps a person find out why. Names, numbers and texts never enter it. `error` means
that a human must look; `warning` that something is mending itself, said once per change of state.
JSON on standard error, or coloured lines where that is a terminal. A line that nobody takes is dropped: a full disk
or a stalled reader of the log must neither fail a lane nor hold it up.
"""

from __future__ import annotations

import logging
import select
import sys
from contextlib import suppress
from typing import Protocol

if "rich" not in sys.modules:
    # structlog loads it to draw tracebacks, which we do not; it would be a seventh of a lane's start after a kill.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog

    del sys.modules["rich"]
import structlog

_LONGEST_LINE = select.PIPE_BUF


class Lines(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object:
        """Take this text."""
        ...

    def flush(self) -> object:
        """Pass on what was taken."""
        ...


class Willing:
    """Lines for a file, pipe or terminal, as long as it takes them at once."""

    def __init__(self, target: Lines) -> None:
        self._target = target
        self._poll: select.poll | None = None
        with suppress(AttributeError, OSError, ValueError):
            descriptor = target.fileno()  # type: ignore[attr-defined]
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)
        self.isatty = getattr(target, "isatty", bool)

    def write(self, text: str) -> None:
        """Write a line, or drop it. A pipe that is ready takes so much without waiting."""
        with suppress(OSError, ValueError):
            if self._poll is None or self._poll.poll(0):
                self._target.write(text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}\n")

    def flush(self) -> None:
        """Pass on what was written."""
        with suppress(OSError, ValueError):
            if self._poll is None or self._poll.poll(0):
                self._target.flush()


def configure(*, lane: str, level: str = "info", stream: Lines | None = None) -> None:
    """Send every log line to standard error (or `stream`), each bearing the lane's name."""
    target = Willing(stream or sys.stderr)
    terminal = bool(target.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=target),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(lane=lane)


def get(room: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one room."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=room)
    return logger


# Where nothing is configured, as in most commands: what they print is for their reader, also when it is JSON.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    logger_factory=lambda *_: structlog.WriteLogger(Willing(sys.stderr)),  # type: ignore[arg-type]
)
