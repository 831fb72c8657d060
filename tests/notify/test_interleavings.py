"""Drills, tests and what is meant, in any order: nobody ever takes one for the other (R43, I3)."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from belltower.errors import NotFound, WrongState
from belltower.ids import NoticeId
from belltower.incident.facts import Mode
from notify.audience import AudienceRule
from notify.wording import exercise_only
from tests.peers.desk import WORDS, DeskOptions
from tests.peers.writing import NOW, RUTH, Takes, Writing, guardian, writing

PRACTISED = "families.lockdown.exercise"
TEMPLATES = (NOW, "families.shelter.now", "families.hold.cleared", "families-notice", PRACTISED, PRACTISED)
FEW = "few"


class Keeps(Takes):
    """A channel that remembers of which notice each text was."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[NoticeId, str]] = []

    async def send(self, message):
        self.said.append((message.notice, message.body))
        return await super().send(message)


class Days:
    """Somebody who does anything at any time, and knows what of it must be an exercise."""

    def __init__(self, it: Writing, random: Random) -> None:
        self.it = it
        self.random = random
        # Drafts not sent yet, and their texts.
        self.drafts: list[tuple[NoticeId, str, int]] = []
        # What was ordered, as it must be.
        self.modes: dict[NoticeId, Mode] = {}
        self.corrected: set[NoticeId] = set()
        self.refused = 0

    async def step(self) -> None:
        """One thing that somebody does."""
        doing = self.random.choices(
            [self.drill, self.write, self.send, self.try_it, self.correct], [2, 5, 4, 2, 2]
        )
        await doing[0]()

    async def drill(self) -> None:
        self.it.drilling = not self.it.drilling

    async def write(self) -> None:
        template, ticked = self.random.choice(TEMPLATES), self.random.random() < 0.7
        may = template != PRACTISED or (self.it.drilling and ticked)
        draft = await self._allowed(may, self.it.draft(template, families_of_exercise=ticked))
        if draft is not None:
            self.drafts.append((draft.id, template, draft.counted.people))

    async def send(self) -> None:
        if not self.drafts:
            return
        at = self.random.randrange(len(self.drafts))
        draft, template, seen = self.drafts[at]
        asking = self.it.composer.ask(draft, RUTH, seen=seen)
        if await self._allowed(self._may_leave(template), asking) is not None:
            del self.drafts[at]
            self.modes[draft] = Mode.EXERCISE if exercise_only(template) else Mode.ACTUAL

    async def try_it(self) -> None:
        if not self.drafts:
            return
        draft, template, _ = self.random.choice(self.drafts)
        trying = self.it.composer.test(self.it.verb(), draft, FEW, RUTH)
        notice = await self._allowed(self._may_leave(template), trying)
        if notice is not None:
            self.modes[notice] = Mode.EXERCISE

    async def correct(self) -> None:
        right = [notice for notice in self.modes if notice not in self.corrected]
        if not right:
            return
        wrong, verb = self.random.choice(right), self.it.verb()
        try:
            await self.it.running.room.corrections.correct(verb, wrong, RUTH)
        except NotFound:  # it is not planned yet
            return
        correction = NoticeId("ntc_" + verb.removeprefix("vrb_"))
        self.corrected |= {wrong, correction}
        self.modes[correction] = self.modes[wrong]

    def _may_leave(self, template: str) -> bool:
        return self.it.drilling or not exercise_only(template)

    async def _allowed(self, may: bool, doing):
        if may:
            return await doing
        with pytest.raises(WrongState):
            await doing
        self.refused += 1
        return None


async def interleave(folder: Path, *, seed: int, steps: int) -> Days:
    """So many steps; all that left says what it is, and it is what it must be."""
    families = [guardian(1), guardian(2, language="es"), guardian(3, language="vi")]
    channel = Keeps()
    options = DeskOptions(database=str(folder / "desk.db"))
    few = {FEW: AudienceRule(everyone=True)}
    async with writing(options, *families, audiences=few, sms=channel) as it:
        days = Days(it, Random(seed))
        for _ in range(steps):
            await days.step()

        async def quiet() -> bool:
            waiting = "SELECT 1 FROM notice_delivery WHERE state IN ('pending', 'sending') LIMIT 1"
            planned = await it.running.database.read("SELECT notice FROM notice")
            return len(planned) == len(days.modes) and not await it.running.database.read(waiting)

        async with asyncio.timeout(120):
            while not await quiet():  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.05)
        ordered = {order.notice: order.mode for order in await it.ordered()}
        marks = [wording.mark for wording in WORDS.languages.values()]

    assert days.modes == ordered
    for notice, body in channel.said:
        first, last = (getattr(body.strip(), way)(tuple(marks)) for way in ("startswith", "endswith"))
        assert (first, last) == ((ordered[notice] is Mode.EXERCISE,) * 2), body
        assert first or not any(mark.split()[0] in body for mark in marks), body
    return days


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_order_of_drills_tests_and_notices_makes_one_look_like_the_other(
    tmp_path: Path, seed: int
) -> None:
    """R43, W24, I3: 300 steps each; what may not leave is refused, what leaves is marked first and last, or not at all."""
    days = await interleave(tmp_path, seed=seed, steps=300)

    assert set(Mode) == set(days.modes.values())
    assert days.refused
    assert days.corrected


@pytest.mark.soak
async def test_ten_thousand_steps_of_drills_tests_and_notices(tmp_path: Path) -> None:
    """R43 as it stands."""
    await interleave(tmp_path, seed=43, steps=10_000)
