"""`belltower psap`: the ways to the PSAP, proven and explained."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {
    "test": ("link_test", "Send a marked test down every way to the PSAP and record what came back."),
    "decode": ("psap_decode", "Explain frames of any link in plain words; say what is wrong with a bad one."),
}


@click.group(cls=lazy(_COMMANDS), short_help="The ways to the PSAP: prove them, explain their frames.")
def command() -> None:
    """Prove the ways to the PSAP, and explain what is said on them.

    \b
    Examples:
      belltower psap test --config config.toml
      belltower psap decode capture.bin
    """
