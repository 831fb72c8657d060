"""Web Push: what a browser can read, who may be spoken to, and what a push service's answers mean."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from hypothesis import given
from hypothesis import strategies as st

from belltower.clock import SystemClock
from belltower.errors import Malformed
from belltower.ids import DeliveryId, NoticeId
from belltower.values import Secret
from notify.channels.channel import Later, Message, Refused, Settled, Uncertain
from notify.channels.push_message import MOST_OCTETS, Subscription, base64, octets, sealed, subscription
from notify.channels.push_web import WebPush
from notify.settings import WebPushSettings
from tests.peers.push import AUTH, browser, opened, push_service, sender_key

BODY = "Jefferson: lock down. ñ"


def message(address: str, **changes: object) -> Message:
    given = {
        "delivery": DeliveryId("dlv_1"),
        "notice": NoticeId("ntc_1"),
        "revision": 1,
        "address": address,
        "subject": "Jefferson",
        "body": BODY,
        "language": "en",
        "ttl": 42.9,
    }
    return Message(**{**given, **changes})


async def sent(
    address: str, *, services: tuple[str, ...] = ("127.0.0.1",), plain: bool = True, **changes: object
):
    settings = WebPushSettings(
        private_key=Secret(sender_key()), contact="mailto:it@school.example", services=services
    )
    channel = WebPush(settings=settings, clock=SystemClock(), plain=plain)
    await channel.open()
    try:
        return await channel.send(message(address, **changes))
    finally:
        await channel.close()


def test_the_example_of_the_standard_comes_out() -> None:
    """RFC 8291, appendix A."""
    key = derive_private_key(
        int.from_bytes(octets("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), SECP256R1()
    )
    to = Subscription(
        endpoint="",
        key=octets("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        auth=octets("BTBZMqHH6r4Tts7J_aSIgg"),
    )

    body = sealed(
        b"When I grow up, I want to be a watermelon", to, key=key, salt=octets("DGv6ra1nlYgDCS1FRnbzlw")
    )

    assert (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK"
        "6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    ) == base64(body)


@given(st.binary(max_size=MOST_OCTETS))
def test_a_browser_reads_whatever_was_sealed_for_it(text: bytes) -> None:
    """By the other side's own arithmetic."""
    to = browser()
    address = subscription(to.address("https://push.example/x"))
    key = browser().key

    assert text == opened(sealed(text, address, key=key, salt=bytes(16)), to.key, AUTH)


async def test_a_browser_is_shown_the_notice() -> None:
    """At once, for as long as it is worth it, with what a click needs to say that it was seen."""
    to = browser()
    async with push_service(to) as endpoint:
        assert Settled(reason="push:201") == await sent(to.address(endpoint))

    ((shown, fields),) = to.shown
    assert {
        "title": "Jefferson",
        "body": BODY,
        "language": "en",
        "notice": "ntc_1",
        "delivery": "dlv_1",
    } == shown
    assert ("42", "high") == (fields["TTL"], fields["Urgency"])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, Refused(reason="gone")),
        (410, Refused(reason="gone")),
        (403, Refused(reason="push:403")),
        (413, Refused(reason="push:413")),
        (429, Later(reason="push:429", after=7.0)),
        (307, Later(reason="redirect:307")),
        (500, Uncertain(reason="http:500")),
    ],
)
async def test_what_a_push_service_says_is_understood(status: int, expected: object) -> None:
    """Of one browser only: others have other services."""
    to = browser()
    async with push_service(to, status=status, **{"Retry-After": "7"}) as endpoint:
        assert expected == await sent(to.address(endpoint))


@pytest.mark.parametrize(
    ("endpoint", "services", "plain"),
    [
        ("http://127.0.0.1:1/", ("push.example",), True),
        ("http://push.example/x", ("push.example",), False),
        ("https://evilpush.example/x", (".push.example", "push.example"), False),
        ("https://push.example@10.0.0.1/x", ("push.example",), False),
        ("ftp://push.example/x", ("push.example",), True),
        ("https://push.example/a b", ("push.example",), True),
        ("https://push.example/\r\nX: y", ("push.example",), True),
    ],
)
async def test_only_push_services_of_the_settings_are_spoken_to(
    endpoint: str, services: tuple[str, ...], plain: bool
) -> None:
    """A browser, or who says to be one, cannot have us call an address of its choice."""
    assert Refused(reason="address") == await sent(
        browser().address(endpoint), services=services, plain=plain
    )


async def test_what_is_too_long_or_no_subscription_is_refused() -> None:
    """Without a word to anybody; and without a key of ours nothing is sent at all."""
    to = browser()
    assert Refused(reason="too_long") == await sent(to.address("http://127.0.0.1:1/"), body="x" * 4_000)
    assert Refused(reason="address") == await sent("+15550100")
    settings = WebPushSettings(private_key=Secret("none"), contact="mailto:it@school.example")
    channel = WebPush(settings=settings, clock=SystemClock())
    await channel.open()
    assert Later(reason="settings", everyone=True) == await channel.send(message("x"))


@given(st.text(max_size=200) | st.just('{"endpoint": "x", "keys": {"p256dh": "BA", "auth": "AA"}}'))
def test_what_is_no_subscription_is_malformed(text: str) -> None:
    """Whatever stands there."""
    with pytest.raises(Malformed):
        subscription(text)
