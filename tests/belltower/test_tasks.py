"""Supervision in two words."""

from __future__ import annotations

import asyncio

import pytest

from belltower.tasks import Crew, EndedQuietlyError, together
from tests.peers.waiting import PATIENCE


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
        async with asyncio.timeout(PATIENCE):
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


async def test_work_told_to_end_while_it_fails_ends() -> None:
    """A piece's failure in the moment of the cancellation swallows no cancellation."""
    begun = 0
    gone = asyncio.Event()

    async def listen() -> None:
        await gone.wait()
        raise OSError("the line is gone")

    async def work() -> None:
        nonlocal begun
        begun += 1
        await together(listen=listen(), supervise=asyncio.sleep(3600))

    async with Crew(backoff=(0.001, 0.001)) as crew:
        for turns in range(6):
            begun = 0
            gone.clear()
            task = crew.mendable("wire", work)
            while not begun:  # noqa: ASYNC110 - it runs as soon as it is let
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            gone.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            async with asyncio.timeout(PATIENCE):
                await asyncio.wait({task})
            assert task.cancelled()


async def test_the_first_failure_ends_its_company_and_is_raised() -> None:
    """Nothing is left running, and the error comes as it was raised."""
    ended = asyncio.Event()

    async def fail() -> None:
        raise OSError("gone")

    async def last() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(OSError, match="gone"):
        await together(last=last(), fail=fail())

    assert ended.is_set()
