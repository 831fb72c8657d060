"""Loudspeaker zones and signs, as addresses of a notice: the alarm lane is asked to let them say what stands.

What an output says is its own neutral wording of the ordered action, or of what the alarm asks for, and not the
notice's text: an output is never given free words. So it is ordered only by a notice that says what stands; whatever
takes such a notice back, ends it or only tries the way is refused. How far the order got is written down beside the
incident.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Literal, Protocol

from belltower import errors
from belltower.ids import IncidentId, VerbId
from notify.channels.channel import DEADLINE, Answer, Later, Message, Refused, Settled, Uncertain

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
        return Settled(reason="ordered")

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:
        """Nobody can tell here; the incident's own receipts can. Ordering it again might outlive what stood then."""
        del message, known
        return None


def _says_what_stands(template: str) -> bool:
    return template in _ALARMS or (
        template.startswith("families.") and template.endswith((".now", ".exercise"))
    )
