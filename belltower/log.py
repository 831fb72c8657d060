"""The operators' log: one event a line, ids only.

The journal is the truth; the log helps a person find out why. Names, numbers and texts never enter it. `error` means
that a human must look; `warning` that something is mending itself, said once per change of state.
JSON on standard error, or coloured lines where that is a terminal.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, lane: str, level: str = "info", stream: object = None) -> None:
    """Send every log line to standard error (or `stream`), each bearing the lane's name."""
    target = stream or sys.stderr
    terminal = bool(getattr(target, "isatty", bool)())
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
        logger_factory=structlog.PrintLoggerFactory(file=target),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(lane=lane)


def get(room: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one room."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=room)
    return logger
