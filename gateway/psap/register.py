"""Every call the worker knows, as it stands now, found by its id, its building or the number people say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

from belltower.ids import CallId, IncidentId
from belltower.incident.facts import AlarmJoined
from gateway.psap.case import CallCase
from gateway.psap.radio_text import key_of
from gateway.psap.ranges import NONE, Ranges, union

_FINISHED = 1_024
_EARLY = 1_024


class Register:
    """The open calls, and the last ones that are finished; `forget` hears of each that is known no more."""

    def __init__(self, *, forget: Callable[[CallId], None]) -> None:
        self._forget = forget
        self._cases: dict[CallId, CallCase] = {}
        self._finished: OrderedDict[CallId, None] = OrderedDict()
        self._buildings: dict[tuple[IncidentId, str], CallId] = {}
        self._numbers: dict[tuple[int, str], CallId] = {}
        self._latest: dict[int, CallId] = {}
        # Presses that were read before their building's order.
        self._early: OrderedDict[tuple[IncidentId, str], Ranges] = OrderedDict()

    @property
    def cases(self) -> Mapping[CallId, CallCase]:
        """Every call that is known, open or finished lately, as it stands now."""
        return self._cases

    def __iter__(self) -> Iterator[CallCase]:
        """The open ones."""
        return iter([case for call, case in self._cases.items() if call not in self._finished])

    def meant(self, number: int, key: str) -> CallCase | None:
        """The call of this number and key; without a key, the latest of this number."""
        call = self._numbers.get((number, key)) if key else self._latest.get(number)
        return self._cases[call] if call is not None else None

    def add(self, case: CallCase) -> None:
        """Know a call from now on; presses that came before its order are in it."""
        order = case.call.order
        early = self._early.pop((order.incident, order.building), NONE)
        self._cases[case.id] = case.joined(early) if early else case
        self._buildings[order.incident, order.building] = case.id
        self._numbers[order.number, key_of(case.id)] = case.id
        self._latest[order.number] = case.id

    def put(self, case: CallCase) -> None:
        """More is known of a call that is known."""
        self._cases[case.id] = case

    def join(self, joined: AlarmJoined) -> CallId | None:
        """One more press of the building. Its call, when the press is news to it."""
        press: Ranges = ((joined.number, joined.number),)
        key = joined.incident, joined.building
        call = self._buildings.get(key)
        if call is None:
            self._early[key] = union(self._early.get(key, NONE), press)
            if len(self._early) > _EARLY:
                self._early.popitem(last=False)
            return None
        before = self._cases[call]
        after = self._cases[call] = before.joined(press)
        return call if after.presses != before.presses else None

    def finish(self, case: CallCase) -> None:
        """Nothing of it is owed any more; late answers are understood for a while."""
        if case.id in self._finished:
            return
        self._buildings.pop((case.incident, case.call.order.building), None)
        self._finished[case.id] = None
        if len(self._finished) > _FINISHED:
            oldest, _ = self._finished.popitem(last=False)
            gone = self._cases.pop(oldest)
            number = gone.call.order.number
            self._numbers.pop((number, key_of(oldest)), None)
            if self._latest.get(number) == oldest:
                del self._latest[number]
            self._forget(oldest)
