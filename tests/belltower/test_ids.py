"""Ids sort in the order of their minting, however they are minted."""

from belltower.clock import Instant
from belltower.ids import Ids


class Stands:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.at = Instant(1_000_000_000)

    def now(self) -> Instant:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def test_ids_of_one_millisecond_count_on_across_the_end_of_their_tail() -> None:
    """Minted singly and in bulk, over the end of the counting part, none is out of order or there twice."""
    ids = Ids(clock=Stands(), random_bytes=lambda count: b"\x00" + b"\xff" * (count - 2) + b"\xf0")
    minted = [ids.fact(), *ids.facts(40), ids.fact(), *ids.facts(3), *ids.facts(0)]

    assert 45 == len(set(minted))
    assert sorted(minted) == minted
    assert {30} == {len(one) for one in minted}


def test_ids_minted_in_bulk_follow_those_of_a_later_millisecond() -> None:
    """A clock that steps back is not followed back."""
    clock = Stands()
    ids = Ids(clock=clock)
    first = ids.deliveries(10)
    clock.at = Instant(clock.at - 5_000_000)
    minted = [*first, *ids.deliveries(10)]

    assert sorted(set(minted)) == minted
