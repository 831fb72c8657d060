"""The desk lane: everyone who must know, knows; and it is written down who does.

It follows the alarm lane's stream over the control socket, copies the facts in order into its own database, and from
there plans and sends notices and shows the live page. The alarm lane never waits for it. It runs at low priority, so
that a busy desk takes no processor time from a press.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from msgspec import structs

from belltower import log
from belltower.clock import SystemClock
from belltower.errors import Unreachable
from belltower.ids import Ids, PersonId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Fact
from belltower.journal import Copy, Journal, SpoolFile, streams
from belltower.people.disclosure_register import Register
from belltower.people.reach import RosterPeople
from belltower.people.taking import Taking
from belltower.store import open_database
from belltower.tasks import Crew
from gateway import alarm_follower, kept_site, process
from gateway import settings as settings_file
from gateway.alarm_follower import AlarmFollower, AlarmVerbs
from gateway.alert_watch import AlertWatch
from gateway.channel_proofs import misplaced_tests
from gateway.control import ControlClient
from gateway.desk_channels import DeskNotices, LaneOutputs, SiteNames, notice_site, promised
from gateway.disclosing import DisclosureDesk, incident_known
from gateway.grant_journal import GrantJournal
from gateway.intake.devices.health import Devices
from gateway.invitation import FIRST
from gateway.keys import lost_keys
from gateway.own_schools import OwnSchools
from gateway.rosters import RosterDesk, open_rosters
from gateway.settings import Settings, WebSettings
from gateway.signing import open_signer
from gateway.site_package import SitePackage
from gateway.web import store as web_store
from gateway.web.alert_feed import FeedPlan
from gateway.web.app import Web, first_invitation, make_web
from gateway.web.disclosure_pages import DisclosureRoom
from gateway.web.disclosure_papers import Papers
from gateway.web.grants import Grants
from gateway.web.journal_desk import JournalDesk
from gateway.web.notice_room import NoticeRoom
from hardware.transports.addresses import Addresses
from notify.browsers import Browsers
from notify.channels.console import Board
from notify.channels.push_web import public_key
from notify.channels.table import BrowserWay, make_channels
from notify.reports import Reports
from notify.room import NotifyRoom
from notify.settings import WebPushSettings
from notify.taps import Taps, believing, proving

_log = log.get("desk_lane")

STREAM = StreamName("desk")

NICENESS = 10
"""How far the lane steps back behind the alarm lane."""


async def _devices(client: ControlClient, ids: Ids) -> Devices:
    """How the foreign devices are, as the alarm lane says."""
    try:
        return msgspec.json.decode(await client.ask("devices", ids.verb()), type=Devices)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unreachable("the alarm lane says it in a way of its own") from error


class DeskLane:
    """The desk lane of one campus. `ready` is set once the page is served; `url` is then its address."""

    def __init__(self, *, settings: Settings, site: SitePackage, faults: tuple[str, ...] = ()) -> None:
        """Keep what the lane is made of; `faults` is what is not as the settings want it, for the page."""
        self._faults = faults
        self._settings = settings
        self._site = site
        self.ready = asyncio.Event()
        # The live page, from `ready` on.
        self.page: Web | None = None

    async def run(self) -> None:
        """Run until cancelled, or until something essential ends."""
        settings, site = self._settings, self._site
        clock = SystemClock()
        ids = Ids(clock=clock)
        async with AsyncExitStack() as stack:
            settings.state.make()
            database = await open_database(settings.desk_url)
            stack.push_async_callback(database.close)
            signer, unsigned = open_signer(
                settings.state.signing_key, clock=clock, notes=settings.state.folder / "desk-checkpoints.txt"
            )
            faults = (*self._faults, *misplaced_tests(settings, site.people))
            if unsigned:
                faults = (*faults, f"at the desk {unsigned}")
            journal: Journal[Fact] = Journal(
                database=database,
                stream=STREAM,
                codec=FactEncoding(),
                spool=SpoolFile(path=settings.state.folder / "desk.spool"),
                signer=signer,
            )
            await journal.open()
            stack.push_async_callback(journal.close)
            followed = await alarm_follower.followed_stream(database)
            stream = followed.name
            former = [name for name in await streams(database) if name not in {stream, STREAM}]
            copy = Copy(journal=journal, stream=stream)
            await copy.open()
            client = ControlClient(path=settings.state.control)
            follower = AlarmFollower(copy=copy, journal=journal, stream=followed, client=client, clock=clock)
            url = settings.desk.web.url
            board = Board()
            rosters = await open_rosters(database, settings.people_keys)
            if lost := await lost_keys(database, rosters.vault):
                faults = (*faults, _lost(lost))
            accounts: dict[PersonId, str] = {}
            push = next((one for one in settings.channels.values() if isinstance(one, WebPushSettings)), None)
            browsers = Browsers(
                database=database,
                vault=rosters.vault,
                services=push.services if push is not None else (),
                clock=clock,
            )
            await browsers.open()
            proof = proving(rosters.vault)
            reached = RosterPeople(store=rosters, clock=clock)
            own_schools = OwnSchools(own=site.schools, store=rosters, people=reached)
            noticed = partial(
                notice_site,
                site,
                url=url,
                rehearsal=settings.notices.rehearsal,
                roster=reached,
                told=partial(browsers.told, name=lambda person: accounts.get(person, person))
                if push is not None
                else lambda people: people,
            )
            grants = Grants(database=database, roles=site.roles, clock=clock, ids=ids)
            notices = NotifyRoom(
                database=database,
                journal=journal,
                stream=stream,
                site=noticed,
                providers=make_channels(
                    settings.channels,
                    public_url=url,
                    board=board,
                    clock=clock,
                    state=settings.state.folder / "links",
                    outputs=LaneOutputs(
                        names=settings.outputs.keys(),
                        verbs=AlarmVerbs(client=client),
                        entries=partial(journal.of, stream=stream),
                    ),
                    browsers=BrowserWay(proof=proof, gone=browsers.gone),
                ),
                clock=clock,
                ids=ids,
                random=Random(),  # noqa: S311 - jitter, not a secret
                vault=rosters.vault,
                stop_covers=settings.notices.stop_covers,
                allowed=grants.allowed,
                test_to=settings.notices.test_to,
            )
            await notices.open()
            stack.push_async_callback(notices.close)
            await database.migrate(web_store.STEPS)
            watch = AlertWatch(
                feeds=settings.desk.alerts,
                journal=journal,
                clock=clock,
                ids=ids,
                random=Random(),  # noqa: S311 - as above
                addresses=Addresses(path=settings.state.folder / "alert-addresses.json"),
            )
            await watch.open()
            accounts |= await web_store.names(database)
            desk = JournalDesk(
                site=site.name,
                names=SiteNames(site=site, accounts=accounts, called=reached.called),
                journal=journal,
                alarm_stream=stream,
                verbs=AlarmVerbs(client=client),
                notices=DeskNotices(
                    deliveries=notices.tables, replies=notices.replies, board=board, clock=clock
                ),
                lane=lambda: structs.replace(
                    follower.state(
                        channels_pausing=notices.troubles(),
                        faults=(*faults, own_schools.fault) if own_schools.fault else faults,
                    ),
                    promised=promised(notices),
                ),
                ids=ids,
                clock=clock,
                former=former,
                alerts=watch.nearby,
            )
            roster_desk = RosterDesk(
                taking=Taking(store=rosters, clock=clock),
                journal=journal,
                open_incidents=desk.open_incidents,
                clock=clock,
            )
            disclosing = DisclosureDesk(
                journal=journal, open_incidents=desk.open_incidents, clock=clock, ids=ids
            )
            stack.callback(disclosing.close)
            register = Register(
                roster=rosters,
                incident=partial(incident_known, journal, [*former, stream]),
                allowed=grants.allowed,
                clock=clock,
                ids=ids,
            )
            papers = Papers(
                register=register,
                roster=rosters,
                name=desk.names.person,
                zone=ZoneInfo(site.timezone),
            )
            page = make_web(
                desk=desk,
                database=database,
                clock=clock,
                ids=ids,
                zone=ZoneInfo(site.timezone),
                public_origin=settings.desk.web.public_url.rstrip("/") or None,
                grants=grants,
                account_names=accounts,
                on_account=lambda: (settings.state.folder / FIRST).unlink(missing_ok=True),
                machine_routes=[
                    *notices.callbacks().routes(),
                    *notices.inbound().routes(),
                    *Taps(proofs=believing(rosters.vault), heard=notices.hearing.acknowledge).routes(),
                ],
                feed=_feed(settings, site),
                devices=partial(_devices, client, ids),
                notices=NoticeRoom(
                    notify=notices,
                    composer=notices.composer(drilling=follower.drilling),
                    reports=Reports(database=database, addresses=notices.tables.addresses),
                    site=noticed,
                    roster=reached,
                ),
                corrections=notices.corrections,
                people=rosters,
                browsers=(browsers, public_key(push)) if push is not None else None,
                disclosures=DisclosureRoom(register=register, papers=papers, roster=rosters),
            )
            async with Crew() as crew:
                crew.essential("journal", journal.run)
                crew.mendable("alarm-lane", follower.run)
                crew.essential("alarm-stream", follower.attend)
                crew.essential("incidents", desk.run)
                notices.run(crew)
                crew.mendable("rosters", roster_desk.run)
                crew.mendable("rosters' staff", reached.keep)
                crew.mendable("own schools", own_schools.run)
                crew.mendable("disclosures", disclosing.run)
                crew.mendable("disclosures' ends", disclosing.attend)
                crew.mendable("grants", GrantJournal(journal=journal).run)
                watch.run(crew)
                page.start(crew)
                await _serve(page.app, settings.desk.web, stack)
                _invite(settings, url, await first_invitation(page, database))
                self.page = page
                _log.info("ready", url=url)
                self.ready.set()


def _lost(keys: list[str]) -> str:
    return (
        f"the key ring of the desk was lost ({', '.join(keys)}): nobody can read any more where earlier notices went, and"
        " what waited is refused; put the ring back from the backup, or run `belltower keys forget`"
    )


def _feed(settings: Settings, site: SitePackage) -> FeedPlan | None:
    """How our own alerts are published; None: they are not."""
    feed, url = settings.desk.feed, settings.desk.web.url
    if feed.access == "off":
        return None
    sender = feed.sender or f"belltower@{urlsplit(url).hostname}"
    return FeedPlan(public=feed.access == "public", sender=sender, campus=site.on_earth, url=url)


async def _serve(app: web.Application, settings: WebSettings, stack: AsyncExitStack) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    tls = settings.tls() if settings.tls is not None else None
    try:
        await web.TCPSite(runner, settings.bind, settings.port, ssl_context=tls, backlog=512).start()
    except OSError as error:
        raise Unreachable(
            f"desk.web.port: {settings.bind} port {settings.port} cannot be opened"
            f" ({os.strerror(error.errno or 0)}); end what uses it, or choose another port"
        ) from error


def _invite(settings: Settings, url: str, invitation: str | None) -> None:
    """Leave the one-time link where the administrator finds it: printed, and in a file that only we may read."""
    file = settings.state.folder / FIRST
    if invitation is None:
        file.unlink(missing_ok=True)
        return
    file.touch(mode=0o600)
    file.write_text(f"{url}{invitation}\n", encoding="utf-8")
    print(f"Make the first account: {url}{invitation}", flush=True)  # noqa: T201 - a secret, so not for the log


async def run(config: Path, stop: asyncio.Event) -> None:
    """Run the desk lane of a settings file until `stop`."""
    settings = settings_file.load(config, secrets=settings_file.DESK_SECRETS)
    log.configure(lane="desk", level=settings.log.level)
    os.nice(NICENESS)
    settings.state.make()
    site, refused = kept_site.load(settings.site.folder, settings.state.kept_site)
    lane = DeskLane(settings=settings, site=site, faults=(refused,) if refused else ())
    await process.run_until(lane.run(), stop, lane.ready)


if __name__ == "__main__":
    sys.exit(process.main(run))
