"""Settings of an EIDO link: what could never work or lets strangers in is refused; the rest becomes a link."""

from pathlib import Path

import pytest

from belltower.errors import SettingsError
from belltower.ids import LinkName
from gateway.psap.eido_link import EIDOLink
from gateway.psap.eido_settings import EIDOLinkSettings
from gateway.psap.kinds import link_from
from tests.gateway.psap.house import around

NAME = "belltower.school.example"
PAIR = {"certificate": Path("a.crt"), "private_key": Path("a.key")}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"element": "belltower"}, "element:"),
        ({"agency": "the school"}, "agency:"),
        ({"bind": "0.0.0.0"}, "lets other machines in"),
        ({"bind": "0.0.0.0", **PAIR}, "lets other machines in"),
        ({"bind": "everywhere", "allow_plain": True}, "no address"),
        ({"certificate": Path("a.crt")}, "belong together"),
        ({"client_ca": Path("ca.crt")}, "client_ca:"),
        ({"client_names": ("cad.example",)}, "client_names:"),
        ({"client_ca": Path("ca.crt"), **PAIR}, "client_names:"),
        ({"centre_names": ("cad.example",)}, "centre_names:"),
        ({"path": "IncidentData"}, "path:"),
        ({"path": "/a?b"}, "path:"),
        ({"subscribe_url": "https://cad.example/"}, "wss://"),
        ({"subscribe_url": "ws://cad.example/"}, "unprotected"),
        ({"subscribe_url": "wss://a:b@cad.example/"}, "password"),
        ({"subscribe_url": "wss://cad.example:99999/"}, "subscribe_url:"),
        ({"heartbeat": 0.5}, "heartbeat:"),
    ],
)
def test_what_could_never_work_is_refused_with_its_key(fields, fault):
    """And how to mend it."""
    with pytest.raises(SettingsError) as refused:
        EIDOLinkSettings(**{"element": NAME, **fields})

    assert fault in str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"bind": "::", **PAIR, "client_ca": Path("ca.crt"), "client_names": ("cad.example",)},
        {"bind": "0.0.0.0", "allow_plain": True, "subscribe_url": "ws://192.0.2.7:16000/x"},
        {"subscribe_url": "wss://192.0.2.7/IncidentData/Ent", "exercise": True},
    ],
)
def test_settings_become_a_link(fields, tmp_path):
    """Not yet opened; a person can answer where we subscribe."""
    settings = EIDOLinkSettings(**{"element": NAME, **fields})
    link = link_from(LinkName("cad"), settings, around(tmp_path))

    assert isinstance(link, EIDOLink)
    assert "school.example" == settings.domain
    assert (bool(settings.subscribe_url), settings.exercise, 75.0) == (
        link.traits.person,
        link.traits.exercise,
        link.traits.supervision,
    )
