"""What explanations are put together with."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.psap.explain import Line

_OCTET = re.compile(r"\boctet (\d{1,7})\b")


class Lines:
    """Collects the lines of a frame, field by field, from octets that may have been unescaped before."""

    def __init__(self, raw: bytes, *, places: Sequence[int] | None = None) -> None:
        self._raw = raw
        self._places = places
        self.found: list[Line] = []
        self.faults: list[str] = []

    def place(self, at: int) -> int:
        """Where the octet at `at` stands in the frame as it came."""
        if self._places is None:
            return at
        if at < len(self._places):
            return self._places[at]
        return self._places[-1] + 1 if self._places else 0

    def add(self, at: int, end: int, says: str) -> None:
        """The field from `at` up to `end`; nothing where it has no octet."""
        first, last = self.place(at), self.place(end)
        if end > at and last > first:
            self.found.append(Line(at=first, octets=self._raw[first:last], says=says))

    def fault(self, text: str) -> None:
        """What is wrong; "octet N" in it is moved to where the octet stands in the frame as it came."""
        self.faults.append(_OCTET.sub(lambda found: f"octet {self.place(int(found[1]))}", text))


def printable(octets: bytes, *, most: int = 80) -> str:
    """The octets as a person reads them: strange ones as escapes."""
    text = octets.decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"
