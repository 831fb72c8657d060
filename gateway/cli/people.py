"""`belltower people`: the roster in force, at the command line."""

from __future__ import annotations

import click

from gateway.cli.lazy import lazy

_COMMANDS = {
    "search": ("people_search", "Find people by the beginnings of their names' words."),
    "show": ("people_show", "One person: each field with its source, and who may collect today."),
    "unreachable": ("people_unreachable", "The adults whom no notice can reach."),
    "set": ("people_set", "Change one field by hand."),
    "unset": ("people_unset", "Take back a change by hand."),
    "away": ("people_away", "Write down that somebody is elsewhere until a time."),
    "back": ("people_back", "Write down that somebody is back."),
    "collect": ("people_collect", "Write down what an order or a form says of who may collect."),
    "end-collect": ("people_end_collect", "End a record on who may collect."),
}


@click.group(
    cls=lazy(_COMMANDS),
    short_help="People of the roster: find, show, correct by hand, say who may collect.",
)
def command() -> None:
    """Find people of the roster in force, show where everything of them is from, and correct it by hand.

    What is changed by hand stays, whatever a load says, until it is taken back; a load that says otherwise yields a
    line "kept by hand". Everything is sealed at rest and written down as a fact that bears ids and no values.

    \b
    Examples:
      belltower people search nunez
      belltower people show per_01.. --json
      belltower people set per_01.. phones "202-456-1414" "202-456-1415" --by p01
      belltower people unset per_01.. phones --by p01
      belltower people away per_01.. --until 2026-03-09T15:30 --by p01
      belltower people collect per_01.. --adult per_02.. --paper court-order --says no --ends 2027-06-30 --by p01

    Run it as the lanes' user, while they run or not. Whoever may read the key ring may see everything.
    """
