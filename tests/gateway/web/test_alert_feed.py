"""Our own alerts over HTTP: who may read them, what they say, and what they never say."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from belltower.ids import IncidentId
from belltower.incident.facts import Action, ActionOrdered, Mode
from floorplans.campus import Campus
from gateway.psap.cap import Alert, Circle, MessageType, ResponseType, Scope, Status, check, parse
from gateway.psap.cap.atom import read_index
from gateway.web.alert_feed import FeedPlan, alert_of, words
from gateway.web.story import Story
from tests.gateway.web.house import House, Names, living, until
from tests.gateway.web.test_pages import browser, enter

GOLDEN = Path(__file__).parents[2] / "golden" / "cap"
SCHEMA = etree.XMLSchema(etree.parse(GOLDEN / "CAP-v1.2.xsd"))
HERE = (41.77, -88.47)
FORBIDDEN = re.compile(
    r"panic|alarm|attack|shoot|shot|weapon|police|suspect|injur|hurt|dead|missing|hospital|safe|all clear|medical"
    r"|B 204|plc_|per_|Ada|red|code",
    re.IGNORECASE,
)


def plan(*, public: bool) -> FeedPlan:
    campus = Campus(id="lindenhof", name="Lindenhof School", position=HERE)
    return FeedPlan(
        public=public, sender="alerts@school.example", campus=campus, url="https://belltower.school.example"
    )


async def fetched(
    session: aiohttp.ClientSession, address: str, path: str = "/feeds/cap.atom", **headers: str
):
    async with session.get(
        address + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    ) as answer:
        return answer.status, await answer.read(), answer.headers


async def alerts(session: aiohttp.ClientSession, address: str) -> list[Alert]:
    """Every alert of the index, fetched in full where its link leads; each holds against the schema and the rules."""
    status, body, headers = await fetched(session, address)
    assert (200, "application/atom+xml") == (status, headers["Content-Type"].partition(";")[0])
    found = []
    for entry in read_index(body).entries:
        assert entry.link.startswith("https://belltower.school.example/feeds/cap/")
        status, body, headers = await fetched(
            session, address, entry.link.removeprefix("https://belltower.school.example")
        )
        assert (200, "application/cap+xml") == (status, headers["Content-Type"].partition(";")[0])
        SCHEMA.assertValid(etree.fromstring(body))
        alert = parse(body)
        assert () == check(alert)
        assert (alert.sent.at, alert.status) == (entry.updated, entry.status)
        found.append(alert)
    return found


async def order(house: House, pressed, action: Action) -> None:
    await house.say(pressed.id, ActionOrdered(action=action))
    await until(lambda: house.page._live._stories[pressed.id].incident.action is action)


async def test_without_settings_there_is_no_feed(house: House) -> None:
    """Off is the default."""
    async with living(house) as address, aiohttp.ClientSession() as session:
        assert 404 == (await fetched(session, address))[0]


async def test_a_feed_for_people_with_an_account_asks_who_they_are(house: House) -> None:
    """Nothing without a session; with one, all incidents, restricted."""
    house.feed = plan(public=False)
    async with living(house) as address, browser() as session:
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        assert 401 == (await fetched(session, address))[0]
        assert 401 == (await fetched(session, address, "/feeds/cap/I1-X.xml"))[0]
        await enter(session, address, house)
        (alert,) = await alerts(session, address)
        assert (Scope.RESTRICTED, Status.ACTUAL, MessageType.ALERT) == (alert.scope, alert.status, alert.type)
        await order(house, pressed, Action.EVACUATE)
        (later,) = await alerts(session, address)
        assert (MessageType.UPDATE, (alert.identifier,)) == (
            later.type,
            tuple(one.identifier for one in later.references),
        )


async def test_to_the_public_an_incident_is_nothing_until_an_action_is_ordered(house: House) -> None:
    """Then it is the action, updated and ended by messages that refer to those before."""
    house.feed = plan(public=True)
    async with living(house) as address, aiohttp.ClientSession() as session:
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        assert [] == await alerts(session, address)
        house.clock.step(5)
        await order(house, pressed, Action.LOCKDOWN)
        (first,) = await alerts(session, address)
        house.clock.step(60)
        await order(house, pressed, Action.EVACUATE)
        (second,) = await alerts(session, address)
        house.clock.step(60)
        await house.close_incident(pressed.id, "per_1", "over")
        await until(lambda: not house.page._live._stories[pressed.id].incident.open)
        (last,) = await alerts(session, address)
        assert [MessageType.ALERT, MessageType.UPDATE, MessageType.CANCEL] == [
            one.type for one in (first, second, last)
        ]
        assert [Scope.PUBLIC] * 3 == [one.scope for one in (first, second, last)]
        assert (ResponseType.SHELTER, ResponseType.AVOID) == first.infos[0].responses
        assert ResponseType.EVACUATE is second.infos[0].responses[0]
        assert ResponseType.ALL_CLEAR not in last.infos[0].responses
        assert [(one.sender, one.identifier, one.sent) for one in (first, second)] == [
            (one.sender, one.identifier, one.sent) for one in last.references
        ]
        assert (Circle(HERE, 0.5),) == first.infos[0].areas[0].circles
        assert 404 == (await fetched(session, address, f"/feeds/cap/{first.identifier}.xml"))[0]
        house.clock.step(86_401)
        assert [] == await alerts(session, address)


@pytest.mark.parametrize("action", list(Action))
async def test_an_exercise_says_so_at_both_ends_and_the_real_thing_never(
    house: House, action: Action
) -> None:
    """The status is Exercise, every text opens and closes with the mark; no alert says cause, room or person."""
    house.feed = plan(public=True)
    async with living(house) as address, aiohttp.ClientSession() as session:
        real = await house.press()
        drill = await house.press("plc_gym", mode=Mode.EXERCISE, number=2)
        await until(lambda: {real.id, drill.id} <= set(house.page._live._stories))
        await order(house, real, action)
        await order(house, drill, action)
        by_status = {alert.status: alert.infos[0] for alert in await alerts(session, address)}
        assert {Status.ACTUAL, Status.EXERCISE} == set(by_status)
        mark = words().mark
        for status, info in by_status.items():
            for text in (info.headline, info.description, info.instruction):
                ends = (text.startswith(mark), text.rstrip(".").endswith(mark))
                assert (status is Status.EXERCISE,) * 2 == ends
                assert FORBIDDEN.search(text.replace("locked", "").replace(mark, "")) is None, text


async def test_what_has_not_changed_is_not_sent_again(house: House) -> None:
    """By ETag, or by date where a reader knows no tag."""
    house.feed = plan(public=True)
    async with living(house) as address, aiohttp.ClientSession() as session:
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        await order(house, pressed, Action.SECURE)
        _, _, headers = await fetched(session, address)
        assert "public, max-age=15" == headers["Cache-Control"]
        again = await fetched(session, address, If_None_Match=headers["ETag"])
        assert (304, b"", headers["ETag"]) == (again[0], again[1], again[2]["ETag"])
        assert 304 == (await fetched(session, address, If_Modified_Since=headers["Last-Modified"]))[0]
        assert 200 == (await fetched(session, address, If_None_Match='"old"'))[0]
        house.clock.step(2)
        await order(house, pressed, Action.HOLD)
        assert 200 == (await fetched(session, address, If_None_Match=headers["ETag"]))[0]
        assert 200 == (await fetched(session, address, If_Modified_Since=headers["Last-Modified"]))[0]


async def test_a_desk_that_cannot_read_never_says_that_nothing_is_wrong(house: House) -> None:
    """503, and when to ask again; not an empty feed."""
    house.feed = plan(public=True)
    async with living(house) as address, aiohttp.ClientSession() as session:
        house.page._live.failed(OSError("the disk does not answer"))
        status, body, headers = await fetched(session, address)
        assert (503, "10") == (status, headers["Retry-After"])
        assert b"<feed" not in body


def test_an_incident_whose_opening_was_not_seen_yet_says_nothing() -> None:
    """Its messages would bear another time a moment later."""
    story = Story(IncidentId("inc_01J9ZZZZZZZZZZZZZZZZZZZZZZ"), names=Names())

    assert alert_of(story, plan(public=False), words()) is None
