"""The county as a program: its ends, one screen for them all, and the page on which it is steered."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from msgspec import Struct

from belltower.clock import SECOND, Clock, SystemClock
from belltower.errors import SettingsError, Unreachable
from belltower.tasks import together
from gateway.county.end import CountyEnd
from gateway.county.ends import Given, end_from
from gateway.county.screen import Screen
from gateway.county.steering import Steering, set_fault


class CountyOptions(Struct, frozen=True, kw_only=True):
    """What `belltower simulate county` is given."""

    # The ends by name, each with its address: {"kiss": "serial:///dev/ttyUSB0", "dc09": "127.0.0.1:0"}.
    links: Mapping[str, str]
    # The file of each end's secret, readable by its owner only.
    key_files: Mapping[str, Path] = {}
    # The radio's call signs: ours and the school's.
    us: str = "PSAP"
    them: str = "SCHOOL-1"
    # Faults as "dc09:late=3", or "late=3" for every end that knows it; see `Fault.parse`.
    faults: Sequence[str] = ()
    # Seconds after which the telecommunicator acknowledges unasked; None: never.
    auto_acknowledge: float | None = None
    # The port on 127.0.0.1 where it is steered; 0 for any, None for none.
    control: int | None = None
    # What faults are drawn from.
    seed: int = 0


async def run_county(
    options: CountyOptions, *, announce: Callable[[str], None] | None = None, clock: Clock | None = None
) -> None:
    """Be the county until cancelled. `announce` gets one JSON line once all ends are open; it is printed by default."""
    time = clock or SystemClock()
    ends = _ends(options, time)
    screen = Screen(now=lambda: time.now() / SECOND)
    if options.auto_acknowledge is not None:
        screen.watch(Answering(screen=screen, after=options.auto_acknowledge))
    steering = Steering(screen=screen, ends=ends)
    port = await steering.serve(options.control) if options.control is not None else None
    work = {f"county_{name}": _run(end, screen) for name, end in ends.items()}
    try:
        await together(**work, county_ready=_say_ready(ends, port, announce or _print))
    finally:
        await steering.close()


class Answering:
    """A telecommunicator who takes every call so many seconds after it appears."""

    def __init__(self, *, screen: Screen, after: float) -> None:
        self._screen = screen
        self._after = after
        self._seen: dict[int, float] = {}

    def __call__(self, number: int) -> None:
        """Look at a call of the screen."""
        call = self._screen.calls.get(number)
        if call is None or call.state != "new" or not call.kind or self._seen.get(number) == call.heard_at:
            return  # what only a summary named so far is no call to a person
        self._seen[number] = call.heard_at
        asyncio.get_running_loop().call_later(self._after, self._answer, number)

    def _answer(self, number: int) -> None:
        call = self._screen.calls.get(number)
        if call is not None and call.state == "new":
            self._screen.acknowledge(number)


def _ends(options: CountyOptions, clock: Clock) -> dict[str, CountyEnd]:
    ends: dict[str, CountyEnd] = {}
    if not options.links:
        raise SettingsError("--links: name at least one end, such as kiss=serial:///dev/ttyUSB0")
    if strange := set(options.key_files) - set(options.links):
        raise SettingsError(f"--key-file {min(strange)}: --links names no such end")
    for index, (name, address) in enumerate(options.links.items()):
        ends[name] = end_from(
            Given(
                name=name,
                address=address,
                key_file=options.key_files.get(name),
                us=options.us,
                them=options.them,
                random=Random(options.seed + index),  # noqa: S311 - faults are drawn by a seed
                clock=clock,
            )
        )
    for text in options.faults:
        name, colon, fault = text.partition(":")
        set_fault(ends, name if colon else "", fault if colon else text)
    return ends


async def _run(end: CountyEnd, screen: Screen) -> None:
    try:
        await end.run(screen)
    except OSError as error:
        raise Unreachable(f"{end.name}: {error}") from error


async def _say_ready(ends: Mapping[str, CountyEnd], port: int | None, say: Callable[[str], None]) -> None:
    for end in ends.values():
        await end.ready.wait()
    page = None if port is None else f"http://127.0.0.1:{port}/"
    addresses = {name: end.address for name, end in ends.items()}
    say(json.dumps({"county": "ready", "port": port, "page": page, "ends": addresses}))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
