"""The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1), packed as in 6.1.2.1."""

from __future__ import annotations

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_ESCAPE = 0x1B
_LEFT_OF_ESCAPE = _BASIC.replace("\x1b", " ")

_SEPTETS = {char: (code,) for code, char in enumerate(_BASIC) if code != _ESCAPE} | {
    char: (_ESCAPE, code) for code, char in _EXTENSION.items()
}
_BITS = {char: "".join(format(code, "07b") for code in reversed(codes)) for char, codes in _SEPTETS.items()}
_CHARS = {format(code, "07b"): char for code, char in enumerate(_LEFT_OF_ESCAPE)}
_ESCAPE_BITS = format(_ESCAPE, "07b")
_EXTENDED = {format(code, "07b"): char for code, char in _EXTENSION.items()}

ALPHABET = frozenset(_SEPTETS)
"""Every character it can write."""


def width(text: str) -> int:
    """Septets that `text` takes. KeyError: a character is not in the alphabet."""
    return sum(len(_SEPTETS[char]) for char in text)


def pack(text: str, *, shift: int = 0) -> bytes:
    """`text` in septets, the first one `shift` bits up in the first octet. KeyError as for `width`."""
    bits = "".join([_BITS[char] for char in reversed(text)])
    size = (len(bits) + shift + 7) // 8
    return (int(bits or "0", 2) << shift).to_bytes(size, "little")


def unpack(octets: bytes, septets: int, *, shift: int = 0) -> str:
    """The text of `septets` septets.

    As 23.038 asks, an escape to a character nobody knows is shown as the one of the basic table, a lone one as a space.
    """
    if not septets:
        return ""
    bits = format(int.from_bytes(octets, "little") >> shift, f"0{7 * septets}b")[-7 * septets :]
    pieces = [bits[at : at + 7] for at in range(7 * (septets - 1), -1, -7)]
    if _ESCAPE_BITS not in pieces:
        return "".join([_CHARS[piece] for piece in pieces])
    text = []
    escaped = False
    for piece in pieces:
        if escaped:
            escaped = False
            text.append(_EXTENDED.get(piece) or _CHARS[piece])
        elif piece == _ESCAPE_BITS:
            escaped = True
        else:
            text.append(_CHARS[piece])
    return "".join(text) + (" " if escaped else "")
