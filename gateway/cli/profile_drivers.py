"""What a driver reads is no matter of profiles; written down, it can be told all the same."""

from __future__ import annotations

import re

from belltower.errors import Malformed
from hardware.codecs import dc09, dc09_events
from hardware.profiles.compiled import Reading
from hardware.profiles.message import Message
from hardware.profiles.signal import Flag, Signal, SignalKind

_DC09 = re.compile(rb'\n?([0-9A-Fa-f]{8})("\*?[A-Z-]{3,8}"[^\r\n]{1,2000})\r?\n?')
_FIRES = frozenset({"FA", *map(str, range(110, 119))})
_KINDS = {
    dc09_events.Meaning.PANIC: SignalKind.PRESS,
    dc09_events.Meaning.MEDICAL: SignalKind.PRESS,
    dc09_events.Meaning.ALARM: SignalKind.AUX_ALARM,
    dc09_events.Meaning.CANCEL: SignalKind.CLEAR,
    dc09_events.Meaning.RESTORE: SignalKind.CLEAR,
    dc09_events.Meaning.TROUBLE: SignalKind.TROUBLE,
    dc09_events.Meaning.TEST: SignalKind.HEARTBEAT,
    dc09_events.Meaning.NOTE: SignalKind.STATE,
    dc09_events.Meaning.UNKNOWN: SignalKind.TROUBLE,
}


def driven(message: Message) -> Reading | None:
    """What the receiver of SIA DC-09 would make of a line of text; None: it is no such line."""
    found = _DC09.fullmatch(message.payload)
    if found is None:
        return None
    body, why, flags = found[2], "", frozenset[Flag]()
    made = b"\n%04X%04X%b\r" % (dc09.crc16(body), len(body), body)
    if made[1:9] != found[1].upper():
        why, flags = "its CRC or length is wrong: the receiver refuses it", frozenset({Flag.SUSPECT})
    try:
        frame = dc09.decode(made)
        signals = tuple(_signals(frame, why, flags))
    except Malformed as error:
        return Reading(why=f"SIA DC-09: {error}")
    return Reading(signals=signals, matched=True, why=why, profile="driver:dc09")


def _signals(frame: dc09.Frame, why: str, flags: frozenset[Flag]) -> list[Signal]:
    if frame.kind is dc09.Kind.NULL:
        return [Signal(kind=SignalKind.HEARTBEAT, device=frame.account, why=why, flags=flags)]
    if frame.content is None:
        sealed = "sealed: only the receiver, which has the key, reads it"
        return [Signal(kind=SignalKind.STATE, device=frame.account, why=sealed, flags=flags)]
    return [
        Signal(
            kind=_kind(frame.kind, event),
            device=frame.account,
            channel=event.zone,
            value=event.code,
            why=why,
            flags=flags,
            data={"code": event.code, "zone": event.zone, "account": frame.account},
        )
        for event in dc09_events.events_of(frame)
    ]


def _kind(kind: dc09.Kind, event: dc09_events.Event) -> SignalKind:
    meaning = dc09_events.meaning_of(kind, event)
    if meaning is dc09_events.Meaning.ALARM and event.code in _FIRES:
        return SignalKind.FIRE
    return _KINDS[meaning]
