"""The worked frames of docs/psap-dc09.md are what the link says, and what it takes for answers."""

import re
from pathlib import Path

from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from gateway.psap.explain import explain_as
from gateway.psap.link import LinkTest, Spot, admitted, more_of, update_of
from hardware.codecs import dc09
from hardware.codecs.dc09 import Kind
from hardware.codecs.dc09_crypto import open_sealed, seal
from tests.gateway.psap.house import INCIDENT, order
from tests.peers.station import ACCOUNT, reports

TEXT = (Path(__file__).parents[3] / "docs" / "psap-dc09.md").read_text(encoding="utf-8")
FRAMES = re.findall(r"^(\S.*?)\s+(SIA-DCS|ADM-CID|NULL)\s+([0-9A-F]{8}\".*)$", TEXT, re.MULTILINE)
ANSWERS = re.findall(r"`([0-9A-F]{8}\"(?:ACK|NAK|DUH)\".*?)`", TEXT)
KEY = "ABCDEF0123456789"
AT = Instant(1_795_307_554 * SECOND)


def said():
    """The same by the code."""
    spot = Spot(
        spoken="B 204",
        place="b204",
        building="B",
        building_name="Main building",
        room="204",
        position=(44.205, -93.752),
    )
    call = admitted(order(7), place="B 204", spot=spot)

    def update(what, where=None):
        ordered = UpdateOrdered(call=call.order.call, incident=INCIDENT, update=1, kind=what)
        return update_of(call, ordered, spot=where)

    for kind in (Kind.SIA, Kind.CID):
        made = reports(kind=kind)
        frames = {
            "call": made.first(call),
            "medical call": made.first(admitted(order(9, kind=AlarmKind.MEDICAL), place="Gym")),
            "further presses": made.more(more_of([(call, ((2, 14), (16, 16)))])),
            "correction": made.update(update(UpdateKind.PLACE, Spot(spoken="B 305", place="b305"))),
            "cancellation": made.update(update(UpdateKind.CANCEL)),
            "exercise": made.first(admitted(order(8, mode=Mode.EXERCISE, accepted=True), place="B 204")),
            "marked test": made.test(LinkTest(number=3, key="K7Q2M9XW", at=AT)),
        }
        for number, (name, frame) in enumerate(frames.items(), start=1):
            report = dc09.decode(frame.octets)
            report = replace(report, sequence=number, content=replace(report.content, stamp=AT))
            yield name, kind.value, dc09.encode(report)
            if name == "call":
                sealed = seal(report, KEY.encode(), lambda size: b"P" * size)
                yield "call, sealed", kind.value, dc09.encode(sealed)
    yield "link test", "NULL", dc09.encode(reports().null())


def test_the_worked_frames_are_what_the_link_says():
    """All of them, in the order of the page."""
    assert 17 == len(FRAMES)
    assert [(name, kind, f"\n{frame}\r".encode()) for name, kind, frame in FRAMES] == list(said())


def test_the_worked_frames_are_explained_without_a_fault():
    """Sealed ones with the page's key."""
    for _, _, frame in FRAMES:
        assert () == explain_as(f"\n{frame}\r".encode(), "dc09", key=KEY).faults
        opened = open_sealed(dc09.decode(f"\n{frame}\r".encode()), KEY.encode())
        assert ACCOUNT == opened.account


def test_the_answers_are_answers():
    """ACK, NAK and DUH."""
    assert [Kind.ACK, Kind.NAK, Kind.DUH] == [dc09.decode(f"\n{one}\r".encode()).kind for one in ANSWERS]


def test_every_setting_of_the_page_exists():
    """By its name."""
    from gateway.psap.dc09_settings import DC09LinkSettings

    rows = re.findall(r"^\| [^|]+ \| (`[a-z_`, ]+`) \|", TEXT.split("## What is sent")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"[a-z_]+", row)}

    assert named == named & set(DC09LinkSettings.__struct_fields__)
    assert {"receivers", "account", "key", "format", "zones", "heartbeat"} <= named
