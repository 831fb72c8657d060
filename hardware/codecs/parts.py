"""Messages that come in parts, put together again; bounded, and a part that comes twice counts once."""

from __future__ import annotations

from collections import OrderedDict

SENDERS = 64
"""Unfinished messages kept; the oldest goes first."""
PARTS = 16
"""Parts of the longest message taken."""


class Joiner:
    """Keeps what has come of each message, by who sent it and its reference."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int, int], dict[int, str]] = OrderedDict()

    def take(self, sender: str, reference: int, total: int, number: int, text: str) -> str | None:
        """The whole text, once its last missing part is there; None until then, or when it has too many parts."""
        if total == 1:
            return text
        if total > PARTS or not 1 <= number <= total:
            return None
        key = (sender, reference, total)
        kept = self._kept.setdefault(key, {})
        self._kept.move_to_end(key)
        kept[number] = text
        if len(kept) == total:
            del self._kept[key]
            return "".join(kept[place] for place in range(1, total + 1))
        if len(self._kept) > SENDERS:
            self._kept.popitem(last=False)
        return None
