"""What an alarm report says: SIA DC-03 codes (`NPA013`) and SIA DC-05 Contact ID codes (`1120 01 013`).

    SIA:  N|O [ti12:30/] [id7/] [ri1/] .. CODE zone [^text^] [/ CODE zone ..]
    CID:  q xyz SP gg SP ccc       q: 1 new, 3 restored, 6 still there; gg: area; ccc: zone or user

Only what a person pressed for help is `Meaning.PANIC` or `Meaning.MEDICAL`; other alarms are `Meaning.ALARM`. A code
that no table here has is told by its form where that is safe, and is `Meaning.UNKNOWN` else.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs.dc09 import Frame, Kind


class Meaning(StrEnum):
    """What sort of event a code is."""

    PANIC = "panic"
    MEDICAL = "medical"
    # Fire, burglary, gas and the like: an alarm, but nobody's call for help.
    ALARM = "alarm"
    CANCEL = "cancel"
    RESTORE = "restore"
    TROUBLE = "trouble"
    TEST = "test"
    # Opened, closed, bypassed, programmed: the day's business.
    NOTE = "note"
    UNKNOWN = "unknown"


class Event(Struct, frozen=True, kw_only=True):
    """One event of a report."""

    # "PA", or "120".
    code: str
    # Contact ID: 1 new, 3 restored, 6 still there. SIA: 1 for N, 0 for O, an old one told again.
    qualifier: int = 1
    # As written: "13", "013"; empty where the event names none.
    zone: str = ""
    area: str = ""
    text: str = ""
    # What follows and was not understood.
    tail: str = ""


# Some senders leave out the slash after a modifier.
_SIA_HEAD = re.compile(r"([NO]?)((?:[a-z]{2}(?:[0-9:.,+-]*/?|[0-9:]*[A-F][0-9A-F:]*/))*)(?=[A-Z]{2})")
_AREA = re.compile(r"ri([0-9A-F]*)")
_SIA_EVENT = re.compile(r"([A-Z]{2})([0-9][0-9A-Fa-f]{0,7})?(?:\^([^\^]*)\^)?")
_CID = re.compile(r"([136])([0-9A-F]{3}) ([0-9A-F]{2}) ([0-9A-F]{3})")
_SIA_FORM = re.compile(r"[A-Z]{2}")
_CID_FORM = re.compile(r"[0-9A-F]{3}")
_EVENTS = 16


def events_of(frame: Frame) -> tuple[Event, ...]:
    """The events of a report in clear, as many as 16; none in a link test.

    Raises:
        Malformed: the payload is no report, or names another account than the frame.
    """
    if frame.content is None:
        raise ValueError("sealed content has to be opened first")
    data = frame.content.data
    if frame.kind is Kind.NULL:
        return ()
    account, bar, payload = data.partition("|")
    if not bar:
        raise Malformed("data: expected #account|event")
    if account and account.upper() != f"#{frame.account}".upper():
        raise Malformed("data: names another account than the frame does")
    if frame.kind is Kind.CID:
        return (_contact_id(payload),)
    if frame.kind is Kind.SIA:
        return _sia(payload)
    raise Malformed(f"data: an {frame.kind} has no events")


def sia_payload(event: Event) -> str:
    """The event as SIA-DCS data has it; `ValueError` for what would not be read back as the same event."""
    modifiers = f"ri{event.area}/" if event.area else ""
    text = f"^{event.text}^" if event.text else ""
    payload = f"{'N' if event.qualifier else 'O'}{modifiers}{event.code}{event.zone}{text}"
    _must_be(_sia, payload, event)
    return payload


def contact_id_payload(event: Event) -> str:
    """The event as ADM-CID data has it; `ValueError` for what would not be read back as the same event."""
    payload = f"{event.qualifier}{event.code} {event.area} {event.zone}"
    _must_be(lambda text: (_contact_id(text),), payload, event)
    return payload


def meaning_of(kind: Kind, event: Event) -> Meaning:
    """What sort of event it is."""
    if kind is Kind.CID:
        meaning = _cid_meaning(event.code)
        if event.qualifier == 3 and meaning not in _NO_RESTORE:
            return Meaning.RESTORE
        return meaning
    if (known := SIA_CODES.get(event.code)) is not None:
        return known[0]
    return _SIA_ENDINGS.get(event.code[1:], Meaning.UNKNOWN)


def says(kind: Kind, event: Event) -> str:
    """The code in plain words."""
    if kind is Kind.CID:
        known = CID_CODES.get(event.code, "a code of no table here")
        how = {1: "", 3: ", restored", 6: ", still there"}[event.qualifier]
        return f"{known}{how}"
    return SIA_CODES.get(event.code, (Meaning.UNKNOWN, "a code of no table here"))[1]


def _sia(payload: str) -> tuple[Event, ...]:
    head = _SIA_HEAD.match(payload)
    if head is None or not _SIA_EVENT.match(payload, head.end()):
        raise Malformed("data: expected N, modifiers such as ri1/, and an event code of two letters")
    area = found[1] if (found := _AREA.search(head[2])) is not None else ""
    events: list[Event] = []
    at = head.end()
    while len(events) < _EVENTS and (found := _SIA_EVENT.match(payload, at)) is not None:
        at = found.end()
        events.append(
            Event(
                code=found[1],
                qualifier=0 if head[1] == "O" else 1,
                zone=found[2] or "",
                area=area,
                text=found[3] or "",
            )
        )
        if payload[at : at + 1] != "/":
            break
        at += 1
    if at < len(payload):
        last = events[-1]
        events[-1] = Event(
            code=last.code,
            qualifier=last.qualifier,
            zone=last.zone,
            area=last.area,
            text=last.text,
            tail=payload[at:],
        )
    return tuple(events)


def _contact_id(payload: str) -> Event:
    found = _CID.fullmatch(payload)
    if found is None:
        raise Malformed("data: expected a Contact ID event such as 1120 01 013")
    return Event(code=found[2], qualifier=int(found[1]), area=found[3], zone=found[4])


def _must_be(read: object, payload: str, event: Event) -> None:
    try:
        same = callable(read) and read(payload) == (event,)
    except Malformed:
        same = False
    if not same:
        raise ValueError(f"the event {event.code} would not be read back as the same one")


def _cid_meaning(code: str) -> Meaning:
    if code in {"120", "121", "122", "123", "124", "125"}:
        return Meaning.PANIC
    if code in {"100", "101", "102"}:
        return Meaning.MEDICAL
    if code in {"137", "138", "139", "144"}:
        return Meaning.TROUBLE if code in {"137", "144"} else Meaning.ALARM
    if code == "406":
        return Meaning.CANCEL
    return _CID_CLASSES.get(code[0], Meaning.UNKNOWN)


_NO_RESTORE = frozenset({Meaning.CANCEL, Meaning.NOTE, Meaning.TEST, Meaning.UNKNOWN})

_CID_CLASSES = {
    "1": Meaning.ALARM,
    "2": Meaning.TROUBLE,
    "3": Meaning.TROUBLE,
    "4": Meaning.NOTE,
    "5": Meaning.NOTE,
    "6": Meaning.TEST,
}

# The second letter of a code of DC-03 says what happened, for the classes of zones that all have the same ones.
_SIA_ENDINGS = {
    "A": Meaning.ALARM,
    "B": Meaning.NOTE,
    "U": Meaning.NOTE,
    "H": Meaning.RESTORE,
    "R": Meaning.RESTORE,
    "J": Meaning.RESTORE,
    "T": Meaning.TROUBLE,
    "S": Meaning.TROUBLE,
}

_P, _M, _A, _C = Meaning.PANIC, Meaning.MEDICAL, Meaning.ALARM, Meaning.CANCEL
_R, _T, _X, _N = Meaning.RESTORE, Meaning.TROUBLE, Meaning.TEST, Meaning.NOTE

SIA_CODES: dict[str, tuple[Meaning, str]] = {
    "PA": (_P, "panic alarm"),
    "HA": (_P, "hold-up or duress alarm, silent"),
    "MA": (_M, "medical alarm"),
    "QA": (_M, "emergency alarm, a person needs assistance"),
    "FA": (_A, "fire alarm"),
    "BA": (_A, "burglary alarm"),
    "BV": (_A, "burglary verified"),
    "GA": (_A, "gas alarm"),
    "KA": (_A, "heat alarm"),
    "SA": (_A, "sprinkler alarm"),
    "UA": (_A, "alarm of a zone of no type"),
    "WA": (_A, "water alarm"),
    "ZA": (_A, "freeze alarm"),
    "TA": (_T, "tamper"),
    "EA": (_A, "exit alarm"),
    "JA": (_T, "user code tamper"),
    "CA": (_N, "closed automatically"),
    "OA": (_N, "opened automatically"),
    "DA": (_N, "card assigned"),
    "RA": (_T, "remote programmer could not call"),
    "NA": (_N, "no activity"),
    "IA": (_T, "equipment failure"),
    "OC": (_C, "cancelled by a user"),
    "BC": (_C, "burglary cancelled"),
    "PH": (_R, "panic alarm restored"),
    "PR": (_R, "panic zone restored"),
    "HH": (_R, "hold-up alarm restored"),
    "HR": (_R, "hold-up zone restored"),
    "MH": (_R, "medical alarm restored"),
    "MR": (_R, "medical zone restored"),
    "QH": (_R, "emergency alarm restored"),
    "QR": (_R, "emergency zone restored"),
    "FH": (_R, "fire alarm restored"),
    "FR": (_R, "fire zone restored"),
    "AR": (_R, "mains power restored"),
    "TR": (_R, "tamper restored"),
    "YR": (_R, "system battery restored"),
    "YK": (_R, "communication restored"),
    "XR": (_R, "transmitter battery restored"),
    "RR": (_N, "power up"),
    "PT": (_T, "panic zone in trouble"),
    "HT": (_T, "hold-up zone in trouble"),
    "MT": (_T, "medical zone in trouble"),
    "FT": (_T, "fire zone in trouble"),
    "AT": (_T, "mains power lost"),
    "YT": (_T, "system battery low"),
    "YC": (_T, "communication failed"),
    "YS": (_T, "communication in trouble"),
    "YM": (_T, "system battery missing"),
    "YX": (_T, "service required"),
    "XT": (_T, "transmitter battery low"),
    "XS": (_T, "radio interference"),
    "ET": (_T, "expansion in trouble"),
    "LT": (_T, "telephone line lost"),
    "LR": (_R, "telephone line restored"),
    "RP": (_X, "periodic test"),
    "RX": (_X, "manual test"),
    "RY": (_X, "test off normal"),
    "TS": (_X, "test begun"),
    "TE": (_X, "test ended"),
    "TX": (_X, "test report"),
    "FX": (_X, "fire test"),
    "BX": (_X, "burglary test"),
    "CL": (_N, "closed"),
    "OP": (_N, "opened"),
    "OR": (_N, "opened after an alarm"),
    "CI": (_N, "not closed in time"),
    "CG": (_N, "area closed"),
    "OG": (_N, "area opened"),
    "PB": (_N, "panic zone bypassed"),
    "PU": (_N, "panic zone no longer bypassed"),
    "HB": (_N, "hold-up zone bypassed"),
    "HU": (_N, "hold-up zone no longer bypassed"),
    "PS": (_T, "panic zone supervision"),
    "HS": (_T, "hold-up zone supervision"),
}
"""Codes of SIA DC-03 that schools meet, and what they mean."""

CID_CODES: dict[str, str] = {
    "100": "medical alarm",
    "101": "personal emergency",
    "102": "failed to report in",
    "110": "fire alarm",
    "111": "smoke alarm",
    "113": "water flow alarm",
    "114": "heat alarm",
    "115": "manual fire call point",
    "117": "flame alarm",
    "120": "panic alarm",
    "121": "duress alarm",
    "122": "panic alarm, silent",
    "123": "panic alarm, audible",
    "124": "duress, access granted",
    "125": "duress, egress granted",
    "130": "burglary alarm",
    "131": "perimeter alarm",
    "132": "interior alarm",
    "137": "tamper of the panel",
    "144": "tamper of a sensor",
    "150": "alarm of another kind, all day",
    "151": "gas alarm",
    "158": "high temperature",
    "159": "low temperature",
    "162": "carbon monoxide alarm",
    "300": "system trouble",
    "301": "mains power lost",
    "302": "system battery low",
    "305": "system reset",
    "309": "battery test failed",
    "311": "battery missing",
    "333": "expansion module in trouble",
    "344": "radio interference",
    "350": "communication failed",
    "351": "telephone line 1 lost",
    "352": "telephone line 2 lost",
    "353": "radio transmitter failed",
    "354": "event could not be reported",
    "373": "fire zone in trouble",
    "375": "panic zone in trouble",
    "376": "hold-up zone in trouble",
    "380": "sensor in trouble",
    "381": "radio sensor lost",
    "383": "sensor tampered with",
    "384": "radio sensor battery low",
    "400": "opened or closed",
    "401": "opened or closed by a user",
    "406": "cancelled by a user",
    "407": "opened or closed from afar",
    "570": "zone bypassed",
    "601": "manual test",
    "602": "periodic test",
    "603": "periodic radio test",
    "606": "listen-in to follow",
    "607": "walk test",
    "623": "event log 90 % full",
}
"""Codes of Contact ID that schools meet, by what they say when new."""
