"""Every codec of a road to the county: one whole frame of each, how it is read and written, and how it is spoilt.

`python -m gateway.bench.codecs COUNT [SEED]` reads COUNT spoilt frames, shared out among all, and prints what became
of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from msgspec import Struct

from belltower.clock import SECOND, Instant
from belltower.errors import Malformed
from belltower.ids import CallId, IncidentId, PlaceId
from belltower.incident.facts import AlarmKind, CallOrdered, Mode
from floorplans.campus import Campus, Civic
from gateway.psap import additional_data, cap, pidf, radio_text
from gateway.psap.eido import document, writing
from gateway.psap.link import Call, Spot, admitted
from gateway.psap.radio_text import Direction, Ends
from hardware.codecs import (
    aprs,
    ax25,
    dc09,
    dc09_crypto,
    fleetsync,
    kiss,
    meshtastic,
    polycom_page,
    rtp,
    sip,
    sms_pdu,
    tetra_pei,
    unit,
)

KEY = bytes(range(32))
AT = Instant(1_790_000_000 * SECOND)
_ENDS = Ends(sender="SCHOOL-1", addressee="PSAP")
_SEAL = b"ABCDEF0123456789"
_TAG = unit.site_tag("oak")


class Codec(Struct, frozen=True, kw_only=True):
    """One wire form."""

    name: str
    # A whole frame as it stands on the wire.
    sample: bytes
    # What the octets say; `Malformed` when they are no frame.
    read: Callable[[bytes], Any]
    # The octets that say it.
    write: Callable[[Any], bytes]
    # Whether a check sum or a MAC stands in it, so that what is spoilt must not be read as something else.
    checked: bool = False


class Outcome(Struct, kw_only=True):
    """What became of spoilt frames."""

    frames: int = 0
    malformed: int = 0
    # Read as what the whole frame says: the damage did not touch its meaning.
    same: int = 0
    # Read as something else, by a codec whose wire form has no check.
    other: int = 0
    # Read as something else in spite of a check, or as something that is not read back as it was written.
    wrong: int = 0
    # Anything but Malformed was raised, by its name.
    raised: dict[str, int] = {}


def spoilt(octets: bytes, random: Random) -> bytes:
    """The octets with one to four bits turned, octets lost, doubled, put in, or the rest cut off."""
    data = bytearray(octets)
    for _ in range(random.randrange(1, 5)):
        if not data:
            break
        place = random.randrange(len(data))
        match random.randrange(6):
            case 0 | 1:
                data[place] ^= 1 << random.randrange(8)
            case 2:
                del data[place]
            case 3:
                data.insert(place, data[place])
            case 4:
                data.insert(place, random.randrange(256))
            case _:
                if random.randrange(4) == 0:
                    del data[place:]
                else:
                    data[place] = random.randrange(256)
    return bytes(data)


def spoil(codec: Codec, count: int, random: Random, outcome: Outcome | None = None) -> Outcome:
    """Read `count` spoilt frames, and judge each."""
    result = outcome or Outcome()
    meant = codec.read(codec.sample)
    for _ in range(count):
        octets = spoilt(codec.sample, random)
        result.frames += 1
        try:
            said = codec.read(octets)
        except Malformed:
            result.malformed += 1
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            result.raised = {**result.raised, repr(error)[:200]: result.raised.get(repr(error)[:200], 0) + 1}
            continue
        if said == meant:
            result.same += 1
        elif codec.checked or not _stable(codec, said):
            result.wrong += 1
        else:
            result.other += 1
    return result


def _stable(codec: Codec, said: object) -> bool:
    try:
        octets = codec.write(said)
    except ValueError:  # nothing of ours would ever be written like that
        return True
    try:
        return bool(codec.read(octets) == said)
    except Malformed:
        return False


def _one(found: Sequence[Any]) -> Any:
    """The only frame there is."""
    if len(found) != 1 or hasattr(found[0], "reason"):
        raise Malformed("expected exactly one whole frame")
    return found[0]


def a_call() -> Call:
    """A call as on any school day."""
    order = CallOrdered(
        call=CallId("cal_01J9ZZZZZZZZZZZZZZZ3X9QW207"),
        incident=IncidentId("inc_01J9ZZZZZZZZZZZZZZZ9ZABCDEF"),
        number=7,
        incident_number=12,
        kind=AlarmKind.PANIC,
        mode=Mode.ACTUAL,
        place=PlaceId("b204"),
        building="B",
    )
    spot = Spot(
        spoken="B 204",
        place=PlaceId("b204"),
        building="B",
        building_name="Library",
        level="2",
        room="204",
        position=(44.95, -93.09),
    )
    call = admitted(order, place="B 204", spot=spot, at=AT)
    assert not isinstance(call, str)
    return call


CAMPUS = Campus(
    id="lindenfield",
    name="Lindenfield School",
    address=Civic(
        state="MN", county="Ramsey", city="Saint Paul", road="Elm Street", number="12", postcode="55101"
    ),
    position=(44.95, -93.09),
)


def _radio() -> Codec:
    def read(octets: bytes) -> Any:
        frame = _one(kiss.Decoder().feed(octets))
        packet = aprs.decode(ax25.decode(frame.data).info)
        if not isinstance(packet, aprs.Message) or packet.addressee != "PSAP":
            raise Malformed("no message to us")
        return radio_text.opened(KEY, Direction.TO_PSAP, _ENDS, packet.text, packet.id), packet.id

    def write(said: Any) -> bytes:
        text, frame_id = said
        body = radio_text.signed(KEY, Direction.TO_PSAP, _ENDS, text, frame_id)
        info = aprs.encode(aprs.Message(addressee="PSAP", text=body, id=frame_id))
        return kiss.encode(ax25.encode(ax25.UIFrame(destination=to, source=source, info=info)))

    to, source = ax25.Address(callsign="APZBTW"), ax25.Address(callsign="SCHOOL", ssid=1)
    sample = write((radio_text.call_text(a_call()), "C0007"))
    return Codec(name="kiss, ax25, aprs, MAC", sample=sample, read=read, write=write, checked=True)


def _unit() -> Codec:
    def read(octets: bytes) -> Any:
        return unit.open_sealed(octets, KEY, _TAG)

    def write(said: Any) -> bytes:
        return unit.seal(said, KEY, _TAG)

    press = unit.UnitFrame(number=17, epoch=1, counter=9, type=unit.Type.PRESS, body=b"\x01")
    return Codec(name="unit", sample=write(press), read=read, write=write, checked=True)


def _dc09(*, sealed: bool) -> Codec:
    def read(octets: bytes) -> Any:
        frame = dc09.decode(octets)
        return dc09_crypto.open_sealed(frame, _SEAL) if frame.content is None else frame

    def write(said: Any) -> bytes:
        return dc09.encode(dc09_crypto.seal(said, _SEAL, lambda size: b"P" * size) if sealed else said)

    frame = dc09.decode(b'\n3F860044"SIA-DCS"0001R0L0#1234[#1234|Nri1/PA0013^RM204^]_00:32:34,11-22-2026\r')
    name = "dc09, AES" if sealed else "dc09"
    return Codec(name=name, sample=write(frame), read=read, write=write, checked=True)


def _pidf() -> Codec:
    call = a_call()
    location = pidf.of(call.spot, CAMPUS, domain="school.example", at=AT)
    return Codec(
        name="pidf-lo", sample=pidf.build(location), read=pidf.parse, write=lambda said: pidf.build(*said)
    )


def _cap() -> Codec:
    alert = cap.for_call(
        a_call(), campus=CAMPUS, sender="belltower@school.example", addresses=("sip:psap@county.example",)
    )
    return Codec(name="cap", sample=cap.build(alert), read=cap.parse, write=cap.build)


def _additional_data() -> Codec:
    block = additional_data.ServiceInfo(
        reference="urn:uuid:1@school.example", environment="Business", types=("sensor",), mobility="Fixed"
    )
    return Codec(
        name="additional data",
        sample=additional_data.build(block),
        read=additional_data.parse,
        write=additional_data.build,
    )


def _eido() -> Codec:
    issuer = writing.Issuer(element="belltower.school.example", agency="school.example", campus=CAMPUS)
    call = writing.write(issuer, a_call())
    return Codec(name="eido", sample=document.encode(call), read=document.parse, write=document.encode)


def _sip() -> Codec:
    location = pidf.build(pidf.of(a_call().spot, CAMPUS, domain="school.example", at=AT))
    request = sip.Request(
        method="MESSAGE",
        uri="urn:service:sos",
        headers=(
            ("Via", "SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bK776asdhds"),
            ("Max-Forwards", "70"),
            ("From", "<sip:school@school.example>;tag=1928301774"),
            ("To", "<urn:service:sos>"),
            ("Call-ID", "a84b4c76e66710@school.example"),
            ("CSeq", "1 MESSAGE"),
            ("Geolocation", "<cid:loc0001@school>"),
            ("Content-Type", "application/pidf+xml"),
        ),
        body=location,
    )
    return Codec(
        name="sip",
        sample=sip.encode(request),
        read=lambda octets: _one(sip.Decoder().feed(octets)),
        write=sip.encode,
    )


def _sms_submit() -> Codec:
    message = sms_pdu.Submit(to=sms_pdu.number("+15550100"), text="CALL 12 PANIC B 204, Lindenfield School")
    return Codec(
        name="sms submit", sample=sms_pdu.encode(message), read=sms_pdu.decode_submit, write=sms_pdu.encode
    )


def _sms_report() -> Codec:
    stamp = sms_pdu.Stamp(year=26, month=11, day=22, hour=6, minute=30, second=0, quarters=0)
    message = sms_pdu.StatusReport(
        reference=2, recipient=sms_pdu.number("+15550100"), taken_at=stamp, done_at=stamp, status=0
    )
    return Codec(
        name="sms report", sample=sms_pdu.encode(message), read=sms_pdu.decode_incoming, write=sms_pdu.encode
    )


def _tetra() -> Codec:
    transfer = tetra_pei.Transfer(reference=0x2A, text="PANIC B 204", reports=tetra_pei.Reports.RECEIVED)
    return Codec(
        name="tetra sds-tl", sample=tetra_pei.encode(transfer), read=tetra_pei.decode, write=tetra_pei.encode
    )


def _fleetsync() -> Codec:
    text = fleetsync.Text(unit="1001002", text="PANIC B 204 call 7")
    return Codec(
        name="fleetsync",
        sample=fleetsync.encode(text),
        read=lambda octets: _one(fleetsync.Decoder().feed(octets)),
        write=fleetsync.encode,
    )


def _meshtastic() -> Codec:
    packet = meshtastic.Packet(
        to=0xFFFF_FFFF,
        id=0x1234_5678,
        want_ack=True,
        port=meshtastic.Port.TEXT,
        payload=b"PANIC B 204 call 7",
    )
    return Codec(
        name="meshtastic",
        sample=meshtastic.frame(meshtastic.encode_to_radio(packet)),
        read=lambda octets: meshtastic.decode_to_radio(_one(meshtastic.Decoder().feed(octets)).body),
        write=lambda said: meshtastic.frame(meshtastic.encode_to_radio(said)),
    )


def _rtp() -> Codec:
    packet = rtp.RTPPacket(
        payload_type=0, sequence=513, timestamp=41_040, source=0x1234_5678, payload=bytes(160)
    )
    return Codec(name="rtp", sample=rtp.encode(packet), read=rtp.decode, write=rtp.encode)


def _polycom() -> Codec:
    talk = polycom_page.PageTalk(
        channel=26, sender=0xF211_1511, caller="Melody Mesrv", codec=polycom_page.Codec.PCMU
    )
    talk.transmit(bytes(160))
    return Codec(
        name="polycom page",
        sample=talk.transmit(bytes(160)),
        read=polycom_page.decode,
        write=polycom_page.encode,
    )


def codecs() -> tuple[Codec, ...]:
    """All there are."""
    return (
        _radio(),
        _unit(),
        _dc09(sealed=False),
        _dc09(sealed=True),
        _sip(),
        _pidf(),
        _cap(),
        _additional_data(),
        _eido(),
        _sms_submit(),
        _sms_report(),
        _tetra(),
        _fleetsync(),
        _meshtastic(),
        _rtp(),
        _polycom(),
    )


if __name__ == "__main__":
    every = codecs()
    for each in every:
        drawn = Random(f"{each.name} {sys.argv[2:] or 0}")
        told = spoil(each, int(sys.argv[1]) // len(every), drawn)
        print(
            each.name, json.dumps({name: getattr(told, name) for name in told.__struct_fields__}), flush=True
        )
