"""Drivers: what speaks to devices. Here the two ways in which units reach us over MQTT, and alarm panels by DC-09.

mqtt_listener   our own server: the embedded default; its PUBACK leaves after the commit
mqtt_session    one client's connection to it
mqtt_registry   what its connections share: who is here, who wants which topic, what was counted
mqtt_reasons    what it answers
mqtt_broker     a client of an existing broker; acknowledges to it after the commit
mqtt_link       one connection of that client
modem           a GSM or LTE modem: short messages out and in
tetra_radio     a TETRA radio's data port
at_dialogue     what both speak: one command at a time
dc09_receiver   a receiver of alarm panels' reports, SIA DC-09
dc09_judge      whose a report is, whether it is fresh, and what to answer
webhook         devices that call a URL: signed, or from named addresses; answered after the commit
tcp_json        devices that connect and write JSON
serial_lines    devices that write lines of text
rate, sources   how much an address may say, and which may

Both MQTT ways keep one contract, `MQTTIntake`. Topics of own units: `up/UNIT` (unit to us, QoS 1), `down/UNIT` (us to unit),
`state/UNIT` (retained last will, `online` or `offline`, a hint only).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct


class Received(Struct, frozen=True, kw_only=True):
    """A message from outside. Nothing in it is proven but, with our own listener, who sent it."""

    client: str
    """The client that sent it; empty behind a broker, which does not say."""
    topic: str
    payload: bytes
    retain: bool
    """It was stored earlier and is not news. A live message is never marked, whatever flag its sender set."""
    dup: bool
    """The sender says that it sent this before. A hint: repeats may come without it."""
    qos: int


OnPublish = Callable[[Received], "asyncio.Future[Any] | None"]
"""What is done with a message. Called on the loop; must not block.

None: acknowledge at once. A future: acknowledge when it resolves without exception, its result is ignored. An
exception or a cancelled future: no acknowledgement, and the connection is dropped so that the sender repeats.
"""


TLS = Callable[[], ssl.SSLContext]
"""Makes the context of a connection's TLS. Asked whenever a wire is opened; raises LinkError when it cannot."""


class MQTTIntake(Protocol):
    """A way in over MQTT.

    Obligations:

    * a QoS 1 message is acknowledged only after the future of its `OnPublish` has resolved, and never when that failed;
    * everything that comes in before that may come again: `OnPublish` sees a message at least once;
    * wills are handed to the same `OnPublish` under the will's topic;
    * what a client may not publish never reaches `OnPublish`;
    * memory is bounded whatever is sent.
    """

    async def run(self) -> None:
        """Take messages in until cancelled. Raises LinkError when the way is lost: mendable."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Send to whoever is connected and wants `topic`; False when nobody could take it.

        True says that it was handed to a connection, no more: only the unit's own authenticated answer is proof.
        """
        ...
