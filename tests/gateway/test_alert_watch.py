"""Feeds of public alerts, watched over real HTTP: what is taken, once, and what hurts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.errors import SettingsError
from belltower.ids import Ids, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import AlertSeen
from belltower.journal import Journal, SpoolFile
from belltower.store import open_database
from belltower.tasks import Crew
from gateway import alert_store
from gateway.alert_watch import LIMIT, LONGEST, AlertWatch
from gateway.alert_watch import PATIENCE as FETCH_PATIENCE
from gateway.psap.cap import Alert, MessageType, Named, Reference, Status, Time, build
from gateway.psap.cap.atom import write_index
from gateway.settings.alerts import AlertFeedSettings
from hardware.transports.addresses import Addresses
from tests.gateway.psap.cap_shapes import AT, plain, plain_area, plain_info
from tests.peers.waiting import PATIENCE

NWS = (Path(__file__).parents[1] / "golden" / "cap" / "nws_atom_feed_trimmed.xml").read_bytes()
DESK = StreamName("desk")
STORM = Instant(1_534_377_600 * SECOND)
"""16 August 2018, 0 h UTC: both alerts of the sample stand."""
UNTIL = Time(Instant(AT.at + 3_600 * SECOND))


class SetClock:
    def __init__(self, at: Instant = AT.at) -> None:
        self.at = at

    def now(self) -> Instant:
        return self.at

    def monotonic(self) -> float:
        return self.at / SECOND


class WeatherService:
    """A real web server of alerts."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.etag = ""
        self.asked: list[str] = []
        self.not_modified = 0
        self.stall = asyncio.Event()
        self.stall.set()
        self.address = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await self.stall.wait()
        if self.etag and request.headers.get("If-None-Match") == self.etag:
            self.not_modified += 1
            return web.Response(status=304)
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        body = self.documents.get(request.path)
        if body is None:
            return web.Response(status=404)
        tag = {"ETag": self.etag} if self.etag else {}
        return web.Response(body=body, headers={**self.headers, **tag})

    def index(self, *alerts: Alert) -> None:
        """An Atom index of these, each standing in full behind its link."""
        for alert in alerts:
            self.documents[f"/{alert.identifier}.xml"] = build(alert)
        linked = tuple((f"{self.address}/{alert.identifier}.xml", alert) for alert in alerts)
        self.documents["/feed"] = write_index(linked, id_="urn:feed", title="Weather", author="w", updated=AT)


@asynccontextmanager
async def serving(service: WeatherService, port: int = 0) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", service.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    port = runner.addresses[0][1]
    service.address = f"http://127.0.0.1:{port}"
    try:
        yield port
    finally:
        await runner.cleanup()


class Desk:
    """A desk's journal and the watch on it."""

    def __init__(self, folder: Path, clock: SetClock) -> None:
        self.folder = folder
        self.clock = clock
        self.watch: AlertWatch
        self.journal: Journal
        self.client: aiohttp.ClientSession

    async def facts(self) -> list[AlertSeen]:
        """What the desk stream says, in order."""
        found: list[AlertSeen] = []
        if self.journal.head == 0:
            return found
        async for entry in self.journal.follow(after=0, stream=DESK):
            assert isinstance(entry.fact, AlertSeen)
            found.append(entry.fact)
            if entry.position == self.journal.head:
                break
        return found

    async def look(self, name: str = "weather") -> bool:
        return await self.watch.look(name, self.client)


@asynccontextmanager
async def desk_of(
    folder: Path, feeds: dict[str, AlertFeedSettings], clock: SetClock | None = None, resolve=None
) -> AsyncIterator[Desk]:
    desk = Desk(folder, clock or SetClock())
    database = await open_database(f"sqlite:///{folder}/desk.db")
    desk.journal = Journal(
        database=database,
        stream=DESK,
        codec=FactEncoding(),
        spool=SpoolFile(path=folder / "desk.spool"),
        spool_after=PATIENCE,
    )
    await desk.journal.open()
    desk.watch = AlertWatch(
        feeds=feeds,
        journal=desk.journal,
        clock=desk.clock,
        ids=Ids(clock=desk.clock),
        random=Random(5),
        addresses=Addresses(resolve=resolve),
    )
    await desk.watch.open()
    try:
        async with desk.watch.session() as desk.client:
            yield desk
    finally:
        await desk.journal.close()
        await database.close()


def feed(service: WeatherService, path: str = "/feed", **changes) -> dict[str, AlertFeedSettings]:
    return {"weather": AlertFeedSettings(url=service.address + path, **changes)}


def warning(identifier: str = "W1", **changes) -> Alert:
    """A tornado warning for SAME 027053."""
    info = plain_info(
        event="Tornado Warning",
        headline="Tornado Warning until 1 h later",
        event_codes=(Named("SAME", "TOR"),),
        expires=UNTIL,
        areas=(plain_area(geocodes=(Named("SAME", "027053"),)),),
    )
    return plain(identifier=identifier, sender="w-nws@noaa.example", **{"infos": (info,), **changes})


async def test_the_sample_of_the_weather_service_is_taken_once(tmp_path: Path) -> None:
    """Both warnings are facts, from the index as their links lead to another machine; a second look adds none."""
    service = WeatherService()
    service.documents["/feed"] = NWS
    async with serving(service), desk_of(tmp_path, feed(service), SetClock(STORM)) as desk:
        assert await desk.look()
        assert await desk.look()

        told = await desk.facts()
        assert ["High Wind Warning", "High Surf Advisory"] == [seen.event for seen in told]
        assert ("weather", "Severe", "Expected", "Likely", "Actual", False) == (
            told[0].feed,
            told[0].severity,
            told[0].urgency,
            told[0].certainty,
            told[0].status,
            told[0].cancelled,
        )
        assert ["/feed", "/feed"] == service.asked
        assert told == list(desk.watch.standing())
        desk.clock.at = Instant(STORM + 12 * 86_400 * SECOND)
        assert [] == list(desk.watch.standing())


async def test_only_what_concerns_us_is_taken(tmp_path: Path) -> None:
    """By area in the index, by area and event in the alert; what is over is passed over."""
    service = WeatherService()
    service.documents["/feed"] = NWS
    async with serving(service):
        there = {"weather": AlertFeedSettings(url=service.address + "/feed", areas=frozenset({"AKZ201"}))}
        async with desk_of(tmp_path, there, SetClock(STORM)) as desk:
            await desk.look()
            assert ["High Surf Advisory"] == [seen.event for seen in desk.watch.standing()]
        old = replace(warning("OLD").infos[0], expires=Time(Instant(AT.at - SECOND)))
        flood = replace(warning().infos[0], event="Flood Warning", event_codes=(Named("SAME", "FLW"),))
        far = replace(warning().infos[0], areas=(plain_area(geocodes=(Named("SAME", "006037"),)),))
        service.index(
            warning("TOR"),
            warning("FLOOD", infos=(flood,)),
            warning("FAR", infos=(far,)),
            warning("OLD", infos=(old,)),
            warning("DRAFT", status=Status.DRAFT),
        )
        folder = tmp_path / "two"
        folder.mkdir()
        wanted = feed(service, areas=frozenset({"027053"}), codes=frozenset({"tor"}))
        async with desk_of(folder, wanted) as desk:
            await desk.look()
            assert ["TOR"] == [seen.identifier for seen in await desk.facts()]


@pytest.mark.parametrize("status", [Status.TEST, Status.EXERCISE])
async def test_a_test_or_exercise_is_labelled_so(tmp_path: Path, status: Status) -> None:
    """The status goes with the fact."""
    service = WeatherService()
    async with serving(service):
        service.documents["/alert"] = build(warning(status=status))
        async with desk_of(tmp_path, feed(service, "/alert")) as desk:
            await desk.look()
            assert [status.value] == [seen.status for seen in await desk.facts()]


async def test_an_update_replaces_and_a_cancellation_ends(tmp_path: Path) -> None:
    """By their references; a restart forgets nothing."""
    service = WeatherService()
    async with serving(service):
        first = warning("W1")
        service.index(first)
        async with desk_of(tmp_path, feed(service)) as desk:
            await desk.look()
            second = warning("W2", type=MessageType.UPDATE, references=(reference(first),))
            service.index(first, second)
            await desk.look()
            assert ["W2"] == [seen.identifier for seen in desk.watch.standing()]
        async with desk_of(tmp_path, feed(service)) as desk:
            await desk.look()
            assert ["W2"] == [seen.identifier for seen in desk.watch.standing()]
            over = warning("W3", type=MessageType.CANCEL, references=(reference(second),))
            service.index(first, second, over)
            await desk.look()
            await desk.look()
            assert [] == list(desk.watch.standing())
            told = [(seen.identifier, seen.cancelled) for seen in await desk.facts()]
            assert [("W1", False), ("W1", True), ("W2", False), ("W2", True)] == told


async def test_what_is_over_already_is_not_shown_though_it_comes_later(tmp_path: Path) -> None:
    """Feeds list the newest first."""
    service = WeatherService()
    async with serving(service):
        first, second = warning("W1"), warning("W2")
        third = warning("W3", type=MessageType.UPDATE, references=(reference(second),))
        over = warning("W4", type=MessageType.CANCEL, references=(reference(first),))
        service.index(over, third, second, first)
        async with desk_of(tmp_path, feed(service)) as desk:
            await desk.look()
            assert ["W3"] == [seen.identifier for seen in await desk.facts()]
            assert ["W3"] == [seen.identifier for seen in desk.watch.standing()]


async def test_what_is_remembered_is_bounded_whatever_a_feed_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alerts until the year 9998 stand for a month at the most, and the earliest taken make room."""
    monkeypatch.setattr("gateway.alert_watch.MOST_KNOWN", 5)
    never = Time(Instant(253_300_000_000 * SECOND))
    service = WeatherService()
    async with serving(service), desk_of(tmp_path, feed(service)) as desk:
        service.index(*(warning(f"W{n}", infos=(plain_info(expires=never),)) for n in range(12)))
        assert await desk.watch.look("weather", desk.client)
        standing = desk.watch.standing()
        rows = await alert_store.every(desk.journal.database)
        assert (5, 5) == (len(standing), len(rows))
        assert max(seen.expires for seen in rows) <= desk.clock.now() + LONGEST


def reference(alert: Alert) -> Reference:
    return Reference(sender=alert.sender, identifier=alert.identifier, sent=alert.sent)


async def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    """ETag and If-None-Match; a new tag brings the new document."""
    service = WeatherService()
    async with serving(service):
        service.index(warning("W1"))
        service.etag = '"1"'
        async with desk_of(tmp_path, feed(service)) as desk:
            assert [await desk.look() for _ in range(3)] == [True] * 3
            assert (2, 1) == (service.not_modified, len(await desk.facts()))
            service.index(warning("W1"), warning("W4"))
            service.etag = '"2"'
            await desk.look()
            assert ["W1", "W4"] == [seen.identifier for seen in await desk.facts()]


async def test_an_alert_that_could_not_be_fetched_is_asked_for_again(tmp_path: Path) -> None:
    """Until its line in the index has to do; "not modified" is not believed meanwhile."""
    service = WeatherService()
    async with serving(service):
        service.index(warning("W1"))
        body = service.documents.pop("/W1.xml")
        service.documents["/W1.xml"] = b""
        service.documents["/W1.xml"] = body[:200]
        async with desk_of(tmp_path, feed(service)) as desk:
            await desk.look()
            (seen,) = await desk.facts()
            assert "Tornado Warning" == seen.event
            assert seen.identifier.endswith("/W1.xml")


HOSTILE = {
    "entities": (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
    "too long": (b"<a>" + b" " * LIMIT + b"</a>", "longer than"),
    "no feed": (b"<html/>", "the document is a 'html'"),
    "cut": (NWS[:900], "not well formed"),
    "nothing": (b"", "nothing"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
async def test_a_hostile_document_is_said_and_harms_nothing(tmp_path: Path, name: str) -> None:
    """The trouble is named for the page; what stood still stands; the next good document is taken."""
    octets, says = HOSTILE[name]
    service = WeatherService()
    async with serving(service):
        service.index(warning("W1"))
        async with desk_of(tmp_path, feed(service)) as desk:
            await desk.look()
            service.documents["/feed"] = octets
            assert not await desk.look()
            assert says in desk.watch.troubles()["weather"]
            assert ["W1"] == [seen.identifier for seen in desk.watch.standing()]
            service.index(warning("W1"), warning("W5"))
            assert await desk.look()
            assert {} == desk.watch.troubles()
            assert ["W1", "W5"] == [seen.identifier for seen in await desk.facts()]


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (302, {"Location": "http://127.0.0.1:1/secret"}, "answers 302, moved to http://127.0.0.1:1/secret"),
        (500, {}, "answers 500"),
        (200, {"Content-Encoding": "gzip"}, "packs what it sends"),
    ],
)
async def test_no_server_sends_us_elsewhere(
    tmp_path: Path, status: int, headers: dict[str, str], says: str
) -> None:
    """A redirect is not followed but said, and nothing packed is unpacked."""
    service = WeatherService()
    async with serving(service):
        service.index(warning("W1"))
        service.status, service.headers = status, headers
        async with desk_of(tmp_path, feed(service)) as desk:
            assert not await desk.look()
            assert says in desk.watch.troubles()["weather"]
            assert ["/feed"] == service.asked


async def test_a_server_that_dies_and_comes_back_is_read_again(tmp_path: Path) -> None:
    """Meanwhile the waits grow, to no more than five minutes, and what stood still stands."""
    service = WeatherService()
    async with serving(service) as port:
        service.index(warning("W1"))
        where = feed(service)
        manager = desk_of(tmp_path, where)
        desk = await manager.__aenter__()
        await desk.look()
        usual = desk.watch.pause("weather")
    try:
        waits = []
        for _ in range(9):
            assert not await desk.look()
            waits.append(desk.watch.pause("weather"))
        assert 54 <= usual <= 66
        assert waits[0] <= 5 < waits[4]
        assert max(waits) <= 300
        assert "cannot be reached" in desk.watch.troubles()["weather"]
        assert ["W1"] == [seen.identifier for seen in desk.watch.standing()]
        async with serving(service, port):
            assert await desk.look()
            assert {} == desk.watch.troubles()
    finally:
        await manager.__aexit__(None, None, None)


async def test_a_name_that_never_resolves_hurts_nobody(tmp_path: Path) -> None:
    """Nothing is looked up while something is fetched: the look ends at once, and says why."""

    async def hangs(host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    feeds = {"weather": AlertFeedSettings(url="http://weather.invalid/feed")}
    async with desk_of(tmp_path, feeds, resolve=hangs) as desk:
        async with asyncio.timeout(FETCH_PATIENCE / 4):
            assert not await desk.look()
        assert "cannot be reached" in desk.watch.troubles()["weather"]


async def test_a_slow_feed_delays_no_other(tmp_path: Path) -> None:
    """Each has its own task; the other is read while one hangs."""
    slow, quick = WeatherService(), WeatherService()
    slow.stall.clear()
    async with serving(slow), serving(quick):
        quick.index(warning("W1"))
        feeds = {
            "slow": AlertFeedSettings(url=slow.address + "/feed"),
            "quick": AlertFeedSettings(url=quick.address + "/feed"),
        }
        async with desk_of(tmp_path, feeds) as desk:
            with pytest.raises(ExceptionGroup):
                async with Crew(random=Random(1)) as crew:
                    desk.watch.run(crew)
                    async with asyncio.timeout(PATIENCE):
                        while not (desk.watch.standing() and slow.asked):  # noqa: ASYNC110 - two places
                            await asyncio.sleep(0.01)
                    raise RuntimeError
            assert "it has not been read yet" == desk.watch.troubles()["slow"]
        slow.stall.set()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "weather.gov"}, "url: .* is no address"),
        ({"url": "ftp://weather.gov/x"}, "url: "),
        ({"url": "https://a:b@weather.gov/x"}, "url: bears a password"),
        ({"url": "https://weather.gov/x", "every": 1.0}, "every: 1 s is too often"),
    ],
)
def test_a_feed_that_cannot_work_is_refused_at_once(changes: dict[str, object], says: str) -> None:
    """By key, with the mend."""
    with pytest.raises(SettingsError, match=says):
        AlertFeedSettings(**changes)
