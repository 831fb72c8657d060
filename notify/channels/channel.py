"""The contract of a channel, kept by one conformance suite over all of them (tests/notify/test_channels.py)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId
from notify.delivery import State

DEADLINE = 10.0
"""Seconds that one question to a provider may take, all told."""


class Message(Struct, frozen=True, kw_only=True, gc=False):
    """One delivery as a channel needs it."""

    delivery: DeliveryId
    notice: NoticeId
    revision: int
    address: str
    body: str
    subject: str = ""
    # When the notice was ordered.
    ordered_at: Instant = Instant(0)
    # When this attempt began.
    begun_at: Instant = Instant(0)
    # Seconds for which the message is still worth delivering.
    ttl: float = 600.0
    # Of the body; "" where it is not known.
    language: str = ""
    # Which of the channel's sender numbers it goes from, counted from 0.
    number: int = 0
    # What it is about; "": no incident.
    incident: IncidentId = IncidentId("")
    # Of its notice; "" where it is not known.
    template: str = ""


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """The provider has it. `state` is `accepted`, or what the provider says is known beyond that."""

    state: State = State.ACCEPTED
    provider_id: str = ""
    reason: str = ""


class Refused(Struct, frozen=True, kw_only=True, gc=False):
    """It will not be taken, now or later. `reason` is a code, never an address or a text."""

    reason: str
    # The fault is this provider's own: another one may well take it.
    elsewhere: bool = False


class Uncertain(Struct, frozen=True, kw_only=True, gc=False):
    """It may have been taken: the answer did not come, or says nothing."""

    reason: str


class Later(Struct, frozen=True, kw_only=True, gc=False):
    """It was surely not taken, and asking again makes sense."""

    reason: str
    # Seconds the other side asked us to wait.
    after: float | None = None
    # All messages of this channel fare alike, not only this one.
    everyone: bool = False


Answer: TypeAlias = Settled | Refused | Uncertain | Later


class Channel(Protocol):
    """A way out.

    Obligations:
    * `send` tries once, and answers within its settings' timeout whatever the other side does.
    * Silence after the message left means `Uncertain`; `Later` only if the message was surely not taken.
    * Every wait can be cancelled within a second.
    * Reads at most 64 KiB of an answer, follows no redirect.
    * No reason, exception or log line holds an address, a text or a secret.
    * Raises only for surprises. The constructor does nothing but keep its arguments.
    """

    name: str
    """sms, email, console: the kind of contact it serves."""

    async def open(self) -> None:
        """Get ready to send; does not wait for the other side."""
        ...

    async def send(self, message: Message) -> Answer:
        """Try to hand over `message`, once."""
        ...

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """Ask the provider what became of an uncertain message; None when it cannot tell.

        `known` are provider ids that belong to other deliveries. Answers within `DEADLINE` seconds.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


@runtime_checkable
class PromptChannel(Channel, Protocol):
    """One that can often begin without being waited for, which spares a task each message."""

    def begin(self, message: Message, done: Callable[[Answer], None]) -> bool:
        """Try to hand over `message`, once, if that can begin at once; `send` is for what it says False of.

        `done` is called with the answer later, never from in here, and under the obligations of `send`; `close` calls
        it for all that is still under way. Where this raises, it is not called.
        """
        ...
