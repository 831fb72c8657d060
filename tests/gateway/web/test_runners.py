"""The list of people to go to."""

from belltower.ids import IncidentId, NoticeId, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.facts import Mode, Reply, RoomStatus
from gateway.web.runners import Errand, Runners
from tests.gateway.web.house import DESK, House, living, until
from tests.gateway.web.test_pages import browser, enter, page

INCIDENT, NOTICE = IncidentId("inc_1"), NoticeId("ntc_1")


def missed(person: str, place: str | None = None, to: str = "runner") -> facts.DeliveryEscalated:
    return facts.DeliveryEscalated(
        notice=NOTICE,
        incident=INCIDENT,
        person=PersonId(person),
        step=3,
        to=to,
        place=PlaceId(place) if place else None,
    )


def answered(person: str, reply: Reply) -> facts.ReplyHeard:
    return facts.ReplyHeard(person=PersonId(person), channel="sms", reply=reply, incident=INCIDENT)


def later(template: str, *corrects: str) -> facts.NoticeOrdered:
    return facts.NoticeOrdered(
        notice=NoticeId("ntc_2"),
        revision=1,
        incident=INCIDENT,
        mode=Mode.ACTUAL,
        template=template,
        audience="all-staff",
        slots={},
        corrects=tuple(map(NoticeId, corrects)),
    )


def listed(*heard: facts.Fact) -> list[Errand]:
    runners = Runners()
    for fact in [missed("p1"), missed("p2", "b204"), missed("p3", "b204"), missed("p4", to="voice"), *heard]:
        runners.apply(fact)
    return runners.errands()


def test_whoever_is_to_be_gone_to_stands_under_their_place() -> None:
    """Those without a place last; further channels and other people are no errand."""
    assert [
        Errand(place=PlaceId("b204"), people=(PersonId("p2"), PersonId("p3"))),
        Errand(place=None, people=(PersonId("p1"),)),
    ] == listed()


def test_an_answer_a_room_that_speaks_and_a_later_notice_take_people_off() -> None:
    """To want no more notices is no answer."""
    room = facts.StatusReported(incident=INCIDENT, place=PlaceId("b204"), status=RoomStatus.NEED_HELP)

    assert [None] == [errand.place for errand in listed(room)]
    assert [2, 1] == [len(errand.people) for errand in listed(answered("p1", Reply.STOP))]
    assert [2] == [len(errand.people) for errand in listed(answered("p1", Reply.SAFE))]
    assert [] == listed(later("staff-closed"))
    assert [] == listed(later("staff-action", "ntc_1"), missed("p9"))
    assert 2 == len(listed(later("families.hold.cleared", "ntc_7")))


async def test_the_list_stands_on_the_page_of_the_incident_and_is_counted_in_the_story(house: House) -> None:
    """By name and place."""
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        base = {"notice": pressed.notice, "incident": pressed.id, "step": 3}
        await house.say(
            pressed.id,
            facts.DeliveryEscalated(**base, person=PersonId("per_2"), to="voice"),
            facts.DeliveryEscalated(**base, person=PersonId("per_2"), to="runner", place=PlaceId("plc_gym")),
            facts.DeliveryEscalated(**base, person=PersonId("per_3"), to="runner"),
            stream=DESK,
        )
        story = house.page._live._stories[pressed.id]
        await until(lambda: len(story.errands()) == 2)
        html = await page(session, f"{address}/incidents/{pressed.id}")

    assert "Somebody must go or call" in html
    assert [("G Gym", ["Jonas Weber"]), ("", ["Mei Lin"])] == story.errands()
    assert "2 people did not answer in any way" in html
    assert "1 person not known to be reached: calls follow" in html
