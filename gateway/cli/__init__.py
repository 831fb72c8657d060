"""The command line, `belltower`.

    commands.py   the table of commands, loaded when they are asked for, and what each error exits with
    output.py     tables for people, JSON for programs, progress
    NAME.py       one module for each command or family of commands

It decides nothing: a command reads settings, asks a room, and prints what came of it.
"""

from __future__ import annotations

from gateway.cli.commands import main

__all__ = ["main"]
