"""What people at the PSAP say of a call: that they have it, that they read an update back, how far responders are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from belltower.ids import CallId, LinkName
from belltower.incident.facts import (
    Fact,
    ResponseSeen,
    ResponseStatus,
    TelecommunicatorAcknowledged,
    UpdateReadBack,
)
from belltower.journal import Durability
from gateway.psap.coalesce import OpenCall
from gateway.psap.link import FIRST_PRESS, PersonAnswered, ReadBack, ResponseSaid
from gateway.psap.ranges import union
from gateway.psap.register import Register
from gateway.psap.updates import Updates

_PEOPLE = 100
_PROGRESS: dict[ResponseStatus | None, int] = {
    None: -1,
    **{status: place for place, status in enumerate(ResponseStatus)},
}

_Said = tuple[CallId, int, str]
"""A call, the update that was read back or 0 for the call itself, and who said so."""

Write = Callable[[str, Sequence[Fact]], asyncio.Future[Durability]]


class Answers:
    """Each answer is written down once, and confirmed to the centre no sooner than it is."""

    def __init__(
        self,
        *,
        register: Register,
        updates: Updates,
        write: Write,
        in_trouble: Callable[[], bool],
        answered: Callable[[CallId], None],
        read_back: Callable[[CallId, int, LinkName], None],
    ) -> None:
        self._register = register
        self._updates = updates
        self._write = write
        self._in_trouble = in_trouble
        self._answered = answered
        self._read_back = read_back
        self._people: dict[CallId, set[str]] = {}
        # Acknowledgements by people that are on their way into the journal.
        self._noting: dict[_Said, asyncio.Future[Durability]] = {}
        self._progress: dict[CallId, ResponseStatus] = {}

    def person(self, link: LinkName, heard: PersonAnswered) -> asyncio.Future[bool]:
        """A telecommunicator has a call: True once that is written down, False when there is no such call."""
        call = self._register.meant(heard.number, heard.key)
        if call is None:
            return _answer(known=False)
        said = call.id, 0, heard.by
        if self.acknowledge(call.id, heard.by):
            fact = TelecommunicatorAcknowledged(call=call.id, incident=call.incident, link=link, by=heard.by)
            self._noting[said] = self._write(call.incident, [fact])
        return self._once(said)

    def acknowledge(self, call_id: CallId, by: str) -> bool:
        """Note that this person has the call. Whether that is news."""
        call = self._register.known(call_id)
        people = self._people.setdefault(call_id, set()) if call is not None else set()
        if call is None or by in people or len(people) >= _PEOPLE:
            return False
        people.add(by)
        call.acknowledged = True
        call.confirmed = union(call.confirmed, FIRST_PRESS)
        self._answered(call_id)
        return True

    def read_back(self, link: LinkName, heard: ReadBack) -> asyncio.Future[bool]:
        """A telecommunicator has read an update back; False when it is not the one that stands."""
        call = self._register.meant(heard.number, heard.key)
        if call is None:
            return _answer(known=False)
        order = self._updates.meant(call.id, heard.update, link)
        if order is None:
            return _answer(known=False)
        said = call.id, order.update, heard.by
        if not self._updates.is_read(call.id, order.update, link):
            fact = UpdateReadBack(
                call=call.id,
                incident=call.incident,
                update=order.update,
                link=link,
                by=heard.by,
                awaiting=self._updates.awaiting(call.id, order.update, link),
            )
            self._read_back(call.id, order.update, link)
            self._noting[said] = self._write(call.incident, [fact])
        return self._once(said)

    def responders(self, link: LinkName, said: ResponseSaid) -> None:
        """The PSAP's system says how far responders are; they never come less far."""
        call = self._register.meant(said.number, said.key)
        if call is None or _PROGRESS[said.status] <= _PROGRESS[self._progress.get(call.id)]:
            return
        self.progressed(call.id, said.status)
        seen = ResponseSeen(call=call.id, incident=call.incident, link=link, status=said.status)
        self._write(call.incident, [seen])

    def progressed(self, call: CallId, status: ResponseStatus) -> None:
        """It is written down that responders are so far."""
        self._progress[call] = status

    def forget(self, call: OpenCall) -> None:
        """The call is known no more."""
        self._people.pop(call.id, None)
        self._progress.pop(call.id, None)

    def _once(self, said: _Said) -> asyncio.Future[bool]:
        """Whoever repeats it is answered no sooner than it is written down."""
        written = self._noting.get(said)
        if written is None:
            return _answer(known=True)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if written.done():
            self._noted(said, answer, written)
        else:
            written.add_done_callback(partial(self._noted, said, answer))
        return answer

    def _noted(self, said: _Said, answer: asyncio.Future[bool], written: asyncio.Future[Durability]) -> None:
        """Confirm a person's answer; not while it is in memory alone, so that the centre says it again."""
        if written.cancelled() or (written.result() is Durability.UNRECORDED and self._in_trouble()):
            answer.cancel()
            return
        self._noting.pop(said, None)
        if not answer.done():
            answer.set_result(True)


def _answer(*, known: bool) -> asyncio.Future[bool]:
    answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    answer.set_result(known)
    return answer
