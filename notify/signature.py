"""The signature on a Twilio-style callback, and the forms that bear one. Pure.

Twilio's "Security" page: HMAC-SHA1, keyed with the account's token, over the full URL followed by every form
parameter's name and value in the order of the names; base64.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from belltower.errors import Malformed, NotVerified

_MOST_FIELDS = 200


def sign(url: str, params: Iterable[tuple[str, str]], token: str) -> str:
    """The value of X-Twilio-Signature for this URL and form. A doubled pair counts once, as Twilio does it."""
    text = url + "".join(name + value for name, value in sorted(set(params)))
    return b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def verified(url: str, params: Iterable[tuple[str, str]], token: str, signature: str) -> bool:
    """Whether `signature` is the right one, compared in constant time."""
    return hmac.compare_digest(sign(url, params, token).encode(), signature.encode("utf-8", "replace"))


def signed_form(
    public_url: str, path: str, headers: Mapping[str, str], body: bytes, token: str
) -> dict[str, str]:
    """The form that came to `path`, the query included, below `public_url`; of a doubled name the last value counts.

    Raises:
        Malformed: it is not a form.
        NotVerified: its signature is not the provider's.
    """
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise Malformed("it is not a form") from None
    if not verified(public_url + path, fields, token, headers.get("X-Twilio-Signature", "")):
        raise NotVerified("it is not signed by the provider")
    return dict(fields)
