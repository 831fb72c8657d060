"""What is said in a call besides the notice itself, from `spoken.toml`, and what a pressed key means."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from belltower.ids import DeliveryId
from notify.channels.reports import Report
from notify.delivery import State

HEARD = "1"
"""The key that says: I have heard this."""


class Spoken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sentences around a notice in one language."""

    # The language tag that speech engines know.
    speech: str
    # Asks for the key.
    press: str
    # Ends the call after it.
    thanks: str


@cache
def _all() -> dict[str, Spoken]:
    text = (resources.files("notify.channels") / "spoken.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Spoken])


def spoken(language: str) -> Spoken:
    """The sentences for a text in `language`: the tag, its first part, or English."""
    known = _all()
    return known.get(language) or known.get(language.partition("-")[0]) or known["en"]


def key_report(digits: str, *, provider_id: str, delivery: DeliveryId | None = None) -> Report:
    """Somebody who was called has pressed `digits`: 1 says that it was heard; any other, that somebody is there."""
    key = digits[:1] if digits[:1].isascii() and digits[:1].isdigit() else "other"
    return Report(
        state=State.READ if key == HEARD else State.DELIVERED,
        reason=f"key:{key}",
        provider_id=provider_id,
        delivery=delivery,
        key=key,
    )
