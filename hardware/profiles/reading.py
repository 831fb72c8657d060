"""The engine: every message of every wire, by the profiles that are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from belltower.errors import Malformed
from hardware.profiles.bearer import Bearer
from hardware.profiles.compiled import Profile, Reading
from hardware.profiles.message import Message
from hardware.profiles.signal import NO_FLAGS, Flag, Signal, SignalKind

_CLEAR = 3
"""How much more must speak for one profile than for others, where nobody says which device it is."""
_SURE = 5
"""How much must speak for a profile that reads bytes of nobody knows whom."""
_DULL = frozenset({SignalKind.STATE, SignalKind.IGNORE, SignalKind.HEARTBEAT, SignalKind.TROUBLE})
_TROUBLE = SignalKind.TROUBLE
_KEPT_TOPICS = 4096

__all__ = ["Reader", "Reading", "raw_uplink"]


class Reader:
    """Reads messages by profile; bearers are unwrapped first."""

    def __init__(self, profiles: Mapping[str, Profile] | Iterable[Profile]) -> None:
        every = profiles.values() if isinstance(profiles, Mapping) else profiles
        self.profiles: dict[str, Profile] = {profile.id: profile for profile in every}
        self._carriers: dict[str, tuple[Profile, Bearer, dict[str, str]] | None] = {}
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
        forms: dict[str, Any] = {}
        return tuple(
            reading
            for one in self._candidates(message)
            if (reading := one.read(message, forms=forms)).matched
            and (message.topic is not None or reading.signals)
        )

    def unwrap(self, message: Message) -> tuple[Profile, Message, Reading | None] | None:
        """The bearer that carried it and what the device sent, or the reading that refuses it; None: not carried."""
        topic = message.topic
        if not topic:
            return None
        if topic not in self._carriers:
            if len(self._carriers) >= _KEPT_TOPICS:
                self._carriers.clear()
            self._carriers[topic] = self._carrier(topic)
        found = self._carriers[topic]
        if found is None:
            return None
        profile, bearer, names = found
        try:
            return profile, bearer.unwrap(message, names), None
        except Malformed as error:
            return profile, message, _refused(profile, names, message, str(error))

    def _carrier(self, topic: str) -> tuple[Profile, Bearer, dict[str, str]] | None:
        for profile in self.profiles.values():
            bearer = profile.bearer
            if bearer is not None and (names := bearer.carries(topic)) is not None:
                return profile, bearer, names
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
        if topic is None or not topic:  # the profiles of a wire hear nothing else
            return [one for one in self.profiles.values() if one.wire in ("", message.ingress)]
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
            spoke = [one for one in found if _tells(one)] or [
                one for one in found if one.signals and self._particular(one, message)
            ]
        else:
            spoke = [
                one for one in found if _tells(one) and (message.ingress != "frame" or not _troubled(one))
            ]
        if not spoke:
            return Reading(why=self._nothing(found, message))
        if len(spoke) == 1 and message.topic:
            return spoke[0]
        ranked = sorted(
            spoke, key=lambda one: (*_rank(one, message.topic), -self._particular(one, message), one.profile)
        )
        best = ranked[0]
        if not message.topic:
            rivals = [
                one for one in ranked if _kinds(one) != _kinds(best) and one.evidence + _CLEAR > best.evidence
            ]
            if rivals or (message.ingress == "frame" and best.evidence < _SURE):
                names = tuple(sorted({best.profile, *(one.profile for one in rivals)}))
                return Reading(why=f"it could be of {', '.join(names)}; say which profile", candidates=names)
        return _changed(best, candidates=tuple(one.profile for one in ranked[1:]))

    def _particular(self, reading: Reading, message: Message) -> int:
        rules = self.profiles[reading.profile].rules_of(message.topic)
        return max((rule.topic_weight for rule, _ in rules), default=0)

    def _nothing(self, found: tuple[Reading, ...], message: Message) -> str:
        about = [one for one in found if message.topic and self._particular(one, message)]
        if about:
            return "; ".join(f"{one.profile}: {one.why}" for one in about[:4])
        if not self.profiles:
            return "no profile is loaded"
        if message.topic:
            return f'none of {len(self.profiles)} profiles is about the topic "{message.topic[:120]}"'
        return f"none of {len(self.profiles)} profiles is about what it says"


def _tells(reading: Reading) -> bool:
    for one in reading.signals:  # noqa: SIM110 - a generator costs more than the tests
        if one.kind is not _TROUBLE:
            return True
    return False


def _troubled(reading: Reading) -> bool:
    return any(one.kind is _TROUBLE for one in reading.signals)


def _kinds(reading: Reading) -> tuple[SignalKind, ...]:
    return tuple(sorted(signal.kind for signal in reading.signals))


def _rank(reading: Reading, topic: str | None) -> tuple[int, int]:
    """By evidence; where the topic is known, what tells something before what tells nothing."""
    dull = bool(topic) and all(signal.kind in _DULL for signal in reading.signals)
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
    return Reading(signals=(signal,), matched=True, profile=profile.id, bearer=profile.id, evidence=_CLEAR)


def _refused(profile: Profile, names: dict[str, str], message: Message, why: str) -> Reading:
    signal = Signal(
        kind=SignalKind.TROUBLE,
        device=names.get("device", ""),
        why=why,
        flags=frozenset({Flag.RETAINED}) if message.retained else NO_FLAGS,
        data={"raw": message.payload[:256].hex(), "octets": len(message.payload)},
    )
    return Reading(signals=(signal,), matched=True, why=why, profile=profile.id, bearer=profile.id)
