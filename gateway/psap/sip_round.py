"""Which servers one frame has been to, and what they said, pure."""

from __future__ import annotations

from hardware.codecs.sip import Request

OWN_TRIES = 3
"""How often a frame goes round again by itself because servers asked for time; then the worker's retries do it."""


class Round:
    """One frame on its way from server to server. Servers are named by their number in the link's order."""

    def __init__(self, *, frame: str, octets: bytes, template: Request) -> None:
        self.frame = frame
        self.octets = octets
        # What is sent; rebuilt where a server could not read it.
        self.template = template
        # The servers that this round went to; which of them said no, and why; which said nothing.
        self.tried: set[int] = set()
        self.refused: dict[int, str] = {}
        self.silent: set[int] = set()
        # The servers for which it was rebuilt once, and the one that is to get it again.
        self.rebuilt: set[int] = set()
        self.rebuild: int | None = None
        # The server that has it just now, and since when.
        self.asked: int | None = None
        self.sent_at = 0.0
        # It is being handed to a server at this moment.
        self.moving = False
        # When it goes round again by itself.
        self.again_at: float | None = None
        self.own_tries = OWN_TRIES
        self.done = False

    def begin(self) -> None:
        """Go round from the first server again; what was refused may be taken now."""
        self.tried.clear()
        self.refused.clear()
        self.silent.clear()
        self.again_at = None

    def settle(self) -> None:
        """A server has it."""
        self.done = True
        self.again_at = None
        self.rebuild = None

    @property
    def refused_by_all(self) -> bool:
        """Every server that it went to said no, and none left it open whether it has it."""
        return bool(self.refused) and not self.silent and self.tried <= self.refused.keys()

    def reason(self) -> str:
        """Why, server by server."""
        return "; ".join(self.refused[index] for index in sorted(self.refused))[:300]
