"""Recorded messages, sent again."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

from belltower.clock import SystemClock
from belltower.errors import SettingsError
from gateway.cli.device_ways import WireOptions, opened
from gateway.cli.output import emit
from gateway.cli.simulated_devices import house, profile_called
from hardware.simulators.outlets import BrokerOutlet
from hardware.simulators.recorded import Left, Recorded, taken
from hardware.simulators.spoken import Envelope

_MOST_OCTETS = 64 << 20
_LONGEST_PAUSE = 3600.0


async def play(
    file: Path, wire: WireOptions, *, bearer: str, address: str, every: float, speed: float, only: str
) -> None:
    """Send every message of the file once, and what `wire` says besides.

    `speed` divides the pauses, those that the lines tell of by `at` and else `every`; 0 makes none. `only` is a part of
    the ids that are sent.

    Raises:
        SettingsError: the file or the way cannot be used.
        Unreachable: the other end of the wire is not there, or went away.
    """
    lines = _lines(file)
    settings, foreign = house(wire.config, needed=not wire.to)
    envelope = Envelope(profile_called(bearer, foreign.profiles)) if bearer else None
    random = Random(wire.seed)  # noqa: S311 - drawn by a seed, not kept secret
    mishaps = wire.mishaps(random)
    left: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    async with opened(wire, settings, clock=SystemClock(), profiles=set(), topics=True) as (outlet, url):
        topicless = not isinstance(outlet, BrokerOutlet)
        messages: list[Recorded] = []
        for number, line in enumerate(lines, start=1):
            found = taken(line, bearer=envelope, address=address, counter=number, topicless=topicless)
            if isinstance(found, Left):
                left[found.why] += 1
            elif only in found.id:
                messages.append(found)
        emit({"messages": len(messages), "left_out": left, "to": url})
        begin, due, before = loop.time(), 0.0, None
        for message in messages:
            pause = every if before is None or message.at is None else message.at - before
            due += min(max(pause, 0.0), _LONGEST_PAUSE) / speed if speed else 0.0
            before = message.at
            if begin + due > loop.time():
                await outlet.flush()
                await asyncio.sleep(begin + due - loop.time())
            for each in mishaps.through(message.spoken):
                await outlet.send(each)
        for each in mishaps.rest():
            await outlet.send(each)
        await outlet.flush()
        emit({**outlet.counts, **mishaps.counts})


def _lines(file: Path) -> list[bytes]:
    try:
        if file.stat().st_size > _MOST_OCTETS:
            raise SettingsError(f"{file}: more than {_MOST_OCTETS >> 20} MiB; split it")
        return [line for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror})") from None
