"""Every kind of output there is, by its settings record."""

from __future__ import annotations

from typing import Any

from belltower.ids import RandomBytes
from gateway.outputs.settings import MulticastPageSettings, PolycomPageSettings, SIPPageSettings
from hardware.drivers.page_multicast import MulticastPage
from hardware.drivers.page_polycom import PolycomPage
from hardware.drivers.page_settings import address
from hardware.drivers.page_sip import SIPPage
from hardware.drivers.zone import PageWire


def wire_from(settings: Any, random_bytes: RandomBytes) -> PageWire:
    """The wire that a settings record describes, not yet opened."""
    match settings:
        case MulticastPageSettings():
            host, port = address(settings.to)
            return MulticastPage(
                host=host,
                port=port,
                form=settings.format,
                ttl=settings.ttl,
                interface=settings.interface,
                random_bytes=random_bytes,
            )
        case PolycomPageSettings():
            host, port = address(settings.to)
            return PolycomPage(
                host=host,
                port=port,
                channel=settings.channel,
                sender=int(settings.sender, 16),
                caller=settings.caller,
                form=settings.format,
                ttl=settings.ttl,
                interface=settings.interface,
            )
        case SIPPageSettings():
            host, port = address(settings.to)
            return SIPPage(
                user=settings.user,
                host=host,
                port=port,
                us=settings.from_user,
                form=settings.format,
                random_bytes=random_bytes,
            )
        case _:
            raise TypeError(f"{type(settings).__name__} describes no output")
