"""What a settings file may say about a monitoring station, and the link that comes of it."""

import os
import socket

import pytest

from belltower.errors import SettingsError, Unreachable
from belltower.ids import LinkName
from belltower.incident.facts import ReceiptLevel
from belltower.values import Secret
from floorplans.campus import Campus
from gateway.psap.dc09_settings import DC09LinkSettings
from gateway.psap.kinds import link_from
from gateway.psap.link import Around, Lost, admitted
from hardware.codecs import dc09
from hardware.codecs.dc09_events import events_of
from tests.gateway.psap.house import order
from tests.peers.virtual_time import LoopClock, in_virtual_time

GOOD = {"receivers": ("tcp://127.0.0.1:7700",), "account": "12345A"}


class Book:
    """Addresses looked up ahead."""

    def __init__(self, known=None):
        self.known = known or {}
        self.watched = []

    def watch(self, host):
        self.watched.append(host)

    def of(self, host):
        return self.known.get(host, host if host[0].isdigit() else None)


def link(tmp_path, *, book=None, **settings):
    """As the alarm lane makes it."""
    around = Around(
        campus=Campus(id="oak", name="Oak"),
        clock=LoopClock(),
        random_bytes=os.urandom,
        state=tmp_path,
        addresses=book or Book(),
    )
    return link_from(LinkName("station"), DC09LinkSettings(**{**GOOD, **settings}), around)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"receivers": ()}, "receivers: none"),
        ({"receivers": ("127.0.0.1:7700",)}, 'receivers: "127.0.0.1:7700": expected tcp://HOST:PORT'),
        ({"receivers": ("tcp://h:99999",)}, 'receivers: "tcp://h:99999"'),
        ({"receivers": ("serial:///dev/ttyS0",)}, 'receivers: "serial:///dev/ttyS0"'),
        ({"account": "12"}, 'account: "12" is not 3 to 16 hex digits'),
        ({"account": "12345G"}, "account:"),
        ({"key": Secret("x" * 15)}, "key: the key has 15 characters"),
        ({"key": Secret("x" * 48)}, "key: the key has 48 characters"),
        ({"panic": "RX"}, 'panic: "RX" is no code of sia-dcs for a panic alarm'),
        ({"panic": "120"}, "panic:"),
        ({"format": "adm-cid", "panic": "PA"}, "panic:"),
        ({"medical": "PA"}, "medical:"),
        ({"receiver": "R0"}, "receiver:"),
        ({"zones": {"b204": 1000}}, "zones.b204: 1000 is no zone number"),
        ({"timeout": 0.0}, "timeout:"),
        ({"heartbeat": 0.0}, "heartbeat:"),
    ],
)
def test_what_could_never_work_is_refused_by_its_key(changed, fault):
    """At the start."""
    with pytest.raises(SettingsError) as error:
        DC09LinkSettings(**{**GOOD, **changed})
    assert str(error.value).startswith(fault)
    assert "xxx" not in str(error.value)


@pytest.mark.parametrize("key", ["x" * 16, "x" * 24, "y" * 32, "ab" * 16, "ab" * 24, "ab" * 32])
def test_every_form_of_key_works(key):
    """Characters, or hex digits."""
    assert DC09LinkSettings(**GOOD, key=Secret(key + "\n")).key_in_force()


@pytest.mark.parametrize(
    ("format_", "panic", "code"),
    [("sia-dcs", "", "PA"), ("sia-dcs", "HA", "HA"), ("adm-cid", "", "120"), ("adm-cid", "122", "122")],
)
def test_the_codes_in_force(tmp_path, format_, panic, code):
    """The settings may choose."""
    made = link(tmp_path, format=format_, panic=panic, zones={"b204": 13})
    (event,) = events_of(dc09.decode(made.first(admitted(order(7), place="B 204")).octets))

    assert (code, "013") == (event.code, event.zone)


def test_what_a_stations_receipt_is_worth_is_for_the_settings_to_say(tmp_path):
    """It ends the link's own retries in any case, and the alarm where it counts."""
    modest, full = link(tmp_path), link(tmp_path, station_counts=True)

    assert frozenset({ReceiptLevel.SYSTEM}) == modest.traits.settling
    assert ReceiptLevel.STATION in full.traits.settling
    assert {ReceiptLevel.STATION} == modest.traits.ending
    assert (45.0, False, True) == (modest.traits.supervision, modest.traits.person, modest.traits.exercise)


def test_names_are_looked_up_ahead_and_never_by_the_link(tmp_path, monkeypatch):
    """An address that is not known yet is Unreachable; the link says so and tries again."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    book = Book()
    made = link(tmp_path, book=book, receivers=("tcp://station.example:7700", "udp://backup.example:7700"))
    assert ["station.example", "backup.example"] == book.watched
    with pytest.raises(Unreachable, match=r"station\.example:7700: its address is not known yet"):
        made._lines[0].make()
    book.known = {"station.example": "127.0.0.1", "backup.example": "::1"}

    assert "tcp://127.0.0.1:7700" == made._lines[0].make()._name
    assert "udp://::1:7700" == made._lines[1].make()._name


def test_a_station_whose_address_nobody_knows_is_lost(tmp_path):
    """Said once."""
    import asyncio

    async def story():
        heard = []
        made = link(tmp_path, receivers=("tcp://station.example:7700",))
        task = asyncio.get_running_loop().create_task(made.run(heard.append))
        await asyncio.sleep(60)
        task.cancel()
        await asyncio.wait([task])
        assert [Lost] == [type(each) for each in heard]
        assert not await made.send(made.first(admitted(order(7), place="x")))

    in_virtual_time(story())
