"""Digest authentication in SIP (RFC 8760, RFC 7616; RFC 3261, section 22): MD5 and SHA-256, with and without qop.

Pure: the client's nonce comes in from outside. Passwords are never kept, logged or put into an error.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from msgspec import Struct

from belltower.errors import Malformed
from hardware.codecs.sip import split, unquoted

_STRENGTH = {"SHA-256": 2, "SHA-256-SESS": 2, "MD5": 1, "MD5-SESS": 1}
_PARAMETER = re.compile(r"\s*([A-Za-z0-9\-_]+)\s*=\s*(.*)", re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f\x7f]")


class Challenge(Struct, frozen=True, kw_only=True):
    """What a server asks for."""

    realm: str
    nonce: str
    # As it is to be repeated; "" where none was said, which means MD5.
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    # The nonce is out of date, the password was right.
    stale: bool = False


class Credentials(Struct, frozen=True, kw_only=True):
    """What a client answers."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = ""
    qop: str = ""
    cnonce: str = ""
    count: str = ""


def challenge(value: str) -> Challenge:
    """The challenge of one WWW-Authenticate or Proxy-Authenticate.

    Raises:
        Malformed: it is no digest challenge, or asks for what we do not know.
    """
    found = _parameters(value)
    if "realm" not in found or not found.get("nonce"):
        raise Malformed("SIP digest: a challenge needs realm and nonce")
    algorithm = found.get("algorithm", "")
    if algorithm and algorithm.upper() not in _STRENGTH:
        raise Malformed(f"SIP digest: the algorithm {algorithm[:40]!r} is not known")
    qop = tuple(part.strip().lower() for part in found.get("qop", "").split(",") if part.strip())
    if qop and "auth" not in qop:
        raise Malformed(f"SIP digest: expected qop auth, found {qop!r}")
    return Challenge(
        realm=found["realm"],
        nonce=found["nonce"],
        algorithm=algorithm,
        qop=qop,
        opaque=found.get("opaque"),
        stale=found.get("stale", "").lower() == "true",
    )


def strongest(offered: Iterable[str]) -> Challenge | None:
    """The best challenge that we can answer, of several; None where there is none."""
    best: Challenge | None = None
    for value in offered:
        try:
            each = challenge(value)
        except Malformed:
            continue
        if best is None or _strength(each) > _strength(best):
            best = each
    return best


def answer(
    asked: Challenge, *, username: str, password: str, method: str, uri: str, cnonce: str, count: int = 1
) -> str:
    """The value of Authorization or Proxy-Authorization; `count` is how often this nonce was answered."""
    qop = "auth" if asked.qop else ""
    number = f"{count:08x}"
    response = _response(
        algorithm=asked.algorithm,
        secret=f"{username}:{asked.realm}:{password}",
        nonce=asked.nonce,
        cnonce=cnonce,
        count=number,
        qop=qop,
        request=f"{method}:{uri}",
    )
    parts = [
        f"username={_quoted(username)}",
        f"realm={_quoted(asked.realm)}",
        f"nonce={_quoted(asked.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{response}"',
    ]
    if asked.algorithm:
        parts.append(f"algorithm={asked.algorithm}")
    if asked.opaque is not None:
        parts.append(f"opaque={_quoted(asked.opaque)}")
    if qop or asked.algorithm.upper().endswith("-SESS"):
        parts.append(f"cnonce={_quoted(cnonce)}")
    if qop:
        parts += [f"qop={qop}", f"nc={number}"]
    return "Digest " + ", ".join(parts)


def asking(asked: Challenge) -> str:
    """The value of WWW-Authenticate for a challenge."""
    parts = [f"realm={_quoted(asked.realm)}", f"nonce={_quoted(asked.nonce)}"]
    if asked.algorithm:
        parts.append(f"algorithm={asked.algorithm}")
    if asked.qop:
        parts.append(f'qop="{",".join(asked.qop)}"')
    if asked.opaque is not None:
        parts.append(f"opaque={_quoted(asked.opaque)}")
    if asked.stale:
        parts.append("stale=true")
    return "Digest " + ", ".join(parts)


def credentials(value: str) -> Credentials:
    """What one Authorization says.

    Raises:
        Malformed: it is no digest answer.
    """
    found = _parameters(value)
    missing = [name for name in ("username", "realm", "nonce", "uri", "response") if name not in found]
    if missing:
        raise Malformed(f"SIP digest: the answer lacks {', '.join(missing)}")
    return Credentials(
        username=found["username"],
        realm=found["realm"],
        nonce=found["nonce"],
        uri=found["uri"],
        response=found["response"],
        algorithm=found.get("algorithm", ""),
        qop=found.get("qop", ""),
        cnonce=found.get("cnonce", ""),
        count=found.get("nc", ""),
    )


def proven(said: Credentials, *, password: str, method: str) -> bool:
    """Whether the answer shows that the password is known."""
    if said.algorithm and said.algorithm.upper() not in _STRENGTH:
        return False
    expected = _response(
        algorithm=said.algorithm,
        secret=f"{said.username}:{said.realm}:{password}",
        nonce=said.nonce,
        cnonce=said.cnonce,
        count=said.count,
        qop=said.qop,
        request=f"{method}:{said.uri}",
    )
    return hmac.compare_digest(expected.encode(), said.response.lower().encode())


def _response(
    *, algorithm: str, secret: str, nonce: str, cnonce: str, count: str, qop: str, request: str
) -> str:
    name = "sha256" if algorithm.upper().startswith("SHA-256") else "md5"

    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    first = hashed(secret)
    if algorithm.upper().endswith("-SESS"):
        first = hashed(f"{first}:{nonce}:{cnonce}")
    middle = f"{nonce}:{count}:{cnonce}:{qop}" if qop else nonce
    return hashed(f"{first}:{middle}:{hashed(request)}")


def _strength(asked: Challenge) -> int:
    return _STRENGTH[asked.algorithm.upper() or "MD5"]


def _parameters(value: str) -> dict[str, str]:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest" or _CONTROL.search(rest):
        raise Malformed(f"SIP digest: expected 'Digest' and its parameters, found {scheme[:40]!r}")
    found: dict[str, str] = {}
    for part in split(rest, ","):
        if (pair := _PARAMETER.fullmatch(part)) is None:
            raise Malformed(f"SIP digest: expected name=value, found {part[:40]!r}")
        found.setdefault(pair[1].lower(), unquoted(pair[2].strip()))
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
