"""What people at the PSAP say of a call: that they have it, that they read an update back, how far responders are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from belltower.ids import CallId, LinkName
from belltower.incident.facts import ResponseSeen, TelecommunicatorAcknowledged, UpdateReadBack
from belltower.journal import Durability
from gateway.psap.case import Told
from gateway.psap.link import PersonAnswered, ReadBack, ResponseSaid
from gateway.psap.register import Register

_Said = tuple[CallId, int, str]
"""A call, the update that was read back or 0 for the call itself, and who said so."""


class Say(Protocol):
    """Acts on what has become of a call, or of all calls of one frame, and writes it down."""

    def __call__(self, *told: Told) -> asyncio.Future[Durability]:
        """Act at once; what is returned resolves once it is written."""
        ...


class Answers:
    """Each answer is written down once, and confirmed to the centre no sooner than it is."""

    def __init__(self, *, register: Register, say: Say, in_trouble: Callable[[], bool]) -> None:
        self._register = register
        self._say = say
        self._in_trouble = in_trouble
        # Acknowledgements by people that are on their way into the journal.
        self._noting: dict[_Said, asyncio.Future[Durability]] = {}

    def person(self, link: LinkName, heard: PersonAnswered) -> asyncio.Future[bool]:
        """A telecommunicator has a call: True once that is written down, False when there is no such call."""
        case = self._register.meant(heard.number, heard.key)
        if case is None:
            return _answer(known=False)
        said = case.id, 0, heard.by
        if case.is_news(heard.by):
            fact = TelecommunicatorAcknowledged(call=case.id, incident=case.incident, link=link, by=heard.by)
            self._noting[said] = self._say(fact)
        return self._once(said)

    def read_back(self, link: LinkName, heard: ReadBack) -> asyncio.Future[bool]:
        """A telecommunicator has read an update back; False when it is not the one that stands."""
        case = self._register.meant(heard.number, heard.key)
        update = case.meant(heard.update, link) if case is not None else None
        if case is None or update is None:
            return _answer(known=False)
        said = case.id, update.order.update, heard.by
        if not case.read_back(update, link):
            self._noting[said] = self._say(
                UpdateReadBack(
                    call=case.id,
                    incident=case.incident,
                    update=update.order.update,
                    link=link,
                    by=heard.by,
                    awaiting=case.awaiting(update, link),
                )
            )
        return self._once(said)

    def responders(self, link: LinkName, said: ResponseSaid) -> None:
        """The PSAP's system says how far responders are; they never come less far."""
        case = self._register.meant(said.number, said.key)
        if case is not None and case.brings_nearer(said.status):
            self._say(ResponseSeen(call=case.id, incident=case.incident, link=link, status=said.status))

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
