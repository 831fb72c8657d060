"""Who publishes what at a broker, for the foreign devices of a site package: one name for each that holds a password.

A bridge speaks for all that is behind it, under a base topic of its own, and a network server for its applications. A
device on the network is a user of its own and has its own topics alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from belltower.errors import SettingsError
from gateway.intake.devices.topics import ANSWERS, covers, filter_of
from gateway.site_package.devices import SiteDevices
from hardware.device_record import DeviceRecord
from hardware.profiles import ordering
from hardware.profiles.compiled import Profile

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NO_NAME = re.compile(r"[+#/\s]|^$")
_NOBODY: Mapping[str, str] = {}


class BrokerUser(Struct, frozen=True, kw_only=True):
    """One name at the broker, and the topic filters that it may publish and read."""

    name: str
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


class BrokerUsers(Struct, frozen=True, kw_only=True):
    """All of the site: those who publish, and what we ourselves read of them and tell them."""

    publishers: tuple[BrokerUser, ...] = ()
    # What all of them publish, and what they read; from our side reading and writing.
    heard: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


class _Claim(Struct, frozen=True, kw_only=True):
    """What one of the site wants of the broker: the user name, whose it is in plain words, and the topic filters."""

    user: str
    whose: str
    write: tuple[str, ...]
    read: tuple[str, ...]


def broker_users(site: SiteDevices, taken: Mapping[str, str] = _NOBODY) -> BrokerUsers:
    """The users of the site's devices. `taken` says whose the user names of others are.

    Raises `SettingsError` for a name or address that a broker would misread, and for a name that two would share.
    """
    claims = _claims(site)
    if shared := _shared(claims, taken):
        raise SettingsError("\n".join(shared))
    writes: dict[str, set[str]] = {}
    reads: dict[str, set[str]] = {}
    for claim in claims:
        if _NO_NAME.search(claim.user):
            raise SettingsError(
                f'"{claim.user[:60]}" is no name for a broker\'s user: no blank, +, # or / may be in it'
            )
        writes.setdefault(claim.user, set()).update(claim.write)
        reads.setdefault(claim.user, set()).update(claim.read)
    heard = {one for filters in writes.values() for one in filters}
    told = {one for filters in reads.values() for one in filters}
    return BrokerUsers(
        publishers=tuple(
            BrokerUser(name=name, write=_least(writes[name]), read=_least(reads[name]))
            for name in sorted(writes)
        ),
        heard=_least(heard),
        told=_least(told),
    )


def shared_names(site: SiteDevices, taken: Mapping[str, str] = _NOBODY) -> list[str]:
    """Why a name at the broker would be two users', each a line with its mend; empty: none is."""
    try:
        return _shared(_claims(site), taken)
    except SettingsError:  # printing the broker's settings says so, and not every school prints them
        return []


def _shared(claims: Iterable[_Claim], taken: Mapping[str, str]) -> list[str]:
    owners = dict(taken)
    faults: dict[str, None] = {}
    for claim in claims:
        if (owner := owners.setdefault(claim.user, claim.whose)) != claim.whose:
            faults[
                f'"{claim.user}" would be one user of the broker for {owner} and for {claim.whose}, and each could '
                "speak as the other: rename one"
            ] = None
    return list(faults)


def _claims(site: SiteDevices) -> list[_Claim]:
    claims: list[_Claim] = []

    def claim(user: str, whose: str, rights: tuple[Iterable[str], Iterable[str]]) -> None:
        claims.append(_Claim(user=user, whose=whose, write=tuple(rights[0]), read=tuple(rights[1])))

    for device in site.devices.values():
        profile = site.profiles[device.profile]
        if profile.wire:  # a driver of ours brings it
            continue
        topics = _topics(profile)
        if profile.layouts or profile.bearer is not None:
            for bearer in [profile] if profile.bearer is not None else _bearers(device, site.profiles):
                claim(bearer.id, f'the server "{bearer.id}"', _filters(bearer, bearer.tables.settings))
        elif base := _base(profile):
            claim(base, f'the base topic "{base}"', ([f"{base}/#"], [f"{base}/#"]))
        elif topics and not any("{device}" in topic for topic in topics):
            # One program speaks for all that it hears, and names them in its messages only.
            name = _speaker(device, site.devices).id if device.parent else profile.id
            whose = f'the device "{name}"' if device.parent else f'the program of the profile "{name}"'
            claim(name, whose, _filters(profile, profile.tables.settings))
        elif topics:
            speaker = _speaker(device, site.devices)
            for one in (device, speaker):
                if set("+#") & set(one.address):
                    raise SettingsError(
                        f'device "{one.id}": its address has + or # in it, which a broker takes for others\' too'
                    )
            claim(speaker.id, f'the device "{speaker.id}"', _own(profile, device.address, speaker.address))
    return claims


def _bearers(device: DeviceRecord, profiles: Mapping[str, Profile]) -> list[Profile]:
    return [
        profile
        for profile in profiles.values()
        if profile.bearer is not None and device.bearer in ("", profile.id)
    ]


def _base(profile: Profile) -> str:
    """The base topic of a bridge, "" where the profile has none: it stands first in every one of its topics."""
    firsts = [_NAME.fullmatch(topic.split("/")[0]) for topic in _topics(profile)]
    found = {profile.tables.settings.get(first[1], "") if first else "" for first in firsts}
    return found.pop() if len(found) == 1 else ""


def _speaker(device: DeviceRecord, devices: Mapping[str, DeviceRecord]) -> DeviceRecord:
    """Who holds the password: the device itself, or the gateway that it hangs on."""
    while device.parent in devices:
        device = devices[device.parent]
    return device


def _topics(profile: Profile) -> list[str]:
    """What is said: what the profile reads, orders of others left out."""
    topics = [
        rule.table.topic
        for rule in profile.rules
        if rule.table.topic is not None and rule.table.kind != "command"
    ]
    if profile.tables.bearer is not None:
        topics.append(profile.tables.bearer.topic)
    asked = _asked(profile)
    return [topic for topic in [*topics, *_answers(profile)] if topic not in asked]


def _answers(profile: Profile) -> list[str]:
    """Where it says what became of an order; an answer to whoever asked may go to any of our names."""
    receipts = [ordering.receipt_of(output) for output in profile.outputs]
    topics = [each.topic for each in receipts if each is not None and each.topic is not None]
    down = profile.tables.bearer.down if profile.tables.bearer is not None else None
    if down is not None:
        topics += [topic for topic in (down.sent, down.failed) if topic]
    return [topic.replace("{reply}", f"{ANSWERS}/+") for topic in topics]


def _asked(profile: Profile) -> list[str]:
    topics = [output.topic for output in profile.outputs if output.topic]
    if profile.tables.bearer is not None and profile.tables.bearer.down is not None:
        topics.append(profile.tables.bearer.down.topic)
    return topics


def _filters(profile: Profile, known: Mapping[str, str]) -> tuple[list[str], list[str]]:
    return (
        [filter_of(topic, known) for topic in _topics(profile)],
        [filter_of(topic, known) for topic in _asked(profile)],
    )


def _own(profile: Profile, address: str, speaker: str) -> tuple[list[str], list[str]]:
    """With the device's own address; where a topic names another, that is the one who speaks."""
    own = {**profile.tables.settings, "device": address}

    def filled(topic: str) -> str:
        levels = topic.split("/")
        if "{device}" not in topic:
            for at, level in enumerate(levels):
                if any(name not in own for name in _NAME.findall(level)):
                    levels[at] = speaker
                    break
        return filter_of("/".join(levels), own)

    return [filled(topic) for topic in _topics(profile)], [filled(topic) for topic in _asked(profile)]


def _least(filters: Iterable[str]) -> tuple[str, ...]:
    every = set(filters)
    return tuple(
        sorted(one for one in every if not any(other != one and covers(other, one) for other in every))
    )
