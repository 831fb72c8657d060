"""Loudspeaker zones and signs, as addresses of a notice: the alarm lane is asked to let them say what stands.

What an output says is its own neutral wording of the ordered action, or of what the alarm asks for, and not the
notice's text: an output is never given free words. So it is ordered only by a notice that says what stands; whatever
takes such a notice back, ends it or only tries the way is refused. How far the order got is written down beside the
incident, and read there: what the device has confirmed is delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, Protocol

from belltower import errors
from belltower.ids import IncidentId, VerbId
from belltower.incident.facts import Fact, OutputFailed, OutputLevel, OutputOrdered, OutputReceipt
from notify.channels.channel import DEADLINE, Answer, Later, Message, Refused, Settled, Uncertain
from notify.delivery import State

_ALARMS = frozenset({"staff-alarm", "staff-action"})


class Outputs(Protocol):
    """The outputs of this campus, behind the alarm lane."""

    @property
    def names(self) -> Collection[str]:
        """All that the settings know."""
        ...

    async def order_output(self, verb_id: VerbId, incident: IncidentId, output: str) -> None:
        """Order it on, once for this id however often it is asked.

        Raises:
            Refused: the rules say no.
            NotAsked: the lane is not there.
            Unreachable: it may have been done.
        """
        ...

    async def told(self, incident: IncidentId) -> Sequence[Fact]:
        """What was written down of the incident in the alarm lane, in order. Raises `StoreError`."""
        ...


class OutputChannel:
    """Satisfies `Channel`; `name` is the kind of contact whose addresses are names of outputs."""

    def __init__(self, *, name: Literal["paging", "sign"], outputs: Outputs) -> None:
        self.name: str = name
        self._outputs = outputs

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def send(self, message: Message) -> Answer:
        """Have the output ordered on, once: the delivery's id goes with the order."""
        if message.address not in self._outputs.names:
            return Refused(reason="address")
        if not message.incident:
            return Refused(reason="no_incident")
        if not _says_what_stands(message.template):
            return Refused(reason="output_cannot_say_this")
        verb = VerbId(f"output:{message.delivery}")
        try:
            async with asyncio.timeout(DEADLINE):
                await self._outputs.order_output(verb, message.incident, message.address)
        except errors.Refused as error:
            return Refused(reason=f"alarm_lane:{type(error).__name__}")
        except errors.NotAsked:
            return Later(reason="alarm_lane:away", everyone=True)
        except (errors.LinkError, errors.StoreError, TimeoutError) as error:
            return Uncertain(reason=f"alarm_lane:{type(error).__name__}")
        return Settled(reason="ordered", provider_id=f"{message.incident}/{message.address}")

    async def fetch(self, provider_id: str) -> Settled | None:
        """How far the order is known to have got, by the outputs' own receipts beside the incident."""
        incident, _, output = provider_id.partition("/")
        found = stood(await self._outputs.told(IncidentId(incident)), output)
        return Settled(state=found.state, provider_id=provider_id, reason=found.reason)

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """Nobody can tell whether it was ordered. Ordering it again might outlive what stood then."""
        del message, known
        return None


def stood(told: Iterable[Fact], output: str) -> Settled:
    """What the receipts say of the newest order that switched the output on.

    Only what the device itself has answered is delivered; what left and was not confirmed stays accepted.
    """
    newest, found = 0, Settled(reason="ordered")
    for fact in told:
        match fact:
            case OutputOrdered(output=name, on=True, order=order) if name == output:
                newest, found = order, Settled(reason="ordered")
            case OutputReceipt(output=name, on=True, order=order) if (name, order) == (output, newest):
                if fact.level is OutputLevel.WITHHELD:
                    found = Settled(state=State.REFUSED, reason="withheld")
                elif fact.confirmed:
                    found = Settled(state=State.DELIVERED, reason="output_confirmed")
            case OutputFailed(output=name, on=True, order=order) if (name, order) == (output, newest):
                if found.state is not State.DELIVERED and fact.level in {
                    OutputLevel.WITHHELD,
                    OutputLevel.QUEUED,
                }:
                    found = Settled(state=State.REFUSED, reason="output_failed")
            case _:
                pass
    return found


def _says_what_stands(template: str) -> bool:
    return template in _ALARMS or (
        template.startswith("families.") and template.endswith((".now", ".exercise"))
    )
