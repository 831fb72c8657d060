"""What has to be subscribed to at a broker, so that the profiles of the site's devices hear what they read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gateway.intake.devices.adverts import TOPICS
from gateway.intake.devices.registry import KnownDevice
from hardware.profiles.compiled import Profile

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
ANSWERS = "belltower"
"""What the topics begin with at which devices answer to us."""
NOTHING = ("belltower/nothing",)
"""What is subscribed to where no profile needs anything: a broker wants at least one topic."""


def topics_of(
    devices: Iterable[KnownDevice], profiles: Mapping[str, Profile], *, only: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The filters, none of them covered by another; `only`: the profiles that the way in may speak, empty: all."""
    adverts: set[str] = set()
    wanted: dict[str, Profile] = {}
    addresses: dict[str, set[str]] = {}
    for device in devices:
        if device.profile.wire == "bthome" and (not only or device.profile.id in only):
            adverts.update(TOPICS)
        if device.profile.wire:
            continue
        wanted[device.profile.id] = device.profile
        if "/" in device.record.address:
            addresses.setdefault(device.profile.id, set()).add(device.record.address)
        if device.profile.layouts:
            for profile in profiles.values():
                if profile.bearer is not None and device.record.bearer in ("", profile.id):
                    wanted[profile.id] = profile
    filters = adverts
    for name, profile in wanted.items():
        if only and name not in only:
            continue
        for topic in _topics(profile):
            filters.add(filter_of(topic, profile.tables.settings))
            filters |= {
                filter_of(topic, {**profile.tables.settings, "device": address})
                for address in addresses.get(name, ())
            }
    least = [one for one in filters if not any(other != one and covers(other, one) for other in filters)]
    return tuple(sorted(least)) or NOTHING


def with_topics(filters: tuple[str, ...], topics: tuple[str, ...]) -> tuple[str, ...]:
    """The filters, and those of `topics` that none of them covers."""
    more = [topic for topic in topics if not any(covers(known, topic) for known in filters)]
    least = [one for one in more if not any(other != one and covers(other, one) for other in more)]
    if least and filters == NOTHING:
        return tuple(least)
    return (*filters, *least)


def _topics(profile: Profile) -> Iterable[str]:
    for rule in profile.rules:
        if rule.table.topic is not None:
            yield rule.table.topic
    if profile.tables.bearer is not None:
        yield profile.tables.bearer.topic


def filter_of(topic: str, settings: Mapping[str, str]) -> str:
    """`{name}` is what the settings say, or any one level; a level that is partly a name is any one level too."""
    said = _NAME.sub(lambda found: settings.get(found[1], "\0"), topic)
    levels = ["+" if "\0" in level else level for level in said.split("/")]
    if topic.endswith("{device}") and levels[-1] == "+":
        levels[-1] = "#"  # a device's name may hold slashes
    return "/".join(levels)


def covers(wide: str, narrow: str) -> bool:
    """Whether the filter `wide` hears everything that `narrow` does."""
    ours, theirs = wide.split("/"), narrow.split("/")
    for at, level in enumerate(ours):
        if level == "#":
            return True
        if at >= len(theirs) or theirs[at] == "#":
            return False
        if level not in ("+", theirs[at]):
            return False
    return len(ours) == len(theirs)
