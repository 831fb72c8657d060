"""The calm line about responders: who says so, since when, and never more than is known of every building."""

from __future__ import annotations

from belltower.ids import CallId, LinkName, PersonId, PlaceId
from belltower.incident import facts
from belltower.incident.facts import AlarmKind, Mode, ResponseStatus
from gateway.web.responders import responders
from gateway.web.story import Stage, Story
from tests.gateway.web.test_story import INCIDENT, Names, Telling, tell

CAD = LinkName("cad")


def called(telling: Telling, at: float, number: int, place: str) -> Telling:
    """A press of a building and its call."""
    telling.alarm(at, building=place[-1], place=place)
    return telling.say(
        at,
        facts.CallOrdered(
            call=CallId(f"cal_{number}"),
            incident=INCIDENT,
            number=number,
            incident_number=1,
            kind=AlarmKind.PANIC,
            mode=telling.mode,
            place=PlaceId(place),
            building=place[-1],
        ),
    )


def seen(telling: Telling, at: float, number: int, status: ResponseStatus) -> Telling:
    """The PSAP's system says so."""
    fact = facts.ResponseSeen(call=CallId(f"cal_{number}"), incident=INCIDENT, link=CAD, status=status)
    return telling.say(at, fact)


def line(telling: Telling) -> tuple[str, str] | None:
    """The line and its note."""
    told = responders(story(telling), lambda at: f"{(at or 0) // 1_000_000} s")
    return None if told is None else (told.text, told.note)


def story(telling: Telling) -> Story:
    """What the facts tell."""
    return tell(INCIDENT, telling.entries, names=Names())


def test_nothing_is_said_while_nothing_is_known() -> None:
    """A call alone brings nobody."""
    assert None is line(called(Telling(), 1, 1, "plc_b204"))


def test_each_state_has_its_words_its_time_and_its_source() -> None:
    """Assigned, on the way, on scene, closed."""
    telling = called(Telling(), 1, 1, "plc_b204")
    for at, status, words in (
        (5, ResponseStatus.ASSIGNED, "Responders are assigned (5 s)"),
        (9, ResponseStatus.ENROUTE, "Help is on the way (9 s)"),
        (40, ResponseStatus.ONSCENE, "Responders on scene (40 s)"),
        (90, ResponseStatus.CLOSED, "The PSAP has closed the call (90 s)"),
    ):
        assert (words, "The PSAP's system says so, over cad.") == line(seen(telling, at, 1, status))


def test_no_state_goes_back_and_the_first_time_it_was_said_counts() -> None:
    """A repeat and an older state change nothing."""
    telling = called(Telling(), 1, 1, "plc_b204")
    for at, status in (
        (9, ResponseStatus.ONSCENE),
        (12, ResponseStatus.ENROUTE),
        (15, ResponseStatus.ONSCENE),
    ):
        seen(telling, at, 1, status)

    assert "Responders on scene (9 s)" == (line(telling) or ("", ""))[0]


def test_of_several_buildings_the_one_that_waits_longest_is_spoken_of() -> None:
    """Help at one door is not help at the other; a building without news is named as such."""
    telling = called(called(called(Telling(), 1, 1, "plc_b204"), 2, 2, "plc_gym"), 3, 3, "plc_a101")
    seen(telling, 9, 1, ResponseStatus.ONSCENE)
    seen(telling, 10, 2, ResponseStatus.ENROUTE)

    assert (
        "Help is on the way (10 s)",
        (
            "G Gym: the PSAP's system says so, over cad. Nothing has been said for A 101. "
            "Nearer: B 204, responders on scene."
        ),
    ) == line(telling)


def test_an_exercise_says_so_and_a_closed_incident_says_nothing() -> None:
    """Nobody believes that real help comes to an exercise."""
    telling = called(Telling(Mode.EXERCISE).opened(0), 1, 1, "plc_b204")
    seen(telling, 9, 1, ResponseStatus.ENROUTE)
    assert "EXERCISE: Help is on the way (9 s)" == (line(telling) or ("", ""))[0]
    telling.say(20, facts.IncidentClosed(incident=INCIDENT, by=PersonId("per_1")))

    assert None is line(telling)


def test_the_timeline_tells_each_state_once_as_what_a_machine_said() -> None:
    """Not as a person's word."""
    telling = called(Telling(), 1, 1, "plc_b204")
    for at in (9, 11):
        seen(telling, at, 1, ResponseStatus.ENROUTE)
    steps = [step for step in story(telling).told() if step.title == "Help is on the way"]

    assert [(Stage.MACHINE, "the PSAP's system says so; over cad")] == [
        (each.stage, each.detail) for each in steps
    ]
