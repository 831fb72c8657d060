"""What a settings file may say of a link by SIP, and what it may not."""

from pathlib import Path

import pytest

from belltower.errors import SettingsError
from belltower.values import Secret
from gateway.psap.sip_settings import SIPLinkSettings, SIPTarget

GOOD = {"targets": ("tls://esrp.county.example",), "from_": "sip:school@lincoln.example"}


def test_a_link_needs_targets_and_who_calls_and_no_more():
    """The rest has its defaults."""
    settings = SIPLinkSettings(**GOOD)

    assert ("school", "lincoln.example") == (settings.user, settings.domain)
    assert ("sos", 30.0, "options") == (settings.service, settings.heartbeat, settings.supervision)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("tls://esrp.county.example", "sips:esrp.county.example:5061"),
        ("tcp://192.0.2.7", "sip:192.0.2.7:5060;transport=tcp"),
        ("tls://[2001:db8::1]:5071", "sips:[2001:db8::1]:5071"),
    ],
)
def test_a_target_is_a_stream_with_its_usual_port(text, uri):
    """TLS 5061, TCP 5060."""
    assert uri == SIPTarget.parse(text).uri


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"targets": ("udp://esrp.county.example",)}, "too large for UDP"),
        ({"targets": ("sip:esrp.county.example",)}, "expected tls://HOST:PORT"),
        ({"targets": ("tls://esrp.county.example/x",)}, "expected tls://HOST:PORT"),
        ({"targets": ("tls://a b",)}, "expected tls://HOST:PORT"),
        ({"targets": ("tls://a:x",)}, "expected tls://HOST:PORT"),
        ({"targets": ()}, "expected 1 to 8"),
        ({"targets": ("tls://a", "tls://a")}, "twice"),
        ({"targets": ("tcp://192.0.2.7:5060",)}, "sends calls unprotected"),
        ({"from_": "school@lincoln.example"}, "from:"),
        ({"from_": "sip:a b@c"}, "from:"),
        ({"from_": 'sip:a"@c'}, "from:"),
        ({"username": "x"}, "password:"),
        ({"password": Secret("hush hush")}, "password:"),
        ({"certificate": Path("x")}, "private_key:"),
        ({"heartbeat": 31.0}, "heartbeat:"),
        ({"heartbeat": 0.0}, "heartbeat:"),
    ],
)
def test_what_could_never_work_or_is_unsafe_by_oversight_is_refused(change, says):
    """By key, without repeating a secret."""
    with pytest.raises(SettingsError) as error:
        SIPLinkSettings(**(GOOD | change))

    assert says in str(error.value)
    assert "hush" not in str(error.value)


def test_a_plain_wire_is_for_this_machine_or_in_so_many_words():
    """Loopback, or allow_plain."""
    assert SIPLinkSettings(**(GOOD | {"targets": ("tcp://127.0.0.1:5060",)}))
    assert SIPLinkSettings(**(GOOD | {"targets": ("tcp://192.0.2.7",), "allow_plain": True}))
