"""Every kind of PSAP link there is, by the `kind` of its settings table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from belltower.clock import SECOND
from belltower.errors import Unreachable
from belltower.ids import LinkName
from gateway.psap.channel import Channel
from gateway.psap.dc09_clock import Offsets
from gateway.psap.dc09_link import DC09Link, Line
from gateway.psap.dc09_reports import Reports
from gateway.psap.dc09_settings import DC09LinkSettings, Receiver
from gateway.psap.eido_settings import EIDOLinkSettings
from gateway.psap.eido_wiring import eido_link
from gateway.psap.fleetsync_link import FleetSyncLink
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import AddressBook, Around, PSAPLink
from gateway.psap.modem_link import ModemLink
from gateway.psap.modem_settings import ModemLinkSettings
from gateway.psap.radio_data_settings import FleetSyncLinkSettings, NexedgeLinkSettings, TetraLinkSettings
from gateway.psap.settings import KISSLinkSettings, link_key
from gateway.psap.short_text import where
from gateway.psap.sip_settings import SIPLinkSettings
from gateway.psap.sip_wiring import sip_link
from gateway.psap.tetra_link import TetraLink
from gateway.psap.voice_settings import VoiceLinkSettings
from gateway.psap.voice_wiring import voice_link
from hardware.drivers.refused_pin import RefusedPIN
from hardware.transports import Transport, open_transport
from hardware.transports.tcp import TCPTransport
from hardware.transports.udp import UDPTransport


def link_from(name: LinkName, settings: Any, around: Around) -> PSAPLink:
    """The link that a settings record describes, not yet opened."""
    return KINDS[type(settings)](name, settings, around)


def _kiss(name: LinkName, settings: KISSLinkSettings, around: Around) -> KISSLink:
    channel = None
    if settings.rate is not None:
        channel = Channel(
            rate=settings.rate,
            txdelay=settings.txdelay,
            tail=settings.tail,
            load_limit=settings.load_limit,
        )
    return KISSLink(
        name=name,
        transport=open_transport(settings.url, around.addresses),
        key=link_key(settings.key),
        us=settings.from_,
        them=settings.to,
        channel=channel,
        heartbeat=settings.heartbeat,
        random_bytes=around.random_bytes,
        modem=settings.modem_parameters(),
    )


def _modem(name: LinkName, settings: ModemLinkSettings, around: Around) -> ModemLink:
    return ModemLink(
        name=name,
        transport=open_transport(settings.url, around.addresses),
        number=settings.number,
        test_number=settings.test_number,
        exercise_number=settings.exercise_number,
        pin=settings.pin,
        status_reports=settings.status_reports,
        heartbeat=settings.heartbeat,
        campus=where(around.campus),
        refused_pin=RefusedPIN(file=around.state / f"pin-{name}"),
    )


def _dc09(name: LinkName, settings: DC09LinkSettings, around: Around) -> DC09Link:
    return DC09Link(
        name=name,
        lines=[_line(Receiver.parse(url), url, around.addresses) for url in settings.receivers],
        reports=Reports(
            kind=settings.report,
            account=settings.account,
            codes=settings.codes,
            receiver=settings.receiver,
            line=settings.line,
            area=settings.area,
            zones=settings.zones,
        ),
        clock=around.clock,
        key=settings.key_in_force(),
        offsets=Offsets(file=around.state / f"dc09-{name}.json"),
        heartbeat=settings.heartbeat,
        timeout=settings.timeout,
        station_counts=settings.station_counts,
        random_bytes=around.random_bytes,
    )


def _line(receiver: Receiver, url: str, addresses: AddressBook) -> Line:
    addresses.watch(receiver.host)

    def make() -> Transport:
        host = addresses.of(receiver.host)
        if host is None:
            raise Unreachable(f"{url}: its address is not known yet")
        kind = UDPTransport if receiver.udp else TCPTransport
        return kind(host=host, port=receiver.port)

    return Line(name=url, make=make)


def _tetra(name: LinkName, settings: TetraLinkSettings, around: Around) -> TetraLink:
    return TetraLink(
        name=name,
        transport=open_transport(settings.url, around.addresses),
        to=settings.to,
        station_counts=settings.station_counts,
        heartbeat=settings.heartbeat,
        campus=where(around.campus),
        begin=around.clock.now() // SECOND & 0xFF,
    )


def _fleetsync(name: LinkName, settings: FleetSyncLinkSettings, around: Around) -> FleetSyncLink:
    return FleetSyncLink(
        name=name,
        transport=open_transport(settings.url, around.addresses),
        to=settings.to.replace("-", ""),
        long=settings.long,
        campus=where(around.campus),
    )


def _nexedge(name: LinkName, settings: NexedgeLinkSettings, around: Around) -> FleetSyncLink:
    return FleetSyncLink(
        name=name,
        transport=open_transport(settings.url, around.addresses),
        to=settings.to[1:],
        nexedge=True,
        group=settings.to.startswith("G"),
        long=settings.long,
        campus=where(around.campus),
    )


KINDS: dict[type, Callable[[LinkName, Any, Around], PSAPLink]] = {
    KISSLinkSettings: _kiss,
    DC09LinkSettings: _dc09,
    EIDOLinkSettings: eido_link,
    ModemLinkSettings: _modem,
    SIPLinkSettings: sip_link,
    TetraLinkSettings: _tetra,
    FleetSyncLinkSettings: _fleetsync,
    NexedgeLinkSettings: _nexedge,
    VoiceLinkSettings: voice_link,
}
"""How each settings record becomes a link."""
