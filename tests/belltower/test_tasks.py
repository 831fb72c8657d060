"""Supervision in two words."""

from __future__ import annotations

import asyncio

import pytest

from belltower.tasks import Crew, EndedQuietlyError


async def test_every_failure_of_mendable_work_is_heard() -> None:
    """Also the one after a short recovery: whoever shows the work's state must know."""
    heard: list[str] = []
    turns = iter(["first", "second", "third"])
    done = asyncio.Event()

    async def work() -> None:
        turn = next(turns, None)
        if turn is None:
            done.set()
            await asyncio.Event().wait()
        raise OSError(turn)

    async with Crew(backoff=(0.001, 0.01)) as crew:
        task = crew.mendable("wire", work, on_failure=lambda error: heard.append(str(error)))
        async with asyncio.timeout(5):
            await done.wait()
        task.cancel()

    assert ["first", "second", "third"] == heard


async def test_essential_work_that_ends_quietly_ends_its_crew() -> None:
    """Ending without a word is misbehaviour."""

    async def work() -> None:
        await asyncio.sleep(0)

    with pytest.raises(ExceptionGroup) as caught:
        async with Crew() as crew:
            crew.essential("journal", work)
            crew.essential("other", asyncio.Event().wait)

    assert [EndedQuietlyError] == [type(error) for error in caught.value.exceptions]
