"""Addresses are looked up ahead, and no name server can hurt whoever asks for one."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from belltower.tasks import together
from hardware.transports.addresses import MAX_ADDRESSES, MAX_HOSTS, Addresses, system_resolver
from tests.peers.virtual_time import in_virtual_time
from tests.peers.waiting import PATIENCE, until

Answer = Sequence[str] | Exception | None


class NameServer:
    """Answers as it is told: addresses, an error, or None for never."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = {name.replace("_", "."): each for name, each in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answer = self.answers.get(host, OSError("no such name"))
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer or ()


async def while_running(addresses: Addresses, story: Callable[[], Awaitable[None]]) -> None:
    """Run the story beside the look-ups."""

    class Told(Exception):
        """The story is over."""

    async def tell() -> None:
        await story()
        raise Told

    with pytest.raises(Told):
        await together(run=addresses.run(), tell=tell())


def test_numbers_pass_through_and_are_never_looked_up() -> None:
    """IPv4 and IPv6 are their own addresses; an unwatched name has none."""
    server = NameServer()
    addresses = Addresses(resolve=server)
    addresses.watch("192.0.2.7")

    assert ["192.0.2.7", "2001:db8::7", None] == [
        addresses.of(host) for host in ("192.0.2.7", "2001:db8::7", "psap.example")
    ]
    assert [] == server.asked


def test_an_answer_is_kept_while_the_name_server_fails_in_every_way() -> None:
    """Refused, hung, empty or rubbish: the last good address stays; a new good one replaces it."""

    async def story() -> None:
        server = NameServer(psap_example=["192.0.2.7", "192.0.2.8"])
        addresses = Addresses(resolve=server)
        addresses.watch("psap.example")

        async def told() -> None:
            await asyncio.sleep(1)
            assert ("192.0.2.7", "192.0.2.8") == addresses.every("psap.example")
            for bad in (OSError(), UnicodeError(), None, [], ["no address", "-f"]):
                server.answers["psap.example"] = bad
                await asyncio.sleep(150)
                assert "192.0.2.7" == addresses.of("psap.example")
            server.answers["psap.example"] = ["2001:db8::1"]
            await asyncio.sleep(150)
            assert "2001:db8::1" == addresses.of("psap.example")

        await while_running(addresses, told)

    in_virtual_time(story())


def test_a_hung_host_holds_up_no_other_one() -> None:
    """Sixty-three hosts hang; the last is there at once, and soon tried again while it is unknown."""

    async def story() -> None:
        server = NameServer(**{f"hung{count}": None for count in range(MAX_HOSTS - 1)}, good=["192.0.2.1"])
        addresses = Addresses(resolve=server)
        for host in server.answers:
            addresses.watch(host)
        with pytest.raises(ValueError, match="more than 64"):
            addresses.watch("one.more")

        async def told() -> None:
            await asyncio.sleep(0.001)
            assert "192.0.2.1" == addresses.of("good")
            server.answers["hung0"] = ["192.0.2.2"]
            await asyncio.sleep(16)  # a look-up's 10 s, then 5 s
            assert "192.0.2.2" == addresses.of("hung0")

        await while_running(addresses, told)

    in_virtual_time(story())


def test_a_host_may_be_watched_while_it_runs() -> None:
    """It is looked up at once, and asked for every sixty seconds, once each."""

    async def story() -> None:
        server = NameServer(late=["192.0.2.3"])
        addresses = Addresses(resolve=server)

        async def told() -> None:
            addresses.watch("late")
            addresses.watch("late")
            await asyncio.sleep(121)
            assert ("192.0.2.3", 3) == (addresses.of("late"), len(server.asked))

        await while_running(addresses, told)

    in_virtual_time(story())


def test_the_last_good_answer_outlives_a_restart_without_a_name_server(tmp_path: Path) -> None:
    """It is on disk before long, replaced in one step, and there at once after the restart."""
    path = tmp_path / "addresses.json"
    addresses = Addresses(path=path, resolve=NameServer(psap_example=["192.0.2.7"]))
    addresses.watch("psap.example")
    asyncio.run(while_running(addresses, lambda: until(path.exists)))

    again = Addresses(path=path, resolve=NameServer())
    again.watch("psap.example")
    again.watch("other.example")

    assert ("192.0.2.7", None) == (again.of("psap.example"), again.of("other.example"))
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"psap.example": "192.0.2.7"}',
        b'{"psap.example": ["rubbish"]}',
        b'{"psap.example": ["192.0.2.7"]}' + b" " * 70_000,
    ],
)
def test_a_damaged_file_is_no_file(tmp_path: Path, octets: bytes) -> None:
    """Cut, spoilt, of another shape or endless: nothing is known, nothing is raised."""
    path = tmp_path / "addresses.json"
    path.write_bytes(octets)
    addresses = Addresses(path=path, resolve=NameServer())
    addresses.watch("psap.example")

    assert addresses.of("psap.example") is None


async def test_a_disk_that_takes_nothing_costs_only_the_file(tmp_path: Path) -> None:
    """The folder is gone: the address is in memory all the same."""
    addresses = Addresses(path=tmp_path / "gone" / "file", resolve=NameServer(host=["192.0.2.7"]))
    addresses.watch("host")

    await while_running(addresses, lambda: until(lambda: addresses.of("host") == "192.0.2.7"))


def test_only_so_many_addresses_are_kept() -> None:
    """A lying name server fills no memory; a name that is none is refused."""

    async def story() -> None:
        addresses = Addresses(resolve=NameServer(host=[f"192.0.2.{last}" for last in range(256)]))
        addresses.watch("host")

        async def told() -> None:
            await asyncio.sleep(1)
            assert MAX_ADDRESSES == len(addresses.every("host"))

        await while_running(addresses, told)

    in_virtual_time(story())
    for name in ("", "x" * 254, "a\nb"):
        with pytest.raises(ValueError, match="1 to 253"):
            Addresses().watch(name)


async def test_the_system_resolver_has_one_thread_per_host_however_long_it_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten impatient askers of one hung host cost one thread, and the loop's own pool none."""
    free = threading.Event()
    hanging: list[str] = []

    def getaddrinfo(host: str, port: None, **asked: int) -> list[tuple[object, ...]]:
        hanging.append(host)
        free.wait(PATIENCE)
        return [(socket.AF_INET, asked["type"], 6, "", ("192.0.2.9", 0))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolve = system_resolver()
    for _ in range(10):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await resolve("hung.example")
    assert ["hung.example"] == hanging
    assert 1 == await asyncio.wait_for(asyncio.to_thread(lambda: 1), PATIENCE)
    free.set()

    assert ("192.0.2.9",) == await resolve("hung.example")


async def test_the_system_resolver_knows_this_machine() -> None:
    """`localhost` needs no network; a name that cannot be is an OSError or a UnicodeError."""
    resolve = system_resolver()

    assert {"127.0.0.1", "::1"} & set(await resolve("localhost"))
    with pytest.raises((OSError, UnicodeError)):
        await resolve("x" * 70 + ".invalid")
