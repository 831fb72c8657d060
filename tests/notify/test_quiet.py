"""Quiet hours: what may wait does, what is urgent never."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import Malformed
from belltower.incident.facts import Mode
from gateway.web.compose_view import spoken_quiet
from notify.quiet import Quiet, quiet_of, quiet_until, still_quiet
from tests.notify.test_correction import until as came
from tests.peers.desk import DeskOptions, RosterOf, order, site, staff
from tests.peers.writing import RUTH, guardian, writing

CHICAGO = "America/Chicago"


def at(written: str) -> Instant:
    return Instant(
        int(datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(CHICAGO)).timestamp()) * SECOND
    )


@pytest.mark.parametrize(
    ("hours", "now", "ends"),
    [
        ("21:00-06:30", "2026-03-09T20:59", ""),
        ("21:00-06:30", "2026-03-09T21:00", "2026-03-10T06:30"),
        ("21:00-06:30", "2026-03-10T06:29", "2026-03-10T06:30"),
        ("21:00-06:30", "2026-03-10T06:30", ""),
        # The night in which the clocks go forward is an hour shorter, and ends when people's clocks say so.
        ("21:00-06:30", "2026-03-07T23:00", "2026-03-08T06:30"),
        ("12:00-13:00", "2026-03-09T12:30", "2026-03-09T13:00"),
        ("12:00-13:00", "2026-03-09T13:30", ""),
    ],
)
def test_they_end_when_clocks_at_the_school_say_so(hours: str, now: str, ends: str) -> None:
    """Over midnight and within a day."""
    assert (at(ends) if ends else 0) == quiet_of(hours).until(at(now), CHICAGO)


@pytest.mark.parametrize("written", ["", "21-6", "24:00-06:00", "21:00-21:00", "21:60-06:00"])
def test_what_is_no_hours_says_what_to_write(written: str) -> None:
    """The site package names its file and key."""
    with pytest.raises(Malformed, match="21:00-06:30"):
        quiet_of(written)


def test_a_clock_that_stepped_back_makes_nothing_wait_for_years() -> None:
    """What lies further off than a day is due."""
    day = 24 * 3600 * SECOND

    assert still_quiet(Instant(day), Instant(1))
    assert not still_quiet(Instant(day), Instant(day))
    assert not still_quiet(Instant(3 * day), Instant(day))


class Night(SystemClock):
    """As much later as it says; the quiet hours begin now."""

    later = 0

    def now(self) -> Instant:
        return Instant(super().now() + self.later)


def quiet_now(clock: Night) -> Quiet:
    """Quiet hours which began an hour ago and end in two, by the clocks of UTC."""
    hour = (clock.now() // SECOND // 3600) % 24
    return quiet_of(f"{(hour - 1) % 24:02}:00-{(hour + 2) % 24:02}:00")


async def test_a_routine_text_waits_until_they_end_and_an_urgent_one_does_not(tmp_path: Path) -> None:
    """R44: both are planned at once; the one leaves at once, the other once it is morning, and not as too late."""
    clock = Night()
    options = DeskOptions(database=str(tmp_path / "desk.db"))
    async with writing(options, guardian(1), clock=clock, quiet=quiet_now(clock)) as it:
        routine = await it.draft("families.hold.now", routine=True)
        count, until = it.composer.quiet(routine)
        await it.composer.ask(routine.id, RUTH, seen=1)
        await it.running.becomes(lambda rows: len(rows) == 1)
        urgent = await it.draft()
        await it.composer.ask(urgent.id, RUTH, seen=1)
        await came(lambda: bool(it.sms.sent))
        before, waits = [body for _, body in it.sms.sent], it.composer.quiet(urgent)
        clock.later = until - clock.now() + SECOND
        await came(lambda: len(it.sms.sent) == 2)

    assert 1 == count
    assert (0, 0) == waits
    assert 1 == len(before)
    assert {said.body for said in urgent.counted.texts} == set(before)
    assert "text or call waits until" in spoken_quiet(count, until, ZoneInfo("UTC"))


def test_nothing_practised_or_tried_waits() -> None:
    """Somebody looks whether it arrives."""
    clock = Night()
    school = replace(site(staff(1), RosterOf()), quiet=quiet_now(clock))
    meant = replace(order(1), routine=True)
    told = [
        quiet_until(one, school, clock.now())
        for one in (
            meant,
            replace(meant, routine=False),
            replace(meant, mode=Mode.EXERCISE),
            replace(meant, template="test"),
        )
    ]

    assert told[0]
    assert [0, 0, 0] == told[1:]
