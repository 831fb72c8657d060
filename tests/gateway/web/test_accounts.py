"""Who may do what, on the page: roles given and taken, accounts closed, and the last administrator who stays."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from belltower.errors import NotFound, NotPermitted, WrongState
from belltower.ids import PersonId
from belltower.incident.facts import AccountClosed, AccountReopened, GrantGiven, GrantTaken
from belltower.people.grant import ADMINISTRATOR, SHIPPED, Grant, Right, Role
from belltower.store import Transaction
from gateway.grant_journal import GrantJournal
from gateway.web import grant_store, store
from gateway.web.grants import Grants
from gateway.web.store import Account, Invitation
from tests.gateway.web import test_screens
from tests.gateway.web.granting import become, grants_of
from tests.gateway.web.house import DESK, House, form_token, living
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_pages import PASSWORD, browser, enter, page, send
from tests.gateway.web.test_screens import WIDTHS, seen, visiting
from tests.servers.chromium import chromium


async def account(house: House, name: str, role: str = "", *schools: str) -> PersonId:
    """Somebody who may sign in."""
    person = house.ids.person()
    tx = Transaction()
    made = Account(person=person, sign_in=name.split(maxsplit=1)[0].casefold(), name=name, password="none")
    store.add_account(tx, made, house.clock.now())
    if role:
        grant = Grant(person=person, role=role, schools=frozenset(schools))
        grant_store.add_grant(tx, grant, house.clock.now())
    await house.database.submit(tx)
    return person


async def roles(house: House) -> dict[str, list[str]]:
    """The roles of each person by name."""
    return {
        one.name: [f"{grant.role}{sorted(grant.schools) or ''}" for grant in one.grants]
        for one in await grants_of(house).listed()
    }


async def join(session: aiohttp.ClientSession, link: str, name: str) -> str:
    """Use a one-time link."""
    address, path = link[: link.index("/setup")], link[link.index("/setup") :]
    form = form_token(await page(session, link))
    fields = {"name": name, "sign_in": name.split(maxsplit=1)[0], "password": PASSWORD, "again": PASSWORD}
    _, html = await send(session, address, path, form=form, **fields)
    return html


async def test_the_first_is_administrator_and_invites_others_with_their_roles(house: House) -> None:
    """The link is shown once and stands in no address; what it brings is what was chosen; staff see no such page."""
    async with (
        noticing(house, adult(1)),
        living(house) as address,
        browser() as ruth,
        browser() as tom,
    ):
        html = await enter(ruth, address, house)
        form = form_token(html)
        status, made = await send(ruth, address, "/accounts/invite", form=form, role="office", where="schools",
                                  school="lindenhof")  # fmt: skip
        link = re.search(r"http://[^<]*/setup/[A-Za-z0-9_-]{43}", made)
        assert link is not None
        joined = await join(tom, link[0], "Tom Birch")
        async with tom.get(f"{address}/accounts") as answer:
            refused = answer.status
        chosen = [
            (await send(ruth, address, "/accounts/invite", form=form, role=role, **more))[0]
            for role, more in (("wizard", {}), ("office", {"where": "schools"}))
        ]
        given = await roles(house)

    assert 'href="/accounts"' in html
    assert (200, 403, [400, 400]) == (status, refused, chosen)
    assert 'href="/accounts"' not in joined
    assert {"Ruth Adler": [ADMINISTRATOR], "Tom Birch": ["office['lindenhof']"]} == given


async def test_a_role_taken_away_counts_at_once_and_is_written_down(house: House) -> None:
    """Given, given elsewhere, taken; closed, whose browsers are signed out; each is a fact with ids, and only once."""
    async with living(house) as address, browser() as ruth, browser() as tom:
        form = form_token(await enter(ruth, address, house))
        link = address + await house.page.invite(Invitation(role="staff"))
        await join(tom, link, "Tom Birch")
        other = next(one.person for one in await grants_of(house).listed() if one.name == "Tom Birch")
        path = f"/accounts/{other}"

        async def may_write() -> int:
            async with tom.get(f"{address}/accounts", allow_redirects=False) as answer:
                return answer.status

        seen_by_tom = [await may_write()]
        await send(ruth, address, f"{path}/give", form=form, role=ADMINISTRATOR)
        seen_by_tom.append(await may_write())
        await send(ruth, address, f"{path}/take", form=form, role=ADMINISTRATOR)
        seen_by_tom.append(await may_write())
        await send(ruth, address, f"{path}/close", form=form)
        seen_by_tom.append(await may_write())
        door = form_token(await page(tom, f"{address}/sign-in"))
        wrong, _ = await send(tom, address, "/sign-in", form=door, name="tom", password=PASSWORD)
        await send(ruth, address, f"{path}/reopen", form=form)
        right, _ = await send(tom, address, "/sign-in", form=door, name="tom", password=PASSWORD)
        await send(ruth, address, f"{path}/sign-out", form=form)
        seen_by_tom.append(await may_write())
        unknown, _ = await send(ruth, address, f"/accounts/per_{'0' * 26}/take", form=form, role="staff")
        ruths = next(one.person for one in await grants_of(house).listed() if one.name == "Ruth Adler")
        journal = GrantJournal(journal=house.desk_journal)
        written = [await journal.look(), await journal.look()]
        facts = [entry.fact for entry in await house.desk_journal.read(after=0, limit=50, stream=DESK)]

    assert [403, 200, 403, 303, 303] == seen_by_tom
    assert (401, 200, 404) == (wrong, right, unknown)
    assert [6, 0] == written
    assert [
        GrantGiven(person=ruths, role=ADMINISTRATOR),
        GrantGiven(person=other, role="staff"),
        GrantGiven(person=other, role=ADMINISTRATOR, by=ruths),
        GrantTaken(person=other, role=ADMINISTRATOR, by=ruths),
        AccountClosed(person=other, by=ruths),
        AccountReopened(person=other, by=ruths),
    ] == facts


async def test_whoever_ticks_schools_gives_nothing_everywhere(house: House) -> None:
    """Neither is chosen before a person chooses; both at once, or none, is refused and gives nothing."""
    async with noticing(house, adult(1)) as school, living(house) as address, browser() as ruth:
        school.roster.named = {"s1": "Lindenhof School", "s2": "Nord Primary"}
        form = form_token(await enter(ruth, address, house))
        mei = await account(house, "Mei Lin")
        html = await page(ruth, f"{address}/accounts")

        async def give(**fields: str) -> tuple[int, list[str]]:
            status, _ = await send(ruth, address, f"/accounts/{mei}/give", form=form, role="office", **fields)
            return status, (await roles(house))["Mei Lin"]

        given = [
            await give(**fields)
            for fields in (
                {"where": "everywhere", "school": "s1"},
                {},
                {"where": "schools"},
                {"where": "schools", "school": "s9"},
                {"where": "schools", "school": "s2"},
                {"school": "s1"},
                {"where": "everywhere"},
            )
        ]
        invited, _ = await send(ruth, address, "/accounts/invite", form=form, role="office", where="everywhere",
                                school="s1")  # fmt: skip

    assert 6 == len(re.findall(r'type="radio" name="where" value="\w+" required>', html))
    assert [400, 400, 400, 404, 200, 200, 200] == [status for status, _ in given]
    assert [[]] * 4 + [["office['s2']"], ["office['s1']"], ["office"]] == [had for _, had in given]
    assert 400 == invited


async def test_a_link_holds_only_while_whoever_made_it_may_hand_on_what_it_brings(house: House) -> None:
    """Used, the fact names them; void once their role is taken or their account closed, and for good by the latter."""
    async with living(house) as address, browser() as ruth, browser() as tom, browser() as mei:
        form = form_token(await enter(ruth, address, house))

        async def link(session: aiohttp.ClientSession, form: str, role: str) -> str:
            _, made = await send(session, address, "/accounts/invite", form=form, role=role)
            found = re.search(r"http://[^<]*/setup/[A-Za-z0-9_-]{43}", made)
            assert found is not None
            return found[0]

        async def opens(link: str) -> int:
            async with mei.get(link) as answer:
                return answer.status

        toms_form = form_token(await join(tom, await link(ruth, form, ADMINISTRATOR), "Tom Birch"))
        people = {one.name: one.person for one in await grants_of(house).listed()}
        path = f"/accounts/{people['Tom Birch']}"
        links = await link(tom, toms_form, "office")
        opened = [await opens(links)]
        await send(ruth, address, f"{path}/take", form=form, role=ADMINISTRATOR)
        opened.append(await opens(links))
        # Whoever has the form open already makes no account either.
        door = form_token(await page(mei, f"{address}/sign-in"))
        fields = {"name": "Mei Lin", "sign_in": "mei", "password": PASSWORD, "again": PASSWORD}
        late, _ = await send(mei, address, links[links.index("/setup") :], form=door, **fields)
        await send(ruth, address, f"{path}/give", form=form, role=ADMINISTRATOR)
        await send(ruth, address, f"{path}/close", form=form)
        await send(ruth, address, f"{path}/reopen", form=form)
        opened.append(await opens(links))
        await GrantJournal(journal=house.desk_journal).look()
        facts = [entry.fact for entry in await house.desk_journal.read(after=0, limit=50, stream=DESK)]
        named = await roles(house)

    assert [200, 409, 409] == opened
    assert 409 == late
    assert {"Ruth Adler", "Tom Birch"} == named.keys()
    assert GrantGiven(person=people["Tom Birch"], role=ADMINISTRATOR, by=people["Ruth Adler"]) in facts


async def test_the_last_administrator_stays(house: House) -> None:
    """Not taken, not narrowed to one school, not closed; with a second one each of it is done, and not to both."""
    grants = grants_of(house)
    ruth = await account(house, "Ruth Adler", ADMINISTRATOR)
    tom = await account(house, "Tom Birch", ADMINISTRATOR, "s1")
    narrowed = Grant(person=ruth, role=ADMINISTRATOR, schools=frozenset({"s1"}))
    for ending in (
        lambda: grants.take(ruth, ADMINISTRATOR, ruth),
        lambda: grants.give(narrowed, ruth),
        lambda: grants.close(ruth, ruth),
        lambda: grants.close(ruth),
    ):
        with pytest.raises(WrongState, match="Nobody else may say who may do what"):
            await ending()
    await grants.give(Grant(person=tom, role=ADMINISTRATOR), ruth)
    await grants.give(narrowed, ruth)
    with pytest.raises(WrongState):
        await grants.take(tom, ADMINISTRATOR, tom)
    await grants.give(Grant(person=ruth, role=ADMINISTRATOR))
    await grants.close(tom, ruth)
    with pytest.raises(WrongState, match="Nobody else"):
        await grants.take(ruth, ADMINISTRATOR)

    assert {"Ruth Adler": [ADMINISTRATOR], "Tom Birch": [ADMINISTRATOR]} == await roles(house)


async def test_two_who_take_each_others_role_at_once_leave_one(house: House) -> None:
    """Both have looked, and each saw the other."""
    grants = grants_of(house)
    ruth, tom = (
        await account(house, "Ruth Adler", ADMINISTRATOR),
        await account(house, "Tom Birch", ADMINISTRATOR),
    )
    ended = await asyncio.gather(
        grants.take(tom, ADMINISTRATOR, ruth), grants.take(ruth, ADMINISTRATOR, tom), return_exceptions=True
    )

    assert ["NoneType", "WrongState"] == sorted(type(each).__name__ for each in ended)
    assert [[], [ADMINISTRATOR]] == sorted((await roles(house)).values())


async def test_nobody_hands_on_what_they_have_not(house: House) -> None:
    """Who keeps the accounts alone makes nobody administrator, closes no administrator, and gives no unknown role."""
    registrar = Role(name="registrar", rights=frozenset({Right.ACCOUNT_MANAGE}))
    grants = Grants(
        database=house.database,
        roles={**SHIPPED, "registrar": registrar},
        clock=house.clock,
        ids=house.ids,
    )
    ruth = await account(house, "Ruth Adler", ADMINISTRATOR)
    tom = await account(house, "Tom Birch", "registrar")
    mei = await account(house, "Mei Lin", "office")
    for handing in (
        lambda: grants.give(Grant(person=tom, role=ADMINISTRATOR), tom),
        lambda: grants.take(ruth, ADMINISTRATOR, tom),
        lambda: grants.close(ruth, tom),
        lambda: grants.give(Grant(person=tom, role="staff"), mei),
        lambda: grants.end_sessions(ruth, mei),
    ):
        with pytest.raises(NotPermitted):
            await handing()
    with pytest.raises(NotFound, match="There is no role wizard. Known: administrator, director, liaison"):
        await grants.give(Grant(person=mei, role="wizard"))
    await grants.give(Grant(person=mei, role="staff"), tom)
    await grants.allowed(mei, Right.NOTICE_SEND)
    with pytest.raises(NotPermitted, match=r"Now: Ruth Adler, Tom Birch\.$"):
        await grants.allowed(mei, Right.ACCOUNT_MANAGE)


async def test_who_had_an_account_before_there_were_roles_is_administrator(
    house: House, tmp_path: Path
) -> None:
    """They could do everything, and still can; a link that waits for the first account makes an administrator."""
    from belltower.store import open_database

    for accounts in (0, 2):
        database = await open_database(f"sqlite:///{tmp_path}/old{accounts}.db")
        try:
            await database.migrate(store.STEPS[:1])
            tx = Transaction()
            for n in range(accounts):
                tx.add(
                    "INSERT INTO web_account (person, sign_in, name, password, made_at)"
                    " VALUES (:person, :person, :person, 'none', 7)",
                    person=f"per_{n}",
                )
            tx.add(
                "INSERT INTO web_invitation (token_hash, made_at, expires_at) VALUES (:hash, 1, 9)",
                hash=store.hashed("token"),
            )
            await database.submit(tx)
            await database.migrate(store.STEPS)
            given = [one.grants for one in await grant_store.listed(database, house.clock.now())]
            brings = await store.invited(database, "token", house.clock.at.__class__(5))
        finally:
            await database.close()

        assert [(Grant(person=PersonId(f"per_{n}"), role=ADMINISTRATOR),) for n in range(accounts)] == given
        assert Invitation(role="staff" if accounts else ADMINISTRATOR) == brings


async def seen_in_both(screen: Page, picture: Path) -> None:
    """Judge the page in either scheme, and take its pictures."""
    for scheme in ("light", "dark"):
        await screen.emulate_media(color_scheme=scheme)
        await seen(screen, picture.with_name(f"{picture.name}-{scheme}.png"))


async def test_the_page_fits_every_screen(house: House, tmp_path: Path) -> None:
    """With a long list, every fold open, the new link, and accounts that are closed; all of it by its name."""
    folder = Path(os.environ.get("BELLTOWER_SCREENSHOTS") or tmp_path)
    async with (
        noticing(house, adult(1)) as school,
        living(house) as address,
        chromium() as browsing,
        visiting(browsing, address) as (_, screen),
    ):
        school.roster.named = {
            f"s{n}": name for n, name in enumerate(("Lindenhof School", "Nord Primary", "West High"))
        }
        await test_screens.enter(screen, address, house)
        await account(house, "Bartholomew Featherstonehaugh-Cholmondeley", "office", "s0", "s1")
        await account(house, "Mei Lin", "director")
        await account(house, "Jonas Weber")
        left = await account(house, "Ada Okafor", "liaison")
        await grants_of(house).close(left)
        await screen.get_by_role("link", name="Who may do what").click()
        await screen.locator(".side summary", has_text="Invite").click()
        invite = screen.locator(".side form")
        await invite.get_by_label("Role").select_option("office")
        await invite.get_by_label("Only at these schools:").check()
        await invite.get_by_label("Nord Primary").check()
        await screen.get_by_role("button", name="Make the link").click()
        await expect(screen.locator("#link")).to_contain_text("/setup/")
        mei = screen.locator(".account", has_text="Mei Lin")
        for width, (across, down) in WIDTHS.items():
            await screen.set_viewport_size({"width": across, "height": down})
            await seen_in_both(screen, folder / f"accounts-{width}")
        await screen.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        for width, (across, down) in WIDTHS.items():
            await screen.set_viewport_size({"width": across, "height": down})
            await seen_in_both(screen, folder / f"accounts-open-{width}")
        await screen.set_viewport_size({"width": 320, "height": 700})
        await seen_in_both(screen, folder / "accounts-narrow")
        await mei.get_by_role("button", name="Take the role director of Mei Lin away").click()
        await expect(mei).to_contain_text("No role: may order an action and answer")
        await become(house, "staff")
        await screen.goto(f"{address}/accounts")
        await expect(screen.get_by_role("alert")).to_contain_text("You may not say who may do what here.")
        await seen_in_both(screen, folder / "accounts-refused")
