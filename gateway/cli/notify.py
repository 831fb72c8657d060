"""`belltower notify`: the channels that notices go out on, proven."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {
    "test": ("notify_test", "Send a marked test by every channel and wait for what comes back."),
    "heard": ("notify_heard", "Give back the code of a test that has arrived."),
    "channels": ("notify_channels", "How well each channel is proven."),
}


@click.group(cls=lazy(_COMMANDS), short_help="Prove the channels that notices go out on.")
def command() -> None:
    """Prove the channels that notices go out on, each by a receipt from outside.

    \b
    Examples:
      belltower notify test --config config.toml
      belltower notify heard mail 4711
      belltower notify channels --json
    """
