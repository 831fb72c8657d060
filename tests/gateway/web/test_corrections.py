"""Taking a notice back and telling that it is over, from the pages."""

import re

from belltower.errors import WrongState
from belltower.ids import IncidentId, NoticeId, PersonId, VerbId
from belltower.incident import facts
from belltower.incident.facts import Mode
from belltower.incident.told import Readers
from gateway.web.told import still_told
from tests.gateway.web.house import DESK, House, form_token, living, until
from tests.gateway.web.test_pages import browser, enter, page, send

FAMILIES = NoticeId("ntc_families")


class Asked:
    """Takes corrections as the notice room would; says once that it will not."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refuse = False

    async def correct(self, verb: VerbId, notice: NoticeId, by: PersonId) -> None:
        if self.refuse:
            raise WrongState("This notice was taken back already.")
        self.asked.append((notice,))

    async def all_clear(self, verb: VerbId, incident: IncidentId, by: PersonId, whose=tuple(Readers)) -> None:
        self.asked.append((incident, *whose))


def verb_of(html: str, path: str) -> str:
    """The id that the form to `path` carries."""
    found = re.search(rf'action="{re.escape(path)}".*?name="verb" value="([^"]+)"', html, re.DOTALL)
    assert found is not None, html
    return found[1]


async def test_r43_a_notice_is_taken_back_with_two_presses(house: House) -> None:
    """R43: the notice's page has the form; what was taken back has it no more; a refusal is shown."""
    house.corrections = asked = Asked()
    async with living(house) as address, browser() as session:
        form = form_token(await enter(session, address, house))
        pressed = await house.press()
        path = f"/incidents/{pressed.id}/notices/{pressed.notice}"
        await until(lambda: house.page._live._stories)
        html = await page(session, address + path)
        verb = verb_of(html, f"{path}/correct")
        done, _ = await send(session, address, f"{path}/correct", form=form, verb=verb)
        asked.refuse = True
        refused, why = await send(session, address, f"{path}/correct", form=form, verb=verb)
        unnamed, _ = await send(session, address, f"{path}/correct", form=form)
        await house.say(
            pressed.id,
            facts.NoticeOrdered(
                notice=NoticeId("ntc_2"),
                revision=1,
                incident=pressed.id,
                mode=Mode.ACTUAL,
                template="staff-correction",
                audience="all-staff",
                slots={},
                corrects=(pressed.notice,),
            ),
            stream=DESK,
        )
        story = house.page._live._stories[pressed.id]
        await until(lambda: len(story.tallies) == 2)
        after = await page(session, address + path)

    assert [(pressed.notice,)] == asked.asked
    assert (200, 409, 400) == (done, refused, unnamed)
    assert "taken back already" in why
    assert "Take this notice back" not in after


async def test_the_end_is_told_to_those_who_were_told_until_they_know(house: House) -> None:
    """Staff and families are each ticked by a person; whoever knows is offered no more."""
    house.corrections = asked = Asked()
    async with living(house) as address, browser() as session:
        form = form_token(await enter(session, address, house))
        pressed = await house.press()
        path = f"/incidents/{pressed.id}"
        families = facts.NoticeOrdered(
            notice=FAMILIES,
            revision=1,
            incident=pressed.id,
            mode=Mode.ACTUAL,
            template="families.lockdown.now",
            audience="families",
            slots={},
        )
        await until(lambda: house.page._live._stories.get(pressed.id) is not None)
        await house.say(pressed.id, families, stream=DESK)
        story = house.page._live._stories[pressed.id]
        await until(lambda: len(story.tallies) == 2)
        html = await page(session, address + path)
        verb = verb_of(html, f"{path}/all-clear")
        done, _ = await send(session, address, f"{path}/all-clear", form=form, verb=verb, whose="families")
        nobody, _ = await send(session, address, f"{path}/all-clear", form=form, verb=verb)
        wrong, _ = await send(session, address, f"{path}/all-clear", form=form, verb=verb, whose="all")
        cleared = facts.NoticeOrdered(
            notice=NoticeId("ntc_3"),
            revision=1,
            incident=pressed.id,
            mode=Mode.ACTUAL,
            template="families.lockdown.cleared",
            audience="families",
            slots={},
            corrects=(FAMILIES,),
        )
        both = still_told(story.incident)
        await house.say(pressed.id, cleared, stream=DESK)
        await until(lambda: len(story.tallies) == 3)

    assert [(pressed.id, Readers.FAMILIES)] == asked.asked
    assert (200, 400, 400) == (done, nobody, wrong)
    assert [Readers.STAFF, Readers.FAMILIES] == both
    assert [Readers.STAFF] == still_told(story.incident)
