"""Where help is needed, as a written PIDF-LO; of one place only the times are written anew."""

from __future__ import annotations

from functools import lru_cache

from belltower.clock import SECOND, Instant, aware
from floorplans.campus import Campus
from gateway.psap import pidf
from gateway.psap.link import Spot

_SAMPLE = Instant(978_307_200 * SECOND)
"""A time that no place is called, by which the two times of a written location are found."""


def located(spot: Spot, campus: Campus, *, domain: str, at: Instant) -> str | None:
    """The spot on its campus at that time; None: nothing of it can be written as a PIDF-LO."""
    pieces = _pieces(campus, spot, domain)
    if pieces is None:
        return None
    head, between, tail = pieces
    until, now = _seconds(at // SECOND)
    return f"{head}{until}{between}{now}{tail}"


@lru_cache(maxsize=64)
def _seconds(at: int) -> tuple[str, str]:
    return _second(Instant((at + pidf.KEPT_FOR) * SECOND)), _second(Instant(at * SECOND))


@lru_cache(maxsize=4_096)
def _pieces(campus: Campus, spot: Spot, domain: str) -> tuple[str, str, str] | None:
    try:
        written = pidf.build(pidf.of(spot, campus, domain=domain, at=_SAMPLE)).decode()
    except ValueError:
        return None
    rest, tail = written.rsplit(_second(_SAMPLE), 1)
    head, between = rest.rsplit(_second(Instant(_SAMPLE + pidf.KEPT_FOR * SECOND)), 1)
    return head, between, tail


def _second(at: Instant) -> str:
    return aware(at).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
