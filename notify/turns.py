"""Whose turn it is at each address: texts leave for it one after another, whichever provider of a row takes them. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """One for all that serve one kind of address, so that whoever takes over keeps the order."""

    def __init__(self) -> None:
        # What is on its way to an address, and what waits behind it.
        self._behind: dict[str, deque[T] | None] = {}

    def take(self, address: str, one: T) -> bool:
        """Whether `one` may leave now; otherwise it waits behind an older text."""
        if address not in self._behind:
            self._behind[address] = None
            return True
        behind = self._behind[address] = self._behind[address] or deque()
        behind.append(one)
        return False

    def end(self, address: str) -> T | None:
        """What was on its way there is so no more: who waited behind it, and may leave now."""
        behind = self._behind[address]
        if behind:
            return behind.popleft()
        del self._behind[address]
        return None
