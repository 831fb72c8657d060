"""All of the live page as one aiohttp application."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from urllib.parse import urlsplit

import argon2
from aiohttp import web

from belltower.clock import Clock
from belltower.ids import Ids, PersonId, RandomBytes
from belltower.people.grant import ADMINISTRATOR, SHIPPED
from belltower.people.search import NameIndex
from belltower.people.store import RosterStore
from belltower.store import Database
from belltower.tasks import Crew
from gateway.web import store
from gateway.web.account_page import AccountPage
from gateway.web.alert_feed import AlertFeed, FeedPlan
from gateway.web.answer_page import AnswerPage
from gateway.web.channel_page import ChannelPage
from gateway.web.compose_pages import ComposePages
from gateway.web.correction_page import Correcting, CorrectionPage
from gateway.web.desk import DeskView
from gateway.web.device_page import AskDevices, DevicePage
from gateway.web.disclosure_pages import DisclosurePages, DisclosureRoom
from gateway.web.grants import Grants
from gateway.web.guard import guard
from gateway.web.held_page import HeldPage
from gateway.web.ledger import Ledger
from gateway.web.live import Live
from gateway.web.notice_permits import require_reader
from gateway.web.notice_room import NoticeRoom
from gateway.web.notices import NoticePages
from gateway.web.pages import Pages
from gateway.web.passwords import Passwords
from gateway.web.people_pages import PeoplePages
from gateway.web.permits import PERMITS, Permits
from gateway.web.push_page import PushPage
from gateway.web.render import Renderer, assets
from gateway.web.sessions import Sessions
from gateway.web.sign_in import SignIn
from gateway.web.store import Invitation
from gateway.web.stream import Fanout
from gateway.web.throttle import Throttle
from notify.browsers import Browsers

FORM = 16 * 1024
"""Octets of the longest form."""


class Web:
    """The live page. Serve `app`, and `start` its followers in the lane's crew."""

    def __init__(
        self,
        *,
        app: web.Application,
        live: Live,
        fanout: Fanout,
        sign_in: SignIn,
        ledger: Ledger | None = None,
        names: NameIndex | None = None,
    ) -> None:
        self.app = app
        self._names = names
        self._ledger = ledger
        self.fanout = fanout
        self._live = live
        self._sign_in = sign_in

    def start(self, crew: Crew) -> None:
        """Follow the desk and keep the screens informed for as long as `crew` runs."""
        crew.mendable("web.live", self._live.run, on_failure=self._live.failed)
        crew.essential("web.publish", self._live.publish)
        crew.essential("web.watch", self._live.watch)
        crew.essential("web.heartbeats", self.fanout.heartbeats)
        if self._names is not None:
            crew.mendable("web.names", self._names.run)
        if self._ledger is not None:
            crew.essential("web.ledger", self._ledger.run)

    @property
    def ready(self) -> bool:
        """Everything was read and is being followed."""
        return not self._live.reading

    async def invite(self, brings: Invitation) -> str:
        """The path of a new one-time link for making an account. Raises `StoreError`."""
        return await self._sign_in.invite(brings)


async def first_invitation(page: Web, database: Database) -> str | None:
    """A one-time link's path while nobody has an account yet, to be printed at the first start; else None.

    Whoever uses it is administrator.
    """
    if await store.accounts(database):
        return None
    return await page.invite(Invitation(role=ADMINISTRATOR))


def make_web(
    *,
    desk: DeskView,
    database: Database,
    clock: Clock,
    ids: Ids,
    random_bytes: RandomBytes = os.urandom,
    zone: tzinfo = UTC,
    public_origin: str | None = None,
    grants: Grants | None = None,
    account_names: dict[PersonId, str] | None = None,
    on_account: Callable[[], None] = lambda: None,
    hasher: argon2.PasswordHasher | None = None,
    machine_routes: Sequence[web.RouteDef] = (),
    feed: FeedPlan | None = None,
    devices: AskDevices | None = None,
    notices: NoticeRoom | None = None,
    corrections: Correcting | None = None,
    browsers: tuple[Browsers, str] | None = None,
    people: RosterStore | None = None,
    disclosures: DisclosureRoom | None = None,
) -> Web:
    """The live page over `desk`, its accounts in `database` (migrated by `gateway.web.store.STEPS`).

    `public_origin` is what browsers see ("https://belltower.school.example") where a proxy stands before us; cookies
    are held to https when it says so. `grants` says who may do what; by default by the roles that are shipped. `account_names` is filled with the names of people who make an account, for
    the desk's `Names`; see `gateway.web.store.names`. `on_account` is called when a one-time link was used. `machine_routes` are for machines that prove themselves in
    their own way (a carrier's signed reports): neither a sign-in nor a form of ours is asked of them. `feed` is how our
    own alerts are published; None: they are not. `devices` asks the alarm lane how the foreign devices are; None: there is
    no page of them. `notices` is what the pages of notices stand on; None: there are none. `corrections` orders what takes notices back and what ends them; None: nothing does. `browsers` are those in which people asked to be told, and the key they subscribe to; None: none is told.
    `disclosures` is what gives records to somebody outside; None: nothing does.
    """
    if public_origin is not None and urlsplit(public_origin).scheme not in ("http", "https"):
        raise ValueError("public_origin is a scheme and a host, https://belltower.school.example")
    names = account_names if account_names is not None else {}

    def made(person: PersonId, name: str) -> None:
        names[person] = name
        on_account()

    version, static = assets()
    renderer = Renderer(zone=zone, version=version)
    fanout = Fanout()
    sessions = Sessions(
        database=database,
        clock=clock,
        random_bytes=random_bytes,
        secure=public_origin is not None and public_origin.startswith("https:"),
    )
    permits = Permits(
        sessions=sessions,
        grants=grants or Grants(database=database, roles=SHIPPED, clock=clock, ids=ids),
    )
    live = Live(desk=desk, fanout=fanout, renderer=renderer, clock=clock)
    pages = Pages(
        desk=desk,
        live=live,
        fanout=fanout,
        renderer=renderer,
        sessions=sessions,
        ids=ids,
        clock=clock,
        static=static,
    )
    passwords = Passwords(hasher=hasher)
    sign_in = SignIn(
        database=database,
        grants=permits.grants,
        sessions=sessions,
        passwords=passwords,
        throttle=Throttle(clock=clock),
        fanout=fanout,
        ids=ids,
        clock=clock,
        page=pages.page,
        on_account=made,
    )
    app = web.Application(
        middlewares=guard(
            sessions=sessions,
            public_origin=public_origin,
            error_page=pages.error_page,
            machines=frozenset(route.handler for route in machine_routes),
        ),
        client_max_size=FORM,
    )
    app[PERMITS] = permits

    async def schools() -> Mapping[str, str]:
        return (await notices.roster.schools_and_classes())[0] if notices is not None else {}

    accounts = AccountPage(
        grants=permits.grants,
        pages=pages,
        sign_in=sign_in,
        sessions=sessions,
        fanout=fanout,
        schools=schools,
        zone=zone,
        url=public_origin or "",
    )
    app.add_routes(accounts.routes())
    app.add_routes([*pages.routes(), *sign_in.routes(), *machine_routes])
    if devices is not None:
        pages.devices = True
        app.add_routes(DevicePage(pages=pages, names=desk.names, ask=devices, clock=clock).routes())
    ledger = None
    if notices is not None:
        pages.notices = True
        pages.composer = notices.composer
        pages.reader = lambda request, notice: require_reader(request, notices, notice)
        ledger = Ledger(
            room=notices,
            pages=pages,
            live=live,
            fanout=fanout,
            renderer=renderer,
            names=desk.names,
            ids=ids,
            clock=clock,
        )
        writing = ComposePages(
            room=notices,
            pages=pages,
            live=live,
            fanout=fanout,
            renderer=renderer,
            names=desk.names,
            ids=ids,
        )
        listing = NoticePages(
            room=notices, pages=pages, writing=writing, renderer=renderer, names=desk.names, clock=clock
        )
        answers = AnswerPage(room=notices, pages=pages, renderer=renderer)
        app.add_routes(HeldPage(held=notices.notify.held).routes())
        proving = ChannelPage(pages=pages, proofs=notices.notify.proofs, ids=ids, clock=clock)
        app.add_routes(
            [*listing.routes(), *writing.routes(), *proving.routes(), *ledger.routes(), *answers.routes()]
        )
    if corrections is not None:
        pages.corrections = True
        app.add_routes(CorrectionPage(correcting=corrections).routes())
    if browsers is not None:
        pages.push = True
        worker = static["push_worker.js"]
        app.add_routes(PushPage(pages=pages, browsers=browsers[0], key=browsers[1], worker=worker).routes())
    if disclosures is not None:
        pages.disclosures = True
        giving = DisclosurePages(
            room=disclosures,
            pages=pages,
            live=live,
            renderer=renderer,
            names=desk.names,
            ids=ids,
            clock=clock,
        )
        app.add_routes(giving.routes())
    searched = None
    if people is not None:
        pages.people = True
        listed = PeoplePages(
            store=people, pages=pages, renderer=renderer, names=desk.names, ids=ids, clock=clock
        )
        app.add_routes(listed.routes())
        searched = listed.index
    if feed is not None:
        app.add_routes(AlertFeed(plan=feed, live=live, sessions=sessions, clock=clock).routes())

    async def threads(_app: web.Application) -> AsyncIterator[None]:
        yield
        passwords.close()

    async def shutdown(_app: web.Application) -> None:
        fanout.end()

    app.cleanup_ctx.append(threads)
    app.on_shutdown.append(shutdown)
    return Web(app=app, live=live, fanout=fanout, sign_in=sign_in, ledger=ledger, names=searched)
