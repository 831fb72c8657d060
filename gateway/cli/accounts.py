"""`belltower accounts`: who may sign in, and what they may do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.clock import Instant, aware
from belltower.errors import NotFound
from gateway.cli.output import config_option, count, emit, json_option, table

if TYPE_CHECKING:
    from belltower.ids import PersonId
    from gateway.web.grant_store import Listed
    from gateway.web.grants import Grants

_who = click.argument("who")
_role = click.argument("role")


@click.group(short_help="Who may sign in, and what they may do.")
def command() -> None:
    """Accounts of the live page: who may sign in, which roles they have, and where.

    \b
    Examples:
      belltower accounts list
      belltower accounts give tom office
      belltower accounts give tom office --school 0042
      belltower accounts take tom office
      belltower accounts close tom

    WHO is a sign-in name or an id. Run it as the lanes' user, while they run; what is changed counts at once and is
    written down. Nobody can take away the last administrator. New people: belltower invite.
    """


@command.command("list")
@config_option
@json_option
def list_(config: Path, *, as_json: bool) -> None:
    """List every account with its roles; with --json one object a line.

    \b
    Example:
      belltower accounts list --json
    """
    _tell(asyncio.run(_with(config, lambda grants: grants.listed())), as_json=as_json)


@command.command()
@_who
@_role
@click.option("--school", "schools", multiple=True, help="Only for this school, by its key in the roster.")
@config_option
@json_option
def give(who: str, role: str, schools: tuple[str, ...], config: Path, *, as_json: bool) -> None:
    """Give WHO a ROLE: everywhere, or for the schools that are named, in the place of where they had it before.

    \b
    Example:
      belltower accounts give tom office --school 0042 --school 0043
    """
    from belltower.people.grant import Grant
    from gateway.cli.journal_reading import settings_of
    from gateway.invitation import check_schools

    async def giving(grants: Grants, person: PersonId) -> None:
        await check_schools(settings_of(config), schools)
        await grants.give(Grant(person=person, role=role, schools=frozenset(schools)))

    _change(config, who, giving, as_json=as_json)


@command.command()
@_who
@_role
@config_option
@json_option
def take(who: str, role: str, config: Path, *, as_json: bool) -> None:
    """Take a ROLE of WHO away, wherever they had it.

    \b
    Example:
      belltower accounts take tom office
    """
    _change(config, who, lambda grants, person: grants.take(person, role), as_json=as_json)


@command.command()
@_who
@config_option
@json_option
def close(who: str, config: Path, *, as_json: bool) -> None:
    """Let WHO sign in no more, and sign their browsers out. The account stays in the records.

    \b
    Example:
      belltower accounts close tom
    """

    async def closing(grants: Grants, person: PersonId) -> None:
        await grants.close(person)

    _change(config, who, closing, as_json=as_json)


@command.command()
@_who
@config_option
@json_option
def reopen(who: str, config: Path, *, as_json: bool) -> None:
    """Let WHO sign in again, with the roles of before.

    \b
    Example:
      belltower accounts reopen tom
    """
    _change(config, who, lambda grants, person: grants.reopen(person), as_json=as_json)


@command.command("sign-out")
@_who
@config_option
@json_option
def sign_out(who: str, config: Path, *, as_json: bool) -> None:
    """Sign all browsers of WHO out: a device was lost, perhaps.

    \b
    Example:
      belltower accounts sign-out tom

    A screen that stands open hears nothing more within five minutes, and opens nothing from now on.
    """

    async def ending(grants: Grants, person: PersonId) -> None:
        await grants.end_sessions(person)

    _change(config, who, ending, as_json=as_json)


async def _with(config: Path, asking: Callable[[Grants], Awaitable[list[Listed]]]) -> list[Listed]:
    from gateway.cli.journal_reading import settings_of
    from gateway.invitation import grants_beside

    async with grants_beside(settings_of(config)) as grants:
        return await asking(grants)


def _change(
    config: Path, who: str, change: Callable[[Grants, PersonId], Awaitable[None]], *, as_json: bool
) -> None:
    """Do it, and print the account as it is then."""

    async def changing(grants: Grants) -> list[Listed]:
        one = _named(await grants.listed(), who)
        await change(grants, one.person)
        return [_named(await grants.listed(), one.person)]

    _tell(asyncio.run(_with(config, changing)), as_json=as_json)


def _named(accounts: list[Listed], who: str) -> Listed:
    found = next((one for one in accounts if who in (one.person, one.sign_in)), None)
    if found is None:
        known = ", ".join(one.sign_in for one in accounts[:20]) or "none"
        raise NotFound(f'there is no account "{who}"; known: {known}')
    return found


def _tell(accounts: list[Listed], *, as_json: bool) -> None:
    if as_json:
        for one in accounts:
            emit(
                {
                    "person": one.person,
                    "sign_in": one.sign_in,
                    "name": one.name,
                    "open": one.closed_at is None,
                    "sessions": one.sessions,
                    "seen": _time(one.seen_at),
                    "roles": [{"role": each.role, "schools": sorted(each.schools)} for each in one.grants],
                }
            )
        return
    table(
        count(len(accounts), "account"),
        ("sign-in", "name", "roles", "signed in", "id"),
        [
            (
                one.sign_in,
                one.name,
                _roles(one),
                count(one.sessions, "browser") if one.sessions else "no",
                one.person,
            )
            for one in accounts
        ],
        whole=("id",),
    )


def _roles(one: Listed) -> str:
    if one.closed_at is not None:
        return "CLOSED"
    return (
        ", ".join(
            f"{each.role} at {' '.join(sorted(each.schools))}" if each.schools else each.role
            for each in one.grants
        )
        or "none"
    )


def _time(at: Instant | None) -> str:
    return aware(at).isoformat(timespec="seconds") if at is not None else ""
