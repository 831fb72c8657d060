"""How settings become a link by SIP."""

from __future__ import annotations

from functools import partial

from belltower.errors import Unreachable
from belltower.ids import LinkName
from gateway.psap.link import AddressBook, Around
from gateway.psap.sip_alert import LiveService, School
from gateway.psap.sip_line import Login, SIPLine
from gateway.psap.sip_link import SIPLink
from gateway.psap.sip_settings import SIPLinkSettings, SIPTarget
from hardware.transports import Transport
from hardware.transports.tcp import TCPTransport
from hardware.transports.tls import TLSTransport


def sip_link(name: LinkName, settings: SIPLinkSettings, around: Around) -> SIPLink:
    """The link that the settings describe, not yet opened."""
    login = None
    if settings.password is not None:
        login = Login(username=settings.username, password=settings.password.reveal())
    lines = []
    for written in settings.targets:
        target = SIPTarget.parse(written)
        around.addresses.watch(target.host)
        lines.append(
            SIPLine(
                link=name,
                target=target,
                connect=partial(_stream, target, settings, around.addresses),
                domain=settings.domain,
                random_bytes=around.random_bytes,
                login=login,
                heartbeat=settings.heartbeat,
                by_options=settings.supervision == "options",
            )
        )
    service = LiveService.POLICE if settings.service == "sos.police" else LiveService.SOS
    return SIPLink(
        name=name,
        school=School(campus=around.campus, sender=f"{settings.user}@{settings.domain}", service=service),
        domain=settings.domain,
        lines=lines,
        additional_data=settings.additional_data,
        heartbeat=settings.heartbeat,
    )


def _stream(target: SIPTarget, settings: SIPLinkSettings, addresses: AddressBook) -> Transport:
    """A connection to the last good address of a server."""
    address = addresses.of(target.host)
    if address is None:
        raise Unreachable(f"{target}: its address was never found")
    if not target.tls:
        return TCPTransport(host=address, port=target.port, write_deadline=1.0)
    return TLSTransport(
        host=target.host,
        port=target.port,
        address=address,
        ca=settings.ca,
        certificate=settings.certificate,
        private_key=settings.private_key,
        write_deadline=1.0,
    )
