"""The examples of a profile, run whenever it is loaded: a profile that does not do what they say is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from belltower.clock import SECOND
from hardware.profiles.compiled import Profile, Reading
from hardware.profiles.message import Message
from hardware.profiles.profile import ExampleTable, ProfileClass
from hardware.profiles.signal import ALARMING, PRESSES, Signal, SignalKind

_ALIVE = {
    SignalKind.HEARTBEAT,
    SignalKind.BATTERY_LOW,
    SignalKind.ONLINE,
    SignalKind.OFFLINE,
    SignalKind.JOIN,
}
_NEEDS_PRESS = {ProfileClass.PANIC, ProfileClass.BADGE}
_NEEDS_ALIVE = {ProfileClass.PANIC, ProfileClass.BADGE, ProfileClass.CONTACT}
_SHOWN = (
    "kind",
    "device",
    "channel",
    "value",
    "flags",
    "battery",
    "volts",
    "at",
    "counter",
    "level",
    "data",
    "why",
)


def message_of(example: ExampleTable) -> Message:
    """The message that an example writes down; ValueError says what is wrong with it."""
    if (example.payload is None) == (example.octets is None):
        raise ValueError("payload: either payload or bytes, one of the two")
    if example.octets is not None:
        try:
            octets = bytes.fromhex(example.octets)
        except ValueError:
            raise ValueError("bytes: octets in hexadecimal digits") from None
        ingress = "frame"
    elif isinstance(example.payload, str):
        octets, ingress = example.payload.encode(), "mqtt"
    else:
        octets, ingress = msgspec.json.encode(example.payload), "mqtt"
    return Message(
        ingress=ingress,
        topic=example.topic,
        payload=octets,
        retained=example.retained,
        port=example.port,
        device=example.device,
        counter=example.counter,
    )


def faults(profile: Profile) -> list[str]:
    """What the examples prove wrong, and which kinds of example are missing; each line begins with its key."""
    found: list[str] = []
    readings: list[Reading] = []
    for number, example in enumerate(profile.tables.example, start=1):
        try:
            message = message_of(example)
        except ValueError as error:
            found.append(f"example[{number}].{error}")
            continue
        reading = _unwrapped(profile, message)
        readings.append(reading)
        difference = _difference(example, reading)
        if difference:
            found.append(f"example[{number}]: {difference}")
    return found + _missing(profile, readings)


def _unwrapped(profile: Profile, message: Message) -> Reading:
    """What a profile, or the bearer that it describes, makes of a message."""
    if profile.bearer is not None and (names := profile.bearer.carries(message.topic)) is not None:
        from hardware.profiles.reading import raw_uplink  # noqa: PLC0415 - it reads by profiles

        return raw_uplink(profile, message, names)
    return profile.read(message)


def _difference(example: ExampleTable, reading: Reading) -> str:
    """How the reading differs from what is expected; "" where it does not."""
    wanted = example.expect
    got = reading.signals
    if not any(str(each.get("kind", "")) == SignalKind.IGNORE for each in wanted):
        got = tuple(signal for signal in got if signal.kind is not SignalKind.IGNORE)
    if len(wanted) == len(got) and all(not _apart(one, two) for one, two in zip(wanted, got, strict=True)):
        return ""
    told = f" ({reading.why})" if reading.why else ""
    if len(wanted) != len(got):
        return f"expected {_listed(wanted)}, read {_listed([_plain(one) for one in got])}{told}"
    apart = [
        f"signal {number}: {text}"
        for number, (one, two) in enumerate(zip(wanted, got, strict=True), start=1)
        if (text := _apart(one, two))
    ]
    return "; ".join(apart) + told


def _apart(wanted: dict[str, Any], got: Signal) -> str:
    plain = _plain(got)
    for key, value in wanted.items():
        if key not in _SHOWN and not key.startswith("data."):
            return f'"{key}" is no part of a signal; one of: {", ".join(_SHOWN)}'
        found = got.data.get(key[5:]) if key.startswith("data.") else plain.get(key)
        if not _alike(key, value, found):
            mend = ""
            if key == "kind" and got.level is not None:
                mend = f"; it is a level, which means {got.rises} once it rises: expect {key} = {_said(found)}, level = {str(got.level).lower()}"
            return f"{key} is {_said(found)}, expected {_said(value)}{mend}"
    return ""


def _alike(key: str, wanted: Any, found: Any) -> bool:
    if key == "channel":
        return str(wanted) == str(found or "")
    if key == "flags":
        return sorted(wanted) == sorted(found or [])
    if key == "at" and isinstance(found, int):
        return bool(abs(wanted - found / SECOND) < 1e-3)
    if key == "data" and isinstance(wanted, dict):
        return all(_alike("", value, (found or {}).get(name)) for name, value in wanted.items())
    if key == "why":
        return str(wanted) in str(found or "")
    if isinstance(wanted, float | int) and not isinstance(wanted, bool):
        return isinstance(found, float | int) and not isinstance(found, bool) and abs(wanted - found) < 1e-6
    return type(wanted) is type(found) and bool(wanted == found)


def _plain(signal: Signal) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": str(signal.kind)}
    for name in _SHOWN[1:]:
        value = getattr(signal, name)
        if value is None or value in ("", {}, frozenset()):
            continue
        made[name] = sorted(str(flag) for flag in value) if name == "flags" else value
    return made


def _listed(signals: Any) -> str:
    return ", ".join(str(each.get("kind", each)) for each in signals) or "nothing"


def _said(value: Any) -> str:
    return "missing" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


def _missing(profile: Profile, readings: list[Reading]) -> list[str]:
    """Which of the mandatory kinds of example are not there."""
    kinds = [{signal.kind for signal in reading.signals} for reading in readings]
    live = [any(signal.alarms for signal in reading.signals) for reading in readings]
    found = []
    if not readings:
        found.append("example: missing; write at least one [[example]], a message and what it must mean")
        return found
    if (
        profile.cls in _NEEDS_PRESS
        and not any(each & (PRESSES | ALARMING) for each in kinds)
        and not _leveled(readings)
    ):
        found.append("example: none is a press; class panic proves at least one")
    if all(live):
        found.append("example: each alarms; write at least one message that must not alarm")
    if profile.cls in _NEEDS_ALIVE and not any(
        each & _ALIVE or any(one.battery is not None or one.volts is not None for one in reading.signals)
        for each, reading in zip(kinds, readings, strict=True)
    ):
        found.append("example: none is a battery report or a sign of life; write one")
    return found


def _leveled(readings: list[Reading]) -> bool:
    """A level that rises to a press, though a single message shows no edge."""
    return any(
        signal.level and signal.rises in ALARMING for reading in readings for signal in reading.signals
    )
