"""Sets of alarm numbers as ranges, pure: sorted, apart, both ends included, as `CallSent.covers` holds them."""

from __future__ import annotations

Ranges = tuple[tuple[int, int], ...]
"""First and last of each run of numbers, ascending; runs neither touch nor overlap."""

NONE: Ranges = ()


def union(left: Ranges, right: Ranges) -> Ranges:
    """Every number of either."""
    if len(right) == 1 and left and right[0][0] >= left[-1][0]:  # the common case: numbers count up
        first, last = left[-1]
        low, high = right[0]
        if low <= last + 1:
            return left if high <= last else (*left[:-1], (first, high))
        return (*left, (low, high))
    joined: list[tuple[int, int]] = []
    for low, high in sorted((*left, *right)):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def without(left: Ranges, right: Ranges) -> Ranges:
    """Every number of `left` that is not in `right`."""
    rest: list[tuple[int, int]] = []
    cuts = iter(right)
    cut = next(cuts, None)
    for first, last in left:
        low = first
        while cut is not None and cut[1] < low:
            cut = next(cuts, None)
        while cut is not None and cut[0] <= last:
            if cut[0] > low:
                rest.append((low, cut[0] - 1))
            low = cut[1] + 1
            if low > last:
                break
            cut = next(cuts, None)
        if low <= last:
            rest.append((low, last))
    return tuple(rest)


def count(ranges: Ranges) -> int:
    """How many numbers there are."""
    return sum(last - first + 1 for first, last in ranges)


def spelt(ranges: Ranges) -> str:
    """As it is written on the air: `2-14,16`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
