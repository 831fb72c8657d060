"""The encryption of SIA DC-09: AES-CBC with an initial vector of zeros, and random octets in front of the content.

    sealed = hex( AES-CBC( pad "|" data "]" extras time ) )      pad: as many octets as make a multiple of 16, none of |[]

There is no proof of who sealed it but that it reads as content, and nothing in it names the frame's sequence number:
whoever opens one looks at its time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from msgspec.structs import replace

from belltower.errors import Malformed, SettingsError
from belltower.ids import RandomBytes
from hardware.codecs.dc09 import BLOCK, Content, Frame, read_content, write_content

Pad = Callable[[int], bytes]
"""`n` octets to put in front, none of them `|`, `[` or `]`."""

_IV = bytes(BLOCK)
_SIZES = (16, 24, 32)
_HEX = re.compile(r"[0-9A-Fa-f]*")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def key_of(text: str) -> bytes:
    """The AES key that an installer writes: 16, 24 or 32 characters, or 32, 48 or 64 hex digits.

    32 hex digits are taken for an AES-128 key; `ascii:` in front says that they are the 32 characters themselves,
    and `hex:` that whatever follows is hex.

    Raises:
        SettingsError: it is neither; the message does not repeat it.
    """
    word, colon, rest = text.partition(":")
    way = word if colon and word in {"ascii", "hex"} else ""
    body = rest if way else text
    if way != "ascii" and len(body) in {2 * size for size in _SIZES} and _HEX.fullmatch(body):
        return bytes.fromhex(body)
    if way != "hex" and len(body) in _SIZES and body.isascii() and body.isprintable():
        return body.encode()
    raise SettingsError(
        f"the key has {len(body)} characters; a DC-09 key is 16, 24 or 32 characters, or 32, 48 or 64 hex digits"
    )


def random_pad(random_bytes: RandomBytes) -> Pad:
    """Pads of letters and digits, drawn from `random_bytes`."""
    return lambda size: bytes([_LETTERS[octet & 63] for octet in random_bytes(size)])


def seal(frame: Frame, key: bytes, pad: Pad) -> Frame:
    """The frame with its content sealed."""
    if frame.content is None:
        raise ValueError("this frame is sealed already")
    text = b"|" + write_content(frame.content).encode("cp1252")
    front = pad(-len(text) % BLOCK)
    if len(front) != -len(text) % BLOCK or set(front) & set(b"|[]"):
        raise ValueError("the pad has another length than was asked for, or one of |[]")
    encryptor = _cipher(key).encryptor()
    return replace(frame, content=None, sealed=encryptor.update(front + text) + encryptor.finalize())


def open_sealed(frame: Frame, key: bytes, *, lenient: bool = False) -> Frame:
    """The frame with its content in clear; a frame in clear as it is.

    `lenient`: the content may have no `|` after the pad, as some receivers answer.

    Raises:
        Malformed: what comes out is no content; most often the key is another one.
    """
    if frame.content is not None:
        return frame
    decryptor = _cipher(key).decryptor()
    plain = decryptor.update(frame.sealed) + decryptor.finalize()
    front, bar, rest = plain.partition(b"|")
    if not bar or b"]" in front or b"[" in front:
        end = plain.find(b"]")
        if not lenient or end < 0 or b"[" in plain[:end] or b"|" in plain[:end]:
            raise Malformed("sealed content: no pad and | in front; the key is not the right one")
        rest = plain[end:]
    try:
        text = rest.decode("cp1252")
    except UnicodeDecodeError:
        raise Malformed("sealed content: no text comes out; the key is not the right one") from None
    if _CONTROL.search(text):
        raise Malformed("sealed content: a control character comes out; the key is not the right one")
    try:
        content: Content = read_content(text)
    except Malformed as error:
        raise Malformed(f"sealed content: {error}") from None
    return replace(frame, content=content, sealed=b"")


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> Cipher[CBC]:
    return Cipher(AES(key), CBC(_IV))
