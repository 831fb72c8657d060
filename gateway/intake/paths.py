"""The ways between units and intake: MQTT (our own listener or a broker) and radio (KISS). One contract."""

from __future__ import annotations

from typing import Protocol


class Path(Protocol):
    """A way back to units.

    `name` stands in the alarm's fact. `send` hands one frame for one unit to the wire without waiting and without
    raising: a unit that does not hear its acknowledgement repeats its frame.
    """

    name: str

    def send(self, number: int, frame: bytes) -> None:
        """Send `frame` to the unit with this number, if it can be reached now."""
        ...
