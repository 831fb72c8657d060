"""The invariants as pure functions of what was seen from outside: each returns the violations, [] when it holds.

Shared by the simulator, the process tests and the soak; the oracle is the harness's own ledger and the other side's
log, compared after the fault has healed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple


class DeliverySeen(NamedTuple):
    """A delivery's row after everything has healed."""

    id: str
    notice: str
    revision: int
    person: str
    channel: str
    address: str
    state: str
    reason: str


class Taken(NamedTuple):
    """A message that a provider accepted: from the provider's own log."""

    channel: str
    address: str
    delivery: str


_REACHED = {"accepted", "delivered"}
_FINAL = {"refused", "superseded", "uncertain"}


def i4(deliveries: Iterable[DeliverySeen], taken: Iterable[Taken]) -> list[str]:
    """Per (notice, revision, address, channel) at most one message accepted by a provider; and none unknown to us."""
    rows = {row.id: row for row in deliveries}
    keys: Counter[tuple[str, int, str, str]] = Counter()
    broken = []
    for one in taken:
        row = rows.get(one.delivery)
        if row is None or (row.address, row.channel) != (one.address, one.channel):
            broken.append(f"I4 {one.channel}: a message was taken that no delivery knows: {one.delivery}")
        else:
            keys[row.notice, row.revision, row.address, row.channel] += 1
    broken += [f"I4 {key[0]} by {key[3]}: taken {count} times" for key, count in keys.items() if count > 1]
    rows_per_key = Counter((row.notice, row.revision, row.address, row.channel) for row in rows.values())
    broken += [f"I4 {key[0]} by {key[3]}: {count} rows" for key, count in rows_per_key.items() if count > 1]
    return broken


def i5(
    people: Collection[str],
    deliveries: Iterable[DeliverySeen],
    others: Mapping[str, str],
) -> list[str]:
    """Each person is reached or has a recorded final reason; none is in limbo.

    `others`: person → the delivery they share, or the reason why there is none.
    """
    rows = list(deliveries)
    by_id = {row.id: row for row in rows}
    by_person: dict[str, list[DeliverySeen]] = {}
    for row in rows:
        by_person.setdefault(row.person, []).append(row)
    broken = [f"I5 {row.id} is {row.state}" for row in rows if row.state not in _REACHED | _FINAL]
    broken += [
        f"I5 {row.id} is {row.state} for no reason" for row in rows if row.state in _FINAL and not row.reason
    ]
    for person in people:
        told = by_person.get(person, [])
        other = others.get(person, "")
        if not told and not other:
            broken.append(f"I5 {person}: neither reached nor a reason")
        if not told and other.startswith("dlv_") and other not in by_id:
            broken.append(f"I5 {person}: shares a delivery that is not there")
    return broken


def i6(snapshot: Collection[str], later: Collection[str]) -> list[str]:
    """A correction or an all-clear goes to a superset of the alarm's recipients."""
    return [
        f"I6 {one}: had the first notice, not the later one" for one in sorted(set(snapshot) - set(later))
    ]


def settled_honestly(deliveries: Iterable[DeliverySeen], taken: Iterable[Taken]) -> list[str]:
    """Nothing is shown as more certain than it is: what we call accepted was taken, what we call refused was not."""
    had = {one.delivery for one in taken}
    rows = list(deliveries)
    broken = [
        f"{row.id} is {row.state}, and nobody took it"
        for row in rows
        if row.state in _REACHED and row.channel != "console" and row.id not in had
    ]
    broken += [
        f"{row.id} is {row.state} ({row.reason}), and the provider took it"
        for row in rows
        if row.state == "superseded" and row.id in had
    ]
    return broken
