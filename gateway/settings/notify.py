"""`[notify]`: what holds for all notices, and the channels they go out on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from belltower.people.person import ContactKind
from belltower.values import Reader
from gateway.settings.names import named
from notify.settings import CHANNELS, NoticeSettings, simulated

_DIALLED = frozenset({ContactKind.SMS, ContactKind.VOICE})


def take_notices(reader: Reader, notify: Any) -> NoticeSettings:
    """What holds for all channels. The keys that are faulty here are told of here, and nowhere else."""
    own = (
        {key: value for key, value in notify.items() if key != "channels"} if isinstance(notify, dict) else {}
    )
    tests = own.get("test_to")
    if isinstance(tests, dict):
        faulty = {key for key, to in tests.items() if not _can_be_tested(key, to)}
        for key in sorted(faulty):
            reader.fault(
                f"notify.test_to.{key}",
                'must be a number with + and country, such as "+15550100199", or the id of a person'
                if key in _DIALLED
                else 'want text: an address of the school\'s own, such as "it@school.example", or the id of a person',
            )
        own["test_to"] = {key: to for key, to in tests.items() if key not in faulty}
    taken = reader.take(NoticeSettings, own, "notify") or NoticeSettings()
    channels = notify.get("channels", {}) if isinstance(notify, dict) else {}
    known = {*ContactKind, *(channels if isinstance(channels, dict) else ())}
    for key in taken.test_to.keys() - known:
        reader.fault(
            f"notify.test_to.{key}",
            f"is neither a channel of [notify.channels] nor a kind of address; use one of {', '.join(sorted(known))}",
        )
    return taken


def _can_be_tested(key: str, to: object) -> bool:
    """Whether a test can go there: an address of that kind, or what may be the id of a person."""
    if not isinstance(to, str) or not 0 < len(to) <= 320:
        return False
    shape = {
        "sms": r"\+[1-9]\d{4,14}|[^\W\d][\w.-]*",
        "voice": r"\+[1-9]\d{4,14}|[^\W\d][\w.-]*",
        "email": r"[^\s@]+@[^\s@]+|[^\W\d][\w.-]*",
    }.get(key)
    return shape is None or re.fullmatch(shape, to) is not None


def take_channels(reader: Reader, notify: Any, links: Mapping[str, Any]) -> dict[str, Any]:
    """The channels; none may write to a line that a `link` to the PSAP holds, nor reach people in a rehearsal."""
    rehearsal = False
    if isinstance(notify, dict):
        rehearsal = notify.get("rehearsal") is True
        notify = {key: value for key, value in notify.items() if key == "channels"}
    channels = named(
        reader, notify, "notify", "channels", lambda table, at: reader.take_kind(CHANNELS, table, at)
    )
    first: dict[tuple[type[Any], int], str] = {}
    lines = {getattr(link, "url", None): name for name, link in links.items()}
    for name, channel in channels.items():
        if rehearsal and not simulated(channel):
            reader.fault(
                f"notify.channels.{name}",
                "reaches people, and notify.rehearsal says that nothing does; take out one of the two",
            )
        if (link := lines.get(getattr(channel, "url", None) or "-")) is not None:
            reader.fault(
                f"notify.channels.{name}.url",
                f"psap.links.{link} holds this line, and nobody else may; notices need a modem of their own",
            )
        turn = getattr(channel, "order", 1)
        other = first.setdefault((type(channel), turn), name)
        if other != name:
            reader.fault(
                f"notify.channels.{name}.kind",
                f"notify.channels.{other} is of this kind and has the same turn; give one a later order, or keep one",
            )
    return channels
