"""Fault R14 and attack S3: only the exact id, stations, text and MAC settle a call."""

import asyncio

import pytest

from belltower.incident.facts import ReceiptLevel
from gateway.psap import radio_text
from gateway.psap.kiss_link import TO_CALL, KISSLink
from gateway.psap.link import Answered, PersonAnswered, ReadBack, Receipt, admitted
from gateway.psap.radio_text import Direction, Ends
from hardware.codecs import aprs, ax25, kiss
from hardware.transports.memory import Cable
from tests.gateway.psap.house import order
from tests.peers.county import KEY, PSAP, SCHOOL

BACK = Ends(sender=PSAP, addressee=SCHOOL)
OTHER = bytes(31) + b"\x01"


class Ear:
    """A link that has sent one call, and what it reports."""

    def __init__(self) -> None:
        self.cable = Cable()
        self.link = KISSLink(name="county", transport=self.cable.near, key=KEY, us=SCHOOL, them=PSAP)
        self.frame = self.link.first(admitted(order(7), place="B 204"))
        self.heard = []

    async def ready(self):
        await self.cable.near.open()
        assert await self.link.send(self.frame)
        return self

    def report(self, heard):
        self.heard.append(heard)

    def hears(self, info, *, source=PSAP):
        """What it reports after this information field from this station."""
        self.hears_frame(
            ax25.encode(ax25.UIFrame(destination=TO_CALL, source=ax25.Address.parse(source), info=info))
        )
        return self.heard

    def hears_frame(self, octets):
        self.link._take(octets, self.report)

    def ack(self, *, key=KEY, way=Direction.FROM_PSAP, ends=BACK, frame_id=None, text=None, positive=True):
        """An acknowledgement, forged in one field."""
        digest = radio_text.digest(text or self.frame.text, self.frame.id)
        return aprs.encode(
            radio_text.answer(key, way, ends, frame_id or self.frame.id, digest, positive=positive)
        )

    def read_back(self, *, key=KEY, way=Direction.FROM_PSAP, ends=BACK, frame_id="R0001", signed_id="R0001"):
        """A person's reading back, forged in one field."""
        body = radio_text.signed(key, way, ends, radio_text.read_back_text(7, 2, "AAAAAAAA", "T1"), signed_id)
        return aprs.encode(aprs.Message(addressee=ends.addressee, text=body, id=frame_id))

    def human(self, *, key=KEY, way=Direction.FROM_PSAP, ends=BACK, frame_id="H0001", signed_id="H0001"):
        """A person's answer, forged in one field."""
        body = radio_text.signed(key, way, ends, radio_text.human_text(7, "AAAAAAAA", "T1"), signed_id)
        return aprs.encode(aprs.Message(addressee=ends.addressee, text=body, id=frame_id))


async def test_the_right_answer_is_a_receipt():
    """So that the refusals below mean something."""
    ear = await Ear().ready()

    assert [Answered(), Receipt(frame="C0007", level=ReceiptLevel.SYSTEM)] == ear.hears(ear.ack())
    assert PersonAnswered(number=7, key="AAAAAAAA", by="T1") == ear.hears(ear.human())[-1]
    assert ReadBack(number=7, update=2, key="AAAAAAAA", by="T1") == ear.hears(ear.read_back())[-1]


@pytest.mark.parametrize(
    "field",
    [
        {"key": OTHER},
        {"way": Direction.TO_PSAP},
        {"ends": Ends(sender=SCHOOL, addressee=PSAP)},
        {"ends": Ends(sender="PSAP-1", addressee=SCHOOL)},
        {"ends": Ends(sender=PSAP, addressee="SCHOOL-2")},
        {"frame_id": "C0008"},
        {"text": "another text"},
    ],
    ids=str,
)
async def test_an_answer_wrong_in_one_field_changes_nothing(field):
    """Whoever signs with another key, for other stations, the other way, another id or another text is not heard."""
    ear = await Ear().ready()

    assert [] == ear.hears(ear.ack(**field))
    assert [] == ear.hears(ear.ack(positive=False, **field))


@pytest.mark.parametrize(
    "field",
    [
        {"key": OTHER},
        {"way": Direction.TO_PSAP},
        {"ends": Ends(sender="PSAP-1", addressee=SCHOOL)},
        {"ends": Ends(sender=PSAP, addressee="SCHOOL-2")},
        {"frame_id": "H0002"},
    ],
    ids=str,
)
async def test_a_persons_answer_wrong_in_one_field_changes_nothing(field):
    """Nobody can claim that a telecommunicator has the call."""
    ear = await Ear().ready()

    assert [] == ear.hears(ear.human(**field))


async def test_a_reading_back_wrong_in_one_field_changes_nothing():
    """Nobody can cancel a call by claiming that a telecommunicator has read the cancellation back."""
    ear = await Ear().ready()
    for field in (
        {"key": OTHER},
        {"way": Direction.TO_PSAP},
        {"ends": Ends(sender="PSAP-1", addressee=SCHOOL)},
        {"ends": Ends(sender=PSAP, addressee="SCHOOL-2")},
        {"frame_id": "R0002"},
    ):
        ear.hears(ear.read_back(**field))

    assert [] == ear.heard


async def test_an_answer_from_another_station_changes_nothing():
    """Even with the right MAC: it was not said by the PSAP."""
    ear = await Ear().ready()

    assert [] == ear.hears(ear.ack(), source="PSAP-1")
    assert [] == ear.hears(ear.human(), source=SCHOOL)


async def test_no_flipped_bit_of_an_answer_gets_through():
    """Every bit of the information field and of the source's call sign."""
    ear = await Ear().ready()
    for info in (ear.ack(), ear.ack(positive=False), ear.human(), ear.read_back()):
        whole = ax25.encode(ax25.UIFrame(destination=TO_CALL, source=ax25.Address.parse(PSAP), info=info))
        for octet in [*range(7, 13), *range(16, len(whole))]:
            for bit in range(8):
                spoilt = bytearray(whole)
                spoilt[octet] ^= 1 << bit
                ear.hears_frame(bytes(spoilt))

    assert [] == ear.heard


async def test_a_bare_acknowledgement_is_a_radio_and_no_more():
    """It settles nothing, and a bare rejection is nothing at all."""
    ear = await Ear().ready()
    ear.hears(aprs.encode(aprs.Reject(addressee=SCHOOL, id="C0007")))

    assert [Receipt(frame="C0007", level=ReceiptLevel.RADIO)] == ear.hears(
        aprs.encode(aprs.Ack(addressee=SCHOOL, id="C0007"))
    )


async def test_an_old_acknowledgement_of_another_call_does_not_count():
    """Numbers that begin again bring new keys, so the text and its digest differ."""
    ear = await Ear().ready()
    old = Ear()
    old.frame = old.link.first(admitted(order(7, building="Gym"), place="Gym"))

    assert [] == ear.hears(old.ack())


async def test_noise_is_never_a_receipt():
    """Fault R12: 20,000 frames with a bit in a thousand wrong and octets lost; a spoilt answer never counts."""
    from random import Random

    random = Random(3)
    ear = await Ear().ready()
    good = kiss.encode(
        ax25.encode(
            ax25.UIFrame(destination=TO_CALL, source=ax25.Address.parse(PSAP), info=ear.ack(key=OTHER))
        )
    )
    decoder = kiss.Decoder()
    for _ in range(20_000):
        octets = bytearray(good)
        while random.random() < 0.7:
            place = random.randrange(len(octets))
            match random.randrange(3):
                case 0:
                    octets[place] ^= 1 << random.randrange(8)
                case 1:
                    del octets[place]
                case 2:
                    octets.insert(place, octets[place])
        for frame in decoder.feed(bytes(octets)):
            if isinstance(frame, kiss.Frame):
                ear.hears_frame(frame.data)
    ear.hears(ear.ack())

    assert {Answered(), Receipt(frame="C0007", level=ReceiptLevel.SYSTEM)} == set(ear.heard)
    assert 2 == len(ear.heard)
    assert len(ear.link.samples) <= 8
    await asyncio.sleep(0)
