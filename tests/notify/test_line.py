"""Those who stand in line: what cannot begin, or comes when nothing begins any more, holds up nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from belltower.tasks import Crew
from notify.line import Line


@asynccontextmanager
async def line(
    begin: Callable[[str], bool], abandon: Callable[[Line[str]], None]
) -> AsyncIterator[Line[str]]:
    """Room for one; nobody may need a task."""

    async def send(one: str) -> None:
        raise AssertionError(one)

    async with Crew() as crew:
        made = Line(crew=crew, most=1, send=send, begin=begin, abandon=lambda: abandon(made))
        yield made


async def test_what_cannot_begin_leaves_the_line_and_the_next_begins() -> None:
    """Each is tried once, also where what failed lets another follow."""
    tried: list[str] = []

    def begin(one: str) -> bool:
        tried.append(one)
        if one == "bad":
            made.put("behind")
            raise UnicodeError
        return True

    async with line(begin, Line.pop) as made:
        made.open()
        for one in ("first", "bad", "next"):
            made.put(one)
        for _ in range(3):
            made.ended()

    assert ["first", "bad", "next", "behind"] == tried
    assert made.pop() is None


async def test_nothing_begins_in_a_closed_line() -> None:
    """Whoever comes is given up, and so are all that follow, however many."""
    tried: list[str] = []
    followers = [str(n) for n in range(2_000)]

    def begin(one: str) -> bool:
        tried.append(one)
        return True

    def abandon(made: Line[str]) -> None:
        while made.pop() is not None:
            if followers:
                made.put(followers.pop())

    async with line(begin, abandon) as made:
        made.open()
        made.put("first")
        made.close()
        made.put("late")
        made.ended()
        await asyncio.sleep(0)

    assert ["first"] == tried
    assert [] == followers
    assert made.pop() is None
