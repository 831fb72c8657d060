"""Packets of a Polycom group page."""

from __future__ import annotations

from belltower.errors import Malformed
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable
from hardware.codecs import polycom_page
from hardware.codecs.polycom_page import Codec, Op

FORMAT = "Polycom group page"

_OPS = {
    Op.ALERT: "alert: a page is about to begin",
    Op.TRANSMIT: "transmit: sound",
    Op.END: "end: the page is over",
}
_CODECS = {Codec.PCMU: "G.711 u-law", Codec.G722: "G.722", Codec.G726QI: "G.726"}
_HEAD = 20


def likely(octets: bytes) -> int:
    """An operation, a channel of 1 to 50, and a caller's name of 13 octets."""
    if len(octets) < 7 or octets[0] not in set(Op) or octets[6] != 13 or not 1 <= octets[1] <= 50:
        return 0
    return 92 if len(octets) >= _HEAD else 50


def explain(octets: bytes) -> Explanation:
    """One packet."""
    lines = Lines(octets)
    op = next((each for each in Op if octets and each == octets[0]), None)
    lines.add(0, 1, _OPS[op] if op is not None else "an operation that is unknown")
    channel = octets[1] if len(octets) > 1 else 0
    lines.add(1, 2, f"channel {channel}: {_channel(channel)}")
    lines.add(2, min(6, len(octets)), f"sender {octets[2:6].hex()}; of two senders the lower is heard")
    lines.add(6, min(7, len(octets)), "length of the caller's name")
    name = printable(octets[7:_HEAD].rstrip(b"\0"))
    lines.add(7, min(_HEAD, len(octets)), f"caller {name}")
    if op is Op.TRANSMIT and len(octets) > _HEAD:
        codec = next((words for each, words in _CODECS.items() if each == octets[_HEAD]), "unknown")
        lines.add(_HEAD, _HEAD + 1, f"coding {octets[_HEAD]:02X}: {codec}")
        lines.add(_HEAD + 1, min(_HEAD + 2, len(octets)), "flags")
        stamp = int.from_bytes(octets[_HEAD + 2 : _HEAD + 6])
        lines.add(_HEAD + 2, min(_HEAD + 6, len(octets)), f"timestamp {stamp} of the last frame")
        lines.add(_HEAD + 6, len(octets), "the frame before and this one; of the first packet, this one only")
    else:
        lines.add(_HEAD, len(octets), "octets that do not belong there")
    try:
        packet = polycom_page.decode(octets)
    except Malformed as error:
        lines.fault(str(error))
        summary = "a page packet that is not in order"
    else:
        summary = f"{_OPS[packet.op]}; channel {packet.channel}, {_channel(packet.channel)}, from {name}"
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))


def _channel(channel: int) -> str:
    if channel in (25, 50):
        return "emergency"
    if channel in (24, 49):
        return "priority"
    return "push to talk" if 1 <= channel < 26 else "page" if 26 <= channel <= 50 else "there is none such"
