"""The signature on a Twilio-style callback, and the forms that bear one. Pure.

Twilio's "Security" page: HMAC-SHA1, keyed with the account's token, over the full URL followed by every form
parameter's name and value in the order of the names; base64.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from belltower.errors import Malformed, NotVerified

_MOST_FIELDS = 200


def sign(url: str, params: Iterable[tuple[str, str]], token: str) -> str:
    """The value of X-Twilio-Signature for this URL and form. A doubled pair counts once, as Twilio does it."""
    text = url + "".join(name + value for name, value in sorted(set(params)))
    keyed = _keyed(token).copy()
    keyed.update(text.encode())
    return b64encode(keyed.digest()).decode()


def verified(url: str, params: Iterable[tuple[str, str]], token: str, signature: str) -> bool:
    """Whether `signature` is the right one, compared in constant time."""
    return hmac.compare_digest(sign(url, params, token).encode(), signature.encode("utf-8", "replace"))


def pairs(form: str) -> list[tuple[str, str]]:
    """Names and values of a form, as `urllib.parse.parse_qsl` reads it when it is strict, in half of the time.

    Raises:
        ValueError: it is not a form, or has too many fields.
    """
    if not form:
        return []
    parts = form.split("&", _MOST_FIELDS)
    if len(parts) > _MOST_FIELDS:
        raise ValueError(f"more than {_MOST_FIELDS} fields")
    found: list[tuple[str, str]] = []
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError("a field without a value")
        found.append((_plain(name), _plain(value)))
    return found


def _plain(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


@lru_cache(maxsize=64)
def _keyed(token: str) -> hmac.HMAC:
    return hmac.new(token.encode(), digestmod="sha1")


def signed_form(
    public_url: str, path: str, headers: Mapping[str, str], body: bytes, token: str
) -> dict[str, str]:
    """The form that came to `path`, the query included, below `public_url`; of a doubled name the last value counts.

    Raises:
        Malformed: it is not a form.
        NotVerified: its signature is not the provider's.
    """
    try:
        fields = pairs(body.decode("ascii"))
    except ValueError:  # UnicodeDecodeError is one
        raise Malformed("it is not a form") from None
    if not verified(public_url + path, fields, token, headers.get("X-Twilio-Signature", "")):
        raise NotVerified("it is not signed by the provider")
    return dict(fields)
