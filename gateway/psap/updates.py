"""Cancellations and corrections of calls: to whoever was told of the call, until a person has read them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from belltower.clock import Instant
from belltower.ids import CallId, LinkName
from belltower.incident.facts import UpdateKind, UpdateOrdered
from belltower.tasks import unless_mistaken
from gateway.psap.coalesce import OpenCall
from gateway.psap.lane import Lane
from gateway.psap.link import Frame, Spot, update_of

KEPT_FOR = 900.0
"""Seconds for which an update is repeated to a link that does not confirm it."""


class Updates:
    """What each call's updates are owed on each link."""

    def __init__(
        self,
        *,
        lanes: Mapping[LinkName, Lane],
        spot: Callable[[UpdateOrdered], Spot | None],
        mistaken: Callable[[Lane], None],
    ) -> None:
        """`mistaken` hears of a link that cannot make its frame."""
        self._mistaken = mistaken
        self._lanes = lanes
        self._spot = spot
        self._orders: dict[CallId, dict[int, UpdateOrdered]] = {}
        self._frames: dict[CallId, dict[int, list[tuple[Lane, Frame]]]] = {}
        self._read_back: set[tuple[CallId, int]] = set()

    def order(self, order: UpdateOrdered, call: OpenCall, at: Instant) -> None:
        """Owe the update on every link that has the call or still owes it; a later update replaces an earlier one."""
        known = self._orders.setdefault(call.id, {})
        if order.update in known or (call.id, order.update) in self._read_back:
            return
        known[order.update] = order
        if order.update < max(known):
            return
        for earlier in [number for number in self._frames.get(call.id, {}) if number < order.update]:
            self._drop(call.id, earlier)
        loop = asyncio.get_running_loop()
        update = update_of(call.call, order, spot=self._spot(order), at=at)
        frames = self._frames.setdefault(call.id, {}).setdefault(order.update, [])
        for lane in self._lanes.values():
            if call.id not in lane.told and not lane.ledger.owes(call.id):
                continue
            frame = unless_mistaken(lane.link.update, update)
            if frame is None:
                self._mistaken(lane)
                continue
            frames.append((lane, frame))
            lane.notes[frame.id] = order
            lane.ledger.note(frame, after=call.id, now=loop.time())
            lane.bell.set()
        loop.call_later(KEPT_FOR, self._drop, call.id, order.update)

    def latest(self, call: CallId) -> UpdateOrdered | None:
        """The update that a person would read back now; None: there is none, or it was read back."""
        orders = self._orders.get(call)
        if not orders:
            return None
        latest = orders[max(orders)]
        return None if (call, latest.update) in self._read_back else latest

    def was_read_back(self, call: CallId, update: int) -> bool:
        """Whether a person has read this update back before; 0: any."""
        return any(
            (call, number) in self._read_back
            for number in self._orders.get(call, ())
            if update in (0, number)
        )

    def read_back(self, call: CallId, update: int) -> UpdateOrdered | None:
        """A person has read it back: it is owed no more. The order, when that is news."""
        if (call, update) in self._read_back:
            return None
        self._read_back.add((call, update))
        self._drop(call, update)
        return self._orders.get(call, {}).get(update)

    def cancelled(self, call: CallId) -> bool:
        """A person has read a cancellation of this call back."""
        orders = self._orders.get(call, {})
        return any(
            order.kind is UpdateKind.CANCEL and (call, number) in self._read_back
            for number, order in orders.items()
        )

    def forget(self, call: CallId) -> None:
        """The call is long over."""
        self._orders.pop(call, None)
        for number in list(self._frames.pop(call, {})):
            self._read_back.discard((call, number))

    def _drop(self, call: CallId, update: int) -> None:
        for lane, frame in self._frames.get(call, {}).pop(update, ()):
            lane.ledger.drop_note(frame.id)
            lane.bell.set()
