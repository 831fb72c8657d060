"""What a provider says later of a message, once it is known that the provider says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from belltower.ids import DeliveryId
from notify.delivery import State

PATH = "/notices/callbacks/"
"""Under the public address: the provider's name in the settings and the delivery's id follow."""


class Report(Struct, frozen=True, kw_only=True):
    """One report, believed."""

    # None: it says nothing about where the delivery stands.
    state: State | None
    reason: str = ""
    provider_id: str = ""
    # The delivery that the signed part names; None: only the address names it, and is signed.
    delivery: DeliveryId | None = None
    # The key that the person called has pressed; "": it is no such report.
    key: str = ""


class Reports(Protocol):
    """How the reports of one provider are read."""

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Report:
        """The report that came to `path`, the query included.

        Raises:
            Malformed: it is not a report.
            NotVerified: the provider has not signed it.
        """
        ...

    def answer(self, report: Report, *, language: str) -> tuple[str, bytes]:
        """What the provider is told once the report is written down: media type and body; no body is a 204."""
        ...
