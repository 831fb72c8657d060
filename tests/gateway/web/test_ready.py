"""What stands ready for families on the page of an incident."""

from msgspec.structs import replace

from belltower.incident.facts import Action, ActionOrdered
from belltower.incident.plan import FamiliesPlan
from notify.audience import AudienceRule
from tests.gateway.web.house import House, form_token, living, until
from tests.gateway.web.noticing import adult, noticing
from tests.gateway.web.test_corrections import verb_of
from tests.gateway.web.test_pages import browser, enter, page, send


async def test_w20_one_press_on_the_incidents_page_sends_what_stands_ready(house: House) -> None:
    """W20: the ledger says how long somebody took to decide."""
    families = tuple(adult(n, role="guardian") for n in range(20, 23))
    rule = AudienceRule(roles=frozenset({"guardian"}), classes=frozenset({"7b"}))
    async with (
        noticing(house, families=families, parents=rule) as school,
        living(house) as address,
        browser() as session,
    ):
        school.site = replace(school.site, families=FamiliesPlan(audience="parents"))
        form = form_token(await enter(session, address, house))
        pressed = await house.press()
        await house.say(pressed.id, ActionOrdered(action=Action.LOCKDOWN))
        await until(lambda: pressed.id in house.page._live._stories)
        html = ""
        while "ready, not sent" not in html:
            html = await page(session, f"{address}/incidents/{pressed.id}")
        (draft,) = await school.room.drafts.open(5)
        path = f"/notices/drafts/{draft.id}/send"
        house.clock.step(43)
        status, _ = await send(
            session, address, path, form=form, verb=verb_of(html, path), seen=str(draft.counted.people)
        )
        await until(lambda: len(school.carrier.sent) >= 3)
        ledger = await page(session, f"{address}/notices/{draft.id}")
        after = await page(session, f"{address}/incidents/{pressed.id}")

    assert "Send to 3 people" in html
    assert 200 == status
    assert "about 43 s after it stood ready" in ledger
    assert "ready, not sent" not in after
