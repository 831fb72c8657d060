"""What was heard before, and what a new signal is worth in its light: a pure fold, one record for each device.

Edges, repeats, counters, clocks and batteries are judged here. Whoever keeps the record writes it in the same commit
as what came of the signals, so that a restart makes no second press and loses none.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from hardware.profiles.compiled import Profile
from hardware.profiles.profile import ProfileClass
from hardware.profiles.signal import ALARMING, Flag, Signal, SignalKind

LATE = 60 * SECOND
"""A device's time further back than this is not now, where its clock is known to be right."""
PROOF = 24 * 3600 * SECOND
"""For how long a clock that was right is believed; and how far back it is believed at all."""
WIDEST_GAP = 16_384
"""Counters that jump further are suspect."""
LOW = 20
"""Percent of a battery that is low."""

_REPEATS = ALARMING | {SignalKind.AUX_ALARM, SignalKind.TAMPER}
_UNCOUNTED = SECOND
_MOST_KEYS = 64
_MOST_CHANNELS = 256


class Remembered(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one device from what it said before."""

    # The level of each input as it was last seen, by channel.
    levels: dict[str, bool] = {}
    # When each press was first heard, by what makes it the same press.
    seen: dict[str, Instant] = {}
    counter: int | None = None
    # How often its counter began anew.
    epoch: int = 0
    # It said that it begins anew, and no counter came since.
    boot: bool = False
    # Reports of a low battery in a row.
    low: int = 0
    # When its clock last was right.
    proven_at: Instant | None = None
    # Of the key under which its counter rises; another key begins another count.
    sealed: str = ""


class Judged(Struct, frozen=True, kw_only=True):
    """What signals are worth."""

    signals: tuple[Signal, ...]
    memory: Remembered
    # Whether the memory is another than before.
    changed: bool


def judge(memory: Remembered | None, signals: Iterable[Signal], now: Instant, *, profile: Profile) -> Judged:
    """What the signals of one message of one device are worth, and what is remembered after them.

    A press is news when it is not retained, not buffered by the device, not heard before within the window, and, of an
    input, when it became so under our eyes. Nothing is dropped: what is no news carries a flag that says why.
    """
    before = memory if memory is not None else Remembered()
    after, out = before, list[Signal]()
    for signal in signals:
        after, worth = _one(after, signal, now, profile)
        out += worth
    after, out = _battery(after, out)
    return Judged(signals=tuple(out), memory=after, changed=after != before)


def after_gap(memory: Remembered) -> Remembered:
    """The memory of a device that was away: what its inputs are now, nobody saw them become."""
    return replace(memory, levels={}) if memory.levels else memory


def _one(
    memory: Remembered, signal: Signal, now: Instant, profile: Profile
) -> tuple[Remembered, list[Signal]]:
    if Flag.RETAINED in signal.flags:
        return memory, _kept(memory, signal)
    if signal.epoch:
        memory = replace(memory, boot=True, proven_at=None, levels={})
    memory, signal = _counted(memory, signal)
    memory, signal = _clocked(memory, signal, now)
    panic = profile.cls in {ProfileClass.PANIC, ProfileClass.BADGE}
    if Flag.HISTORIC in signal.flags:
        return memory, [signal, _late(signal, now)] if panic and signal.kind in ALARMING else [signal]
    if signal.level is not None:
        memory, worth = _leveled(memory, signal)
    else:
        worth = [signal]
        if profile.leveled:
            memory = _sets(memory, signal)
    judged = []
    for one in worth:
        memory, told = _repeated(memory, one, now, profile)
        judged.append(told)
    if panic and signal.kind is SignalKind.LEAVE:
        judged.append(_trouble(signal, "left its network: it can be pressed without being heard"))
    return memory, judged


def _kept(memory: Remembered, signal: Signal) -> list[Signal]:
    """What the broker had kept changes no memory; what is active in it was found so."""
    active = signal.level and signal.rises in ALARMING and not memory.levels.get(signal.channel)
    return [signal, _found(signal)] if active else [signal]


def _found(signal: Signal) -> Signal:
    trouble = _trouble(signal, "found active: nobody saw it become so, a person decides")
    return replace(trouble, flags=signal.flags | {Flag.FOUND})


def _trouble(signal: Signal, why: str) -> Signal:
    return Signal(
        kind=SignalKind.TROUBLE,
        device=signal.device,
        channel=signal.channel,
        why=why,
        at=signal.at,
        counter=signal.counter,
    )


def _late(signal: Signal, now: Instant) -> Signal:
    age = f"{max(now - signal.at, 0) // SECOND} s old" if signal.at is not None else "of unknown age"
    return _trouble(signal, f"late press, {age}: the device had kept it")


def _counted(memory: Remembered, signal: Signal) -> tuple[Remembered, Signal]:
    counter, last = signal.counter, memory.counter
    if counter is None or (counter == last and not memory.boot):
        return memory, signal
    if last is None or counter > last:
        suspect = last is not None and counter - last > WIDEST_GAP
    elif memory.boot:
        memory, suspect = replace(memory, epoch=memory.epoch + 1), False
    else:
        suspect = True
    memory = replace(memory, counter=counter, boot=False)
    return memory, replace(signal, flags=signal.flags | {Flag.SUSPECT}) if suspect else signal


def _clocked(memory: Remembered, signal: Signal, now: Instant) -> tuple[Remembered, Signal]:
    if signal.at is None or Flag.HISTORIC in signal.flags:
        return memory, signal
    age = now - signal.at
    if abs(age) <= LATE:
        return replace(memory, proven_at=now), signal
    proven = memory.proven_at is not None and 0 <= now - memory.proven_at <= PROOF
    if proven and 0 < age <= PROOF:
        return memory, replace(signal, flags=signal.flags | {Flag.HISTORIC})
    return (replace(memory, proven_at=None) if memory.proven_at is not None else memory), signal


def _leveled(memory: Remembered, signal: Signal) -> tuple[Remembered, list[Signal]]:
    """A level becomes an edge, a refresh, or something found."""
    last = memory.levels.get(signal.channel)
    level = bool(signal.level)
    memory = _at(memory, signal.channel, level=level)
    rises, falls = signal.rises or SignalKind.PRESS, signal.falls or SignalKind.CLEAR
    if signal.kind in {rises, falls}:  # what the level would mean, said of one message by itself
        signal = replace(signal, kind=SignalKind.STATE)
    own = [] if signal.kind is SignalKind.STATE else [replace(signal, level=None, rises=None, falls=None)]
    if not level:
        return memory, [*own, replace(signal, kind=falls)] if last else own or [signal]
    if last is None:
        found = (
            _found(signal)
            if rises in ALARMING
            else replace(signal, kind=rises, flags=signal.flags | {Flag.FOUND})
        )
        return memory, [*(own or [signal]), found]
    if last:
        return memory, [*own, replace(signal, kind=rises, flags=signal.flags | {Flag.REFRESH})]
    return memory, [*own, replace(signal, kind=rises)]


def _sets(memory: Remembered, signal: Signal) -> Remembered:
    """An event says what the level is from now on."""
    if signal.kind in ALARMING:
        return _at(memory, signal.channel, level=True)
    if signal.kind in {SignalKind.CLEAR, SignalKind.RELEASE}:
        return _at(memory, signal.channel, level=False)
    return memory


def _at(memory: Remembered, channel: str, *, level: bool) -> Remembered:
    if memory.levels.get(channel) is level:
        return memory
    if channel not in memory.levels and len(memory.levels) >= _MOST_CHANNELS:
        return memory
    return replace(memory, levels={**memory.levels, channel: level})


def _repeated(
    memory: Remembered, signal: Signal, now: Instant, profile: Profile
) -> tuple[Remembered, Signal]:
    if signal.kind not in _REPEATS or not signal.live:
        return memory, signal
    dedupe = profile.dedupe
    window = Instant(round(dedupe.window * SECOND))
    if (
        "counter" in dedupe.key and signal.counter is None
    ):  # nothing tells two presses apart: believe the second
        window = min(window, Instant(_UNCOUNTED))
    key = "\x1f".join([str(memory.epoch), *(_part(signal, name) for name in dedupe.key)])
    first = memory.seen.get(key)
    if first is not None and 0 <= now - first <= window:
        return memory, replace(signal, flags=signal.flags | {Flag.DUPLICATE})
    seen = {name: at for name, at in memory.seen.items() if name != key}
    while len(seen) >= _MOST_KEYS:
        del seen[min(seen, key=lambda name: seen[name])]
    return replace(memory, seen={**seen, key: now}), signal


def _part(signal: Signal, name: str) -> str:
    if name.startswith("data."):
        return str(signal.data.get(name[5:], ""))
    value = getattr(signal, name)
    return "" if value is None else str(value)


def _battery(memory: Remembered, signals: list[Signal]) -> tuple[Remembered, list[Signal]]:
    """A battery is low when two reports in a row say so, or one says 0."""
    fresh = [one for one in signals if not one.flags & {Flag.RETAINED, Flag.HISTORIC}]
    levels = [one.battery for one in fresh if one.battery is not None]
    said = any(one.kind is SignalKind.BATTERY_LOW for one in fresh)
    if not levels and not said:
        if any(one.volts is not None for one in fresh) and memory.low:  # it reported, and had no complaint
            memory = replace(memory, low=0)
        return memory, signals
    if not said and min(levels, default=LOW + 1) > LOW:
        return (replace(memory, low=0) if memory.low else memory), signals
    empty = min(levels, default=1) == 0
    before, count = memory.low, min(memory.low + (2 if empty else 1), 3)
    memory = replace(memory, low=count) if count != memory.low else memory
    others = [one for one in signals if one.kind is not SignalKind.BATTERY_LOW]
    lows = [one for one in signals if one.kind is SignalKind.BATTERY_LOW] or [
        Signal(kind=SignalKind.BATTERY_LOW, device=fresh[0].device, battery=min(levels, default=None))
    ]
    if count < 2:
        kept = [replace(one, kind=SignalKind.HEARTBEAT) for one in lows] if said else []
        return memory, [*others, *kept]
    if before >= 2:
        lows = [replace(one, flags=one.flags | {Flag.REFRESH}) for one in lows]
    return memory, [*others, *lows]
