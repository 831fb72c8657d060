"""Cancellations and corrections of calls: to whoever was told of the call, until their centre has read them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from belltower.clock import Instant
from belltower.ids import CallId, LinkName
from belltower.incident.facts import UpdateKind, UpdateOrdered
from belltower.tasks import unless_mistaken
from gateway.psap.coalesce import OpenCall
from gateway.psap.lane import Lane
from gateway.psap.link import Frame, Spot, Update, update_of

KEPT_FOR = 900.0
"""Seconds for which an update is repeated to a link that does not confirm it."""

TELEPHONE = LinkName("telephone")
"""Where one of us noted the read-back: it speaks for every centre."""


class _Standing:
    """One update: what it says, on which links it is owed or left, and which centres have read it back."""

    def __init__(self, *, order: UpdateOrdered, update: Update) -> None:
        self.order = order
        self.update = update
        self.frames: dict[LinkName, Frame] = {}
        self.left: set[LinkName] = set()
        self.read_by: set[str] = set()
        self.over = False
        self.expiry: asyncio.TimerHandle | None = None


class Updates:
    """What each call's updates are owed on each link.

    `centres` says which centre each link leads to: one centre's read-back ends the update there, and the update counts
    as read back once every centre that was given the call has said so, or somebody was told on the telephone.
    """

    def __init__(
        self,
        *,
        lanes: Mapping[LinkName, Lane],
        centres: Mapping[LinkName, str],
        spot: Callable[[UpdateOrdered], Spot | None],
        mistaken: Callable[[Lane], None],
    ) -> None:
        """`mistaken` hears of a link that cannot make its frame."""
        self._lanes = lanes
        self._centres = centres
        self._spot = spot
        self._mistaken = mistaken
        self._calls: dict[CallId, dict[int, _Standing]] = {}

    def order(self, order: UpdateOrdered, call: OpenCall, at: Instant) -> None:
        """Owe the update on every link that has the call or still owes it; a later update replaces an earlier one."""
        known = self._calls.setdefault(call.id, {})
        if order.update in known:
            return
        update = update_of(call.call, order, spot=self._spot_of(order, known), at=at)
        standing = known[order.update] = _Standing(order=order, update=update)
        if order.update < max(known):
            standing.over = True
            return
        for number, earlier in known.items():
            if number < order.update:
                self._end(earlier)
        for lane in self._lanes.values():
            if lane.ledger.told(call.id) or lane.ledger.owes(call.id):
                self._owe(standing, lane, call.id)
        standing.expiry = asyncio.get_running_loop().call_later(KEPT_FOR, self._end, standing)

    def bring(self, call: CallId, lane: Lane) -> None:
        """A link was given the call late: it is told what was said of it since."""
        standing = self._latest(call)
        if standing is not None and not standing.over:
            self._owe(standing, lane, call)

    def left(self, call: CallId, update: int, link: LinkName) -> None:
        """The update's first octet left on this link."""
        standing = self._calls.get(call, {}).get(update)
        if standing is not None:
            standing.left.add(link)

    def cancelling(self, call: CallId) -> bool:
        """A cancellation was ordered, whether or not it was read back."""
        return any(
            standing.order.kind is UpdateKind.CANCEL for standing in self._calls.get(call, {}).values()
        )

    def meant(self, call: CallId, update: int, link: LinkName) -> UpdateOrdered | None:
        """The update that a person has read back; None: there is none that they can have heard.

        Where the wire has no room for the number, 0, it is meant only if there was never another, and it left there.
        """
        known = self._calls.get(call, {})
        if update:
            standing = known.get(update)
            return standing.order if standing is not None and standing.left else None
        if len(known) != 1:
            return None
        (only,) = known.values()
        return only.order if link in only.left else None

    def is_read(self, call: CallId, update: int, link: LinkName) -> bool:
        """Whether the link's centre has read this update back already."""
        standing = self._calls.get(call, {}).get(update)
        return standing is not None and self._centre(link) in standing.read_by

    def awaiting(self, call: CallId, update: int, link: LinkName) -> tuple[str, ...]:
        """The centres that were given the call and will not have read this back once `link`'s has."""
        standing = self._calls[call][update]
        told = {self._centre(name) for name, lane in self._lanes.items() if lane.ledger.told(call)}
        return tuple(sorted(told - standing.read_by - {self._centre(link)}))

    def called_off(self, call: CallId) -> bool:
        """Every centre that was given the call has read its cancellation back."""
        told = {self._centre(name) for name, lane in self._lanes.items() if lane.ledger.told(call)}
        return any(
            standing.order.kind is UpdateKind.CANCEL and standing.read_by and told <= standing.read_by
            for standing in self._calls.get(call, {}).values()
        )

    def read_back(self, call: CallId, update: int, link: LinkName) -> list[Lane]:
        """A person has read it back: the links on which nothing of it is owed any more. Doing it twice does it once."""
        standing = self._calls.get(call, {}).get(update)
        if standing is None:
            return []
        centre = self._centre(link)
        standing.read_by.add(centre)
        if link == TELEPHONE:
            standing.read_by.update(self._centre(name) for name in self._lanes)
        heard = [lane for name, lane in self._lanes.items() if self._centre(name) in standing.read_by]
        for lane in heard:
            self._drop(standing, lane)
        return heard

    def forget(self, call: CallId) -> None:
        """The call is long over."""
        for standing in self._calls.pop(call, {}).values():
            self._end(standing)
            for name, frame in standing.frames.items():
                self._lanes[name].notes.pop(frame.id, None)

    def close(self) -> None:
        """Drop the timers."""
        for known in self._calls.values():
            for standing in known.values():
                if standing.expiry is not None:
                    standing.expiry.cancel()

    def _spot_of(self, order: UpdateOrdered, known: Mapping[int, _Standing]) -> Spot | None:
        """Where help is needed, or was said to be needed last when it is called off."""
        if order.kind is UpdateKind.PLACE:
            return self._spot(order)
        spots = [known[number].update.spot for number in sorted(known) if number < order.update]
        return next((spot for spot in reversed(spots) if spot is not None), None)

    def _latest(self, call: CallId) -> _Standing | None:
        known = self._calls.get(call)
        return known[max(known)] if known else None

    def _centre(self, link: LinkName) -> str:
        return self._centres.get(link, "")

    def _owe(self, standing: _Standing, lane: Lane, call: CallId) -> None:
        name = lane.link.name
        if name in standing.frames or self._centre(name) in standing.read_by:
            return
        frame = unless_mistaken(lane.link.update, standing.update)
        if frame is None:
            self._mistaken(lane)
            return
        standing.frames[name] = frame
        lane.notes[frame.id] = standing.order
        lane.ledger.note(frame, after=call, now=asyncio.get_running_loop().time())
        lane.bell.set()

    def _end(self, standing: _Standing) -> None:
        standing.over = True
        if standing.expiry is not None:
            standing.expiry.cancel()
        for name in standing.frames:
            self._drop(standing, self._lanes[name])

    @staticmethod
    def _drop(standing: _Standing, lane: Lane) -> None:
        frame = standing.frames.get(lane.link.name)
        if frame is not None:
            lane.ledger.drop_note(frame.id)
            lane.bell.set()
