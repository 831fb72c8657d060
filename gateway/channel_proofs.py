"""The channels' proofs from outside the desk lane: read them, and ask the running lane for a test."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec.structs import replace

from belltower.clock import Instant, aware
from belltower.errors import NotFound, Refused, StoreError, Unreachable
from belltower.ids import PersonId
from belltower.people.person import ContactKind, Person
from belltower.store import Transaction
from gateway.beside import desk_database
from gateway.settings import Settings
from notify.proof_tables import PROVEN_FOR, Asked, Proof, ProofTables, Proven
from notify.proofs import ELSEWHERE, UNPROVABLE
from notify.settings import CHANNELS, AppriseSettings

_TAKEN_WITHIN = 15.0
_LOOK_EVERY = 0.25
_NO_TABLE = ("no such table", "does not exist")

KINDS = {
    "smtp": "email",
    "twilio": "sms",
    "vonage": "sms",
    "modem": "sms",
    "twilio-voice": "voice",
    "vonage-voice": "voice",
    "apprise": "chat",
    "web-push": "push",
    "paging": "paging",
    "sign": "sign",
    "console": "console",
}
"""The kind of address that each kind of channel serves."""


_NUMBER = (re.compile(r"\+[1-9][0-9]{6,14}"), 'a number in E.164 such as "+15550100199"')
_SHAPES = {
    "sms": _NUMBER,
    "voice": _NUMBER,
    "email": (re.compile(r"[^@\s<>]+@[^@\s<>]+"), 'a mailbox such as "it@school.example"'),
}


def misplaced_tests(settings: Settings, people: Mapping[PersonId, Person]) -> list[str]:
    """Where tests of channels cannot go, and what could stand there instead. What stands there is not repeated.

    The value of a key of `[notify] test_to` is an address of that kind, or the id of a person who has one.
    """
    kinds = {kind.value: kind.value for kind in ContactKind} | _kinds(settings)
    return [
        f"notify.test_to.{key}: {wrong}"
        for key, to in settings.notices.test_to.items()
        if (wrong := _misplaced(kinds.get(key, ""), to, people.get(PersonId(to)), settings))
    ]


def _misplaced(kind: str, to: str, person: Person | None, settings: Settings) -> str:
    """Why a test cannot go there; "" where it can."""
    if kind in ELSEWHERE:
        return (
            "loudspeakers and signs are tested beside their devices, by: belltower outputs test; take it out"
        )
    if kind == ContactKind.PUSH:  # which browsers somebody has stands in no file
        return (
            ""
            if person is not None
            else "a browser is tested by the id of its owner, a person of the site package"
        )
    if person is not None:
        has = any(contact.kind.value == kind for contact in person.contacts)
        return "" if has else f"that person has no address of the kind {kind} in the site package"
    if kind == ContactKind.CHAT:
        rooms = sorted(
            room
            for one in settings.channels.values()
            if isinstance(one, AppriseSettings)
            for room in one.rooms
        )
        return "" if to in rooms else f"no room of this name; there are {', '.join(rooms) or 'none'}"
    shape, meant = _SHAPES.get(kind, (None, ""))
    if shape is None or shape.fullmatch(to):
        return ""
    return f"neither {meant} nor the id of a person of the site package who has one"


@asynccontextmanager
async def proofs_of(settings: Settings) -> AsyncIterator[ProofTables]:
    """The desk's rows, whether or not its lane runs. Raises `NotFound` where there is no desk yet."""
    async with desk_database(settings) as database:
        yield ProofTables(database=database)


def to_prove(settings: Settings) -> dict[str, str]:
    """The channels that tests can prove, each with the kind of address it serves."""
    return {name: kind for name, kind in _kinds(settings).items() if kind not in UNPROVABLE}


def _kinds(settings: Settings) -> dict[str, str]:
    names = {record: name for name, record in CHANNELS.items()}
    return {name: KINDS[names[type(one)]] for name, one in settings.channels.items()}


async def known(settings: Settings) -> dict[str, Proof]:
    """What is known of each channel. Raises `NotFound`, `StoreError`."""
    async with proofs_of(settings) as tables:
        return await tables.all()


async def outages(settings: Settings) -> dict[str, str]:
    """By which channels nothing goes out, and why. Raises `NotFound`, `StoreError`."""
    async with proofs_of(settings) as tables:
        return {
            name: f"{one.reason}, since {aware(one.since).strftime('%H:%M:%S UTC')}"
            for name, one in (await tables.outages()).items()
        }


def check_named(settings: Settings, channel: str) -> None:
    """Raises `NotFound` for a channel that the settings do not have; it says which they have."""
    if channel not in settings.channels:
        known = ", ".join(sorted(settings.channels)) or "none"
        raise NotFound(f"There is no channel {channel!a} in the settings; known: {known}.")


def public(proof: Proof | None) -> Proof | None:
    """What programs are told: the code is for whoever has read the message."""
    return replace(proof, code="") if proof is not None else None


def stale(proof: Proof | None, now: Instant) -> bool:
    """Whether no test has proven it for 31 days."""
    return proof is None or not proof.proven_at or now - proof.proven_at >= PROVEN_FOR


def spoken(proof: Proof | None, now: Instant) -> str:
    """How well it is proven, in words."""
    if proof is None:
        return "NEVER PROVEN: belltower notify test"
    last = f"last test: {proof.outcome}{f' ({proof.detail})' if proof.detail else ''}"
    days = (now - proof.proven_at) // 86_400_000_000
    if not proof.proven_at:
        return f"NEVER PROVEN, {last}"
    if stale(proof, now):
        return f"NOT PROVEN for {days} days, {last}"
    age = f"{days} days ago" if days else "within a day"
    return f"proven {age} ({proof.proven_by})" + ("" if proof.outcome is Proven.PROVEN else f", {last}")


async def ask(tables: ProofTables, asked: Asked) -> list[str]:
    """Ask the running lane, and wait for its word: the channels that are tested.

    Raises `Refused` with the lane's own words, `Unreachable` where none runs; then nothing will be done.
    """
    tx = Transaction()
    tables.ask(tx, asked)
    try:
        await tables.database.submit(tx)
    except StoreError as error:
        if not any(words in str(error) for words in _NO_TABLE):
            raise
        raise NotFound(
            "this desk is older than tests of channels: start it once, or belltower migrate"
        ) from error
    try:
        async with asyncio.timeout(_TAKEN_WITHIN):
            while not (answer := await tables.answer_to(asked.verb)):  # noqa: ASYNC110 - another process rings no bell
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        tx = Transaction()
        tables.answer(tx, asked, "refused: nobody took it", before=Instant(0))
        await tables.database.submit(tx)
        raise Unreachable("no desk lane takes it: is belltower run running?") from None
    if answer.startswith("refused: "):
        raise Refused(answer.removeprefix("refused: "))
    return answer.split()


async def outcomes(tables: ProofTables, asked: Asked) -> Mapping[str, Proof]:
    """What has come of the tests of this asking so far."""
    return {name: proof for name, proof in (await tables.all()).items() if proof.verb == asked.verb}
