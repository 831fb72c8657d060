"""The pages over HTTP: who may see them, what they say, what they refuse."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from belltower.errors import NotAsked, Unreachable, WrongState
from belltower.incident.facts import Mode, Outcome
from gateway.web.desk import LaneState, Recipient
from tests.gateway.web.house import BrokenReads, House, form_token, living, until
from tests.peers.waiting import PATIENCE

PASSWORD = "correct horse battery"


@asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def page(session: aiohttp.ClientSession, url: str) -> str:
    """The text of a page."""
    async with session.get(url) as answer:
        return await answer.text()


async def send(
    session: aiohttp.ClientSession,
    address: str,
    path: str,
    *,
    form: str,
    origin: str | None = None,
    **fields: str,
) -> tuple[int, str]:
    """Post a form as a page of ours would."""
    headers = {"Origin": origin or address}
    async with session.post(address + path, data={"form": form, **fields}, headers=headers) as answer:
        return answer.status, await answer.text()


async def enter(session: aiohttp.ClientSession, address: str, house: House) -> str:
    """Make an account through the one-time link; returns the list's page."""
    form = form_token(await page(session, address + house.setup))
    _, html = await send(
        session,
        address,
        house.setup,
        form=form,
        name="Ruth Adler",
        sign_in="ruth",
        password=PASSWORD,
        again=PASSWORD,
    )
    return html


async def test_the_one_time_link_makes_an_account_and_works_once(house: House) -> None:
    """A second use is refused; opening it without sending it uses nothing up."""
    async with living(house) as address, browser() as first, browser() as second:
        await page(second, address + house.setup)
        form = form_token(await page(second, address + house.setup))
        html = await enter(first, address, house)
        status, again = await send(
            second, address, house.setup, form=form, name="X", sign_in="xx", password=PASSWORD, again=PASSWORD
        )

    assert "Open incidents" in html
    assert "Ruth Adler" in html
    assert (409, True) == (status, "not valid any more" in again)


async def test_a_link_too_old_is_refused(house: House) -> None:
    """A day is its life."""
    async with living(house) as address, browser() as session:
        house.clock.step(24 * 3600 + 1)
        html = await page(session, address + house.setup)

    assert "not valid any more" in html


async def test_nobody_sees_anything_before_signing_in(house: House) -> None:
    """Every page sends strangers to the door, and the stream refuses them."""
    async with living(house) as address, browser() as session:
        pressed = await house.press()
        for path in ("/", f"/incidents/{pressed.id}", f"/incidents/{pressed.id}/notices/{pressed.notice}"):
            html = await page(session, address + path)
            assert "Sign in" in html
            assert "B 204" not in html
        async with session.get(address + "/events") as answer:
            assert 401 == answer.status


async def test_signing_out_ends_the_session_and_its_streams(house: House) -> None:
    """The old cookie opens nothing, and the open stream ends at once."""
    async with living(house) as address, browser() as session:
        html = await enter(session, address, house)
        heads = re.search(r'data-after="([^"]*)"', html)
        assert heads is not None
        async with session.get(address + "/events", params={"topic": "list", "after": heads[1]}) as stream:
            await send(session, address, "/sign-out", form=form_token(html))
            async with asyncio.timeout(PATIENCE):
                rest = await stream.content.read()
        html = await page(session, address + "/")

    assert b"resync" in rest
    assert 'action="/sign-in"' in html


async def test_a_wrong_password_is_refused_and_soon_slowed_down(house: House) -> None:
    """Whether or not the account exists, the answer is the same; the right password waits too."""
    async with living(house) as address, browser() as first, browser() as second:
        await enter(first, address, house)
        answers = []
        for name in ("ruth", "nobody"):
            form = form_token(await page(second, address + "/sign-in"))
            for _ in range(6):
                answers.append(
                    await send(second, address, "/sign-in", form=form, name=name, password="wrong wrong")
                )
        slowed = await send(second, address, "/sign-in", form=form, name="ruth", password=PASSWORD)
        house.clock.step(60)
        let_in = await send(second, address, "/sign-in", form=form, name="Ruth", password=PASSWORD)

    assert [401] * 5 + [429] + [401] * 5 + [429] == [status for status, _ in answers]
    assert 429 == slowed[0]
    assert (200, True) == (let_in[0], "Open incidents" in let_in[1])


async def test_a_form_from_elsewhere_is_refused(house: House) -> None:
    """Another origin, no origin, or a token made for another browser."""
    async with living(house) as address, browser() as session, browser() as other:
        html = await enter(session, address, house)
        pressed = await house.press()
        theirs = form_token(await page(other, address + "/sign-in"))
        path = f"/incidents/{pressed.id}/actions"
        fields = {"action": "lockdown", "verb": "vrb_" + "0" * 26}
        form = form_token(html)
        foreign = await send(session, address, path, form=form, origin="http://evil.example", **fields)
        stolen = await send(session, address, path, form=theirs, **fields)
        async with session.post(address + path, data={"form": form, **fields}) as bare:
            pass

    assert [403, 403, 403] == [foreign[0], stolen[0], bare.status]
    assert [] == house.asked


async def test_a_form_that_cannot_be_read_is_refused_before_anything_is_asked(house: House) -> None:
    """Octets of no text, a charset that there is none of, and parts that are none: never a fault of ours."""
    plain, parts = "application/x-www-form-urlencoded", "multipart/form-data"
    bad = [
        (plain, b"form=\xff\xfe"),
        (plain + "; charset=nope", b"form=x"),
        (plain + "; charset=hex", b"form=x"),
        (parts, b"form=x"),
        (parts + "; boundary=b", b""),
        (parts + "; boundary=b", b"no part at all"),
        (parts + "; boundary=b", b"--b\r\n\r\nno name\r\n--b--\r\n"),
        (parts + "; boundary=b", b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n"),
        (parts + "; boundary=b", _part(b"Content-Type: text/plain; charset=nope")),
        (parts + "; boundary=b", _part(b"Content-Transfer-Encoding: nope")),
        (parts + "; boundary=b", _part(b"Content-Type: multipart/mixed; boundary=c")),
        (parts + "; boundary=b", _part(b"")[:-8]),
    ]
    said = []
    async with living(house) as address, browser() as session:
        for kind, body in bad:
            headers = {"Origin": address, "Content-Type": kind}
            async with session.post(address + "/sign-in", data=body, headers=headers) as answer:
                said.append((answer.status, "This form cannot be read." in await answer.text()))

    assert [(400, True)] * len(bad) == said


def _part(header: bytes) -> bytes:
    """A form of one field whose part bears that header."""
    return b'--b\r\nContent-Disposition: form-data; name="form"\r\n' + header + b"\r\n\r\nx\r\n--b--\r\n"


async def test_ordering_an_action_twice_under_one_verb_does_it_once(house: House) -> None:
    """The form carries its verb's id, made with the page."""
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        html = await page(session, f"{address}/incidents/{pressed.id}")
        verb = re.search(r'name="verb" value="([^"]+)"', html)
        assert verb is not None
        for _ in range(2):
            status, html = await send(
                session,
                address,
                f"/incidents/{pressed.id}/actions",
                form=form_token(html),
                verb=verb[1],
                action="lockdown",
            )
            assert 200 == status

    assert 1 == len(house.asked)


async def test_a_refused_and_an_unanswered_order_are_told_apart(house: House) -> None:
    """Refused is certain; no answer from the alarm lane is not."""
    async with living(house) as address, browser() as session:
        form = form_token(await enter(session, address, house))
        fields = {"action": "hold", "verb": "vrb_" + "0" * 26}
        house.refuse = WrongState("The incident is closed already.")
        refused = await send(session, address, "/incidents/inc_x/actions", form=form, **fields)
        house.refuse = Unreachable("silent")
        unknown = await send(session, address, "/incidents/inc_x/actions", form=form, **fields)
        house.refuse = NotAsked("/run/belltower/control.sock")
        not_done = await send(session, address, "/incidents/inc_x/actions", form=form, **fields)

    assert (409, True) == (refused[0], "The incident is closed already." in refused[1])
    assert (503, True) == (unknown[0], "Unknown whether it was done" in unknown[1])
    assert (503, True) == (not_done[0], "Not done: the alarm lane does not answer." in not_done[1])
    for _, html in (unknown, not_done):
        assert f'name="verb" value="{fields["verb"]}"' in html
        assert 'name="action" value="hold"' in html
        assert 'href="/incidents/inc_x"' in html
        assert "control.sock" not in html


async def test_every_answer_bears_the_guarding_headers(house: House) -> None:
    """Pages, errors, redirects and files alike: own sources only, no frames, no copies kept."""
    async with living(house) as address, browser() as session:
        for path in ("/sign-in", "/", "/nowhere", "/setup/x", "/events", "/health"):
            async with session.get(address + path, allow_redirects=False) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert "http" not in policy
                assert "no-store" == answer.headers["Cache-Control"]
                assert "nosniff" == answer.headers["X-Content-Type-Options"]
                html = await answer.text()
                assert " style=" not in html
                assert "<script>" not in html
                assert " on" + "click" not in html


async def test_session_cookies_cannot_be_read_by_scripts(house: House) -> None:
    """HttpOnly, SameSite, and held to this host under https."""
    async with living(house) as address, browser() as session, session.get(address + "/sign-in") as answer:
        cookie = answer.headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


async def test_a_database_that_cannot_be_read_is_never_an_empty_list(house: House) -> None:
    """The page says that it cannot read, both for the list and for a person who signs in."""
    broken = BrokenReads(house.database)
    async with living(house, database=broken) as address, browser() as session, browser() as stranger:
        await enter(session, address, house)
        form = form_token(await page(stranger, address + "/sign-in"))
        broken.broken = True
        house.page._live.reading = "the disk does not answer"
        async with session.get(address + "/") as answer:
            html, status = await answer.text(), answer.status
        refused, door = await send(stranger, address, "/sign-in", form=form, name="ruth", password=PASSWORD)

    assert 503 == status
    assert "Cannot read the incidents" in html
    assert "No incident is open" not in html
    assert (503, True) == (refused, "Cannot read" in door)


async def test_the_incident_survives_a_restart_of_the_desk(house: House) -> None:
    """A new page over the same stores tells the same story."""
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await house.press(mode=Mode.EXERCISE)
        house.clock.step(0.412)
        await pressed.sent()
        house.clock.step(1)
        await pressed.received()
        await until(lambda: house.page._live.heads.get("alarm") == 6)
        house.clock.step(1)
        await pressed.planned()
        await pressed.settled(("sms", Outcome.ACCEPTED), ("sms", Outcome.UNCERTAIN))
        await until(lambda: house.page._live.heads.get("desk") == 3)
        before = await page(session, f"{address}/incidents/{pressed.id}")
    async with living(house) as address, browser() as session:
        form = form_token(await page(session, address + "/sign-in"))
        await send(session, address, "/sign-in", form=form, name="ruth", password=PASSWORD)
        after = await page(session, f"{address}/incidents/{pressed.id}")

    steps = re.compile(r'<ol id="steps".*?</ol>', re.DOTALL)
    assert steps.findall(before) == steps.findall(after)
    assert "+0.412" in after
    assert "RECEIVED BY county, NO PERSON HAS ANSWERED" in after
    assert "EXERCISE" in after


async def test_the_banner_names_what_is_wrong(house: House) -> None:
    """A silent lane, a lost link, a journal that cannot record."""
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        house.lane = LaneState(silent_for=7.0, lost={"county": "no carrier"}, recording_trouble="disk full")  # type: ignore[dict-item]
        html = await page(session, address + "/")

    assert "The alarm lane is silent since" in html
    assert "Link county does not answer: no carrier." in html
    assert "What happens cannot be recorded (disk full). Calls for help still go out. Notices wait." in html


async def test_who_is_not_reached_is_listed_and_unknown_is_not_delivered(house: House) -> None:
    """Accepted, unknown and untried people stand among those not reached."""
    house.rows = [
        Recipient(person="per_1", channel="sms", outcome=Outcome.DELIVERED),  # type: ignore[arg-type]
        Recipient(person="per_2", channel="sms", outcome=Outcome.UNCERTAIN, reason="no answer"),  # type: ignore[arg-type]
        Recipient(person="per_3", channel="email", outcome=Outcome.ACCEPTED),  # type: ignore[arg-type]
    ]
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await house.press()
        await until(lambda: pressed.id in house.page._live._stories)
        html = await page(session, f"{address}/incidents/{pressed.id}/notices/{pressed.notice}")

    waiting, reached = html.split("A message was delivered to: 1")
    assert "Not known to be reached: 2" in waiting
    assert "Jonas Weber" in waiting
    assert "unknown (no answer)" in waiting
    assert "Mei Lin" in waiting
    assert "Ada Okafor" in reached
    assert "Ada Okafor" not in waiting


async def test_what_people_typed_is_escaped(house: House) -> None:
    """A name is a name, never markup."""
    async with living(house) as address, browser() as session:
        form = form_token(await page(session, address + house.setup))
        fields = {"name": "<img src=x>", "sign_in": "eve", "password": PASSWORD, "again": PASSWORD}
        _, html = await send(session, address, house.setup, form=form, **fields)

    assert "<img" not in html
    assert "&lt;img" in html


async def test_a_call_is_called_off_corrected_and_read_back(house: House) -> None:
    """Each form asks the alarm lane once; the page never says more than was read back."""
    async with living(house) as address, browser() as session:
        await enter(session, address, house)
        pressed = await house.press()
        await pressed.sent()
        await pressed.received()
        url = f"{address}/incidents/{pressed.id}"
        html = await page(session, url)
        form = form_token(html)
        verb = re.findall(r'name="verb" value="(vrb_[^"]+)"', html)[-1]
        fields = {"form": form, "verb": verb}

        wrong, _ = await send(session, address, f"/incidents/{pressed.id}/correct", place="nowhere", **fields)
        assert 400 == wrong
        correction = {"call": pressed.call, "place": "plc_b204"}
        await send(session, address, f"/incidents/{pressed.id}/correct", **fields, **correction)
        await send(session, address, f"/incidents/{pressed.id}/cancel", **fields)
        async with asyncio.timeout(PATIENCE):
            while "NOT READ BACK YET" not in (html := await page(session, url)):  # noqa: ASYNC110 - as people see it
                await asyncio.sleep(0.01)
        assert "Read back" in html
        assert "Call off" not in html
        named, _ = await send(
            session, address, f"/incidents/{pressed.id}/read-back", operator="Jane Doe", **fields
        )
        assert 400 == named
        await send(session, address, f"/incidents/{pressed.id}/read-back", operator="T4", **fields)

    asked = [entry[1:] for entry in house.asked]
    person = asked[0][-1]
    assert [
        ("correct", pressed.call, "plc_b204", person),
        ("cancel", pressed.id, person),
        ("read-back", pressed.id, person, "T4"),
    ] == asked
