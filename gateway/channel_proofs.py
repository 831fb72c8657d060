"""The channels' proofs from outside the desk lane: read them, and ask the running lane for a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec.structs import replace

from belltower.clock import Instant
from belltower.errors import NotFound, Refused, StoreError, Unreachable
from belltower.store import Transaction
from gateway.beside import desk_database
from gateway.settings import Settings
from notify.proof_tables import PROVEN_FOR, Asked, Proof, ProofTables, Proven
from notify.proofs import UNPROVABLE
from notify.settings import CHANNELS

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


@asynccontextmanager
async def proofs_of(settings: Settings) -> AsyncIterator[ProofTables]:
    """The desk's rows, whether or not its lane runs. Raises `NotFound` where there is no desk yet."""
    async with desk_database(settings) as database:
        yield ProofTables(database=database)


def to_prove(settings: Settings) -> dict[str, str]:
    """The channels that tests can prove, each with the kind of address it serves."""
    names = {record: name for name, record in CHANNELS.items()}
    kinds = {name: KINDS[names[type(one)]] for name, one in settings.channels.items()}
    return {name: kind for name, kind in kinds.items() if kind not in UNPROVABLE}


async def known(settings: Settings) -> dict[str, Proof]:
    """What is known of each channel. Raises `NotFound`, `StoreError`."""
    async with proofs_of(settings) as tables:
        return await tables.all()


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
