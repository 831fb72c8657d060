"""Meshtastic frames between a computer and its node."""

from __future__ import annotations

from belltower.errors import Malformed
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable
from hardware.codecs import meshtastic
from hardware.codecs.meshtastic import (
    ConfigComplete,
    Disconnect,
    Heartbeat,
    Other,
    Packet,
    Port,
    Rebooted,
    WantConfig,
)

FORMAT = "Meshtastic"

_HEAD = 4


def likely(octets: bytes) -> int:
    """The two octets that begin each frame."""
    return 95 if octets[:2] == meshtastic.MAGIC else 0


def split(octets: bytes) -> tuple[bytes, ...]:
    """From head to head, by the stated lengths; log text belongs to the frame before it."""
    found: list[bytes] = []
    start = 0
    while start < len(octets):
        length = int.from_bytes(octets[start + 2 : start + _HEAD])
        whole = octets[start : start + 2] == meshtastic.MAGIC and length <= meshtastic.MAX_BODY
        end = octets.find(meshtastic.MAGIC, start + (_HEAD + length if whole else 1))
        end = len(octets) if end < 0 else end
        found.append(octets[start:end])
        start = end
    return tuple(found)


def explain(octets: bytes) -> Explanation:
    """One frame, to or from the node."""
    lines = Lines(octets)
    summary = ""
    if octets[:2] != meshtastic.MAGIC or len(octets) < _HEAD:
        lines.fault("octet 0: expected 94 C3 and a length of two octets")
        return _done(lines, summary)
    length = int.from_bytes(octets[2:_HEAD])
    lines.add(0, 2, "94 C3: a frame begins")
    lines.add(2, _HEAD, f"its length, {length} octets")
    body = octets[_HEAD : _HEAD + length]
    if length > meshtastic.MAX_BODY:
        lines.fault(f"octet 2: the length says {length} octets, {meshtastic.MAX_BODY} is the most")
    elif len(body) < length:
        lines.fault(f"octet 2: the length says {length} octets, {len(body)} are there")
    else:
        summary = _body(lines, body)
    lines.add(_HEAD + length, len(octets), "the node's log, or noise")
    return _done(lines, summary)


def _body(lines: Lines, body: bytes) -> str:
    """To the node or from it: the outer field numbers tell, for a packet is 1 out and 2 in."""
    faults = []
    outgoing = body[:1] not in (b"\x08", b"\x12", b"\x38", b"\x40")
    for decode in (
        (meshtastic.decode_to_radio, meshtastic.decode_from_radio)
        if outgoing
        else (meshtastic.decode_from_radio, meshtastic.decode_to_radio)
    ):
        try:
            says = _told(decode(body))
        except Malformed as error:
            faults.append(str(error).replace("Meshtastic octet", "body octet"))
            continue
        lines.add(_HEAD, _HEAD + len(body), says)
        return says
    lines.add(_HEAD, _HEAD + len(body), "a body that cannot be read")
    lines.fault(f"octet {_HEAD}: {faults[0]}")
    return ""


def _told(message: meshtastic.ToRadio | meshtastic.FromRadio) -> str:
    match message:
        case WantConfig(id=id_):
            return f"Tell me all you know, under number {id_}."
        case Heartbeat():
            return "A sign of life."
        case Disconnect():
            return "We go."
        case ConfigComplete(id=id_):
            return f"That was all, under number {id_}."
        case Rebooted():
            return "The node has started anew."
        case Other(field=field):
            return f"Field {field}, which Belltower does nothing with."
        case Packet():
            return _packet(message)


def _packet(packet: Packet) -> str:
    to = "everybody" if packet.to == meshtastic.BROADCAST else f"node {packet.to:08x}"
    head = f"Packet {packet.id:08x} to {to}"
    if not packet.decoded:
        return f"{head}, encrypted."
    match packet.port:
        case Port.TEXT | Port.ALERT:
            ack = ", an ack is wanted" if packet.want_ack else ""
            alert = "an alert" if packet.port == Port.ALERT else "a text"
            return f"{head}{ack}, {alert}: {printable(packet.payload)}."
        case Port.ROUTING:
            try:
                error = meshtastic.routing_error(packet.payload)
            except Malformed:
                return f"{head}, routing that cannot be read."
            outcome = {0: "acknowledged", None: "on its way"}.get(error, f"lost, error {error}")
            return f"{head}: packet {packet.request:08x} is {outcome}."
        case port:
            return f"{head}, application {port}, {len(packet.payload)} octets."


def _done(lines: Lines, summary: str) -> Explanation:
    return Explanation(
        format=FORMAT,
        summary=summary or "A Meshtastic frame that cannot be read.",
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )
