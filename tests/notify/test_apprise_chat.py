"""Chat rooms through Apprise: what stands in the room, what a no means, which services may be used."""

import asyncio
from pathlib import Path

import pytest

from belltower.errors import SettingsError
from belltower.ids import DeliveryId, NoticeId
from belltower.values import Secret
from gateway.settings import load
from notify.channels.apprise_chat import _MOST_THREADS, AppriseChat
from notify.channels.channel import Later, Message, Refused, Settled, Uncertain
from notify.settings import AppriseSettings, RoomSettings
from tests.peers.chat import chat_room
from tests.servers.smtp import peer, silence


def message(address: str = "office") -> Message:
    return Message(
        delivery=DeliveryId("dlv_1"),
        notice=NoticeId("ntc_1"),
        revision=1,
        address=address,
        subject="Jefferson: lock down",
        body="Jefferson: lock down. *ñ* <all> @everyone",
    )


async def channel(url: str, timeout: float = 5.0) -> AppriseChat:
    rooms = {"office": RoomSettings(url=Secret(url))}
    made = AppriseChat(settings=AppriseSettings(rooms=rooms, timeout=timeout))
    await made.open()
    return made


async def test_a_room_gets_the_text_as_it_is() -> None:
    """Subject and body; as a warning, not as an entertainment."""
    async with chat_room() as room:
        assert Settled(reason="apprise:sent") == await (await channel(room.url)).send(message())

    (post,) = room.posts
    assert ("Jefferson: lock down", "Jefferson: lock down. *ñ* <all> @everyone", "warning") == (
        post["title"],
        post["message"],
        post["type"],
    )


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_a_no_is_uncertain(status: int) -> None:
    """Apprise does not say what came of it, so neither do we."""
    async with chat_room(status=status) as room:
        assert Uncertain(reason="apprise:no") == await (await channel(room.url)).send(message())


async def test_no_redirect_is_followed() -> None:
    """Not even where the address asks for it."""
    async with chat_room() as other:
        elsewhere = other.url.replace("json://", "http://")
        async with chat_room(status=307, location=elsewhere) as room:
            assert Uncertain(reason="apprise:no") == await (await channel(room.url + "?redirect=yes")).send(
                message()
            )

    assert [] == other.posts


async def test_an_address_that_is_no_room_is_refused() -> None:
    """One that the settings do not name, and one that its service does not understand."""
    assert Refused(reason="address") == await (await channel("json://127.0.0.1/")).send(message("gym"))
    assert Refused(reason="apprise:url") == await (await channel("slack://")).send(message())


async def test_rooms_that_never_answer_hold_a_few_threads_only() -> None:
    """Then nothing is begun until one of them ends."""
    async with peer(silence) as port:
        rooms = await channel(f"json://127.0.0.1:{port}/", timeout=0.3)
        answers = await asyncio.gather(*(rooms.send(message()) for _ in range(_MOST_THREADS + 2)))

    assert [Later(reason="apprise:busy", everyone=True)] * 2 == [
        answer for answer in answers if isinstance(answer, Later)
    ]


@pytest.mark.parametrize(
    "url", ["mailto://a:b@school.example", "syslog://", "file:///etc", "twilio://a:b@c/d", "x"]
)
def test_only_rooms_may_be_named(url: str, tmp_path: Path) -> None:
    """No service that tells people one by one, and none that reaches into this machine; the url is not repeated."""
    secret = tmp_path / "room"
    secret.write_text(url)
    secret.chmod(0o600)
    file = tmp_path / "config.toml"
    file.write_text(
        '[notify.channels.rooms]\nkind = "apprise"\n[notify.channels.rooms.rooms.office]\nurl = { file = "room" }\n'
    )

    with pytest.raises(SettingsError) as error:
        load(file, environ={})

    assert "notify.channels.rooms.rooms: the url of office is of no service that is a room" in str(
        error.value
    )
    assert url + " " not in str(error.value)
