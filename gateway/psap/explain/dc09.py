"""SIA DC-09 frames: every field, the codes by name, and what is wrong with the sums, the grammar or the key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from belltower.errors import Malformed, SettingsError
from gateway.psap import dc09_text
from gateway.psap.dc09_text import Tested, Told
from gateway.psap.explain import Explanation, Line
from gateway.psap.explain._building import Lines, printable
from gateway.psap.ranges import spelt
from hardware.codecs import dc09, dc09_events
from hardware.codecs.dc09 import Content, Frame, Kind
from hardware.codecs.dc09_crypto import key_of, open_sealed
from hardware.codecs.dc09_events import Event, Meaning

FORMAT = "SIA DC-09"

_HEAD = re.compile(rb'\n?[0-9A-Fa-f]{8}"\*?[A-Z]{3}')
_INSIDE = re.compile(rb'"\*?(?:SIA-DCS|ADM-CID|NULL|ACK|NAK|DUH|RSP)"')
_UNFRAMED = re.compile(rb'"(?:ACK|NAK|DUH)"')
_SUMS = re.compile(rb"[0-9A-Fa-f]{8}")
_KINDS = {
    Kind.SIA: "a report with SIA DC-03 codes",
    Kind.CID: "a report with Contact ID codes",
    Kind.NULL: "a link test",
    Kind.ACK: "received",
    Kind.RSP: "received, and something is wanted of the sender",
    Kind.NAK: "not accepted, most often for its time; bears the receiver's time",
    Kind.DUH: "received, but it cannot be processed",
}


def likely(octets: bytes) -> int:
    """Sums in hex and an id in quotes at the head."""
    if _HEAD.match(octets):
        return 98 if octets[:1] == b"\n" else 80
    if _UNFRAMED.fullmatch(octets.strip()):
        return 70
    if octets == b"\n\r":
        return 60
    return 70 if _INSIDE.search(octets[:64]) else 0


def split(octets: bytes) -> tuple[bytes, ...]:
    """After each CR."""
    return tuple(part for part in re.split(rb"(?<=\r)", octets) if part)


def explain_with(octets: bytes, key: str) -> Explanation:
    """One frame, its sealed content opened with the key as an installer writes it."""
    if not key.strip():
        return explain(octets)
    try:
        return explain(octets, keys=(key_of(key.strip()),))
    except SettingsError as error:
        said = explain(octets)
        return Explanation(
            format=said.format, summary=said.summary, lines=said.lines, faults=(*said.faults, str(error))
        )


def explain(octets: bytes, *, keys: Sequence[bytes] = ()) -> Explanation:
    """One frame; never raises. Sealed content is opened with the first of `keys` that fits."""
    lines = Lines(octets)
    summary = _explain(octets, lines, keys)
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))


def _explain(octets: bytes, lines: Lines, keys: Sequence[bytes]) -> str:
    if octets == b"\n\r":
        lines.add(0, 2, "a line end with nothing in it; some receivers answer a wrong CRC so")
        lines.fault("octet 0: a frame without a body; it receipts nothing")
        return "an empty frame, which is no answer"
    start = 1 if octets[:1] == b"\n" else 0
    end = len(octets) - (octets[-1:] == b"\r")
    lines.add(0, start, "LF, a frame begins")
    bare = _bare(octets)
    if bare:
        end = len(octets.rstrip(b"\n"))
    if not start and not bare:
        lines.fault("octet 0: a frame begins with LF")
    if _UNFRAMED.fullmatch(octets.strip()):
        lines.add(start, end, "an answer without a frame around it; it receipts nothing")
        return f"{octets.strip().decode()} without length and CRC: some receivers say so to whom they do not know"
    body = start + 8
    sums = octets[start:body]
    if _SUMS.fullmatch(sums) is None or body > end:
        lines.add(start, end, printable(octets[start:end]))
        lines.fault(f"octet {start}: expected 4 hex digits of CRC and 4 of length")
        return "no frame"
    _sums(octets, start, body, end, lines)
    try:
        text = octets[body:end].decode("cp1252")
    except UnicodeDecodeError as error:
        lines.add(body, end, printable(octets[body:end]))
        lines.fault(f"octet {body + error.start}: not a character of Windows-1252")
        return "a frame whose text is not to be read"
    summary = _body(text, body, lines, keys)
    if octets[-1:] == b"\r":
        lines.add(end, len(octets), "CR, it ends")
    elif bare:
        lines.add(end, len(octets), "the end of the line")
        summary += " (without its LF and CR, as documents show frames; on the wire it has both)"
    else:
        lines.fault(f"octet {len(octets)}: a frame ends with CR")
    return summary


def _bare(octets: bytes) -> bool:
    """Whether it is a whole frame but for LF and CR, as documents show them."""
    text = octets.rstrip(b"\n")
    if octets[:1] == b"\n" or b"\r" in octets or not _SUMS.fullmatch(text[:8]):
        return False
    return int(text[4:8], 16) == len(text) - 8 and int(text[:4], 16) == dc09.crc16(text[8:])


def _sums(octets: bytes, start: int, body: int, end: int, lines: Lines) -> None:
    crc, length = int(octets[start : start + 4], 16), int(octets[start + 4 : body], 16)
    right = dc09.crc16(octets[body:end])
    lines.add(
        start, start + 4, f"CRC-16 of the body, {'right' if crc == right else f'but it gives {right:04X}'}"
    )
    lines.add(start + 4, body, f"length of the body: {length} octets")
    if crc != right:
        lines.fault(f"octet {start}: CRC is {crc:04X}, the octets give {right:04X}")
    if length != end - body:
        written = octets[start + 4 : body].decode()
        lines.fault(
            f"octet {start + 4}: length says {written} = {length}, the body has {end - body} octets at octet {body}"
        )


def _body(text: str, at: int, lines: Lines, keys: Sequence[bytes]) -> str:
    """The head of the body, field by field; then its content."""
    fields: dict[str, str] = {}
    here = 0
    for name, pattern, expected in _FIELDS:
        found = pattern.match(text, here)
        if found is None:
            lines.add(at + here, at + len(text), printable(text[here:].encode("cp1252")))
            lines.fault(f"octet {at + here}: expected {expected}")
            return "a frame that breaks off" if here else "no frame"
        fields[name] = found[0]
        lines.add(at + here, at + found.end(), _says(name, found[0]))
        here = found.end()
    kind = Kind(fields["id"].strip('"*'))
    account = fields["account"].lstrip("#") if fields["account"] != "A0" else ""
    sequence = int(fields["sequence"])
    if not account and kind is not Kind.NAK:
        lines.fault(f"octet {at + here - 3}: only a NAK may have A0 in place of #account")
    head = f"{fields['id'].strip(chr(34))} {sequence:04}" + (f" of account {account}" if account else "")
    if fields["id"].startswith('"*'):
        told = _sealed(kind, account, text[here:], at + here, lines, keys)
    else:
        told = _clear(kind, account, text[here:], at + here, lines)
    return f"{head}: {told or _KINDS[kind]}"


_FIELDS = (
    (
        "id",
        re.compile(r'"\*?(?:SIA-DCS|ADM-CID|NULL|ACK|NAK|DUH|RSP)"'),
        'an id such as "SIA-DCS" in quotes',
    ),
    ("sequence", re.compile(r"[0-9]{4}"), "4 digits of sequence number"),
    ("receiver", re.compile(r"(?:R[0-9A-Fa-f]{1,6})?"), "R and 1 to 6 hex digits of receiver number"),
    (
        "line",
        re.compile(r"L(?:[0-9A-Fa-f]{1,6}?(?=A0\[)|[0-9A-Fa-f]{1,6})"),
        "L and 1 to 6 hex digits of line number",
    ),
    ("receiver after", re.compile(r"(?:R(?:[0-9A-Fa-f]{1,6}?(?=A0\[)|[0-9A-Fa-f]{1,6}))?"), "the account"),
    ("account", re.compile(r"#[0-9A-Fa-f]{3,16}|A0"), "# and 3 to 16 hex digits of account"),
    ("bracket", re.compile(r"\["), "the bracket before the content"),
)


def _says(name: str, value: str) -> str:
    match name:
        case "id":
            sealed = ", its content sealed with AES" if "*" in value else ""
            return _KINDS[Kind(value.strip('"*'))] + sealed
        case "sequence":
            return (
                "number 0, as link tests and NAKs have it"
                if value == "0000"
                else f"number {int(value)}; the answer bears the same"
            )
        case "receiver" | "receiver after":
            return f"receiver number {value[1:]}"
        case "line":
            return f"line number {value[1:]}"
        case "account":
            return f"account {value[1:]}" if value != "A0" else "no account"
        case _:
            return "the content begins"


class _Content(Struct, frozen=True, kw_only=True):
    """Content in clear, piece by piece: first and last octet of each with what it says, faults, and a summary."""

    pieces: tuple[tuple[int, int, str], ...]
    faults: tuple[str, ...]
    summary: str


def _clear(kind: Kind, account: str, text: str, at: int, lines: Lines) -> str:
    content = _content(kind, account, text, at)
    for first, last, says in content.pieces:
        lines.add(at + first, at + last, says)
    for fault in content.faults:
        lines.fault(fault)
    return content.summary


def _sealed(kind: Kind, account: str, text: str, at: int, lines: Lines, keys: Sequence[bytes]) -> str:
    if re.fullmatch(r"(?:[0-9A-Fa-f]{32})+", text) is None:
        lines.add(at, at + len(text), printable(text.encode("cp1252")))
        lines.fault(
            f"octet {at}: sealed content is hex digits, a multiple of {2 * dc09.BLOCK}; here are {len(text)} characters"
        )
        return ""
    size = len(text) // 2
    frame = Frame(kind=kind, account=account, content=None, sealed=bytes.fromhex(text))
    fault = ""
    for key in keys:
        try:
            opened = open_sealed(frame, key, lenient=kind in dc09.ANSWERS).content or Content()
        except Malformed as error:
            fault = str(error)
            continue
        lines.add(at, at + len(text), f"{size} octets sealed with AES-{8 * len(key)}; the key opens them:")
        inside = dc09.write_content(opened)
        content = _content(kind, account, inside, 0)
        for first, last, says in content.pieces:
            lines.found.append(Line(at=at + len(text), octets=b"", says=f"{inside[first:last]}  {says}"))
        for inner in content.faults:
            lines.faults.append(f"sealed content, {inner}")
        if opened.stamp is None:
            lines.fault(f"octet {at}: sealed content without a time; a receiver refuses it")
        return content.summary
    lines.add(at, at + len(text), f"{size} octets sealed with AES-CBC; only the account's key opens them")
    if fault:
        lines.fault(f"octet {at}: {fault}")
    return ""


def _content(kind: Kind, account: str, text: str, at: int) -> _Content:
    faults: list[str] = []
    if control := re.search("[\x00-\x1f\x7f]", text):
        faults.append(f"octet {at + control.start()}: a control character")
    end = text.find("]")
    if end < 0:
        faults.append(f"octet {at + len(text)}: expected ']' after the data")
        return _Content(pieces=((0, len(text), "data that breaks off"),), faults=tuple(faults), summary="")
    pieces, summary = _data(kind, account, text[:end], at, faults)
    pieces.append((end, end + 1, "the data ends"))
    here = end + 1
    while (block := _BLOCK.match(text, here)) is not None:
        meaning = dc09.EXTRAS.get(block[1], "a block of no known meaning")
        ours = _ours(block[2]) if block[1] == "I" else ""
        summary = summary + f"; {ours}" if ours else summary
        pieces.append((here, block.end(), f"{meaning}: {block[2]}" + (f" ({ours})" if ours else "")))
        here = block.end()
    rest = text[here:]
    if rest:
        try:
            stamp = dc09.read_content(f"]{rest}", at=at + here - 1).stamp
        except Malformed as error:
            faults.append(str(error))
            pieces.append((here, len(text), "not understood"))
        else:
            pieces.append(
                (here, len(text), "the receiver's time, UTC" if kind in dc09.ANSWERS else "sent at, UTC")
            )
            if kind is Kind.NAK and stamp is not None:
                summary = f"not accepted; the receiver's clock says {rest[1:]} UTC"
    return _Content(pieces=tuple(pieces), faults=tuple(faults), summary=summary)


_BLOCK = re.compile(r"\[([A-Z])([^\[\]]*)\]")


def _data(
    kind: Kind, account: str, data: str, at: int, faults: list[str]
) -> tuple[list[tuple[int, int, str]], str]:
    if not data:
        return [], ""
    if kind not in {Kind.SIA, Kind.CID}:
        return [(0, len(data), "data")], ""
    mine, bar, _ = data.partition("|")
    pieces = [(0, len(mine), "the account again")] if bar and mine else []
    if bar:
        pieces.append((len(mine), len(mine) + 1, "the event follows"))
    content = Content(data=data)
    try:
        events = dc09_events.events_of(Frame(kind=kind, account=account or "000", content=content))
    except Malformed as error:
        faults.append(f"octet {at}: {error}")
        return [*pieces, (len(mine) + len(bar), len(data), "not understood")], ""
    told = "; ".join(_event(kind, event) for event in events)
    for event in events:
        meaning = dc09_events.meaning_of(kind, event)
        if meaning is Meaning.UNKNOWN:
            faults.append(f"octet {at}: {event.code} is a code of no table here")
        if event.tail:
            faults.append(f"octet {at + len(data) - len(event.tail)}: not understood: {event.tail}")
    return [*pieces, (len(mine) + len(bar), len(data), told)], told


def _event(kind: Kind, event: Event) -> str:
    told = [f"{event.code} {dc09_events.says(kind, event)}"]
    if kind is Kind.SIA and event.qualifier == 0:
        told.append("told again")
    if event.zone:
        told.append(f"zone {event.zone}")
    if event.area:
        told.append(f"area {event.area}")
    if event.text:
        ours = _ours(event.text)
        told.append(f'text "{event.text}"' + (f": {ours}" if ours else ""))
    return ", ".join(told)


def _ours(text: str) -> str:
    """Our own words in an event's text, spelt out."""
    match dc09_text.parse(text):
        case Tested(number=number, key=key):
            return f"marked test {number}, key {key}; nobody needs help"
        case Told() as told:
            mark = "EXERCISE, " if told.exercise else ""
            head = f"{mark}call {told.number} of incident {told.incident}, key {told.key}"
            if told.cancelled:
                return f"{head}, is cancelled"
            if told.now:
                return f"{head}, is at {told.now} now"
            return f"{head}, presses {spelt(told.presses)}" if told.presses else f"{head}, at {told.place}"
        case None:
            return ""
