"""What is heard in a zone, by priority; in virtual time."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from belltower.errors import Unreachable
from hardware.codecs.voice import PayloadFormat, silent
from hardware.drivers.zone import Programme, Zone
from tests.peers.virtual_time import in_virtual_time

QUIET = silent(PayloadFormat.PCMU)


class Tape:
    """A wire that keeps what it sent, and when."""

    form = PayloadFormat.PCMU

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes, bool]] = []
        self.opened = self.ended = 0
        self.broken = ""

    async def begin(self):
        if self.broken:
            raise Unreachable(self.broken)
        self.opened += 1

    def send(self, frame, *, first):
        self.sent.append((asyncio.get_running_loop().time(), frame, first))

    async def end(self):
        self.ended += 1

    def heard(self):
        """The letters heard, silence left out, repeated ones once."""
        letters = [chr(frame[0]) for _, frame, _ in self.sent if frame != QUIET]
        return "".join(a for n, a in enumerate(letters) if n == 0 or letters[n - 1] != a)


def programme(letter, *, priority=1, rounds=0, seconds=1.0):
    """A programme of one letter."""
    told = []
    made = Programme(
        key=letter,
        priority=priority,
        round=lambda _: [letter.encode() * 160 * round(seconds * 50)],
        began=told.append,
        rounds=rounds,
    )
    return made, told


@asynccontextmanager
async def zone(tape):
    """A running zone."""
    made = Zone(wire=tape)
    running = asyncio.get_running_loop().create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


def test_it_is_repeated_until_it_is_stopped():
    """Every frame 20 ms after the one before, for a minute, without drift; then the wire is closed."""

    async def story():
        tape = Tape()
        async with zone(tape) as made:
            page, told = programme("a")
            made.play(page)
            await asyncio.sleep(60)
            made.stop("a")
            await asyncio.sleep(0.1)
            times = [at for at, _, _ in tape.sent]
            assert 3000 <= len(times) <= 3001
            assert all(abs(at - times[0] - n * 0.02) < 1e-6 for n, at in enumerate(times))
            assert [""] == told
            assert (1, 1) == (tape.opened, tape.ended)
            assert tape.sent[0][2]

    in_virtual_time(story())


def test_a_higher_priority_takes_over_at_once():
    """Within 20 ms; what it interrupted begins again when it is stopped."""

    async def story():
        tape = Tape()
        async with zone(tape) as made:
            made.play(programme("a", seconds=10)[0])
            await asyncio.sleep(3)
            made.play(programme("b", priority=2)[0])
            at = asyncio.get_running_loop().time()
            await asyncio.sleep(3)
            assert at + 0.021 > next(when for when, frame, _ in tape.sent if frame[:1] == b"b")
            made.stop("b")
            await asyncio.sleep(1)
            assert "aba" == tape.heard()
            assert 1 == tape.opened

    in_virtual_time(story())


def test_equals_take_turns():
    """Each is heard to its end before the other."""

    async def story():
        tape = Tape()
        async with zone(tape) as made:
            made.play(programme("a")[0])
            await asyncio.sleep(0.5)
            made.play(programme("b")[0])
            await asyncio.sleep(6.5)
            assert "abab" == tape.heard()

    in_virtual_time(story())


def test_a_lower_one_waits():
    """Until nothing else is wanted."""

    async def story():
        tape = Tape()
        async with zone(tape) as made:
            made.play(programme("a", priority=5, rounds=2)[0])
            made.play(programme("b")[0])
            await asyncio.sleep(3.55)
            assert "a" == tape.heard()
            await asyncio.sleep(1)
            assert "ab" == tape.heard()

    in_virtual_time(story())


def test_a_wire_that_fails_is_told_once_and_tried_again():
    """It is heard as soon as the wire is there, and that is told as well."""

    async def story():
        tape = Tape()
        tape.broken = "no network"
        async with zone(tape) as made:
            page, told = programme("a")
            made.play(page)
            await asyncio.sleep(11)
            assert ["no network"] == told
            tape.broken = ""
            await asyncio.sleep(3)
            assert ["no network", ""] == told
            assert "a" == tape.heard()

    in_virtual_time(story())


def test_what_is_wanted_is_heard_again_after_any_error():
    """Whoever runs the zone runs it again; nobody has to ask for the announcement a second time."""

    async def story():
        tape = Tape()
        ends = [ValueError("a Contact that nobody can write")]

        async def end():
            if ends:
                raise ends.pop()

        tape.end = end
        tape.broken = "no network"
        made = Zone(wire=tape)
        made.play(programme("a")[0])
        with pytest.raises(ValueError, match="Contact"):
            await made.run()
        tape.broken = ""
        running = asyncio.get_running_loop().create_task(made.run())
        await asyncio.sleep(3)
        assert "a" == tape.heard()
        running.cancel()
        await asyncio.wait([running])

    in_virtual_time(story())


def test_a_hung_loop_is_no_burst():
    """After a pause of the whole process frames go on at their pace."""

    async def story():
        tape = Tape()
        async with zone(tape) as made:
            made.play(programme("a", seconds=10)[0])
            await asyncio.sleep(1)
            asyncio.get_running_loop().now += 5
            await asyncio.sleep(1)
            late = [at for at, _, _ in tape.sent if at > 6]
            assert all(b - a > 0.019 for a, b in pairwise(late))

    in_virtual_time(story())
