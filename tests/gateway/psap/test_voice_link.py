"""A spoken alarm over a radio."""

import asyncio
import os
from contextlib import asynccontextmanager
from random import Random

import pytest

from belltower.errors import SettingsError
from belltower.ids import PlaceId
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from gateway.psap import voice_text
from gateway.psap.link import LinkTest, Lost, Opened, Receipt, Spot, admitted, more_of, update_of
from gateway.psap.voice_settings import VoiceLinkSettings
from hardware.codecs.voice import PayloadFormat
from hardware.drivers.key_line import RigKeyLine
from hardware.drivers.page_multicast import MulticastPage
from hardware.drivers.ptt import PTT
from hardware.drivers.sound_command import SoundCommand
from tests.gateway.psap.house import order
from tests.peers.virtual_time import START, in_virtual_time
from tests.peers.voice import Air, Legible, voice_link
from tests.peers.waiting import until
from tests.servers.ffmpeg import GROUP, loudness, recording
from tests.servers.rigctld import rigctld

SPOT = Spot(spoken="B 204", place=PlaceId("b204"), building="B", building_name="Birch House", room="204")
MARK = "Exercise, exercise, exercise."


def call(number=12, *, spot=SPOT, **how):
    """A call as the link gets it."""
    return admitted(order(number, **how), place=spot.spoken, spot=spot)


def exercise(number=12):
    """A call of an exercise that the centre takes."""
    return call(number, mode=Mode.EXERCISE, accepted=True)


@asynccontextmanager
async def speaking(link):
    """A running link and what it heard."""
    heard = []
    running = asyncio.get_running_loop().create_task(link.run(heard.append))
    await asyncio.sleep(0.05)
    yield heard
    running.cancel()
    await asyncio.wait([running])


def test_a_call_is_said_in_plain_words():
    """What, where, its number; digits one by one."""
    text = voice_link(Air()).first(call()).text

    assert "School alarm. Lindenfield School Birch House building B room 2, 0, 4 Call number 1, 2" == text
    assert "place unknown" in voice_link(Air()).first(call(spot=Spot(spoken="place unknown"))).text
    assert "Medical emergency." in voice_link(Air()).first(call(kind=AlarmKind.MEDICAL)).text


def test_more_presses_cancellations_and_corrections_are_said():
    """The frame covers what it says and no more."""
    link = voice_link(Air())
    more = link.more(more_of([(call(), ((2, 2), (4, 9), (11, 12), (14, 20)))]))
    update = UpdateOrdered(
        call=order(12).call, incident=order(12).incident, update=1, kind=UpdateKind.CANCEL, place=None
    )
    cancelled = link.update(update_of(call(), update, spot=None))

    assert "Further alarms. Lindenfield School Call number 1, 2 alarms 2 4 to 9 1, 1 to 1, 2" == more.text
    assert ((order(12).call, ((2, 2), (4, 9), (11, 12))),) == more.covers
    assert "Lindenfield School Call number 1, 2 is cancelled. It was a false alarm." == cancelled.text


def test_exercises_and_tests_say_so_first_and_last_and_nothing_live_does():
    """Whatever school, building or room is called."""
    link = voice_link(Air())
    random = Random(7)
    names = ["Exercise Hall", "the Drill Hall", "Test Lab", "B", "204", "Gym"]
    for number in range(1, 300):
        spot = Spot(
            spoken="x", building=random.choice(names), building_name=random.choice(names), room="Drill 2"
        )
        live = link.first(call(number, spot=spot)).text.lower()
        assert not {"exercise", "drill", "test"} & set(live.replace(",", " ").replace(".", " ").split())
        marked = link.first(exercise(number)).text
        assert marked.startswith(MARK)
        assert marked.endswith(MARK)
    test = link.test(LinkTest(number=3, key="0A1B2C3D", at=START)).text
    assert test.startswith("Test, test, test.")
    assert test.endswith("Nobody needs help. Test, test, test.")


def test_it_is_said_twice_at_once_and_proves_nothing():
    """The first packet leaves within a moment; nobody confirms, so nothing is reported but that the line is open."""

    async def story():
        air = Air()
        link = voice_link(air)
        async with speaking(link) as heard:
            frame = link.first(call())
            began = asyncio.get_running_loop().time()
            assert await link.send(frame)
            assert asyncio.get_running_loop().time() - began < 0.05
            await asyncio.sleep(60)
            assert 2 == air.talks[0].count("Birch House")
            first = next(n for n, (_, sound, _) in enumerate(air.sent) if sound[:1] == b"S")
            assert air.sent[0][2]
            assert 0.25 <= air.sent[first][0] - air.sent[0][0] <= 1.2  # silent packets that key, a short tone
            assert not [each for each in heard if isinstance(each, Receipt)]
            assert [Opened()] == heard
            assert frozenset() == link.traits.settling

    in_virtual_time(story())


def test_two_calls_are_said_one_after_the_other():
    """The second is sent once the first has been said; a saying never outlasts the watchdog."""

    async def story():
        air = Air()
        link = voice_link(air)
        async with speaking(link):
            assert await link.send(link.first(call(1)))
            assert await link.send(link.first(call(2)))
            await asyncio.sleep(60)
            assert 2 == len(air.talks)
            assert all(each.count("Call number") == 2 for each in air.talks)
        air = Air()
        link = voice_link(air, speech=Legible(slow=20))
        async with speaking(link):
            assert await link.send(link.first(call(3)))
            await asyncio.sleep(70)
            assert 50.0 <= len(air.sent) * 0.02 <= 51.0
            assert 50.0 <= link.airtime(link.first(call(3))) <= 51.0

    in_virtual_time(story())


def test_without_the_words_that_mark_it_nothing_is_said():
    """An exercise whose mark is not rendered stays silent; a live call is said as far as it is rendered."""

    async def story():
        air = Air()
        link = voice_link(air, speech=Legible(missing=[MARK, "Birch House"]))
        async with speaking(link):
            assert not await link.send(link.first(exercise()))
            assert [] == air.talks
            assert await link.send(link.first(call()))
            await asyncio.sleep(30)
            assert "building B" in air.talks[0]

    in_virtual_time(story())


def cancellation(link):
    """Call 12 is called off."""
    update = UpdateOrdered(
        call=order(12).call, incident=order(12).incident, update=1, kind=UpdateKind.CANCEL, place=None
    )
    return link.update(update_of(call(), update, spot=None))


@pytest.mark.parametrize("missing", ["is cancelled. It was a false alarm.", "Call number", "1, 2"])
def test_a_cancellation_is_said_whole_or_not_at_all(missing):
    """Without the one word that makes it one it would be heard as a call."""

    async def story():
        air = Air()
        speech = Legible(missing=[missing])
        link = voice_link(air, speech=speech)
        async with speaking(link):
            speech.wanted.clear()
            assert not await link.send(cancellation(link))
            assert [] == air.talks
            assert missing in speech.wanted
            speech.missing.clear()
            assert await link.send(cancellation(link))
            await asyncio.sleep(30)
            assert 2 == air.talks[0].count("is cancelled")

    in_virtual_time(story())


def test_what_can_be_said_is_said_while_one_text_cannot():
    """The line is open; what is missing stands in its detail."""

    class Torn(Legible):
        """As after a text that made the program fail, or a program that is gone since it rendered what there is."""

        def fault(self):
            return "not every announcement can be rendered"

    async def story():
        air = Air()
        link = voice_link(air, speech=Torn(missing=["Birch House"]))
        async with speaking(link) as heard:
            assert [Opened()] == heard
            assert await link.send(link.first(call()))
            assert "not every announcement" in link.detail

    in_virtual_time(story())


def test_the_tone_before_a_call_is_rendered_ahead_like_every_word():
    """Coding it at press time held the loop for a quarter of a second in wideband."""

    async def story():
        air, speech = Air(), Legible()
        link = voice_link(air, speech=speech)
        async with speaking(link):
            assert voice_text.ATTENTION.text == speech.wanted[0]
            assert await link.send(link.first(call()))
            await asyncio.sleep(30)
            spoken = [frame[:1] for _, frame, _ in air.sent if frame[:1] != b"\xff"]
            assert [b"\x02"] * 30 + [b"S"] == spoken[:31]

    in_virtual_time(story())


def test_without_speech_it_is_lost_and_says_why():
    """Tones alone would be no call."""

    async def story():
        link = voice_link(Air(), speech=Legible(broken="espeak-ng is not installed"))
        async with speaking(link) as heard:
            assert [Lost(reason="espeak-ng is not installed")] == heard
            assert not await link.send(link.first(call()))
            assert "espeak-ng is not installed" in link.detail

    in_virtual_time(story())


def test_live_and_exercise_interleaved_never_leave_as_the_other():
    """Ten thousand, in any order."""
    link = voice_link(Air())
    random = Random(31)
    for number in range(1, 10_001):
        drill = random.random() < 0.5
        frame = link.first(exercise(number) if drill else call(number))
        assert drill == (b"xercise" in frame.octets)


async def test_a_real_radio_is_keyed_around_the_words(tmp_path):
    """The rig is keyed while ffmpeg hears the packets, and not before or after."""
    with rigctld() as rig:
        async with recording(tmp_path, seconds=1.0) as heard:
            wire = MulticastPage(host=GROUP, port=heard.port, interface="127.0.0.1", random_bytes=os.urandom)
            line = RigKeyLine(host="127.0.0.1", port=rig.port)
            link = voice_link(wire, ptt=PTT(line=line, lead=0.05, tail=0.05))
            async with speaking(link):
                assert not rig.keyed
                await until(lambda: not link._fault)
                assert await link.send(link.first(call(spot=Spot(spoken="x"))))
                assert rig.keyed
                assert loudness(await heard.finished()) > 0.01
                assert rig.keyed
            await until(lambda: not rig.keyed)


async def test_a_program_plays_the_words(tmp_path):
    """16-bit samples on its standard input, at their own pace; what ends early is a lost line."""
    kept = tmp_path / "played.raw"
    wire = SoundCommand(command=("sh", "-c", f"cat > {kept}"))
    assert "" == wire.fault()
    await wire.begin()
    for _ in range(10):
        wire.send(b"\x80" * 160, first=False)
    await wire.end()

    assert 10 * 320 == kept.stat().st_size
    assert "not installed" in SoundCommand(command=("no-such-player",)).fault()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "give either to"),
        ({"to": "239.255.1.1:5004", "command": ("aplay",)}, "give either to"),
        ({"to": "radio.example:5004"}, "numeric address"),
        ({"to": "239.255.1.1:5005"}, "even"),
        ({"to": "239.255.1.1:5004", "interface": "eth0"}, "interface"),
        ({"to": "239.255.1.1:5004", "key_line": "usb"}, "key_line"),
        ({"to": "239.255.1.1:5004", "lead": 5.0}, "lead"),
        ({"to": "239.255.1.1:5004", "repeat": 1.0}, "repeat"),
    ],
)
def test_settings_that_lead_nowhere_are_refused(values, says):
    """With the mend."""
    with pytest.raises(SettingsError, match=says):
        VoiceLinkSettings(**values)
    assert PayloadFormat.PCMU is VoiceLinkSettings(to="239.255.1.1:5004").format
