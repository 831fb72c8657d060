"""What a device of a profile says on its wire, made of the profile's own examples.

Nothing is invented but the address, the counter, the time, and one value or octet where an example says nearly what is
wanted. Whatever is made is read back by the profile before it is given away: what does not mean what was asked for is
refused, so that a simulated device never says what no real one would.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec

from belltower.clock import SECOND, Instant, aware
from belltower.errors import Malformed, SettingsError
from hardware.profiles import document, examples
from hardware.profiles.compiled import Profile
from hardware.profiles.message import Message
from hardware.profiles.path import MISSING, finder
from hardware.profiles.signal import ALARMING, Flag, Signal
from hardware.simulators.spoken import Envelope, Spoken, put
from hardware.simulators.variants import (
    Pattern,
    changed,
    changed_pattern,
    items_of,
    kinds_of,
    powered,
    variants,
)

_ODD = frozenset({Flag.HISTORIC, Flag.SUSPECT, Flag.TEST, Flag.DUPLICATE})
_LONGEST_NOISE = 40
_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

Means = Callable[[tuple[Signal, ...]], bool]


class Repertoire:
    """Everything that a device of one profile can be made to say."""

    def __init__(self, profile: Profile, *, bearer: Profile | None = None) -> None:
        """Take the examples of `profile`; a profile of octets needs the network server that carries them.

        Raises:
            SettingsError: the bearer is missing, or is none.
        """
        self.profile = profile
        self._bearer = bearer if profile.layouts else None
        if profile.layouts and (bearer is None or bearer.bearer is None):
            said = f'"{bearer.id}" carries no other devices; ' if bearer is not None else ""
            raise SettingsError(
                f"{profile.id}: {said}its messages are octets that a network server carries; "
                "say which, --bearer chirpstack for instance"
            )
        self.patterns = tuple(self._patterns(profile))
        self._events = tuple(self._patterns(self._bearer)) if self._bearer is not None else ()
        self._envelope = Envelope(self._bearer) if self._bearer is not None else None
        self._chosen: dict[tuple[str, float | None], Pattern] = {}

    @property
    def bearer(self) -> str:
        """The network server that carries it; "" where it speaks for itself."""
        return self._bearer.id if self._bearer is not None else ""

    @property
    def has_topics(self) -> bool:
        """Its messages have topics, or paths."""
        return self._bearer is not None or any(one.message.topic for one in self.patterns)

    @property
    def kinds(self) -> dict[str, int]:
        """What its examples mean, and how many of them do."""
        counted = Counter(kind for one in (*self.patterns, *self._events) for kind in one.kinds)
        return dict(counted.most_common())

    def like(self, number: int) -> str:
        """An address for a made-up device that looks like those of the examples, the `number`th."""
        if self._envelope is not None:
            return _numbered(self._envelope.device, number)
        owners = dict.fromkeys(one.device for one in self.patterns if one.device)
        addresses = [_numbered(each, number) for each in owners] or [f"{self.profile.id}-{number}"]
        return max(addresses, key=lambda each: sum(self._is_read(one, each) for one in self.patterns))

    def say(
        self, what: str, *, address: str, counter: int, now: Instant, battery: float | None = None
    ) -> Spoken:
        """What the device at `address` says now, for the `counter`th time, to mean `what`.

        `what` is a kind of signal, `battery` with its percent, or `example N` as it stands in the file.

        Raises:
            SettingsError: no example says that, or says it of a device with such an address; it lists what there is.
        """
        key = (what, battery)
        if (known := self._chosen.get(key)) is not None:
            return self._said(known, address, counter, now)
        refused: SettingsError | None = None
        for pattern in self._fitting(what, battery):
            try:
                spoken = self._said(pattern, address, counter, now)
            except SettingsError as error:
                refused = refused or error
                continue
            self._chosen[key] = pattern
            return spoken
        raise refused or SettingsError(self._cannot(what))

    def _said(self, pattern: Pattern, address: str, counter: int, now: Instant) -> Spoken:
        message = self._fresh(self._addressed(pattern, address), pattern, counter, now)
        if message.ingress == "frame" and self._envelope is not None:
            return self._envelope.around(
                message.payload, port=message.port or 1, address=address, counter=counter
            )
        return Spoken(payload=message.payload, topic=message.topic or "", retained=pattern.retained)

    def _is_read(self, pattern: Pattern, address: str) -> bool:
        try:
            self._addressed(pattern, address)
        except SettingsError:
            return False
        return True

    def noise(self, *, address: str, counter: int, random: Random) -> Spoken:
        """Octets that mean nothing, where a press would stand."""
        pattern = next(iter(sorted(self.patterns, key=_loud)), None)
        payload = random.randbytes(random.randint(1, _LONGEST_NOISE))
        if self._envelope is not None:
            return self._envelope.around(payload, port=_port(pattern), address=address, counter=counter)
        topic = "" if pattern is None else self._addressed(pattern, address).topic or ""
        return Spoken(payload=payload, topic=topic)

    # -- which example

    def _patterns(self, profile: Profile) -> Iterator[Pattern]:
        for number, example in enumerate(profile.tables.example, start=1):
            message = examples.message_of(example)
            retained, message = message.retained, changed(message, retained=False)
            if profile.bearer is not None and profile.bearer.carries(message.topic) is not None:
                continue
            reading = profile.read(message)
            yield Pattern(
                message=message, reader=profile, signals=reading.signals, number=number, retained=retained
            )

    def _fitting(self, what: str, battery: float | None) -> Iterator[Pattern]:
        """The examples that say `what`, the plainest first; then what is nearly one of them."""
        word, _, number = what.partition(" ")
        if word == "example":
            found = next((one for one in self.patterns if str(one.number) == number), None)
            if found is None:
                raise SettingsError(
                    f"{self.profile.id} has no example {number}; it has {len(self.profile.tables.example)}"
                )
            yield found
            return
        if word == "battery" and battery is not None:
            yield self._with_battery(battery)
            return
        every = (*self.patterns, *self._events)
        yield from sorted((one for one in every if what in one.kinds), key=lambda one: _oddness(one, what))
        for one in sorted(self.patterns, key=lambda one: (one.retained, one.number)):
            for message in variants(one):
                signals = one.reader.read(message).signals
                if what in kinds_of(signals) and not _alarms_besides(signals, what):
                    yield changed_pattern(one, message, signals)
                    break
        yield from self._last_will(what)

    def _last_will(self, what: str) -> Iterator[Pattern]:
        """What the broker says of it, as [supervision] reads it, where no example does."""
        online = self.profile.supervision.online
        if online is None or online.path is not None:
            return
        names = dict(self.profile.tables.settings)
        for one in self.patterns:
            for _, captures in self.profile.rules_of(one.message.topic):
                names.update(captures)
        topic = _CAPTURE.sub(lambda found: names.get(found[1], "x"), online.topic)
        for said, kind in online.map.items():
            message = Message(payload=said.encode(), topic=topic)
            signals = self.profile.read(message).signals
            if kind == what and what in kinds_of(signals):
                yield Pattern(message=message, reader=self.profile, signals=signals, number=0, retained=True)

    def _cannot(self, what: str) -> str:
        known = ", ".join(f"{kind} ({many})" for kind, many in self.kinds.items())
        return (
            f'no example of {self.profile.id} means "{what}", nor nearly; they mean: {known}. '
            "Write an [[example]] that does, or send one as it stands: example N"
        )

    def _with_battery(self, percent: float) -> Pattern:
        """An example that tells of a battery, made to say `percent`, and of no alarm."""
        for patterns in (self.patterns, self._events):
            found = [each for one in patterns for each in powered(one, percent)]
            if found:
                return min(found, key=lambda each: each[0])[1]
        raise SettingsError(
            f"no example of {self.profile.id} can be made to say a battery of {percent:g} %; write an [[example]] "
            "that tells of a battery without a press"
        )

    # -- whose it is, and when

    def _addressed(self, pattern: Pattern, address: str) -> Message:
        """The message with `address` where the example has its own device."""
        message, own = pattern.message, pattern.device
        if message.ingress == "frame":
            return changed(message, device=address)
        if not own or own == address:
            return message
        topic, payload = message.topic or "", message.payload
        elsewhere = re.compile(rf"(?<![A-Za-z0-9]){re.escape(own)}(?![A-Za-z0-9])")
        there = elsewhere.sub(lambda _: address, topic)
        written = msgspec.json.encode(address)[1:-1].decode() if payload[:1] in b"{[" else address
        text = payload.decode(errors="surrogateescape")
        inside = elsewhere.sub(lambda _: written, text).encode(errors="surrogateescape")
        wanted = [(one.kind, address if one.device == own else one.device) for one in pattern.signals]
        for one, other in ((there, inside), (there, payload), (topic, inside)):
            made = changed(message, topic=one, payload=other)
            signals = pattern.reader.read(made).signals
            if [(each.kind, each.device) for each in signals] == wanted:
                return made
        raise SettingsError(
            f'{pattern.reader.id} does not read "{address}" where its example {pattern.number} has "{own}"; '
            f'give an address like "{own}"'
        )

    def _fresh(self, message: Message, pattern: Pattern, counter: int, now: Instant) -> Message:
        """The message with the time and the counter of now, where it tells of them."""
        try:
            whole = document.json(message.payload) if message.payload[:1] in b"{[" else None
        except Malformed:
            whole = None
        if not isinstance(whole, dict):
            return message
        renewed = False
        for rule, _ in pattern.reader.rules_of(message.topic):
            for item in items_of(rule.table.each, whole):
                for path, new in ((rule.table.at, now), (rule.table.counter, counter)):
                    if isinstance(path, str) and "{" not in path:
                        renewed |= _renew(path, item, whole, new)
        if not renewed:
            return message
        made = changed(message, payload=msgspec.json.encode(whole))
        same = kinds_of(pattern.reader.read(made).signals) == pattern.kinds
        return made if same else message


def _numbered(known: str, number: int) -> str:
    """A name like `known` with another number; its length stays."""
    found = re.search(r"[0-9]+(?=[^0-9]*$)", known)
    if found is None:
        return f"{known}-{number}"
    digits = found[0]
    width = min(len(digits), max(3, len(str(number))))
    return f"{known[: found.start()]}{digits[:-width]}{number:0{width}d}{known[found.end() :]}"


def _alarms_besides(signals: tuple[Signal, ...], what: str) -> bool:
    return bool(kinds_of(signals) & {str(kind) for kind in ALARMING} - {what})


def _oddness(one: Pattern, what: str) -> tuple[Any, ...]:
    return (
        _alarms_besides(one.signals, what),
        one.reader.bearer is not None,
        any(signal.flags & _ODD for signal in one.signals),
        one.retained,
        any(signal.level is not None for signal in one.signals),
        len(one.signals),
        one.number,
    )


def _loud(one: Pattern) -> tuple[bool, int]:
    return not one.kinds & {str(kind) for kind in ALARMING}, one.number


def _port(pattern: Pattern | None) -> int:
    return pattern.message.port or 1 if pattern is not None else 1


def _renew(path: str, item: Any, whole: Any, new: int) -> bool:
    """Put a time (an Instant) or a counter where one stands already, written as it was."""
    old = finder(path)(item, whole)
    if old is MISSING or old is None or isinstance(old, bool):
        return False
    value: Any = new
    if new > 1 << 45:  # an Instant
        if isinstance(old, str):
            value = aware(Instant(new)).isoformat()
        elif isinstance(old, float):
            value = new / SECOND
        elif isinstance(old, int):
            value = new // 1000 if old > 10**11 else new // SECOND
        else:
            return False
    elif not isinstance(old, int):
        return False
    return put(whole if path.startswith("$") else item, path, value)
