"""The lock on the pages: who is not signed in, who may not, and who may."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from belltower.people.grant import Right
from gateway.web.permits import may, reach_of, require, require_any, signed_in
from tests.gateway.web.granting import become
from tests.gateway.web.house import House, living
from tests.gateway.web.test_pages import browser, enter


async def _probe(request: web.Request) -> web.Response:
    """Asks for the right of the query, at its schools; says who came through."""
    right, given = Right(request.query["right"]), request.query.get("schools", "")
    schools = None if given == "any" else given.split() if given else ()
    session = await require(request, right, schools)
    reach = reach_of(request, session, right)
    return web.Response(text=f"{session.name} {reach.everywhere} {sorted(reach.schools)}")


async def _either(request: web.Request) -> web.Response:
    """Asks for one of two rights, and says what is shown."""
    session = await signed_in(request)
    shown = may(request, session, Right.NOTICE_SEND)
    await require_any(request, (Right.NOTICE_SEND, Right.PEOPLE_SEE), None)
    return web.Response(text=f"shown {shown}")


ROUTES = [web.get("/probe", _probe), web.get("/either", _either)]


async def asked(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    """Status and text."""
    async with session.get(url) as answer:
        return answer.status, await answer.text()


async def test_a_page_opens_for_whom_it_may_and_says_who_may_to_others(house: House) -> None:
    """Strangers are sent to sign in; a role taken away counts from the next request on; the refusal is a page."""
    house.machine_routes = ROUTES
    async with living(house) as address, browser() as session:
        _, stranger = await asked(session, f"{address}/probe?right=people-see")
        await enter(session, address, house)
        everywhere = await asked(session, f"{address}/probe?right=people-see")
        await become(house, "liaison", "s1", "s2")
        here = await asked(session, f"{address}/probe?right=people-see&schools=s1+s2")
        anywhere = await asked(session, f"{address}/probe?right=people-see&schools=any")
        refused = [
            await asked(session, f"{address}/probe?right={query}")
            for query in (
                "people-see",
                "people-see&schools=s1+s3",
                "people-change&schools=s1",
                "people-change&schools=any",
            )
        ]
        either = await asked(session, f"{address}/either")
        await become(house, "staff")
        nothing = await asked(session, f"{address}/either")

    assert "Sign in" in stranger
    assert (200, "Ruth Adler True []") == everywhere
    assert [(200, "Ruth Adler False ['s1', 's2']")] * 2 == [here, anywhere]
    assert [403] * 4 == [status for status, _ in refused]
    assert "You may see people&#39;s records for your own schools only" in refused[0][1]
    assert "These roles may: administrator, office. Nobody has it now." in refused[3][1]
    assert (200, "shown False") == either
    assert 403 == nothing[0]
