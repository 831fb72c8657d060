"""The roads to the PSAP and the ways in: lost, restored, and proven by marked tests."""

from __future__ import annotations

from msgspec import Struct

from belltower.ids import LinkName, PersonId
from belltower.incident.facts.calls import ReceiptLevel


class LinkTestOrdered(Struct, frozen=True, kw_only=True, tag="link.test_ordered"):
    """Send a marked test down every link, to prove the whole road. Never a call."""

    # Site-unique, counted from 1.
    test: int
    # Ties answers to this very test.
    key: str
    by: PersonId | None = None


class LinkTestSent(Struct, frozen=True, kw_only=True, tag="link.test_sent"):
    """The first octet of the test left on this link."""

    test: int
    link: LinkName
    frame: str


class LinkProven(Struct, frozen=True, kw_only=True, tag="link.proven"):
    """The far end confirmed exactly this test."""

    test: int
    link: LinkName
    level: ReceiptLevel
    # Seconds since it was first sent.
    after: float


class LinkUnproven(Struct, frozen=True, kw_only=True, tag="link.unproven"):
    """The test was not confirmed on this link in time, was refused, or the link has no form for one."""

    test: int
    link: LinkName
    reason: str


class LinkLost(Struct, frozen=True, kw_only=True, tag="link.lost"):
    """A PSAP link or an intake path does not answer, or cannot be opened."""

    link: LinkName
    reason: str


class LinkRestored(Struct, frozen=True, kw_only=True, tag="link.restored"):
    """It answers again."""

    link: LinkName


LinkFact = LinkTestOrdered | LinkTestSent | LinkProven | LinkUnproven | LinkLost | LinkRestored
