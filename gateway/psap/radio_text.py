"""What is said on the radio link, as pure text: the grammar of docs/psap-radio.md and its MAC.

A person with a stock APRS radio can read it; a machine can prove it. A text is what stands between the second colon
and the `{id` of an APRS message, and ends with ` #` and 16 characters of MAC. `#` and not `~`: APRS 1.01, chapter 14,
forbids `|`, `~` and `{` in a message text.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from base64 import urlsafe_b64encode
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256

from msgspec import Struct

from belltower.errors import Malformed
from belltower.incident.facts import AlarmKind, UpdateKind
from gateway.psap.link import (
    Call,
    ExerciseCall,
    ExerciseMore,
    ExerciseUpdate,
    LinkTest,
    LiveCall,
    LiveMore,
    LiveUpdate,
    More,
    Update,
)
from gateway.psap.ranges import Ranges, spelt
from hardware.codecs import aprs

CAPACITY = 221
"""Characters of text before the MAC, so that the AX.25 information field stays within 256 octets."""

EXERCISE = "EXERCISE "
_MAC_LENGTH = 16
_MARK = " #"
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER = r"[0-9]{1,19}"
_KINDS = "|".join(kind.upper() for kind in AlarmKind)
_RANGE = rf"{_NUMBER}(?:-{_NUMBER})?"
_ITEM = rf"[A-Za-z0-9.-]{{1,10}}/{_NUMBER} {_RANGE}(?:,{_RANGE})*"
_PLACE = r"[A-Za-z0-9 .'&+?-]{1,32}"
_WHERE = rf"call ({_NUMBER}), inc ({_NUMBER}), bldg ([A-Za-z0-9.-]{{1,10}})"
_CALL = re.compile(rf"({_KINDS}) ({_PLACE}) \({_WHERE}, press 1, key ([0-9A-Z]{{8}})\)")
_UPDATE = re.compile(
    rf"(CANCEL|CORRECT) ({_KINDS}) ({_PLACE})(?:, was ({_PLACE}))? "
    rf"\({_WHERE}, update ({_NUMBER}), key ([0-9A-Z]{{8}})\)"
)
_TEST = re.compile(rf"TEST ({_NUMBER}) key ([0-9A-Z]{{8}}), nobody needs help")
_MORE = re.compile(rf"MORE inc ({_NUMBER}), key ([0-9A-Z]{{8}}): ({_ITEM}(?:; {_ITEM})*)")
_PING = re.compile(r"PING ([0-9a-f]{8})")
_HUMAN = re.compile(rf"HUMAN call ({_NUMBER}) key ([0-9A-Z]{{8}}) by ([A-Za-z0-9-]{{1,16}})")
_READ_BACK = re.compile(
    rf"READBACK call ({_NUMBER}) update ({_NUMBER}) key ([0-9A-Z]{{8}}) by ([A-Za-z0-9-]{{1,16}})"
)
_SIGNED = re.compile(r"([ -z}]{1,221}) #([A-Za-z0-9_-]{16})")
_TAIL = re.compile(r"#([A-Za-z0-9_-]{16})")


class Direction(IntEnum):
    """Which way a text goes; inside the MAC, so that nothing can be reflected."""

    TO_PSAP = 1
    FROM_PSAP = 2


class Ends(Struct, frozen=True, kw_only=True):
    """The two stations as written on the air: call sign, or call sign, hyphen, SSID."""

    sender: str
    addressee: str


class CallText(Struct, frozen=True, kw_only=True):
    """A call as the centre reads it."""

    exercise: bool
    kind: AlarmKind
    place: str
    number: int
    incident: int
    building: str
    key: str


class MoreText(Struct, frozen=True, kw_only=True):
    """Further presses: building, call number and ranges."""

    exercise: bool
    incident: int
    key: str
    items: tuple[tuple[str, int, Ranges], ...]


class CancelText(Struct, frozen=True, kw_only=True):
    """Help is not needed for this call; it counts once a telecommunicator has read it back."""

    exercise: bool
    kind: AlarmKind
    place: str
    number: int
    incident: int
    building: str
    # The n-th update of this call, from 1.
    update: int
    key: str


class CorrectText(Struct, frozen=True, kw_only=True):
    """Help is needed at `place` and not where the call said."""

    exercise: bool
    kind: AlarmKind
    place: str
    was: str
    number: int
    incident: int
    building: str
    update: int
    key: str


class LinkTestText(Struct, frozen=True, kw_only=True):
    """The marked test of the whole road; no call."""

    number: int
    key: str


class PingText(Struct, frozen=True, kw_only=True):
    """Are you there? The nonce makes an old answer worthless."""

    nonce: str


class HumanText(Struct, frozen=True, kw_only=True):
    """A telecommunicator has the call."""

    number: int
    key: str
    by: str


class ReadBackText(Struct, frozen=True, kw_only=True):
    """A telecommunicator has read this update of the call back."""

    number: int
    update: int
    key: str
    by: str


Text = CallText | MoreText | CancelText | CorrectText | LinkTestText | PingText | HumanText | ReadBackText


# ---- writing


def call_text(call: Call) -> str:
    """The text of the call itself."""
    match call:
        case LiveCall():
            return _call(call)
        case ExerciseCall():
            return EXERCISE + _call(call)


def more_text(more: More) -> tuple[str, tuple[tuple[Call, Ranges], ...]]:
    """The text of a summary, and what of it found room. All items must be of the first one's incident."""
    match more:
        case LiveMore(items=items):
            return _more("", items)
        case ExerciseMore(items=exercise_items):
            return _more(EXERCISE, exercise_items)


def update_text(update: Update) -> str:
    """The text of a cancellation or correction."""
    match update:
        case LiveUpdate():
            return _update(update)
        case ExerciseUpdate():
            return EXERCISE + _update(update)


def test_text(test: LinkTest) -> str:
    """The text of a marked test. It says in plain words that it is none of the things it could be taken for."""
    return f"TEST {test.number} key {key_of(test.key)}, nobody needs help"


def ping_text(nonce: str) -> str:
    """The text of a heartbeat; `nonce` is 8 hex digits."""
    return f"PING {nonce}"


def human_text(number: int, key: str, by: str) -> str:
    """The text of a telecommunicator's acknowledgement."""
    return f"HUMAN call {number} key {key} by {by}"


def read_back_text(number: int, update: int, key: str, by: str) -> str:
    """The text of a telecommunicator's having read an update back."""
    return f"READBACK call {number} update {update} key {key} by {by}"


def key_of(id_: str) -> str:
    """The last 8 characters of a call's or incident's id: 40 random bits that tie an answer to it."""
    return re.sub(r"[^0-9A-Z]", "0", id_.upper()[-8:]).rjust(8, "0")


def call_frame_id(number: int) -> str:
    """The message id of a call: derived from its number, so that it survives everything without being stored."""
    return "C" + _base36(number)


def update_frame_id(update: Update) -> str:
    """The message id of an update: derived from its call and its number, so that it needs no memory."""
    return text_frame_id("U", f"{update.call.order.call}/{update.order.update}")


def text_frame_id(letter: str, text: str) -> str:
    """The message id of any other text: derived from the text."""
    return letter + _base36(int.from_bytes(sha256(text.encode()).digest()[:8]))


@lru_cache(maxsize=4096)
def plain(text: str, *, room: int) -> str:
    """`text` in the characters of a place on the air: accents dropped, the forbidden replaced, never empty."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9 .'&+?-]", "-", ascii_only)
    return " ".join(kept.split())[:room].strip() or "?"


@lru_cache(maxsize=1024)
def short(building: str) -> str:
    """A building's name as one word of at most 10 characters; `-` for none."""
    return re.sub(r"[^A-Za-z0-9.]", "-", plain(building, room=10)) if building.strip() else "-"


# ---- signing


def signed(key: bytes, direction: Direction, ends: Ends, text: str, frame_id: str) -> str:
    """`text` with its MAC."""
    return text + _MARK + _mac(key, direction, ends, f"{text}{{{frame_id}".encode())


def digest(signed_text: str, frame_id: str) -> bytes:
    """What an answer must prove to have read."""
    return sha256(f"{signed_text}{{{frame_id}".encode()).digest()


def answer(
    key: bytes, direction: Direction, ends: Ends, frame_id: str, read: bytes, *, positive: bool
) -> aprs.Ack | aprs.Reject:
    """An acknowledgement or rejection with its MAC over the digest of what was read."""
    kind = aprs.Ack if positive else aprs.Reject
    mac = _mac(key, direction, ends, _answered(frame_id, read, positive=positive))
    return kind(addressee=ends.addressee, id=frame_id, tail="#" + mac)


def opened(key: bytes, direction: Direction, ends: Ends, body: str, frame_id: str) -> str:
    """The text of a signed body, its MAC checked before anything is parsed.

    Raises:
        Malformed: there is no MAC, or it is not the right one.
    """
    found = _SIGNED.fullmatch(body)
    if found is None:
        raise Malformed("radio text: expected printable characters, ' #' and 16 characters of MAC")
    text, mac = found.groups()
    if not hmac.compare_digest(mac, _mac(key, direction, ends, f"{text}{{{frame_id}".encode())):
        raise Malformed("radio text: the MAC does not fit the text, its id or its stations")
    return str(text)


def proven(key: bytes, direction: Direction, ends: Ends, packet: aprs.Ack | aprs.Reject, read: bytes) -> bool:
    """Whether the MAC in the packet's tail shows that the other end read exactly that."""
    found = _TAIL.fullmatch(packet.tail)
    if found is None or packet.addressee != ends.addressee:
        return False
    said = _answered(packet.id, read, positive=isinstance(packet, aprs.Ack))
    return hmac.compare_digest(found[1], _mac(key, direction, ends, said))


# ---- reading


def parse(text: str) -> Text:
    """What an opened text says.

    Raises:
        Malformed: it follows no rule of the grammar.
    """
    exercise = text.startswith(EXERCISE)
    rest = text.removeprefix(EXERCISE)
    if found := _CALL.fullmatch(rest):
        kind, place, number, incident, building, key = found.groups()
        return CallText(
            exercise=exercise,
            kind=AlarmKind(kind.lower()),
            place=place,
            number=int(number),
            incident=int(incident),
            building=building,
            key=key,
        )
    if found := _MORE.fullmatch(rest):
        items = tuple(_item(item) for item in found[3].split("; "))
        return MoreText(exercise=exercise, incident=int(found[1]), key=found[2], items=items)
    if found := _UPDATE.fullmatch(rest):
        return _updated(found, exercise=exercise)
    if found := _TEST.fullmatch(text):
        return LinkTestText(number=int(found[1]), key=found[2])
    if found := _PING.fullmatch(text):
        return PingText(nonce=found[1])
    if found := _HUMAN.fullmatch(text):
        return HumanText(number=int(found[1]), key=found[2], by=found[3])
    if found := _READ_BACK.fullmatch(text):
        return ReadBackText(number=int(found[1]), update=int(found[2]), key=found[3], by=found[4])
    raise Malformed(
        "radio text: expected PANIC, MEDICAL, MORE, CANCEL, CORRECT, TEST, PING, HUMAN or READBACK and its fields"
    )


def _call(call: Call) -> str:
    order = call.order
    return (
        f"{order.kind.upper()} {plain(call.place, room=32)} (call {order.number}, inc {order.incident_number}, "
        f"bldg {short(order.building)}, press 1, key {key_of(order.call)})"
    )


def _update(update: Update) -> str:
    call, order = update.call.order, update.order
    what = f"CANCEL {call.kind.upper()} {plain(update.call.place, room=32)}"
    building = call.building
    if order.kind is UpdateKind.PLACE:
        spoken = update.spot.spoken if update.spot is not None else ""
        what = (
            f"CORRECT {call.kind.upper()} {plain(spoken, room=32)}, was {plain(update.call.place, room=32)}"
        )
        building = order.building
    return (
        f"{what} (call {call.number}, inc {call.incident_number}, bldg {short(building)}, "
        f"update {order.update}, key {key_of(call.call)})"
    )


def _updated(found: re.Match[str], *, exercise: bool) -> CancelText | CorrectText:
    verb, kind, place, was, number, incident, building, update, key = found.groups()
    if (verb == "CORRECT") is not (was is not None):
        raise Malformed("radio text: CORRECT names the place that it was, CANCEL does not")
    if was is None:
        return CancelText(
            exercise=exercise,
            kind=AlarmKind(kind.lower()),
            place=place,
            number=int(number),
            incident=int(incident),
            building=building,
            update=int(update),
            key=key,
        )
    return CorrectText(
        exercise=exercise,
        kind=AlarmKind(kind.lower()),
        place=place,
        was=was,
        number=int(number),
        incident=int(incident),
        building=building,
        update=int(update),
        key=key,
    )


def _more(
    prefix: str, items: tuple[tuple[LiveCall, Ranges], ...] | tuple[tuple[ExerciseCall, Ranges], ...]
) -> tuple[str, tuple[tuple[Call, Ranges], ...]]:
    order = items[0][0].order
    text = f"{prefix}MORE inc {order.incident_number}, key {key_of(order.incident)}:"
    told: list[tuple[Call, Ranges]] = []
    for call, ranges in items:
        opening = f"{';' if told else ''} {short(call.order.building)}/{call.order.number} "
        fitting = _fitting(ranges, CAPACITY - len(text) - len(opening))
        if not fitting:
            break
        text += opening + spelt(fitting)
        told.append((call, fitting))
    return text, tuple(told)


def _fitting(ranges: Ranges, room: int) -> Ranges:
    taken = 0
    used = -1
    for first, last in ranges:
        used += 1 + len(spelt(((first, last),)))
        if used > room:
            break
        taken += 1
    return ranges[:taken]


def _item(text: str) -> tuple[str, int, Ranges]:
    head, told = text.split(" ")
    building, number = head.split("/")
    ranges: list[tuple[int, int]] = []
    for part in told.split(","):
        first, _, last = part.partition("-")
        pair = int(first), int(last or first)
        if pair[1] < pair[0] or (ranges and pair[0] <= ranges[-1][1]):
            raise Malformed(f"radio text: ranges must ascend, got {told!r}")
        ranges.append(pair)
    return building, int(number), tuple(ranges)


def _base36(number: int) -> str:
    digits = ""
    for _ in range(4):
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits


def _answered(frame_id: str, read: bytes, *, positive: bool) -> bytes:
    return (("ack" if positive else "rej") + frame_id).encode() + b"\0" + read


def _mac(key: bytes, direction: Direction, ends: Ends, what: bytes) -> str:
    said = bytes([direction]) + ends.sender.ljust(9).encode() + ends.addressee.ljust(9).encode() + what
    return urlsafe_b64encode(hmac.digest(key, said, sha256)[:12]).decode()
