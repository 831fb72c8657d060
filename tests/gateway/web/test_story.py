"""The story an incident's facts tell, and the one big line: never more certain than what is known."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from belltower.clock import SECOND, Instant
from belltower.ids import FactId, IncidentId, LinkName, NoticeId, PersonId, PlaceId, StreamName
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import AlarmKind, Fact, Mode, Outcome, ReceiptLevel
from gateway.cli.telling import tell as line
from gateway.web.headline import headline
from gateway.web.render import Renderer
from gateway.web.story import Stage, Story, stamp, tell
from gateway.web.view import card, notice_block
from tests.gateway.web.house import Names

INCIDENT = IncidentId("inc_1")
UTC = ZoneInfo("UTC")
COUNTY, BACKUP = LinkName("county"), LinkName("backup")


class Telling:
    """Facts with times and places, as two lanes would write them."""

    def __init__(self, mode: Mode = Mode.ACTUAL) -> None:
        self.mode = mode
        self.entries: list[Entry] = []
        self._heads: dict[str, int] = {}

    def say(self, at: float, fact: Fact, stream: str = "alarm") -> Telling:
        """One more fact."""
        position = self._heads[stream] = self._heads.get(stream, 0) + 1
        self.entries.append(
            Entry(
                stream=StreamName(stream),
                position=position,
                id=FactId(f"fct_{stream}{position}"),
                at=Instant(round(at * SECOND)),
                subject=INCIDENT,
                fact=fact,
            )
        )
        return self

    def alarm(self, at: float, building: str = "B", number: int = 1, place: str = "plc_b204") -> Telling:
        """A press."""
        return self.say(
            at,
            facts.AlarmRaised(
                alarm=f"alm_{at}",  # type: ignore[arg-type]
                incident=INCIDENT,
                kind=AlarmKind.PANIC,
                mode=self.mode,
                place=PlaceId(place),
                building=building,
                number=number,
                unit="u1",  # type: ignore[arg-type]
                path="mqtt",
            ),
        )

    def opened(self, at: float) -> Telling:
        """The incident opened."""
        return self.say(at, facts.IncidentOpened(incident=INCIDENT, alarm="alm_1", mode=self.mode, number=1))  # type: ignore[arg-type]

    def call(self, at: float, call: str = "cal_1", place: str = "plc_b204") -> Telling:
        """The call was ordered."""
        return self.say(
            at,
            facts.CallOrdered(
                call=call,  # type: ignore[arg-type]
                incident=INCIDENT,
                number=1,
                incident_number=1,
                kind=AlarmKind.PANIC,
                mode=self.mode,
                place=PlaceId(place),
                building="B",
            ),
        )

    def sent(self, at: float, link: LinkName = COUNTY, call: str = "cal_1") -> Telling:
        """It left on a link."""
        return self.say(at, facts.CallSent(call=call, link=link, frame="1", covers=((1, 1),)))  # type: ignore[arg-type]

    def receipt(
        self, at: float, level: ReceiptLevel, link: LinkName = COUNTY, call: str = "cal_1"
    ) -> Telling:
        """A machine has it."""
        fact = facts.CallReceipt(call=call, link=link, frame="1", covers=((1, 1),), level=level)  # type: ignore[arg-type]
        return self.say(at, fact)

    def rejected(self, at: float, link: LinkName = COUNTY) -> Telling:
        """The other side said no."""
        return self.say(at, facts.CallRejected(call="cal_1", link=link, frame="1"))  # type: ignore[arg-type]

    def unanswered(self, at: float, call: str = "cal_1") -> Telling:
        """Nobody confirmed in time."""
        return self.say(at, facts.CallUnanswered(call=call, after=10.0))  # type: ignore[arg-type]

    def human(self, at: float, call: str = "cal_1") -> Telling:
        """A person has it."""
        fact = facts.TelecommunicatorAcknowledged(call=call, incident=INCIDENT, link=COUNTY, by="T4")  # type: ignore[arg-type]
        return self.say(at, fact)

    def story(self) -> Story:
        """All of it."""
        return tell(INCIDENT, self.entries, names=Names())

    def line(self) -> str:
        """The big line."""
        return headline(self.story()).text


def pressed(mode: Mode = Mode.ACTUAL) -> Telling:
    """A press that opened an incident and ordered a call."""
    return Telling(mode).alarm(0).opened(0).call(0)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_building_for_which_nobody_was_called_is_named_whatever_other_calls_there_are(mode: Mode) -> None:
    """First where a call is answered, below it where another is loud itself; not once it has a call of its own."""
    telling = pressed(mode).sent(1).human(2)
    assert "ACKNOWLEDGED by a telecommunicator" == telling.line()
    telling.say(
        3,
        facts.AlarmRaised(
            alarm="alm_3",  # type: ignore[arg-type]
            incident=INCIDENT,
            kind=AlarmKind.PANIC,
            mode=mode,
            place=PlaceId("plc_gym"),
            building="G",
            number=1,
            device="sos-gym",  # type: ignore[arg-type]
            path="zigbee",
            unproven="What sos-gym sends can be forged",
        ),
    )
    told = headline(telling.story())
    assert "NOT CALLED BY ITSELF" in told.text
    assert "ACKNOWLEDGED" in told.note
    assert f"{Names().place(PlaceId('plc_gym'))} (What sos-gym sends can be forged)" in told.note
    assert ("CALL 911" in told.text) is (mode is Mode.ACTUAL)
    worse = headline(telling.call(4, "cal_2").unanswered(9, "cal_2").story())
    assert "NOT ACKNOWLEDGED" in worse.text
    assert "Nobody was called for" in worse.note


def test_a_press_after_a_person_answered_stands_under_the_answer_until_a_person_has_it_too() -> None:
    """Never as answered: neither before the PSAP's system has it nor after, but by the next acknowledgement."""
    telling = pressed().sent(1).receipt(2, ReceiptLevel.SYSTEM).human(3)
    assert not headline(telling.story()).later
    telling.alarm(540, number=2, place="plc_a101")
    assert "A 101, pressed later: not known to have reached the PSAP." == headline(telling.story()).later
    covers = facts.CallReceipt(
        call="cal_1",  # type: ignore[arg-type]
        link=COUNTY,
        frame="2",
        covers=((1, 2),),
        level=ReceiptLevel.SYSTEM,
    )
    story = telling.say(541, covers).story()
    line = headline(story)
    assert "ACKNOWLEDGED by a telecommunicator" == line.text
    assert "A 101, pressed later: received by the PSAP's system, no person has answered it." == line.later
    renderer = Renderer(zone=UTC, version="1")
    assert line.later.replace("'", "&#39;") in renderer.head(story)
    assert line.later.replace("'", "&#39;") in renderer.cards([card(story, UTC)], "")
    assert not headline(telling.human(600).story()).later


def test_an_action_is_in_force_only_while_its_incident_is_open() -> None:
    """On the list and on the incident's own page; afterwards it was ordered."""
    renderer = Renderer(zone=UTC, version="1")
    telling = pressed().say(5, facts.ActionOrdered(action=facts.Action.LOCKDOWN))
    open_, page = renderer.cards([card(telling.story(), UTC)], ""), renderer.head(telling.story())
    telling.say(20, facts.IncidentClosed(incident=INCIDENT, by=PersonId("per_1")))
    closed, after = renderer.cards([card(telling.story(), UTC)], ""), renderer.head(telling.story())

    assert ("in force" in open_, "In force" in page) == (True, True)
    assert not any(words in text for words in ("in force", "In force") for text in (closed, after))
    assert ("Lockdown was ordered" in closed, "Was ordered" in after) == (True, True)


def test_further_presses_show_how_far_they_have_come() -> None:
    """Recorded, then some sent, then all sent, then all with the PSAP's system."""
    telling = pressed().sent(0.1)
    for number in (2, 3, 4):
        telling.alarm(number, number=number)
    found = [telling.story().steps["alarms:B"]]
    for fact in (
        facts.CallSent(call="cal_1", link=COUNTY, frame="2", covers=((2, 3),)),  # type: ignore[arg-type]
        facts.CallSent(call="cal_1", link=COUNTY, frame="3", covers=((4, 4),)),  # type: ignore[arg-type]
        facts.CallReceipt(
            call="cal_1",  # type: ignore[arg-type]
            link=COUNTY,
            frame="2",
            covers=((1, 4),),
            level=ReceiptLevel.SYSTEM,
        ),
    ):
        found.append(telling.say(5.0, fact).story().steps["alarms:B"])

    assert [Stage.RECORDED, Stage.RECORDED, Stage.SENT, Stage.MACHINE] == [step.stage for step in found]
    assert [
        "none sent to the PSAP so far",
        "2 sent",
        "all sent",
        "all sent, all received by the PSAP's system",
    ] == [step.detail.partition("; ")[2] for step in found]


def test_every_place_is_named_as_far_as_a_line_bears() -> None:
    """One, two, and then how many more."""
    telling = pressed()
    found = [telling.story().where]
    for number, place in enumerate(("plc_gym", "plc_a101"), 2):
        found.append(telling.alarm(number, number=number, place=place).story().where)

    assert ["B 204", "B 204 and G Gym", "B 204, G Gym and 1 more"] == found


def test_what_was_accepted_counts_down_as_it_is_heard_of() -> None:
    """A delivered message is no longer one that is not known to have arrived; mail lies with a mail server."""
    telling = pressed()
    telling.say(
        1,
        facts.NoticeOrdered(
            notice="ntc_1",  # type: ignore[arg-type]
            revision=1,
            incident=INCIDENT,
            mode=Mode.ACTUAL,
            template="staff-alarm",
            audience="all-staff",
            slots={},
        ),
    )

    def settle(delivery: str, outcome: Outcome, channel: str = "sms") -> str:
        fact = facts.DeliverySettled(
            notice="ntc_1",  # type: ignore[arg-type]
            delivery=delivery,  # type: ignore[arg-type]
            revision=1,
            person=PersonId("per_1"),
            channel=channel,
            outcome=outcome,
        )
        return telling.say(2, fact, "desk").story().steps[f"delivery:ntc_1:{channel}:accepted"].title

    assert "Text messages: 1 accepted by the carrier, not known to have arrived" == settle(
        "dlv_1", Outcome.ACCEPTED
    )
    assert "Text messages: 2 accepted by the carrier, not known to have arrived" == settle(
        "dlv_2", Outcome.ACCEPTED
    )
    assert "Text messages: 2 accepted by the carrier, 1 not known to have arrived" == settle(
        "dlv_1", Outcome.DELIVERED
    )
    assert "Text messages: 2 accepted by the carrier, all heard of since" == settle(
        "dlv_2", Outcome.DELIVERED
    )
    assert "E-mail: 1 accepted by the mail server, not known to have arrived" == settle(
        "dlv_3", Outcome.ACCEPTED, "email"
    )


def test_a_radio_receipt_is_not_the_psap() -> None:
    """The far modem has it: still nothing has answered."""
    telling = pressed().sent(0.1).receipt(0.2, ReceiptLevel.RADIO)

    assert "SENT, NOTHING HAS ANSWERED YET" == telling.line()


def test_a_system_receipt_is_not_a_person() -> None:
    """The line names the link and says that nobody has answered."""
    telling = pressed().sent(0.1).receipt(0.2, ReceiptLevel.SYSTEM)

    assert "RECEIVED BY county, NO PERSON HAS ANSWERED" == telling.line()


def test_only_the_acknowledgement_says_acknowledged() -> None:
    """And it holds, whatever else is said afterwards."""
    telling = pressed().sent(0.1).human(5).unanswered(10).rejected(11)

    assert "ACKNOWLEDGED by a telecommunicator" == telling.line()


def test_a_radio_receipt_does_not_hush_the_warning() -> None:
    """Only the PSAP's own system or a person does."""
    telling = pressed().sent(0.1).unanswered(10).receipt(11, ReceiptLevel.RADIO)

    assert "NOT ACKNOWLEDGED — CALL 911" == telling.line()


def test_an_incident_is_as_well_off_as_its_worst_call() -> None:
    """One building acknowledged, the other not: the line is loud and names the place."""
    telling = (
        pressed().human(3).alarm(4, "G", 1, "plc_gym").call(4, "cal_2", "plc_gym").unanswered(14, "cal_2")
    )
    line = headline(telling.story())

    assert ("NOT ACKNOWLEDGED — CALL 911", True) == (line.text, line.note.startswith("G Gym: "))


def test_refused_by_every_link_is_loud_and_refused_by_one_is_not() -> None:
    """As long as one link carries it, it is on its way."""
    both = pressed().sent(0.1).sent(0.1, BACKUP).rejected(0.2)

    assert "SENT, NOTHING HAS ANSWERED YET" == both.line()
    assert "REFUSED BY THE PSAP — CALL 911" == both.rejected(0.3, BACKUP).line()


def test_an_exercise_never_tells_anybody_to_call() -> None:
    """Its loud line says what it is."""
    story = pressed(Mode.EXERCISE).sent(0.1).unanswered(10).story()

    assert "NOT ACKNOWLEDGED — EXERCISE" == headline(story).text
    assert not any("CALL 911" in step.title + step.detail for step in story.steps.values())


@pytest.mark.parametrize("order", [1, -1])
def test_facts_fed_twice_change_nothing(order: int) -> None:
    """Overlapping reads and a spool's replay are harmless."""
    entries = pressed().sent(0.1).receipt(0.2, ReceiptLevel.SYSTEM).alarm(3, "B", 2).human(5).entries
    story = tell(INCIDENT, entries, names=Names())
    before = dict(story.steps)
    changed = [story.apply(entry) for entry in entries[::order]]

    assert [set()] * len(entries) == changed
    assert before == story.steps


def test_a_thousand_presses_are_one_growing_step() -> None:
    """The timeline stays short whatever happens."""
    telling = pressed()
    for number in range(2, 1_001):
        telling.alarm(number / 100, "B", number, "plc_a101")
    story = telling.story()

    assert 3 == len(story.steps)
    assert "999 more presses in building B" == story.steps["alarms:B"].title
    assert 1_000 == story.incident.alarms


def test_a_stepped_clock_never_reorders_a_streams_own_facts() -> None:
    """The clock went back an hour between the call and its acknowledgement."""
    story = pressed().sent(1).human(-3600).story()
    keys = [moment.key for moment in story.told()]

    assert keys.index("sent:cal_1:county") < keys.index("human:cal_1")
    assert "−3600.0" == stamp(story.steps["human:cal_1"].seconds)


def test_what_is_unknown_is_never_counted_as_delivered() -> None:
    """Each delivery stands in exactly one place, the last one known."""
    telling = pressed()
    telling.say(
        0,
        facts.NoticeOrdered(
            notice="ntc_1",  # type: ignore[arg-type]
            revision=1,
            incident=INCIDENT,
            mode=Mode.ACTUAL,
            template="staff-alarm",
            audience="all-staff",
            slots={},
        ),
    )
    telling.say(1, facts.NoticePlanned(notice="ntc_1", revision=1, people=5, deliveries=6), "desk")  # type: ignore[arg-type]
    settled = [
        ("d1", Outcome.ACCEPTED),
        ("d1", Outcome.DELIVERED),
        ("d2", Outcome.UNCERTAIN),
        ("d3", Outcome.ACCEPTED),
        ("d4", Outcome.UNCERTAIN),
        ("d4", Outcome.REFUSED),
    ]
    for at, (delivery, outcome) in enumerate(settled, 2):
        fact = facts.DeliverySettled(
            delivery=delivery,  # type: ignore[arg-type]
            notice="ntc_1",  # type: ignore[arg-type]
            revision=1,
            person=PersonId("per_1"),
            channel="sms",
            outcome=outcome,
        )
        telling.say(at, fact, "desk")
    story = telling.story()
    block = notice_block(story.tallies["ntc_1"])  # type: ignore[index]
    row = block.counts[0]

    assert (1, 1, 1, 1, 2) == (row.delivered, row.accepted, row.refused, row.uncertain, block.silent)
    assert Stage.UNKNOWN is story.steps["delivery:ntc_1:sms:uncertain"].stage


def test_what_nobody_can_send_is_no_message_of_the_incidents_page_either() -> None:
    """Its line and the line of the story say one number."""
    telling = pressed()
    ordered = facts.NoticeOrdered(
        notice="ntc_1",
        revision=1,
        incident=INCIDENT,
        mode=Mode.ACTUAL,
        template="staff-alarm",
        audience="all-staff",
        slots={},
    )
    planned = facts.NoticePlanned(notice="ntc_1", revision=1, people=90, deliveries=119, unsendable=23)
    telling.say(1, ordered, "desk")
    telling.say(1, planned, "desk")
    story = telling.story()
    block = notice_block(story.tallies["ntc_1"])

    assert (96, 23, 119) == (block.messages, block.unsendable, block.silent)
    assert "90 people, 96 messages to send" in story.steps["planned:ntc_1"].title


def test_addresses_that_nothing_is_set_up_for_are_no_failure() -> None:
    """One quiet line of them, however many: nothing is counted as refused, and nothing is still to be heard."""
    telling = pressed()
    ordered = facts.NoticeOrdered(
        notice=NoticeId("ntc_1"),
        revision=1,
        incident=INCIDENT,
        mode=Mode.ACTUAL,
        template="staff-alarm",
        audience="all-staff",
        slots={},
    )
    telling.say(1, ordered, "desk")
    planned = facts.NoticePlanned(notice="ntc_1", revision=1, people=2, deliveries=4, unsendable=2)  # type: ignore[arg-type]
    telling.say(2, planned, "desk")
    for number in range(2):
        telling.say(
            3,
            facts.DeliverySettled(
                delivery=f"dlv_{number}",  # type: ignore[arg-type]
                notice="ntc_1",  # type: ignore[arg-type]
                revision=1,
                person=PersonId("per_1"),
                channel="voice",
                outcome=Outcome.REFUSED,
                reason="no_channel",
            ),
            "desk",
        )
    story = telling.story()
    block = notice_block(story.tallies[NoticeId("ntc_1")])

    assert ([], ["Calls: no channel is set up"], 2) == (block.counts, block.unset, block.silent)
    assert ["Calls: no channel is set up"] == [
        step.title for step in story.told() if step.title.startswith("Calls")
    ]
    assert Stage.FAILED not in {step.stage for step in story.told()}


def test_a_correction_stands_at_the_top_and_says_whether_it_was_read_back() -> None:
    """The right place before the wrong one; the line asks for the telephone until somebody has read it back."""
    telling = pressed().sent(0.1).human(5)
    telling.say(
        10,
        facts.UpdateOrdered(
            call="cal_1", incident=INCIDENT, update=1, kind=facts.UpdateKind.PLACE, place="plc_gym", by=None
        ),
    )
    story = telling.story()

    assert ("G Gym", "G Gym, not B 204") == (story.place, story.where)
    assert "ACKNOWLEDGED by a telecommunicator" == telling.line()
    assert "not been read back" in headline(story).note
    telling.say(
        20,
        facts.UpdateReadBack(call="cal_1", incident=INCIDENT, update=1, link="county", awaiting=("birch",)),
    )
    assert "not been read back" in headline(telling.story()).note
    telling.say(30, facts.UpdateReadBack(call="cal_1", incident=INCIDENT, update=1, link="birch", by="N2"))
    assert "not been read back" not in headline(telling.story()).note


def test_records_given_outside_stand_in_the_story_by_their_number_alone() -> None:
    """P13: opened, given and ended by itself; the command line says the same."""
    by = PersonId("per_1")
    told: list[Fact] = [
        facts.DisclosureOpened(
            disclosure="dsc_1",
            incident=INCIDENT,
            by=by,
            students=23,
            fields=("names",),
            basis="safety",
            until=Instant(0),
        ),
        facts.DisclosureGiven(
            disclosure="dsc_1", incident=INCIDENT, by=by, students=1, fields=("names",), way="exported"
        ),
        facts.DisclosureClosed(disclosure="dsc_1", incident=INCIDENT, why="incident-closed"),
    ]
    telling = pressed()
    for at, fact in enumerate(told, 10):
        telling.say(at, fact, "desk")
    steps = [step for key, step in telling.story().steps.items() if key.startswith("disclosure:")]

    assert [
        ("Records of 23 students may be given outside", "Ada Okafor"),
        ("Records of 1 student exported for somebody outside", "Ada Okafor"),
        ("No records are given outside any more: incident closed", "by itself"),
    ] == [(step.title, step.detail) for step in steps]
    assert [step.title for step in steps] == [line(fact, {})[0].split(", by per_1")[0] for fact in told]
