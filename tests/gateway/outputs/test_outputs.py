"""Announcements, from the orders in the journal to what is heard; in virtual time."""

import asyncio
from random import Random

import pytest

from belltower.errors import SettingsError
from belltower.ids import IncidentId, PlaceId
from belltower.incident.facts import Action, AlarmKind, Mode, OutputFailed, OutputOrdered, OutputReceipt
from floorplans.place import Place
from gateway.outputs import texts
from gateway.outputs.kinds import wire_from
from gateway.outputs.settings import (
    OUTPUTS,
    MulticastPageSettings,
    PolycomPageSettings,
    SIPPageSettings,
)
from gateway.outputs.switch_settings import SWITCHES
from gateway.outputs.worker import OutputWorker
from hardware.drivers.speech import Words
from tests.gateway.psap.house import INCIDENT, House
from tests.peers.virtual_time import in_virtual_time
from tests.peers.voice import Air, Legible

OTHER = IncidentId("inc_01J9ZZZZZZZZZZZZZZZZZZZZZY")
PLACE = Place(id=PlaceId("b204"), label="204", building="B")
MARK = "Exercise, exercise, exercise."
LOCKDOWN = "Lockdown. Go into a room."


class Loudspeakers(House):
    """A house whose only worker announces."""

    def __init__(self, *, names=("page",), speech=None) -> None:
        super().__init__(counties=())
        self.airs = {name: Air() for name in names}
        self.speech = speech or Legible()

    async def start(self):
        owed = await self.journal.read(after=0, limit=100_000)
        self.worker = OutputWorker(
            journal=self.journal,
            wires=self.airs,
            speech=self.speech,
            ids=self.ids,
            clock=self.clock,
            place={PLACE.id: PLACE}.get,
            owed=owed,
            after=owed[-1].position if owed else 0,
        )
        self._worker_task = asyncio.get_running_loop().create_task(self.worker.run())


def ordered(action=Action.LOCKDOWN, *, on=True, order=1, output="page", incident=INCIDENT, **how):
    """An order."""
    given = {"mode": Mode.ACTUAL, "action": action, "place": PLACE.id, **how}
    return OutputOrdered(output=output, incident=incident, on=on, order=order, **given)


def test_an_order_is_announced_until_it_is_ordered_off():
    """Said twice in every round, at the place; the receipt says that nobody confirmed it."""

    async def story():
        async with Loudspeakers() as house:
            await house.give(ordered())
            (receipt,) = await house.facts_until(OutputReceipt, 1, within=1.0)
            assert not receipt.confirmed
            await asyncio.sleep(30)
            heard = house.airs["page"].talks[0]
            assert heard.count(LOCKDOWN) >= 4
            assert "Place building B room 2, 0, 4" in heard
            await house.give(ordered(None, on=False, order=2))
            await asyncio.sleep(30)
            assert not house.airs["page"].opened
            talk = "".join(house.airs["page"].talks)
            assert 4 == talk.count("This announcement has ended.")
            assert talk.rindex(LOCKDOWN) < talk.index("This announcement has ended.")
            assert [True, False] == [each.on for each in await house.facts(OutputReceipt)]

    in_virtual_time(story())


def test_a_later_order_of_the_incident_replaces_the_earlier():
    """At once; an order that comes late changes nothing."""

    async def story():
        async with Loudspeakers() as house:
            await house.give(ordered(Action.HOLD))
            await asyncio.sleep(5)
            await house.give(ordered(Action.EVACUATE, order=2))
            await house.give(ordered(Action.HOLD, order=1))
            await asyncio.sleep(20)
            assert "Leave the building now." in house.airs["page"].talks[0][-200:]
            assert "Stay in your room" not in house.airs["page"].talks[0][-200:]

    in_virtual_time(story())


def test_a_lockdown_takes_the_zone_from_anything_and_live_from_any_drill():
    """By priority; what waits is heard again afterwards."""

    async def story():
        async with Loudspeakers() as house:
            await house.give(ordered(Action.LOCKDOWN, mode=Mode.EXERCISE, incident=OTHER))
            await asyncio.sleep(3)
            await house.give(ordered(Action.HOLD))
            await asyncio.sleep(20)
            assert "Stay in your room" in house.airs["page"].talks[0][-200:]
            assert MARK not in house.airs["page"].talks[0][-200:]

    in_virtual_time(story())
    live = texts.announcement(ordered(Action.HOLD), None)
    drill = texts.announcement(ordered(Action.LOCKDOWN, mode=Mode.EXERCISE), None)
    assert texts.priority(live) > texts.priority(drill)


def test_a_drill_begins_and_ends_with_its_mark_and_nothing_live_has_it():
    """Ten thousand, in any order, wherever they are."""
    random = Random(5)
    for _ in range(10_000):
        mode = random.choice(list(Mode))
        order = ordered(random.choice([*Action, None]), kind=random.choice(list(AlarmKind)), mode=mode)
        place = Place(id=PlaceId("x"), label=random.choice(["Drill Hall", "204"]), building="Exercise Hall")
        said = [words.text for words in texts.text(texts.announcement(order, place))]
        if mode is Mode.EXERCISE:
            assert [MARK, MARK] == [said[0], said[-1]]
        else:
            assert not any("xercise" in text or "rill" in text for text in said)
    with pytest.raises(ValueError, match="drill"):
        texts.LiveAnnouncement(order=ordered(mode=Mode.EXERCISE))


def test_a_drill_without_its_mark_is_silent_and_that_is_a_fact():
    """Nothing is announced that could be taken for real."""

    async def story():
        async with Loudspeakers(speech=Legible(missing=[MARK])) as house:
            await house.give(ordered(mode=Mode.EXERCISE))
            (failed,) = await house.facts_until(OutputFailed, 1, within=1.0)
            assert "not rendered" in failed.reason
            await asyncio.sleep(20)
            assert [] == [talk for talk in house.airs["page"].talks if talk]
            assert [] == await house.facts(OutputReceipt)

    in_virtual_time(story())


def test_every_action_sounds_different():
    """Other words and other tones, so that they are told apart by ear."""
    said = {action: texts.text(texts.announcement(ordered(action), None)) for action in Action}

    assert (
        len(Action)
        == len({words[0] for words in said.values()})
        == len({words[1] for words in said.values()})
    )
    assert all(words[0].text.startswith("♪ ") for words in said.values())


def test_a_restart_goes_on_with_what_was_on_and_settles_nothing_twice():
    """As after a kill: the journal is all its memory."""

    async def story():
        async with Loudspeakers() as house:
            await house.give(ordered())
            await house.facts_until(OutputReceipt, 1, within=1.0)
            await house.restart()
            await asyncio.sleep(5)
            assert LOCKDOWN in house.airs["page"].talks[-1]
            assert 1 == len(await house.facts(OutputReceipt))
            await house.stop()
            await house.give(ordered(None, on=False, order=2))
            await house.start()
            await asyncio.sleep(30)
            assert "This announcement has ended." in house.airs["page"].talks[-1]
            talks = len(house.airs["page"].talks)
            await house.restart()
            await asyncio.sleep(10)
            assert talks == len(house.airs["page"].talks)
            assert 2 == len(await house.facts(OutputReceipt))

    in_virtual_time(story())


def test_an_output_that_fails_or_is_not_there_is_a_fact_and_delays_no_other():
    """Told once; heard as soon as it is back."""

    async def story():
        async with Loudspeakers(names=("page", "gym")) as house:
            house.airs["gym"].gone = "no network"
            await house.give(*(ordered(output=name) for name in ("gym", "page", "roof")))
            failed = await house.facts_until(OutputFailed, 2, within=1.0)
            assert {("gym", "no network"), ("roof", "the settings have no output of this name")} == {
                (each.output, each.reason) for each in failed
            }
            assert ["page"] == [each.output for each in await house.facts_until(OutputReceipt, 1, within=1.0)]
            await asyncio.sleep(20)
            assert 2 == len(await house.facts(OutputFailed))
            house.airs["gym"].gone = ""
            await asyncio.sleep(5)
            assert {"page", "gym"} == {each.output for each in await house.facts(OutputReceipt)}

    in_virtual_time(story())


def test_without_words_there_are_tones():
    """Where nobody can speak, tones are rendered all the same."""

    class Tones(Legible):
        def ready(self, words: Words, form):
            return b"t" * 160 if words.text.startswith("♪ ") else b""

    async def story():
        async with Loudspeakers(speech=Tones()) as house:
            await house.give(ordered())
            await house.facts_until(OutputReceipt, 1, within=1.0)
            await asyncio.sleep(5)
            assert set("t") == set(house.airs["page"].talks[0])

    in_virtual_time(story())


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("multicast-page", {"to": "239.255.1.1:5005"}, "even"),
        ("multicast-page", {"to": "page.example:5004"}, "numeric"),
        ("polycom-page", {"caller": "much too long a name"}, "caller"),
        ("polycom-page", {"sender": "1"}, "sender"),
        ("polycom-page", {"format": "pcma"}, "format"),
        ("sip-page", {"to": "phone.example:5060"}, "numeric"),
        ("sip-page", {"to": "192.0.2.1:5060", "user": "a b"}, "user"),
    ],
)
def test_settings_that_lead_nowhere_are_refused(kind, values, says):
    """With the mend."""
    with pytest.raises(SettingsError, match=says):
        OUTPUTS[kind](**values)


def test_every_kind_becomes_a_wire():
    """In the form its settings say."""
    for settings in (
        MulticastPageSettings(to="239.255.1.1:5004"),
        PolycomPageSettings(),
        SIPPageSettings(to="192.0.2.1:5060"),
    ):
        assert settings.format is wire_from(settings, Random(1).randbytes).form
    assert len(OUTPUTS) == 3 + len(SWITCHES)
