"""Desktop consoles: a bounded board in this process, which the live page shows."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection

from msgspec import Struct

from belltower.clock import Clock, Instant
from belltower.ids import DeliveryId, NoticeId
from notify.channels.channel import Answer, Message, Refused, Settled
from notify.delivery import State


class Post(Struct, frozen=True, kw_only=True):
    """One text on one console."""

    delivery: DeliveryId
    notice: NoticeId
    at: Instant
    text: str


class Board:
    """The newest posts of each console; the oldest are dropped. Nothing here outlives the process."""

    def __init__(self, *, consoles: int = 1_000, posts: int = 50) -> None:
        self._consoles = consoles
        self._posts = posts
        self._board: OrderedDict[str, deque[Post]] = OrderedDict()
        self._watchers: list[Callable[[str, Post], None]] = []

    def put(self, console: str, post: Post) -> None:
        """Show `post` on `console`; the console unused for longest makes room."""
        posts = self._board.setdefault(console, deque(maxlen=self._posts))
        self._board.move_to_end(console)
        posts.append(post)
        if len(self._board) > self._consoles:
            self._board.popitem(last=False)
        for watcher in self._watchers:
            watcher(console, post)

    def shown(self, console: str) -> list[Post]:
        """What that console shows, oldest first."""
        return list(self._board.get(console, ()))

    def everything(self) -> list[tuple[str, Post]]:
        """What all consoles show, each post with its console."""
        return [(console, post) for console, posts in self._board.items() for post in posts]

    def watch(self, watcher: Callable[[str, Post], None]) -> Callable[[], None]:
        """Call `watcher` at every post, until the function returned is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)


class ConsoleChannel:
    """Satisfies `Channel`. Delivered means on the board, which is all that a console can promise."""

    name = "console"

    def __init__(self, *, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def send(self, message: Message) -> Answer:
        """Put the text on the board."""
        if not message.address:
            return Refused(reason="address")
        self._board.put(
            message.address,
            Post(delivery=message.delivery, notice=message.notice, at=self._clock.now(), text=message.body),
        )
        return Settled(state=State.DELIVERED, reason="board")

    async def find(self, message: Message, *, known: Collection[str]) -> Answer | None:  # noqa: ARG002 - boards give no ids
        """Whether the board still shows it."""
        if any(post.delivery == message.delivery for post in self._board.shown(message.address)):
            return Settled(state=State.DELIVERED, reason="board")
        return None
