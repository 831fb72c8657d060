"""One measured number, beside what the bare machine does and what the house promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class Figure(Struct, frozen=True, kw_only=True):
    """A result. `floor` is the plainest way to do the same, from the same run; `ratio` is value to floor."""

    id: str
    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
