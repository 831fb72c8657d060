"""The signature on a Twilio-style callback. Pure.

Twilio's "Security" page: HMAC-SHA1, keyed with the account's token, over the full URL followed by every form
parameter's name and value in the order of the names; base64.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable


def sign(url: str, params: Iterable[tuple[str, str]], token: str) -> str:
    """The value of X-Twilio-Signature for this URL and form. A doubled pair counts once, as Twilio does it."""
    text = url + "".join(name + value for name, value in sorted(set(params)))
    return b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def verified(url: str, params: Iterable[tuple[str, str]], token: str, signature: str) -> bool:
    """Whether `signature` is the right one, compared in constant time."""
    return hmac.compare_digest(sign(url, params, token).encode(), signature.encode("utf-8", "replace"))
