"""How the settings of an EIDO link become one."""

from __future__ import annotations

from functools import partial

from belltower.ids import LinkName
from gateway.psap.eido.writing import Issuer
from gateway.psap.eido_link import EIDOLink
from gateway.psap.eido_settings import EIDOLinkSettings
from gateway.psap.eido_sockets import WebDial, WebDoor, client_tls, server_tls
from gateway.psap.link import Around


def eido_link(name: LinkName, settings: EIDOLinkSettings, around: Around) -> EIDOLink:
    """The link that the settings describe, not yet opened."""
    certificate, private_key = settings.certificate, settings.private_key
    tls = None
    if certificate is not None and private_key is not None:
        tls = partial(server_tls, certificate, private_key, settings.client_ca)
    dial = None
    if settings.subscribe_url:
        around.addresses.watch(settings.subscribe_host)
        dial = WebDial(
            url=settings.subscribe_url,
            host=settings.subscribe_host,
            addresses=around.addresses,
            tls=partial(client_tls, settings.subscribe_ca, certificate, private_key)
            if settings.subscribe_url.startswith("wss:")
            else None,
        )
    return EIDOLink(
        name=name,
        issuer=Issuer(element=settings.element, agency=settings.domain, campus=around.campus),
        door=WebDoor(
            bind=settings.bind,
            port=settings.port,
            path=settings.path,
            tls=tls,
            client_names=frozenset(settings.client_names),
        ),
        clock=around.clock,
        random_bytes=around.random_bytes,
        dial=dial,
        centre_names=frozenset(settings.centre_names),
        heartbeat=settings.heartbeat,
        exercise=settings.exercise,
    )
