"""Frames out of whatever somebody has at hand: octets, hexadecimal, escaped text, JSON full of examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from gateway.psap.explain import Explanation, candidates, explain_as, formats, frames

_FIELDS = ("frame", "hex", "host", "radio", "pdu")
_HEX = re.compile(r"(?:0[xX])?(?:[0-9a-fA-F]{2}[\s:,]*(?:0[xX](?=[0-9a-fA-F]))?)+")
_ESCAPES = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u00([0-9a-fA-F]{2})|([0-7]{3})|([abfnrtv0\\'\"]))")
_LETTERS = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "0": 0, "\\": 92, "'": 39, '"': 34}
_HINT = 40
_NEAR = 30
_DEEPEST = 20
_SURE = 60
_FAINT = 30
"""What is rated below looks like the format by chance: it is named only when all of it fits."""
_SHORT = 8
"""Below so many octets, nearly anything fits something."""
_ANY = frozenset({"any_xml", "any_json"})


class Piece(Struct, frozen=True, kw_only=True):
    """Octets that are one frame or several, one after another."""

    octets: bytes
    # What the source calls it.
    name: str = ""
    # What the source says around it, to choose between formats that look alike.
    hint: str = ""
    # The key that stands beside it in the source, as example files have it.
    key: str = ""
    # Whether its end was not read: then nothing is said of its last frame.
    cut: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """One frame, explained."""

    explanation: Explanation
    # Where it begins in its piece.
    at: int = 0
    name: str = ""
    # False: it looks like nothing known, and the explanation is the closest one.
    known: bool = True
    tried: tuple[str, ...] = ()
    # Whether its end was not read, so that nothing can be said of it.
    severed: bool = False

    @property
    def in_order(self) -> bool:
        """Whether it is a known frame without a fault."""
        return self.known and not self.severed and not self.explanation.faults

    @property
    def wrong(self) -> bool:
        """Whether it is not in order, and was read to its end."""
        return not self.in_order and not self.severed


def octets_of(typed: bytes) -> bytes:
    """What somebody typed: hexadecimal, text with escapes, or plain text."""
    text = typed.decode("utf-8", "surrogateescape").strip(" \t")
    if (found := _unhex(text)) is not None:
        return found
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"" and "\\" in text:
        text = text[1:-1]
    return _unescaped(text) if "\\" in text else text.encode("utf-8", "surrogateescape")


def pieces(data: bytes) -> list[Piece]:
    """What a file, or what was typed, holds."""
    if walked := _walked(data):
        return walked
    rated = candidates(data)
    if rated and rated[0][1] >= _SURE:
        return [Piece(octets=data)]
    lines = [line for line in data.decode("latin-1").splitlines() if line.strip()]
    unhexed = [_unhex(line.strip()) for line in lines]
    if lines and all(unhexed):
        joined = b"".join(octets for octets in unhexed if octets)
        apart = [Piece(octets=octets) for octets in unhexed if octets]
        return (
            apart
            if len(apart) > 1 and all(candidates(piece.octets) for piece in apart)
            else [Piece(octets=joined)]
        )
    if any(escape in data for escape in (rb"\x", rb"\r", rb"\n")):
        text = _unescaped(data.decode("utf-8", "surrogateescape").strip())
        if candidates(text):
            return [Piece(octets=text)]
    return [Piece(octets=data)]


def explained(piece: Piece, *, name: str = "", key: str = "") -> Iterator[Found]:
    """Every frame of a piece, as the format `name` or as what it looks like."""
    key = key or piece.key
    chosen = name or _chosen(piece, key)
    if not chosen:
        unknown = Explanation(format="", summary="", faults=("it begins as no format that is known",))
        yield Found(
            explanation=unknown, name=piece.name, known=False, tried=tuple(formats()), severed=piece.cut
        )
        return
    at = 0
    sure = bool(name) or dict(candidates(piece.octets)).get(chosen, 0) >= _FAINT or chosen in _ANY
    for octets in frames(piece.octets, chosen):
        said = explain_as(octets, chosen, key=key)
        severed = piece.cut and at + len(octets) == len(piece.octets)
        known = sure or (not said.faults and len(piece.octets) >= _SHORT)
        yield Found(
            explanation=said,
            at=at,
            name=piece.name,
            known=known,
            tried=() if known else tuple(formats()),
            severed=severed,
        )
        at += len(octets)


def _chosen(piece: Piece, key: str) -> str:
    """The short name of the best format: of those that are near the likeliest, the first that finds no fault."""
    hint = piece.hint.lower()
    rated = [
        (name, score + (_HINT if name in hint or any(word in hint for word in name.split("_")) else 0))
        for name, score in candidates(piece.octets)
    ]
    rated.sort(key=lambda pair: -pair[1])
    if not rated:
        return ""
    for name, score in rated:
        if score < rated[0][1] - _NEAR:
            break
        if all(not explain_as(octets, name, key=key).faults for octets in frames(piece.octets, name)):
            return name
    return rated[0][0]


def _walked(data: bytes) -> list[Piece]:
    """The frames in a JSON document; empty when it is none, or has none."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return []
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return []
    return list(_walk(document, "", "", 0))


def _walk(value: Any, name: str, hint: str, depth: int) -> Iterator[Piece]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{name} {index + 1}".strip(), hint, depth + 1)
    elif isinstance(value, dict):
        title = value["name"] if isinstance(value.get("name"), str) else name
        key = value.get("key_ascii") or value.get("key_hex") or ""
        for field, item in value.items():
            octets = _field(field, item)
            if octets is not None:
                yield Piece(octets=octets, name=title, hint=hint, key=key if isinstance(key, str) else "")
            elif isinstance(item, dict | list):
                yield from _walk(item, title or field, f"{hint} {field}", depth + 1)


def _field(field: str, value: Any) -> bytes | None:
    if not isinstance(value, str) or not value:
        return None
    if field in {"pdu", "hex"} or field.endswith("_hex"):
        return _unhex(value)
    if field not in _FIELDS:
        return None
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _unhex(text: str) -> bytes | None:
    if not _HEX.fullmatch(text):
        return None
    return bytes.fromhex(re.sub(r"0[xX]|[\s:,]", "", text))


def _unescaped(text: str) -> bytes:
    out = bytearray()
    at = 0
    for found in _ESCAPES.finditer(text):
        out += text[at : found.start()].encode("utf-8", "surrogateescape")
        digits, unicode, octal, letter = found.groups()
        if digits or unicode:
            out.append(int(digits or unicode, 16))
        elif octal:
            out.append(int(octal, 8) & 0xFF)
        else:
            out.append(_LETTERS[letter])
        at = found.end()
    return bytes(out + text[at:].encode("utf-8", "surrogateescape"))
