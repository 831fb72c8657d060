"""What the `belltower people` commands that write have in common."""

from __future__ import annotations

import click

from gateway.cli.output import emit

FIELDS = (
    "given",
    "middle",
    "family",
    "preferred_given",
    "preferred_family",
    "birth_date",
    "grade",
    "language",
    "phones",
    "emails",
    "may_collect",
)
"""The fields that are changed by hand."""

by_option = click.option(
    "--by",
    metavar="PERSON",
    required=True,
    help="Who does it: the sign-in name or id of an account that may, or an id of people.toml while there is none.",
)
adult_option = click.option(
    "--adult", metavar="PERSON", default="", help="The adult of a link: for may_collect."
)
person_argument = click.argument("person")
field_argument = click.argument("field", type=click.Choice(FIELDS))


def written_down(told: dict[str, str], *, as_json: bool) -> None:
    """Say that it was done."""
    emit(told) if as_json else click.echo("Written down.")
