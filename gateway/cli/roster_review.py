"""`belltower roster review`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from belltower.people.doubt import Doubt
    from belltower.people.roster import Human
    from belltower.people.store import RosterStore


@click.command(
    name="review", short_help="Contacts that may be the same person: list them, and say who they are."
)
@config_option
@json_option
@click.argument("question", required=False)
@click.argument("answer", required=False, type=click.Choice(["same", "other", "keep"]))
@click.option("--by", metavar="PERSON", default="", help="Who says so.")
def command(config: Path, question: str | None, answer: str | None, by: str, *, as_json: bool) -> None:
    """List the contacts without an id of their own whose address or name a load changes, or say who one of them is.

    Nothing of them changes until somebody says: what is in force stays.

    \b
      same   the same person: what the load says comes in force, and what was changed by hand stays
      other  another person: what the load says comes in force, and nothing by hand is carried over
      keep   the load is wrong: what is in force stays, until the load says something else again

    \b
    Examples:
      belltower roster review --config config.toml
      belltower roster review dbt_0f3a.. same --by p01

    The desk lane does it when it runs; where somebody would go, not while an incident is open.
    """
    if question is not None and not (answer and by):
        raise click.UsageError("say same, other or keep behind the question, and --by who says so")
    from gateway.cli.people_desk import at_the_desk

    if question is None:
        _list(asyncio.run(at_the_desk(config, listed)), as_json=as_json)
        return
    asyncio.run(_said(config, question, str(answer), by))
    emit({"question": question, "answer": answer}) if as_json else click.echo(
        f"Written down: {answer}. The desk does it."
    )


async def listed(store: RosterStore) -> list[dict[str, Any]]:
    """Those that wait, for programs: who is in force, and whom the load brings."""
    doubts = await store.doubts.open()
    known = {one.id: one.human for one in await store.known([doubt.before for doubt in doubts])}
    names = await store.names_of([doubt.student for doubt in doubts])
    return [_told(doubt, known.get(doubt.before), names.get(doubt.student, "")) for doubt in doubts]


def _told(doubt: Doubt, before: Human | None, student: str) -> dict[str, Any]:
    return {
        "question": doubt.id,
        "source": doubt.source,
        "student": doubt.student,
        "student_name": student,
        "in_force": {"person": doubt.before} | (_person(before) if before else {}),
        "load": {"person": doubt.after} | _person(doubt.coming),
    }


def _person(human: Human) -> dict[str, Any]:
    return {
        "name": " ".join(part for part in (human.given, human.family) if part),
        "phones": [phone.written for phone in human.phones],
        "emails": list(human.emails),
    }


async def _said(config: Path, question: str, answer: str, by: str) -> None:
    from belltower.clock import SystemClock
    from belltower.ids import Ids
    from belltower.people.doubt import Answer
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.people_desk import at_the_desk
    from gateway.cli.roster_taking import known

    who = await known(settings_of(config), by)
    clock = SystemClock()

    async def answered(store: RosterStore) -> None:
        await store.doubts.answer(Ids(clock=clock).verb(), question, Answer(answer), by=who, at=clock.now())

    await at_the_desk(config, answered)


def _list(found: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    from gateway.cli.output import table

    if as_json:
        for one in found:
            emit(one)
        return
    if not found:
        click.echo(
            "No contact is in doubt. A load that waits is approved by: belltower roster import --approve .. --by .."
        )
        return

    def told(one: dict[str, Any]) -> str:
        return ", ".join([one.get("name", "?"), *one.get("phones", ()), *one.get("emails", ())])

    table(
        "Perhaps the same person",
        ("question", "contact of", "in force", "the load says"),
        [(one["question"], one["student_name"], told(one["in_force"]), told(one["load"])) for one in found],
        whole=("question",),
    )
