"""A morning of notices on the running daemon: weather, a lockdown in the middle of it, a mistake, and the end."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from pathlib import Path

from tests.stories import harm
from tests.stories.house import House
from tests.stories.office import Office, Told, ordered, rows, text_back, told, ways

STAFF = 25
"""Of the site package; the roster may have more."""
RATE = 20.0
"""Parts of text messages a second."""
STOPPED = "+15555550105"
"""Somebody on the staff."""
MATTERS = (
    ("staff-alarm", "staff-action", "staff-closed"),
    ("families.hold.now", "families.hold.correction"),
    ("families.lockdown.now", "families.lockdown.cleared"),
)
"""What takes the place of what. The correction of what may wait may come after what is urgent."""
GONE = tuple(f"p{n}" for n in range(18, 26))
"""Who leaves the school's staff in the middle of it: more than a tenth."""


async def a_school_with_families(house: House) -> None:
    """A roster is taken, the lanes and the units run, and somebody has signed in."""
    await harm.take_roster(house, 120)
    await house.run()
    await house.connect_units()
    await house.sign_in()


def of(said: list[Told], notice: str, channel: str = "sms") -> list[Told]:
    """What was told by this notice."""
    return [one for one in said if one.notice == notice and one.channel == channel]


def counted(house: House, notice: str) -> Counter[str]:
    """How many deliveries of the notice stand where."""
    sql = "SELECT state FROM notice_delivery WHERE notice = :notice AND channel IN ('sms', 'email')"
    return Counter(state for (state,) in rows(house, sql, notice=notice))


def wrongly_known(house: House, said: list[Told]) -> list[str]:
    """Deliveries that the desk believes to have left and have not, or the reverse.

    Reports that came while the desk was dead are lost, and what they told of stays accepted. A mail that was under way
    then stays uncertain, for nobody can be asked.
    """
    sql = "SELECT id, state, channel FROM notice_delivery WHERE channel IN ('sms', 'email')"
    there = {one.delivery for one in said}
    return [
        delivery
        for delivery, state, channel in rows(house, sql)
        if state != "uncertain" or (delivery in there and channel == "sms")
        if (delivery in there) != (state in {"accepted", "delivered"})
    ]


def by_address(said: list[Told]) -> dict[tuple[str, str], list[Told]]:
    """What each phone and mailbox heard, in order."""
    heard: dict[tuple[str, str], list[Told]] = {}
    for one in said:
        heard.setdefault((one.channel, one.to), []).append(one)
    return heard


def begun(house: House) -> list[str]:
    """The notice of each text message tried, in the order of the newest attempts."""
    sql = "SELECT notice FROM notice_delivery WHERE channel = 'sms' AND attempts > 0 ORDER BY begun_at"
    return [notice for (notice,) in rows(house, sql)]


def leave(house: House) -> None:
    """They are staff no more."""
    file = house.folder / "site" / "people.toml"
    people = re.split(r"(?m)^(?=\[\[person\]\])", file.read_text())
    file.write_text("".join(each for each in people if not re.search(rf'id = "({"|".join(GONE)})"', each)))


async def test_a_lockdown_overtakes_the_weather_whose_mistake_and_whose_end_reach_everybody(
    tmp_path: Path,
) -> None:
    """R18, R19, R23, R44, W17, W18, W21, I8: nobody is told twice, late, or what is no longer so."""
    house = House(
        tmp_path,
        units=4,
        channels=lambda house: house.text_way("text", more=f"rate = {RATE}") + house.other_ways(),
    )
    async with house:
        await a_school_with_families(house)
        office = Office(house)
        classes = await house.eventually(office.classes)
        await house.carrier_fault(doubled=3, shuffled=True)

        # Something for staff is written, and not sent yet.
        draft = await office.write("test", audience="all-staff", routine="1")

        # One of the staff wants no more of what is not urgent.
        await text_back(house, STOPPED, "STOP")

        # Weather: to all families of both schools, behind whatever is urgent. It is a mistake, as will turn out.
        weather = await office.send(
            "families.hold.now",
            role="guardian",
            **{"class": classes},
            cause="weather",
            next="30",
            routine="1",
        )

        async def told_of_weather() -> bool:
            return len(of(await told(house), weather)) >= 10

        await house.eventually(told_of_weather, every=0.25)

        # A press in the middle of it, and a lockdown.
        await house.press("u3")
        await harm.shows(house, "u3", "psap")

        async def all_told(template: str) -> list[Told] | None:
            notices = [notice for notice, fact in ordered(house).items() if fact["template"] == template]
            said = await told(house)
            texts = [one for notice in notices for one in of(said, notice)]
            return texts if len(texts) >= STAFF else None

        alarms = await house.eventually(lambda: all_told("staff-alarm"), every=0.25)
        (opened,) = house.facts("incident.opened")
        incident = opened["incident"]
        await office.order(incident, "lockdown")
        lockdown = await house.eventually(lambda: all_told("staff-action"), every=0.25)
        (raised,) = house.facts("alarm.raised")
        print(f"press to the first text at the carrier: {alarms[0].at / 1e6 - raised['at']:.3f} s")
        for urgent in (alarms, lockdown):
            order = begun(house)
            first = order.index(urgent[0].notice)
            last = len(order) - order[::-1].index(urgent[0].notice)
            assert {urgent[0].notice} == set(order[first:last])
        planned = next(
            fact for fact in house.facts("notice.planned", desk=True) if fact["notice"] == alarms[0].notice
        )
        between = [
            one for one in of(await told(house), weather) if planned["at"] * 1e6 < one.at < alarms[0].at
        ]
        assert len(between) <= 5 * RATE
        assert counted(house, weather)["pending"], "the weather was all sent before the lockdown came"

        # The weather was a mistake: one press takes it back, though it is still on its way.
        loop = asyncio.get_running_loop()
        pressed = loop.time()
        page = f"/notices/{weather}"
        await office.done(page, f"{page}/correct")

        async def none_waits() -> bool:
            return not counted(house, weather)["pending"]

        await house.eventually(none_waits)
        assert counted(house, weather)["superseded"], "the weather was all sent before it was taken back"
        print(f"taken back: nothing of it waits after {loop.time() - pressed:.3f} s")
        (correction,) = [notice for notice, fact in ordered(house).items() if weather in fact["corrects"]]

        async def put_right() -> bool:
            said = await told(house)
            return ways(said, weather) <= ways(said, correction)

        await house.eventually(put_right, every=0.25)
        print(f"everybody has the correction after {loop.time() - pressed:.3f} s")

        # Families hear of the lockdown; while they do, some of the staff leave, and the desk lane is killed.
        families = await office.send(
            "families.lockdown.now", role="guardian", **{"class": classes}, incident=incident, next="20"
        )

        async def told_of_lockdown() -> bool:
            return len(of(await told(house), families)) >= 30

        await house.eventually(told_of_lockdown, every=0.25)
        leave(house)
        before = house.lane_pid("desk")
        house.signal("desk", signal.SIGKILL)

        async def another() -> bool:
            return before not in house.daemon.children() and len(house.daemon.children()) == 2

        await house.eventually(another)
        await house.lanes_up()

        # What somebody looked at before is not what it would be now: it does not leave, until they have looked again.
        status, _, text = await office.press(draft, f"{draft}/send")
        looked = re.search(r"(\d+) people when you looked, (\d+) now", text)
        assert 409 == status
        assert looked is not None
        assert len(GONE) == int(looked[1]) - int(looked[2])
        assert draft.rpartition("/")[2] not in ordered(house)
        test = (await office.done(draft, f"{draft}/send")).rpartition("/")[2]

        # It is over: the incident is closed, and families are told so.
        page = f"/incidents/{incident}"
        await office.done(page, f"{page}/close", reason="over")
        await office.done(page, f"{page}/all-clear", whose="families")

        async def all_is_quiet() -> bool:
            waiting = "SELECT 1 FROM notice_delivery WHERE state IN ('pending', 'sending') LIMIT 1"
            return len(ordered(house)) == len(house.facts("notice.planned", desk=True)) and not rows(
                house, waiting
            )

        # What the desk knows is so, and of what was under way when it was killed it finds out.
        async def all_is_known() -> list[Told] | None:
            said = await told(house)
            return said if await all_is_quiet() and not wrongly_known(house, said) else None

        said = await house.eventually(all_is_known, every=0.25)
        every = ordered(house)

        # Nobody got anything twice, not even who shares a telephone, and nobody an older word after a newer one.
        assert [] == [
            one for one, times in Counter((one.to, one.notice) for one in said).items() if times > 1
        ]
        for heard in by_address(said).values():
            templates = [every[one.notice]["template"] for one in heard]
            for matter in MATTERS:
                assert [each for each in matter if each in templates] == [
                    each for each in templates if each in matter
                ]

        # Whoever was told anything was told that it was wrong, or over, the same way: those who have left as well.
        ends = {fact["template"]: notice for notice, fact in every.items() if fact["corrects"]}
        assert {"families.hold.correction", "families.lockdown.cleared", "staff-closed"} == set(ends)
        for end in ends.values():
            assert ways(said, *every[end]["corrects"]) <= ways(said, end)
        assert {("sms", f"+155555501{person[1:]}") for person in GONE} <= ways(said, ends["staff-closed"])
        assert ("sms", STOPPED) not in ways(said, test)
        assert ("sms", STOPPED) in ways(said, ends["staff-closed"])
