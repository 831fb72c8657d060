"""`belltower people`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from belltower.ids import PersonId, VerbId
    from belltower.people.by_hand import HandField
    from belltower.people.editing import Editing
    from belltower.people.record import Pair, PersonRecord
    from belltower.people.store import RosterStore

T = TypeVar("T")

_FIELDS = (
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
_PAPERS = ("guardian-form", "court-order", "state-custody", "restraining-order")
_MAY = ("yes", "no", "conditional")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_by = click.option(
    "--by",
    metavar="PERSON",
    required=True,
    help="Who does it: the sign-in name or id of an account that may, or an id of people.toml while there is none.",
)
_adult = click.option("--adult", metavar="PERSON", default="", help="The adult of a link: for may_collect.")
_person = click.argument("person")
_field = click.argument("field", type=click.Choice(_FIELDS))


@click.group(short_help="People of the roster: find, show, correct by hand, say who may collect.")
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
      belltower people collect per_01.. --adult per_02.. --paper court-order --says no --ends 2027-06-30 --by p01

    Run it as the lanes' user, while they run or not. Whoever may read the key ring may see everything.
    """


@command.command()
@click.argument("name")
@click.option("--school", default="", help="Only at this school, by its key.")
@click.option("--class", "school_class", default="", help="Only in this class, by its key.")
@config_option
@json_option
def search(config: Path, name: str, school: str, school_class: str, *, as_json: bool) -> None:
    """Find people by the beginnings of their names' words; accents and case do not matter.

    \b
    Example:
      belltower people search "nunez ana" --json
    """
    found = asyncio.run(_at_desk(config, lambda store: _search(store, name, school, school_class)))
    if as_json:
        for one in found:
            emit(one)
        return
    table(
        f"{len(found)} found",
        ("person", "name", "is", "born", "grade", "schools", ""),
        [
            (
                one["person"],
                one["name"],
                one["kind"],
                one["birth_date"] or "",
                one["grade"],
                ", ".join(one["schools"]),
                "NEARLY THE SAME NAME" if one["close"] else "",
            )
            for one in found
        ],
        whole=("person",),
    )


@command.command()
@_person
@config_option
@json_option
def show(config: Path, person: str, *, as_json: bool) -> None:
    """Show one person: each field with its source, file and load, and who may collect today.

    \b
    Example:
      belltower people show per_01.. --json
    """
    told = asyncio.run(_at_desk(config, lambda store: _show(store, person, config)))
    if as_json:
        emit(told)
        return
    click.echo(f"{told['name']} ({told['kind']}), from {_origin(told['from'])}")
    rows = [
        (name, ", ".join(one["values"]), "by hand" if one["by_hand"] else "", ", ".join(one["load"]))
        for name, one in told["fields"].items()
        if one["values"] or one["by_hand"]
    ]
    table("Fields", ("field", "value", "", "the load says"), rows)
    for written in told["addresses"]:
        click.echo(f"  {written['written']}: from {_origin(written['from'])}")
    table(
        "Who may collect today" if told["kind"] == "student" else "Whom they may collect today",
        ("person", "name", "verdict", "on the word of"),
        [
            (
                one["person"],
                one["name"],
                "READ BOTH" if one["read_both"] else one["says"].upper(),
                one["source"] or "",
            )
            for one in told["collecting"]
        ],
        whole=("person", "verdict"),
    )
    records = [(record, one["name"]) for one in told["collecting"] for record in one["records"]]
    if records:
        table("Written down by hand", ("record", "of"), records, whole=("record",))


@command.command("set")
@_person
@_field
@click.argument("values", nargs=-1)
@_adult
@_by
@config_option
@json_option
def set_(
    config: Path, person: str, field: str, values: tuple[str, ...], adult: str, by: str, *, as_json: bool
) -> None:
    """Change one field by hand. Without a value: there is none. phones and emails take several.

    \b
    Examples:
      belltower people set per_01.. family Núñez --by p01
      belltower people set per_01.. may_collect no --adult per_02.. --by p01
    """
    asyncio.run(_edit(config, by, lambda hands, by: _set(hands, person, field, values, adult, by)))
    _done({"person": person, "field": field, "done": "set"}, as_json=as_json)


@command.command()
@_person
@_field
@_adult
@_by
@config_option
@json_option
def unset(config: Path, person: str, field: str, adult: str, by: str, *, as_json: bool) -> None:
    """Take back a change by hand: what the load says stands again.

    \b
    Example:
      belltower people unset per_01.. phones --by p01
    """
    asyncio.run(_edit(config, by, lambda hands, by: _unset(hands, person, field, adult, by)))
    _done({"person": person, "field": field, "done": "unset"}, as_json=as_json)


@command.command()
@click.argument("student")
@click.option("--adult", metavar="PERSON", default="", help="The adult, by id.")
@click.option("--adult-name", default="", help="The name of an adult whom no roster knows.")
@click.option("--paper", type=click.Choice(_PAPERS), required=True, help="What was seen.")
@click.option("--says", type=click.Choice(_MAY), required=True, help="Whether this adult may collect.")
@click.option("--begins", type=click.DateTime(["%Y-%m-%d"]), help="Its first day.")
@click.option("--ends", type=click.DateTime(["%Y-%m-%d"]), help="Its last day, which still counts.")
@click.option("--day", "days", multiple=True, type=click.Choice(_DAYS), help="Only on this day of the week.")
@click.option("--reference", default="", help="Where the paper lies; never its text.")
@click.option("--read", "restrictions", default="", help="What somebody has to read in it.")
@click.option("--restraining", is_flag=True, help="It keeps this adult away from the student.")
@click.option("--sealed", is_flag=True, help="Only few may see that it exists, and write it.")
@_by
@config_option
@json_option
def collect(config: Path, student: str, by: str, *, as_json: bool, **given: Any) -> None:
    """Write down what an order or a form says of who may collect a student.

    \b
    Example:
      belltower people collect per_01.. --adult per_02.. --paper guardian-form --says yes --day mon --by p01
    """
    word = asyncio.run(_edit(config, by, lambda hands, by: _collect(hands, student, by, given, config)))
    _done({"student": student, "record": word, "done": "collect"}, as_json=as_json)


@command.command("end-collect")
@click.argument("record")
@_by
@config_option
@json_option
def end_collect(config: Path, record: str, by: str, *, as_json: bool) -> None:
    """End a record on who may collect: it counts no more, and stays written down.

    \b
    Example:
      belltower people end-collect vrb_01.. --by p01
    """
    asyncio.run(_edit(config, by, lambda hands, by: _end(hands, record, by, config)))
    _done({"record": record, "done": "end-collect"}, as_json=as_json)


def _done(told: dict[str, str], *, as_json: bool) -> None:
    emit(told) if as_json else click.echo("Written down.")


def _origin(origin: dict[str, Any]) -> str:
    file = f", {origin['file']}" if origin["file"] else ""
    return f"{origin['source']}{file}, load {origin['load']}"


async def _at_desk(config: Path, work: Callable[[RosterStore], Awaitable[T]]) -> T:
    from gateway.cli.people_desk import at_the_desk

    return await at_the_desk(config, work)


async def _edit(config: Path, by: str, work: Callable[[Editing, PersonId], Awaitable[T]]) -> T:
    from belltower.clock import SystemClock
    from belltower.ids import Ids
    from belltower.people.editing import Editing
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.roster_taking import known

    who = await known(settings_of(config), by, "people-change")

    def with_hands(store: RosterStore) -> Awaitable[T]:
        clock = SystemClock()
        return work(Editing(store=store, clock=clock, ids=Ids(clock=clock)), who)

    return await _at_desk(config, with_hands)


async def _search(store: RosterStore, name: str, school: str, school_class: str) -> list[dict[str, Any]]:
    from belltower.people.record import called
    from belltower.people.roster import ClassKey, SchoolKey
    from belltower.people.search import NameIndex

    index = NameIndex(store=store)
    found = await index.search(
        name,
        school=SchoolKey(school) if school else None,
        school_class=ClassKey(school_class) if school_class else None,
    )
    known = {one.id: one.human for one in await store.known(found.people)}
    return [
        {
            "person": person,
            "name": called(known[person]),
            "kind": known[person].kind,
            "birth_date": known[person].birth_date,
            "grade": known[person].grade,
            "schools": known[person].schools,
            "close": index.close_to(person),
        }
        for person in found.people
        if person in known
    ]


async def _show(store: RosterStore, person: str, config: Path) -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    from belltower.clock import SystemClock, aware
    from belltower.ids import PersonId
    from belltower.people.record import record
    from gateway import site_package
    from gateway.cli.journal_reading import settings_of

    zone = ZoneInfo(site_package.load(settings_of(config).site.folder).timezone)
    today = aware(SystemClock().now()).astimezone(zone).date()
    return _told(await record(store, PersonId(person), on=today))


def _told(found: PersonRecord) -> dict[str, Any]:
    from belltower.people.by_hand import HandField, said
    from belltower.people.record import called

    known, human = found.known, found.known.human
    return {
        "person": known.id,
        "name": called(human),
        "kind": human.kind,
        "active": human.active,
        "schools": [key for key, _ in found.schools],
        "classes": [{"class": one.key, "title": one.title, "role": role} for one, role in found.classes],
        "from": {"source": known.source, "file": human.file, "load": known.since},
        "fields": {
            name.value: {
                "values": said(human, name),
                "by_hand": {"by": hand.by, "at": hand.at} if (hand := known.by_hand.get(name)) else None,
                "load": said(found.loaded, name),
            }
            for name in HandField
            if name is not HandField.MAY_COLLECT
        },
        "addresses": [
            {
                "written": one.written,
                "reached": bool(one.normalised),
                "from": {"source": one.source, "file": one.file, "load": one.since},
            }
            for one in known.addresses
            if one.source
        ],
        "collecting": [_pair(one, found) for one in found.pairs],
        "review": [one.id for one in found.doubts],
    }


def _pair(pair: Pair, found: PersonRecord) -> dict[str, Any]:
    link = pair.link
    return {
        "person": pair.adult if pair.student == found.known.id else pair.student,
        "name": pair.name,
        "says": pair.word.says.name.lower(),
        "source": pair.word.source,
        "outside": pair.word.outside,
        "sealed": pair.sealed,
        "close": pair.close,
        "read_both": pair.read_both,
        "link": None
        if link is None
        else {
            "relation": link.link.relation,
            "may_collect": link.link.may_collect,
            "by_hand": bool(link.by_hand),
            "from": {"source": link.source, "file": link.link.file, "load": link.since},
        },
        "records": [one.id for one in pair.words],
    }


async def _set(
    hands: Editing, person: str, field: str, values: Sequence[str], adult: str, by: PersonId
) -> None:
    whom, name, other = _of(person, field, adult)
    await hands.set(_verb(), whom, name, values, by=by, adult=other)


async def _unset(hands: Editing, person: str, field: str, adult: str, by: PersonId) -> None:
    whom, name, other = _of(person, field, adult)
    await hands.unset(_verb(), whom, name, by=by, adult=other)


async def _collect(hands: Editing, student: str, by: PersonId, given: dict[str, Any], config: Path) -> str:
    from belltower.people.editing import Paper
    from belltower.people.roster import LinkSource, MayCollect

    if given["sealed"]:
        await _may_see_sealed(config, by)
    paper = Paper(
        source=LinkSource(given["paper"]),
        may_collect=MayCollect(given["says"]),
        order_reference=given["reference"],
        restrictions=given["restrictions"],
        begins=given["begins"].date() if given["begins"] else None,
        ends=given["ends"].date() if given["ends"] else None,
        weekdays=frozenset(map(_DAYS.index, given["days"])),
        sealed=given["sealed"],
        restraining=given["restraining"],
    )
    return await hands.put_word(
        _verb(),
        _id(student),
        paper,
        by=by,
        adult=_id(given["adult"]) if given["adult"] else None,
        adult_name=given["adult_name"],
    )


async def _end(hands: Editing, record: str, by: PersonId, config: Path) -> None:
    word = await hands.store.words.get(record)
    if word is not None and word.link.sealed:
        await _may_see_sealed(config, by)
    await hands.end_word(_verb(), record, by=by)


async def _may_see_sealed(config: Path, by: str) -> None:
    from gateway.cli.journal_reading import settings_of
    from gateway.cli.roster_taking import known

    await known(settings_of(config), by, "people-disclose")


def _of(person: str, field: str, adult: str) -> tuple[PersonId, HandField, PersonId | None]:
    from belltower.people.by_hand import HandField

    return _id(person), HandField(field), _id(adult) if adult else None


def _id(person: str) -> PersonId:
    from belltower.ids import PersonId

    return PersonId(person)


def _verb() -> VerbId:
    from belltower.clock import SystemClock
    from belltower.ids import Ids

    return Ids(clock=SystemClock()).verb()
