"""Calls whose order is being written down, with their frames: once it is, they only have to be sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from belltower.ids import CallId, LinkName
from belltower.tasks import unless_mistaken
from gateway.psap.link import Frame, LiveCall, PSAPLink

_KEPT = 256


class Foretold:
    """The last calls foretold; whoever is never ordered is forgotten."""

    def __init__(self, *, links: Sequence[PSAPLink]) -> None:
        """`links` are those that are called at once."""
        self._links = links
        self._calls: OrderedDict[CallId, tuple[LiveCall, dict[LinkName, Frame]]] = OrderedDict()

    def add(self, call: LiveCall) -> None:
        """Make the frames of a call."""
        made = {link.name: unless_mistaken(link.first, call) for link in self._links}
        self._calls[call.order.call] = (
            call,
            {name: frame for name, frame in made.items() if frame is not None},
        )
        if len(self._calls) > _KEPT:
            self._calls.popitem(last=False)

    def call(self, call: CallId) -> LiveCall | None:
        """The call, as its frames were made of it."""
        foretold = self._calls.get(call)
        return foretold[0] if foretold is not None else None

    def frames(self, call: CallId) -> Mapping[LinkName, Frame]:
        """Its frames, by link, for once."""
        return self._calls.pop(call, (None, {}))[1]
