"""The obligations of every PSAP link, as `PSAPLink` lists them. A new kind joins by a line in `LINKS`."""

import asyncio
import socket
from random import Random

import pytest

from belltower.clock import SystemClock
from belltower.incident.facts import Mode
from belltower.values import Secret
from floorplans.campus import Campus
from gateway.psap.eido.writing import Issuer
from gateway.psap.eido_link import EIDOLink
from gateway.psap.fleetsync_link import FleetSyncLink
from gateway.psap.kinds import KINDS
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import Answered, Lost, Opened, Receipt, admitted, more_of
from gateway.psap.modem_link import ModemLink
from gateway.psap.settings import LINKS as SETTINGS
from gateway.psap.tetra_link import TetraLink
from hardware.simulators.modem import SimulatedModem
from hardware.simulators.tetra_radio import SimulatedTetraRadio
from hardware.transports.memory import Cable
from tests.gateway.psap.house import order
from tests.peers import sip_server
from tests.peers.answering import answering_cable
from tests.peers.county import KEY, PSAP, SCHOOL
from tests.peers.eido import MemoryDoor
from tests.peers.station import dc09_link
from tests.peers.virtual_time import in_virtual_time
from tests.peers.voice import Air, voice_link


class KISSAtHand:
    """A radio link on a cable whose far end only swallows."""

    def __init__(self, *, capacity=65_536) -> None:
        self.cable = Cable(capacity=capacity)
        self.link = KISSLink(name="county", transport=self.cable.near, key=KEY, us=SCHOOL, them=PSAP)
        self.secrets = [KEY.hex(), repr(KEY)]

    def lose(self):
        """Take the line away."""
        self.cable.pull()

    def mend(self):
        """Give it back."""
        self.cable.plug()


class ModemAtHand:
    """A modem that is registered, and says nothing more once it has taken a text."""

    def __init__(self, *, capacity=65_536) -> None:
        self.cable = answering_cable(SimulatedModem(), fault="deaf-after", capacity=capacity)
        self.link = ModemLink(
            name="county",
            transport=self.cable.near,
            number="+12065550100",
            exercise_number="+12065550102",
            pin=Secret("7391"),
        )
        self.secrets = ["7391", "12065550100"]

    def lose(self):
        """Take the line away."""
        self.cable.pull()

    def mend(self):
        """Give it back."""
        self.cable.plug()


class EIDOAtHand:
    """A link whose one dispatch system subscribes and then only swallows."""

    def __init__(self, *, capacity=1 << 20) -> None:
        self.door = MemoryDoor(capacity=capacity)
        campus = Campus(id="lindenfield", name="Lindenfield School", telephone="+12065550177")
        self.link = EIDOLink(
            name="county",
            issuer=Issuer(
                element="belltower.lindenfield.example", agency="lindenfield.example", campus=campus
            ),
            door=self.door,
            clock=SystemClock(),
            random_bytes=Random(1).randbytes,
            exercise=True,
        )
        self.secrets = ["12065550177"]

    def lose(self):
        """Cut the system off."""
        self.door.pull()

    def mend(self):
        """Let it come again."""
        self.door.plug()


class DC09AtHand:
    """A link to a monitoring station on a cable whose far end only swallows."""

    def __init__(self, *, capacity=65_536) -> None:
        self.cable = Cable(capacity=capacity)
        key = b"0123456789ABCDEF"
        self.link = dc09_link(self.cable.near, key=key)
        self.secrets = [key.decode(), key.hex(), repr(key)]

    def lose(self):
        """Take the line away."""
        self.cable.pull()

    def mend(self):
        """Give it back."""
        self.cable.plug()


class SIPAtHand:
    """A link by SIP with one server, a cable whose far end only swallows."""

    def __init__(self, *, capacity=65_536) -> None:
        self.cable = Cable(capacity=capacity)
        self.link = sip_server.link(self.cable, login=True)
        self.secrets = [sip_server.PASSWORD]

    def lose(self):
        """Take the line away."""
        self.cable.pull()

    def mend(self):
        """Give it back."""
        self.cable.plug()


class TetraAtHand:
    """A radio that is registered, and says nothing more once it has taken a text."""

    def __init__(self, *, capacity=65_536) -> None:
        self.cable = answering_cable(SimulatedTetraRadio(), fault="deaf-after", capacity=capacity)
        self.link = TetraLink(name="county", transport=self.cable.near, to="2345678")
        self.secrets = ["2345678"]

    def lose(self):
        """Take the line away."""
        self.cable.pull()

    def mend(self):
        """Give it back."""
        self.cable.plug()


class FleetSyncAtHand:
    """A radio that only swallows."""

    to, nexedge = "1001002", False

    def __init__(self, *, capacity=65_536) -> None:
        self.cable = Cable(capacity=capacity)
        self.link = FleetSyncLink(name="county", transport=self.cable.near, to=self.to, nexedge=self.nexedge)
        self.secrets = [self.to]

    def lose(self):
        """Take the line away."""
        self.cable.pull()

    def mend(self):
        """Give it back."""
        self.cable.plug()


class NexedgeAtHand(FleetSyncAtHand):
    """The same, digital."""

    to, nexedge = "03001", True


class VoiceAtHand:
    """A spoken alarm into the air; nothing ever comes back, so silence is no loss."""

    one_way = True

    def __init__(self, *, capacity=65_536) -> None:
        self.wire = Air()
        self.link = voice_link(self.wire)
        self.secrets = []

    def lose(self):
        """Take the network away."""
        self.wire.gone = "there is no network"

    def mend(self):
        """Give it back."""
        self.wire.gone = ""


LINKS = {
    "kiss": KISSAtHand,
    "dc09": DC09AtHand,
    "eido": EIDOAtHand,
    "modem": ModemAtHand,
    "sip": SIPAtHand,
    "tetra": TetraAtHand,
    "fleetsync": FleetSyncAtHand,
    "nexedge": NexedgeAtHand,
    "voice": VoiceAtHand,
}


@pytest.fixture(params=sorted(LINKS))
def kind(request):
    """Each kind of link there is."""
    return LINKS[request.param]


def test_every_kind_is_held_to_the_contract():
    """No kind without settings, without a way to be built, or outside of this suite."""
    assert set(SETTINGS) == set(LINKS)
    assert set(SETTINGS.values()) == set(KINDS)


def test_the_same_call_is_the_same_frame_for_ever(kind):
    """Two links of the same settings, as before and after a restart."""
    call = admitted(order(7), place="B 204")
    more = more_of([(call, ((2, 9),))])

    assert kind().link.first(call) == kind().link.first(call)
    assert kind().link.more(more) == kind().link.more(more)
    assert ((order(7).call, ((1, 1),)),) == kind().link.first(call).covers


def test_an_exercise_never_looks_like_a_call(kind):
    """The octets differ; a kind without an agreed form must say so in its traits."""
    live = admitted(order(7), place="B 204")
    exercise = admitted(order(7, mode=Mode.EXERCISE, accepted=True), place="B 204")
    link = kind().link

    assert not link.traits.exercise or link.first(live).octets != link.first(exercise).octets


def test_silence_is_no_receipt(kind):
    """An hour without an answer."""

    async def story():
        hand, heard = kind(), []
        running = asyncio.get_running_loop().create_task(hand.link.run(heard.append))
        await asyncio.sleep(0.1)
        assert await hand.link.send(hand.link.first(admitted(order(7), place="x")))
        await asyncio.sleep(3600)
        running.cancel()
        await asyncio.wait([running])

        assert [Opened()] == heard[:1]
        assert not [each for each in heard if isinstance(each, Receipt)]
        lost = 0 if getattr(hand, "one_way", False) else 1
        assert lost == len([each for each in heard if isinstance(each, Lost)])

    in_virtual_time(story())


def test_cancellation_is_honoured_at_any_moment_and_leaves_nothing(kind):
    """Cancelled after 0, 1, 2 .. steps, on a whole and on a lost line: ended within a second, no task left."""

    async def story(steps, lost):
        hand = kind()
        if lost:
            hand.lose()
        running = asyncio.get_running_loop().create_task(hand.link.run(lambda _: None))
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=1.0)

        assert running.cancelled()
        assert {asyncio.current_task()} == asyncio.all_tasks()

    for steps in range(25):
        for lost in (False, True):
            in_virtual_time(story(steps, lost))


def test_a_line_that_takes_nothing_does_not_hold_anybody(kind):
    """`send` gives up by itself, and meanwhile the loop runs."""

    async def story():
        hand = kind(capacity=64)
        running = asyncio.get_running_loop().create_task(hand.link.run(lambda _: None))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(15):
            frame = hand.link.first(admitted(order(7), place="x"))
            for _ in range(2):
                await hand.link.send(frame)
        running.cancel()
        await asyncio.wait([running])

    in_virtual_time(story())


def test_a_lost_line_is_said_once_and_opened_again_in_two_seconds(kind):
    """Lost at once; nothing is sent meanwhile; Opened soon after it is back."""

    async def story():
        hand, heard = kind(), []
        running = asyncio.get_running_loop().create_task(hand.link.run(heard.append))
        await asyncio.sleep(1)
        hand.lose()
        await asyncio.sleep(20)
        assert [Opened, Lost] == [type(each) for each in heard if not isinstance(each, Answered)]
        assert not await hand.link.send(hand.link.first(admitted(order(7), place="x")))
        hand.mend()
        await asyncio.sleep(2)
        running.cancel()
        await asyncio.wait([running])

        assert [Opened, Lost, Opened] == [type(each) for each in heard if not isinstance(each, Answered)]

    in_virtual_time(story())


def test_no_secret_is_shown(kind, capsys):
    """Neither by repr, nor by what it reports, nor in the log."""

    async def story():
        hand, heard = kind(), []
        running = asyncio.get_running_loop().create_task(hand.link.run(heard.append))
        await asyncio.sleep(1)
        hand.lose()
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return hand, repr([hand.link, heard, hand.link.traits])

    hand, shown = in_virtual_time(story())
    shown += "".join(capsys.readouterr())

    assert not [secret for secret in hand.secrets if secret in shown]


def test_no_name_is_resolved_when_a_call_is_sent(kind, monkeypatch):
    """A press must not wait for DNS."""

    async def story():
        hand = kind()
        running = asyncio.get_running_loop().create_task(hand.link.run(lambda _: None))
        await asyncio.sleep(0.1)
        monkeypatch.setattr(socket, "getaddrinfo", None)
        assert await hand.link.send(hand.link.first(admitted(order(7), place="x")))
        running.cancel()
        await asyncio.wait([running])

    in_virtual_time(story())
