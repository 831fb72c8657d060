"""Which centres are given a call, and when: all links of the first at once, a later centre's when its turn comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from belltower import log
from belltower.ids import CallId, LinkName
from belltower.tasks import unless_mistaken
from gateway.psap.coalesce import OpenCall
from gateway.psap.lane import Lane
from gateway.psap.link import FIRST_PRESS, Frame
from gateway.psap.ranges import without

_log = log.get("psap")


class _Route:
    """Which links were given a call, which refused it, and which wait for their turn."""

    def __init__(self) -> None:
        self.called: set[LinkName] = set()
        self.refused: set[LinkName] = set()
        self.waiting: dict[LinkName, tuple[Lane, asyncio.TimerHandle]] = {}

    def take(self, lane: Lane) -> bool:
        """Whether the link's turn is still to come; from now on it is not."""
        waiting = self.waiting.pop(lane.link.name, None)
        if waiting is None:
            return False
        waiting[1].cancel()
        return True

    def nearest(self) -> list[Lane]:
        """The links whose turn comes next."""
        soonest = min((lane.after for lane, _ in self.waiting.values()), default=0.0)
        return [lane for lane, _ in self.waiting.values() if lane.after == soonest]

    def close(self) -> None:
        """Nobody else's turn comes any more."""
        for _, timer in self.waiting.values():
            timer.cancel()
        self.waiting.clear()


class Routes:
    """The routes of all open calls.

    A link whose turn comes later is called when no PSAP has the call by then, or as soon as every link that was called
    has refused. A link that cannot make its frame hurts itself only.
    """

    def __init__(
        self,
        *,
        mistaken: Callable[[Lane], None],
        given: Callable[[CallId, Lane], None],
        called_off: Callable[[CallId], bool],
    ) -> None:
        """`mistaken` hears of a link that cannot make its frame, `given` of each link that was given a call.

        No further centre is given a call that is `called_off`.
        """
        self._mistaken = mistaken
        self._given = given
        self._called_off = called_off
        self._routes: dict[CallId, _Route] = {}
        # What the facts of an earlier run say: calls that a centre has, and who was called.
        self._settled_before: set[CallId] = set()
        self._told_before: set[tuple[CallId, LinkName]] = set()

    def recall(self, *, settled: Collection[CallId], told: Collection[tuple[CallId, LinkName]]) -> None:
        """Take in what an earlier run did, before its calls are begun again."""
        self._settled_before.update(settled)
        self._told_before.update(told)

    def begin(self, call: OpenCall, lanes: Sequence[Lane], frames: Mapping[LinkName, Frame]) -> None:
        """Give the call to those whose turn is now, and let the others wait for theirs."""
        loop = asyncio.get_running_loop()
        route = self._routes[call.id] = _Route()
        for lane in lanes:
            if not lane.after or (call.id, lane.link.name) in self._told_before:
                self._give(call, lane, frames.get(lane.link.name))
            elif call.id not in self._settled_before:
                due = max(call.ordered + lane.after, loop.time())
                route.waiting[lane.link.name] = lane, loop.call_at(due, self._turn, call, lane)

    def refused(self, call: OpenCall, lane: Lane) -> None:
        """A link's far end has said no; when all have that were called, the next centre's turn is now."""
        route = self._routes.get(call.id)
        if route is None:
            return
        route.refused.add(lane.link.name)
        if route.called <= route.refused:
            for late in route.nearest():
                self._turn(call, late)

    def end(self, call: CallId) -> None:
        """The call is finished."""
        if (route := self._routes.pop(call, None)) is not None:
            route.close()

    def close(self) -> None:
        """Nobody's turn comes any more."""
        for route in self._routes.values():
            route.close()

    def _turn(self, call: OpenCall, lane: Lane) -> None:
        """A later centre's turn: unless one that was called before has the call."""
        route = self._routes.get(call.id)
        if route is None or not route.take(lane):
            return
        has_it = call.acknowledged or not without(FIRST_PRESS, call.confirmed)
        if has_it or self._called_off(call.id) or not call.owed_at(asyncio.get_running_loop().time()):
            route.close()
            return
        _log.warning("next_centre_called", call=call.id, link=lane.link.name)
        self._give(call, lane, None)

    def _give(self, call: OpenCall, lane: Lane, frame: Frame | None) -> None:
        self._routes[call.id].called.add(lane.link.name)
        if not unless_mistaken(partial(_owe, lane, frame), call):
            self._mistaken(lane)
            return
        self._given(call.id, lane)


def _owe(lane: Lane, frame: Frame | None, call: OpenCall) -> bool:
    lane.ledger.order(call, now=asyncio.get_running_loop().time(), frame=frame)
    lane.bell.set()
    return True
