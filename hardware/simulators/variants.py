"""Examples of a profile, and what they become with another value of the profile's own, another octet, another battery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from belltower.errors import Malformed
from hardware.profiles import document
from hardware.profiles.compiled import Profile
from hardware.profiles.message import Message
from hardware.profiles.path import finder
from hardware.profiles.signal import ALARMING, Signal
from hardware.simulators.spoken import put

_NEAR = 4.0
"""Percent by which a battery may differ from what was asked for: some devices say it in sixteenths."""


class Pattern(Struct, frozen=True, kw_only=True):
    """An example that says what is wanted, before it is anybody's in particular."""

    message: Message
    # Who reads it: the profile itself, or its bearer where that speaks for the device.
    reader: Profile
    signals: tuple[Signal, ...]
    number: int
    retained: bool

    @property
    def kinds(self) -> set[str]:
        """What it means; of a level, what its becoming so means."""
        return kinds_of(self.signals)

    @property
    def device(self) -> str:
        """Whose the example is."""
        return next((one.device for one in self.signals if one.device), "")


def kinds_of(signals: Iterable[Signal]) -> set[str]:
    """What they mean; a level also means what its becoming so does."""
    kinds = set()
    for one in signals:
        edge = one.rises if one.level else one.falls if one.level is False else None
        kinds.add(str(edge or one.kind))
    return kinds


def changed_pattern(like: Pattern, message: Message, signals: tuple[Signal, ...]) -> Pattern:
    """`like`, but for what it says."""
    return Pattern(
        message=message, reader=like.reader, signals=signals, number=like.number, retained=like.retained
    )


def changed(message: Message, **values: Any) -> Message:
    """`message`, but for these values."""
    return msgspec.structs.replace(message, **values)


def variants(one: Pattern) -> Iterator[Message]:
    """The example with another value of a rule's own map, or with one octet changed."""
    message = one.message
    if message.ingress == "frame":
        yield from _octets(message)
        return
    for rule, _ in one.reader.rules_of(message.topic):
        table = rule.table
        for key in table.map:
            value: Any = key if table.of == "text" else int(key, 0) if table.of == "int" else key == "true"
            if table.path in (None, "$"):
                yield changed(message, payload=key.encode())
            elif (made := _with(message, table.path or "", table.each, value)) is not None:
                yield made


def powered(one: Pattern, percent: float) -> Iterator[tuple[float, Pattern]]:
    """What the example becomes with about this battery, and by how much it is off."""
    if one.kinds & ALARMING or not any(signal.battery is not None for signal in one.signals):
        return
    for message in (one.message, *_batteries(one, percent)):
        signals = one.reader.read(message).signals
        said = next((each.battery for each in signals if each.battery is not None), None)
        if said is None or kinds_of(signals) & {*ALARMING, "trouble"} or abs(said - percent) > _NEAR:
            continue
        yield abs(said - percent), changed_pattern(one, message, signals)


def _batteries(one: Pattern, percent: float) -> Iterator[Message]:
    """The example with another battery."""
    if one.message.ingress == "frame":
        yield from _octets(one.message)
        return
    text = one.message.payload.decode(errors="replace")
    if text.strip().isdigit():
        yield changed(one.message, payload=f"{percent:g}".encode())
        return
    for rule, _ in one.reader.rules_of(one.message.topic):
        spec = rule.table.battery
        path = spec.get("path") if isinstance(spec, dict) else spec
        if not isinstance(path, str) or "{" in path:
            continue
        scale, add = (spec.get("scale", 1), spec.get("add", 0)) if isinstance(spec, dict) else (1, 0)
        value = (percent - add) / scale if scale else percent
        written = int(value) if float(value).is_integer() else value
        if (made := _with(one.message, path, rule.table.each, written)) is not None:
            yield made


def _octets(message: Message) -> Iterator[Message]:
    octets = message.payload
    for at in range(len(octets)):
        for value in range(256):
            if value != octets[at]:
                yield changed(message, payload=octets[:at] + bytes((value,)) + octets[at + 1 :])


def _with(message: Message, path: str, each: str | None, value: Any) -> Message | None:
    """The message with `value` where `path` leads in each item; None where it leads nowhere."""
    try:
        whole = document.json(message.payload)
    except Malformed:
        return None
    done = False
    for item in items_of(each, whole):
        done |= put(whole if path.startswith("$") else item, path, value)
    return changed(message, payload=msgspec.json.encode(whole)) if done else None


def items_of(each: str | None, whole: Any) -> list[Any]:
    """What `each` leads to; the message itself without one."""
    if each is None:
        return [whole]
    found = finder(each)(whole, whole)
    return list(found) if isinstance(found, list) else []
