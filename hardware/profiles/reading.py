"""The engine: every message of every wire, by the profiles that are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from belltower.errors import Malformed
from hardware.profiles.compiled import Profile, Reading
from hardware.profiles.message import Message
from hardware.profiles.signal import NO_FLAGS, Flag, Signal, SignalKind

_TELLING = 2
_DULL = frozenset({SignalKind.STATE, SignalKind.IGNORE, SignalKind.HEARTBEAT, SignalKind.TROUBLE})
_KEPT_TOPICS = 4096

__all__ = ["Reader", "Reading", "raw_uplink"]


class Reader:
    """Reads messages by profile; bearers are unwrapped first."""

    def __init__(self, profiles: Mapping[str, Profile] | Iterable[Profile]) -> None:
        every = profiles.values() if isinstance(profiles, Mapping) else profiles
        self.profiles: dict[str, Profile] = {profile.id: profile for profile in every}
        self._bearers = tuple(one for one in self.profiles.values() if one.bearer is not None)
        self._about: dict[str, tuple[Profile, ...]] = {}

    def read(self, message: Message, profile: str | None = None) -> Reading:
        """What `message` means to `profile`; without one, to the profile that knows most of it. Never raises."""
        carried = self.unwrap(message)
        if carried is not None:
            bearer, inner, refused = carried
            if refused is not None:
                return refused
            if profile is None or profile == bearer.id:
                return _uplink(bearer, inner)
            return self._by(profile, inner, bearer.id)
        if profile is not None:
            return self._by(profile, message, "")
        found = self.readings(message)
        return self._best(found, message)

    def readings(self, message: Message) -> tuple[Reading, ...]:
        """What each profile makes of it that is about its topic; bearers stay wrapped."""
        return tuple(
            reading
            for one in self._candidates(message)
            if (reading := one.read(message)).matched and (message.topic is not None or reading.signals)
        )

    def unwrap(self, message: Message) -> tuple[Profile, Message, Reading | None] | None:
        """The bearer that carried it and what the device sent, or the reading that refuses it; None: not carried."""
        for profile in self._bearers:
            bearer = profile.bearer
            if bearer is None or (names := bearer.carries(message.topic)) is None:
                continue
            try:
                return profile, bearer.unwrap(message, names), None
            except Malformed as error:
                return profile, message, _refused(profile, names, message, str(error))
        return None

    def _by(self, name: str, message: Message, bearer: str) -> Reading:
        found = self.profiles.get(name)
        if found is None:
            return Reading(why=f'there is no profile "{name}"', bearer=bearer)
        reading = found.read(message)
        if not bearer:
            return reading
        return _changed(reading, bearer=bearer)

    def _candidates(self, message: Message) -> Iterable[Profile]:
        topic = message.topic
        if topic is None or not topic:
            return self.profiles.values()
        known = self._about.get(topic)
        if known is None:
            about = [(one, one.rules_of(topic)) for one in self.profiles.values()]
            named = tuple(one for one, rules in about if any(rule.pattern for rule, _ in rules))
            known = named or tuple(one for one, rules in about if rules)
            if len(self._about) >= _KEPT_TOPICS:
                self._about.clear()
            self._about[topic] = known
        return known

    def _best(self, found: tuple[Reading, ...], message: Message) -> Reading:
        """The reading that knows most; one without signals where they contradict each other."""
        if message.topic:
            spoke = [one for one in found if _tells(one)] or [one for one in found if one.signals]
        else:
            spoke = [one for one in found if _tells(one)]
        if not spoke:
            return Reading(why=self._nothing(found, message))
        ranked = sorted(spoke, key=lambda one: (*_rank(one), -self._particular(one, message), one.profile))
        best = ranked[0]
        others = tuple(one.profile for one in ranked[1:])
        even = [one for one in ranked if _rank(one) == _rank(best) and _kinds(one) != _kinds(best)]
        if even and not message.topic:
            names = sorted({best.profile, *(one.profile for one in even)})
            return Reading(
                why=f"it could be of {', '.join(names)}; say which profile", candidates=tuple(names)
            )
        return _changed(best, candidates=others)

    def _particular(self, reading: Reading, message: Message) -> int:
        rules = self.profiles[reading.profile].rules_of(message.topic)
        return max((rule.topic_weight for rule, _ in rules), default=0)

    def _nothing(self, found: tuple[Reading, ...], message: Message) -> str:
        if found:
            return "; ".join(f"{one.profile}: {one.why}" for one in found[:4])
        if not self.profiles:
            return "no profile is loaded"
        if message.topic:
            return f'none of {len(self.profiles)} profiles is about the topic "{message.topic[:120]}"'
        return f"none of {len(self.profiles)} profiles is about what it says"


def _tells(reading: Reading) -> bool:
    return bool(reading.signals) and any(one.kind is not SignalKind.TROUBLE for one in reading.signals)


def _kinds(reading: Reading) -> tuple[SignalKind, ...]:
    return tuple(sorted(signal.kind for signal in reading.signals))


def _rank(reading: Reading) -> tuple[int, int]:
    dull = all(signal.kind in _DULL for signal in reading.signals)
    return (1 if dull else 0, -reading.evidence)


def _changed(reading: Reading, *, bearer: str = "", candidates: tuple[str, ...] = ()) -> Reading:
    return Reading(
        signals=reading.signals,
        matched=reading.matched,
        why=reading.why,
        profile=reading.profile,
        bearer=bearer or reading.bearer,
        candidates=candidates or reading.candidates,
        evidence=reading.evidence,
    )


def raw_uplink(profile: Profile, message: Message, names: dict[str, str]) -> Reading:
    """What a bearer's uplink says where nobody knows the model."""
    if profile.bearer is None:
        return Reading(why=f"{profile.id} is no bearer", profile=profile.id)
    try:
        return _uplink(profile, profile.bearer.unwrap(message, names))
    except Malformed as error:
        return _refused(profile, names, message, str(error))


def _uplink(profile: Profile, inner: Message) -> Reading:
    signal = Signal(
        kind=SignalKind.RAW_UPLINK,
        device=inner.device,
        counter=inner.counter,
        flags=frozenset({Flag.RETAINED}) if inner.retained else NO_FLAGS,
        data={"f_port": inner.port, "data_hex": inner.payload.hex()[:1024], "gateway": inner.gateway},
    )
    return Reading(signals=(signal,), matched=True, profile=profile.id, bearer=profile.id, evidence=_TELLING)


def _refused(profile: Profile, names: dict[str, str], message: Message, why: str) -> Reading:
    signal = Signal(
        kind=SignalKind.TROUBLE,
        device=names.get("device", ""),
        why=why,
        flags=frozenset({Flag.RETAINED}) if message.retained else NO_FLAGS,
        data={"raw": message.payload[:256].hex(), "octets": len(message.payload)},
    )
    return Reading(signals=(signal,), matched=True, why=why, profile=profile.id, bearer=profile.id)
