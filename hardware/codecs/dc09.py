"""SIA DC-09 frames: alarm reports over IP, and what the receiver answers.

    LF crc length body CR      crc: 4 hex digits, CRC-16/ARC over the body; length: 4 hex digits, its octets
    body  = "ID" sequence [R receiver] L line #account [ content       "*ID" marks encrypted content
    content = data ] *( [ tag text ] ) [ _HH:MM:SS,MM-DD-YYYY ]        the time is UTC

Sealed content is opened and made by `dc09_crypto`, what `data` says is read by `dc09_events`. Texts are Windows-1252.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed

MAX_BODY = 0x0FFF
"""The longest body that the length field can tell of, in octets."""
BLOCK = 16
"""Octets of an AES block: sealed content is a multiple of it."""
SAMPLE = 64
"""How much of a garbled frame is kept, in octets."""
LAST_SEQUENCE = 9999

_HEAD = 9
_SUMS = re.compile(rb"[0-9A-Fa-f]{8}")
_BODY = re.compile(
    r'"(\*?)(SIA-DCS|ADM-CID|NULL|ACK|NAK|DUH|RSP)"([0-9]{4})'
    r"(?:R([0-9A-Fa-f]{1,6}))?L([0-9A-Fa-f]{1,6})(?:R([0-9A-Fa-f]{1,6}))?(?:#([0-9A-Fa-f]{3,16})|A0)\[(.*)",
    re.DOTALL,
)
_CONTENT = re.compile(r"([^\[\]]*)\]((?:\[[A-Z][^\[\]]*\])*)(?:_([0-9:,-]{19}))?", re.DOTALL)
_STAMP = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2}),([0-9]{2})-([0-9]{2})-([0-9]{4})")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_SEALED = re.compile(r"(?:[0-9A-Fa-f]{32})+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a frame is: a report, the link test, or an answer."""

    SIA = "SIA-DCS"
    CID = "ADM-CID"
    # The link test.
    NULL = "NULL"
    # Received. `RSP` as well, with something to do for the sender.
    ACK = "ACK"
    RSP = "RSP"
    # The time is out of the receiver's window, or the message was not to be read; bears the receiver's time.
    NAK = "NAK"
    # Received, but it cannot be processed.
    DUH = "DUH"


REPORTS = frozenset({Kind.SIA, Kind.CID, Kind.NULL})
"""What a sender sends."""
ANSWERS = frozenset({Kind.ACK, Kind.RSP, Kind.NAK, Kind.DUH})
"""What a receiver sends."""

EXTRAS = {
    "A": "authentication hash",
    "C": "supervision category",
    "H": "time of the event",
    "I": "alarm text",
    "J": "network path",
    "K": "encryption key",
    "L": "location",
    "M": "MAC address",
    "N": "network address",
    "O": "building",
    "P": "programming data",
    "R": "room",
    "S": "site",
    "T": "alarm trigger",
    "V": "verification address",
    "X": "longitude",
    "Y": "latitude",
    "Z": "altitude",
}
"""What the tag of an extended data block stands for."""


class Extra(Struct, frozen=True):
    """One extended data block: its letter, see `EXTRAS`, and its text."""

    tag: str
    text: str


class Content(Struct, frozen=True, kw_only=True):
    """What stands after the bracket. `data` is `#account|payload`, or empty."""

    data: str = ""
    extras: tuple[Extra, ...] = ()
    # Whole seconds.
    stamp: Instant | None = None


class Frame(Struct, frozen=True, kw_only=True):
    """One frame. Its content is in clear, or sealed and then `content` is None."""

    kind: Kind
    # 1 to 9999 for a report, 0 for the link test and a NAK.
    sequence: int = 0
    # Hex digits. None: the frame has no R field.
    receiver: str | None = "0"
    line: str = "0"
    # Hex digits. Empty: written "A0", as a NAK may be.
    account: str = ""
    content: Content | None = Content()
    sealed: bytes = b""


class Garbled(Struct, frozen=True, kw_only=True):
    """Octets that were no frame: why, and the first of them."""

    reason: str
    sample: bytes


def crc16(octets: bytes) -> int:
    """CRC-16/ARC: polynomial A001 reflected, initially 0."""
    crc, table = 0, _TABLE
    for octet in octets:
        crc = table[(crc ^ octet) & 0xFF] ^ (crc >> 8)
    return crc


def after(sequence: int) -> int:
    """The sequence number after `sequence`: 9999 is followed by 1."""
    return sequence + 1 if sequence < LAST_SEQUENCE else 1


def encode(frame: Frame) -> bytes:
    """The frame's octets; `ValueError` for what would not be read back as the same frame."""
    mark = "*" if frame.content is None else ""
    content = frame.sealed.hex().upper() if frame.content is None else write_content(frame.content)
    receiver = "" if frame.receiver is None else f"R{frame.receiver}"
    account = f"#{frame.account}" if frame.account else "A0"
    text = f'"{mark}{frame.kind}"{frame.sequence:04}{receiver}L{frame.line}{account}[{content}'
    body = text.encode("cp1252")
    if len(body) > MAX_BODY:
        raise ValueError(f"the body has {len(body)} octets, {MAX_BODY} is the most")
    try:
        same = _read(text) == frame
    except Malformed as error:
        raise ValueError(f"this frame could not be read back: {error}") from None
    if not same:
        raise ValueError("this frame would be read back as another one")
    return b"\n%04X%04X%b\r" % (crc16(body), len(body), body)


def decode(octets: bytes) -> Frame:
    """The frame that `octets` are, from LF to CR; `Malformed` says what is wrong at which octet."""
    if octets[:1] != b"\n":
        raise Malformed("octet 0: a frame begins with LF")
    if octets[-1:] != b"\r" or len(octets) < 2:
        raise Malformed(f"octet {len(octets)}: a frame ends with CR")
    sums, body = octets[1:_HEAD], octets[_HEAD:-1]
    if not _SUMS.fullmatch(sums):
        raise Malformed("octet 1: expected 4 hex digits of CRC and 4 of length")
    length, crc = int(sums[4:], 16), int(sums[:4], 16)
    if length != len(body):
        raise Malformed(
            f"octet 5: length says {sums[4:].decode()} = {length}, the body has {len(body)} octets at octet {_HEAD}"
        )
    if length > MAX_BODY:
        raise Malformed(f"octet 5: {length} octets of body, {MAX_BODY} is the most")
    if (right := crc16(body)) != crc:
        raise Malformed(f"octet 1: CRC is {sums[:4].decode().upper()}, the octets give {right:04X}")
    try:
        text = body.decode("cp1252")
    except UnicodeDecodeError as error:
        raise Malformed(f"octet {_HEAD + error.start}: not a character of Windows-1252") from None
    return _read(text)


def read_content(text: str, *, at: int = 0) -> Content:
    """The content written in `text`, which begins at octet `at`."""
    found = _CONTENT.fullmatch(text)
    if found is None:
        end = text.find("]")
        where = at + (len(text) if end < 0 else end)
        raise Malformed(
            f"octet {where}: expected data, ']', blocks such as [Rroom] and _HH:MM:SS,MM-DD-YYYY, or no more"
        )
    data, blocks, stamp = found.groups()
    extras = tuple(Extra(block[0], block[1:]) for block in blocks[1:-1].split("][")) if blocks else ()
    return Content(
        data=data,
        extras=extras,
        stamp=None if stamp is None else _instant(stamp, at + found.start(3)),
    )


def write_content(content: Content) -> str:
    """As it stands in a frame after the bracket, or before sealing."""
    extras = "".join([f"[{extra.tag}{extra.text}]" for extra in content.extras])
    stamp = "" if content.stamp is None else f"_{written(content.stamp)}"
    return f"{content.data}]{extras}{stamp}"


def written(stamp: Instant) -> str:
    """The time as frames bear it, whole seconds: `00:32:34,11-22-2026`."""
    return _written(stamp // SECOND)


class Decoder:
    """Finds the frames in a stream, however it is cut, and says what else was there. Bounded in memory."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._hunting = True
        self.noise = 0
        """Octets outside of frames, a lone CR or LF not counted."""
        self.sample = b""
        """The last of them."""

    def feed(self, data: bytes) -> list[Frame | Garbled]:
        """The frames that end in `data`, in order; what is not yet ended is kept for the next call."""
        found: list[Frame | Garbled] = []
        *ended, rest = data.split(b"\r")
        for piece in ended:
            self._take(piece, found)
            self._end(found)
        self._take(rest, found)
        return found

    def _take(self, piece: bytes, found: list[Frame | Garbled]) -> None:
        first, *others = piece.split(b"\n")
        self._keep(first, found)
        for other in others:
            if not self._hunting and self._pending:
                found.append(Garbled(reason="a frame that no CR ended", sample=bytes(self._pending[:SAMPLE])))
            self._pending.clear()
            self._hunting = False
            self._keep(other, found)

    def _keep(self, piece: bytes, found: list[Frame | Garbled]) -> None:
        if not piece:
            return
        if self._hunting:
            self.noise += len(piece)
            self.sample = (self.sample + piece)[-SAMPLE:]
            return
        room = MAX_BODY + _HEAD - 1 - len(self._pending)
        if len(piece) > room:
            found.append(
                Garbled(
                    reason=f"longer than {MAX_BODY} octets",
                    sample=bytes(self._pending + piece[:SAMPLE])[:SAMPLE],
                )
            )
            self._pending.clear()
            self._hunting = True
            self.noise += len(piece) - room
        else:
            self._pending += piece

    def _end(self, found: list[Frame | Garbled]) -> None:
        if self._hunting:
            return
        self._hunting = True
        raw = b"\n%b\r" % bytes(self._pending)
        self._pending.clear()
        if len(raw) == 2:
            found.append(Garbled(reason="LF and CR with nothing between them", sample=raw))
            return
        try:
            found.append(decode(raw))
        except Malformed as error:
            found.append(Garbled(reason=str(error), sample=raw[:SAMPLE]))


def _read(text: str) -> Frame:
    if control := _CONTROL.search(text):
        raise Malformed(f"octet {_HEAD + control.start()}: a control character")
    found = _BODY.fullmatch(text)
    if found is None:
        raise _misshapen(text)
    mark, kind, sequence, receiver, line, last, account, rest = found.groups()
    kind = Kind(kind)
    at = _HEAD + found.start(8)
    if not account and kind is not Kind.NAK:
        raise Malformed(f"octet {at - 3}: only a NAK may have A0 in place of #account")
    if last is not None and (
        receiver is not None or kind is not Kind.NAK
    ):  # pysiaalarm writes L0R0 in some NAKs
        raise Malformed(
            f"octet {_HEAD + found.start(6) - 1}: the receiver number stands before the line number"
        )
    content: Content | None
    if mark:
        if not _SEALED.fullmatch(rest):
            raise Malformed(f"octet {at}: sealed content is hex digits, a multiple of {2 * BLOCK}")
        content, sealed = None, bytes.fromhex(rest)
    else:
        content, sealed = read_content(rest, at=at), b""
    return Frame(
        kind=kind,
        sequence=int(sequence),
        receiver=last if receiver is None else receiver,
        line=line,
        account=account or "",
        content=content,
        sealed=sealed,
    )


_PARTS = (
    (re.compile(r'"\*?(?:SIA-DCS|ADM-CID|NULL|ACK|NAK|DUH|RSP)"'), 'an id such as "SIA-DCS" in quotes'),
    (re.compile(r"[0-9]{4}"), "4 digits of sequence number"),
    (re.compile(r"(?:R[0-9A-Fa-f]{1,6})?"), "R and 1 to 6 hex digits of receiver number"),
    (re.compile(r"L[0-9A-Fa-f]{1,6}"), "L and 1 to 6 hex digits of line number"),
    (re.compile(r"#[0-9A-Fa-f]{3,16}|A0"), "# and 3 to 16 hex digits of account"),
    (re.compile(r"\["), "the bracket before the content"),
)


def _misshapen(text: str) -> Malformed:
    at = 0
    for part, expected in _PARTS:
        found = part.match(text, at)
        if found is None:
            return Malformed(f"octet {_HEAD + at}: expected {expected}")
        at = found.end()
    return Malformed(f"octet {_HEAD + at}: not understood")


@lru_cache(maxsize=256)
def _instant(text: str, at: int) -> Instant:
    found = _STAMP.fullmatch(text)
    if found is None:
        raise Malformed(f"octet {at}: expected the time as HH:MM:SS,MM-DD-YYYY")
    hour, minute, second, month, day, year = map(int, found.groups())
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise Malformed(f"octet {at}: there is no such time: {error}") from None
    return Instant((moment - _EPOCH) // timedelta(seconds=1) * SECOND)


@lru_cache(maxsize=256)
def _written(seconds: int) -> str:
    try:
        at = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{seconds} seconds after 1970 cannot be written with a year of 4 digits") from None
    return f"{at.hour:02}:{at.minute:02}:{at.second:02},{at.month:02}-{at.day:02}-{at.year:04}"


def _tabled(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0xA001 if octet & 1 else 0)
    return octet


_TABLE = tuple(_tabled(octet) for octet in range(256))
