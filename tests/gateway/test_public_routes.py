"""P14: whoever is not signed in gets no record of anybody, by whatever route of the running desk.

And whoever is signed in without a role finds every route shut, but for those that are open to all.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import aiohttp
from aiohttp import web

from belltower.clock import SECOND, Instant, SystemClock
from belltower.ids import Ids
from belltower.people.generator import generate
from belltower.people.roster import HumanKind
from belltower.people.taking import Taking
from belltower.store import Transaction, open_database
from belltower.tasks import Crew
from gateway import settings as settings_file
from gateway import site_package
from gateway.desk_lane import DeskLane
from gateway.rosters import open_rosters
from gateway.web import store as web_store
from gateway.web.sessions import _form_token
from gateway.web.store import Account
from tests.gateway.cli.house import house
from tests.peers.push import sender_key

DISTRICT = generate(seed=23, students=40)

PUBLIC = {
    "/sign-in",
    "/setup/{token}",
    "/health",
    "/static/{version}/{name}",
    "/notices/push_worker.js",
    # Our own alerts, where the settings publish them.
    "/feeds/cap.atom",
    "/feeds/cap/{identifier}.xml",
}
"""Where nobody has to be signed in: they name nobody."""

ANYBODY = {
    # Alarms fail open, and answers too.
    "POST /incidents/{incident}/actions",
    "POST /incidents/{incident}/correct",
    "POST /incidents/{incident}/texts",
    # Pages that name nobody of the roster, and one's own browser.
    "GET /",
    "GET /incidents/{incident}",
    "GET /events",
    "GET /devices",
    "GET /notices",
    "GET /notices/push",
    "POST /notices/push",
    "POST /notices/push/end",
    "POST /sign-out",
    # A browser that was told says so: what it was given proves it.
    "POST /notices/push/heard/{delivery}",
}
"""What takes no role."""

WIRED = """
public_url = "https://belltower.school.example"
[desk.feed]
access = "public"
[notify.channels.text]
kind = "twilio"
account = "AC00000000000000000000000000000000"
token = { file = "twilio" }
from = "+15005550006"
[notify.channels.browsers]
kind = "web-push"
private_key = { file = "push.pem" }
contact = "mailto:it@school.example"
"""
"""What machines call us for stands there too."""

PROVIDER = "text"
_ULID = "01" + "A" * 24
_SOME = [
    "x",
    "1",
    "ntc_1",
    *(f"{kind}_{_ULID}" for kind in ("per", "inc", "ntc", "dsc", "dlv", "vrb")),
    "x" * 43,
]


def filled(route: web.AbstractRoute, student: str) -> str:
    """A path that this route serves."""
    assert route.resource is not None
    info = route.resource.get_info()
    if "path" in info:
        return str(info["path"])
    path = str(info["formatter"])
    names = re.findall(r"\{(\w+)\}", path)
    for values in product(*((PROVIDER,) if name == "provider" else (student, *_SOME) for name in names)):
        tried = path.format(**dict(zip(names, values, strict=True)))
        if info["pattern"].fullmatch(tried):
            return tried
    raise AssertionError(f"write a value into _SOME that {path} takes")


async def test_no_route_tells_a_stranger_about_anybody(tmp_path: Path, unused_tcp_port: int) -> None:
    """Every route of the desk lane, by every method, with a roster in force: sign in first, or nothing of anybody."""
    config = house(tmp_path)
    with config.open("a", encoding="utf-8") as file:
        file.write(f"[desk.web]\nport = {unused_tcp_port}\n" + WIRED)
    for name, text in (("twilio", "t" * 32), ("push.pem", sender_key())):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    settings = settings_file.load(config, secrets=settings_file.DESK_SECRETS)
    students = await taken(settings)
    secret = "s" * 43
    await signed_in(settings, secret)
    lane = DeskLane(settings=settings, site=site_package.load(tmp_path / "site"))
    address, open_to_all, bodies = f"http://127.0.0.1:{unused_tcp_port}", [], []
    async with Crew() as crew, aiohttp.ClientSession() as stranger:
        desk = crew.essential("desk", lane.run)
        await lane.ready.wait()
        assert lane.page is not None
        routes = list(lane.page.app.router.routes())
        for route in routes:
            resource = route.resource
            assert resource is not None
            for method in ("GET", "POST") if route.method == "*" else (route.method,):
                async with stranger.request(
                    method,
                    address + filled(route, students[0]),
                    data={"form": "x"} if method == "POST" else None,
                    headers={"Origin": "https://belltower.school.example"},
                    allow_redirects=False,
                ) as answer:
                    bodies.append(await answer.text())
                    turned_away = answer.headers.get("Location") == "/sign-in" or answer.status in (401, 403)
                    if not turned_away:
                        open_to_all.append(resource.canonical)
        shut_to_none = [
            f"{route.method} {route.resource.canonical}"
            for route in routes
            if route.resource is not None
            and route.method in ("GET", "POST")
            and route.resource.canonical not in PUBLIC
            and await staff_gets(stranger, address + filled(route, students[0]), route.method, secret) != 403
        ]
        desk.cancel()
    told = "\n".join(bodies)
    names = {name for human in DISTRICT.humans for name in (human.family, *human.emails) if len(name) > 4}
    numbers = {phone.e164 for human in DISTRICT.humans for phone in human.phones if phone.e164}

    assert len(routes) > 40
    assert [] == [path for path in open_to_all if path not in PUBLIC]
    assert [] == [one for one in (*names, *numbers, *students) if one in told]
    assert [] == [path for path in shut_to_none if path not in ANYBODY]


async def staff_gets(client: aiohttp.ClientSession, url: str, method: str, secret: str) -> int:
    """The status that somebody without a role gets."""
    if url.endswith("/sign-out") and "/accounts/" not in url:
        return 303  # it would end the session
    async with client.request(
        method,
        url,
        data={"form": _form_token(secret), "verb": f"vrb_{'0' * 26}"} if method == "POST" else None,
        headers={"Origin": "https://belltower.school.example", "Cookie": f"__Host-belltower={secret}"},
        allow_redirects=False,
    ) as answer:
        return answer.status


async def signed_in(settings: settings_file.Settings, secret: str) -> None:
    """Somebody without a role is signed in with this secret."""
    database = await open_database(settings.desk_url)
    await database.migrate(web_store.STEPS)
    clock = SystemClock()
    person, now = Ids(clock=clock).person(), clock.now()
    tx = Transaction()
    made = Account(person=person, sign_in="tom", name="Tom Birch", password="none")
    web_store.add_account(tx, made, now)
    web_store.add_session(tx, secret, person, now, Instant(now + 3600 * SECOND))
    await database.submit(tx)
    await database.close()


async def taken(settings: settings_file.Settings) -> list[str]:
    """A roster in force at this desk; the ids of its students."""
    settings.state.folder.mkdir(parents=True, exist_ok=True)
    database = await open_database(settings.desk_url)
    clock = SystemClock()
    store = await open_rosters(database, settings.people_keys)
    taking = Taking(store=store, clock=clock)
    ready = await taking.prepare(await taking.look(DISTRICT), incident_open=False)
    tx = Transaction()
    taking.settle(tx, ready, incident_open=False)
    await database.submit(tx)
    students = [known.id async for page in store.humans(HumanKind.STUDENT) for known in page]
    assert Ids(clock=clock).person()[:4] == students[0][:4]
    await database.close()
    return students
