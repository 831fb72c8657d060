"""The profiles that come with Belltower."""

from __future__ import annotations

from hardware.profiles.loading import shipped
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader


def test_every_shipped_profile_is_proven_by_its_examples() -> None:
    """They load, and so their examples hold."""
    profiles = shipped()

    assert {"netvox-r312", "shelly-gen2-input"} <= set(profiles)


def test_the_profile_that_knows_a_message_is_named() -> None:
    """Without a profile every one is tried."""
    reader = Reader(shipped())
    payload = (
        b'{"method":"NotifyEvent","params":{"events":[{"component":"input:0","id":0,"event":"btn_down"}]}}'
    )

    reading = reader.read(Message(topic="x1/events/rpc", payload=payload))

    assert ("shelly-gen2-input", ["press"]) == (reading.profile, [signal.kind for signal in reading.signals])
