"""Every kind of PSAP link there is, by the `kind` of its settings table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from belltower.ids import LinkName
from gateway.psap.channel import Channel
from gateway.psap.kiss_link import KISSLink
from gateway.psap.link import Around, PSAPLink
from gateway.psap.modem_link import ModemLink
from gateway.psap.modem_settings import ModemLinkSettings
from gateway.psap.settings import KISSLinkSettings, link_key
from gateway.psap.short_text import where
from hardware.transports import open_transport


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
        transport=open_transport(settings.url),
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
        transport=open_transport(settings.url),
        number=settings.number,
        test_number=settings.test_number,
        exercise_number=settings.exercise_number,
        pin=settings.pin,
        status_reports=settings.status_reports,
        heartbeat=settings.heartbeat,
        campus=where(around.campus),
    )


KINDS: dict[type, Callable[[LinkName, Any, Around], PSAPLink]] = {
    KISSLinkSettings: _kiss,
    ModemLinkSettings: _modem,
}
"""How each settings record becomes a link."""
