"""Every call the worker knows, found by its id, its building or the number people say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from belltower.ids import CallId, IncidentId
from gateway.psap.coalesce import OpenCall
from gateway.psap.radio_text import key_of
from gateway.psap.ranges import NONE, Ranges, union

_FINISHED = 1_024
_EARLY = 1_024


class Register:
    """The open calls, and the last ones that are finished; `forget` hears of each that is known no more."""

    def __init__(self, *, forget: Callable[[OpenCall], None]) -> None:
        self._forget = forget
        self._open: dict[CallId, OpenCall] = {}
        self._finished: OrderedDict[CallId, OpenCall] = OrderedDict()
        self._buildings: dict[tuple[IncidentId, str], OpenCall] = {}
        self._numbers: dict[tuple[int, str], OpenCall] = {}
        self._latest: dict[int, OpenCall] = {}
        # Presses that were read before their building's order.
        self._early: OrderedDict[tuple[IncidentId, str], Ranges] = OrderedDict()

    def __contains__(self, call: CallId) -> bool:
        return call in self._open or call in self._finished

    def __iter__(self) -> Iterator[OpenCall]:
        """The open ones."""
        return iter(self._open.values())

    def open(self, call: CallId) -> OpenCall | None:
        """The call, if it is open."""
        return self._open.get(call)

    def known(self, call: CallId) -> OpenCall | None:
        """The call, open or finished lately."""
        return self._open.get(call) or self._finished.get(call)

    def meant(self, number: int, key: str) -> OpenCall | None:
        """The call of this number and key; without a key, the latest of this number."""
        return self._numbers.get((number, key)) if key else self._latest.get(number)

    def add(self, call: OpenCall) -> None:
        """Know a call from now on; presses that came before its order are in it."""
        order = call.call.order
        call.presses = union(call.presses, self._early.pop((order.incident, order.building), NONE))
        self._open[call.id] = call
        self._buildings[order.incident, order.building] = call
        self._numbers[order.number, key_of(call.id)] = call
        self._latest[order.number] = call

    def join(self, incident: IncidentId, building: str, number: int) -> OpenCall | None:
        """One more press of the building. Its call, when the press is news to it."""
        press: Ranges = ((number, number),)
        key = incident, building
        call = self._buildings.get(key)
        if call is None:
            self._early[key] = union(self._early.get(key, NONE), press)
            if len(self._early) > _EARLY:
                self._early.popitem(last=False)
            return None
        presses = union(call.presses, press)
        if presses == call.presses:
            return None
        call.presses = presses
        return call

    def finish(self, call: OpenCall) -> None:
        """Nothing of it is owed any more; late answers are understood for a while."""
        self._open.pop(call.id, None)
        self._buildings.pop((call.incident, call.call.order.building), None)
        self._finished[call.id] = call
        if len(self._finished) > _FINISHED:
            _, gone = self._finished.popitem(last=False)
            number = gone.call.order.number
            self._numbers.pop((number, key_of(gone.id)), None)
            if self._latest.get(number) is gone:
                del self._latest[number]
            self._forget(gone)
