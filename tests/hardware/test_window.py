"""The replay window against the plainest model: remember everything."""

from hypothesis import given
from hypothesis import strategies as st

from hardware.codecs.window import WIDTH, Judgement, ReplayWindow

heard = st.tuples(st.integers(0, 3), st.integers(0, 200))


@given(st.lists(heard, max_size=80))
def test_the_window_agrees_with_a_full_memory(frames: list[tuple[int, int]]) -> None:
    """Fresh is fresh once, a known counter is seen, and what fell out of the window or the epoch is stale."""
    window = ReplayWindow()
    memory: set[tuple[int, int]] = set()
    for epoch, counter in frames:
        latest = max((e for e, _ in memory), default=0)
        highest = max((c for e, c in memory if e == latest), default=0)
        if epoch == 0 or epoch < latest or (epoch == latest and counter <= highest - WIDTH):
            expected = Judgement.STALE
        elif (epoch, counter) in memory:
            expected = Judgement.SEEN
        else:
            expected = Judgement.FRESH
        assert expected is window.judge(epoch, counter)
        window = window.after(epoch, counter)
        if expected is not Judgement.STALE:
            memory.add((epoch, counter))


@given(st.lists(heard, max_size=80))
def test_a_stored_window_is_restored(frames: list[tuple[int, int]]) -> None:
    """A database's signed numbers hold it."""
    window = ReplayWindow()
    for epoch, counter in frames:
        window = window.after(epoch, counter)

    assert all(-(2**63) <= value < 2**63 for value in window.stored())
    assert window == ReplayWindow.restored(*window.stored())


def test_epoch_0_is_never_fresh() -> None:
    """A unit that lost its memory might count again what was heard already: it is challenged."""
    assert Judgement.STALE is ReplayWindow().judge(0, 0)
    assert ReplayWindow() == ReplayWindow().after(0, 5)


def test_nothing_new_is_learnt_from_a_frame_heard_before() -> None:
    """The same window stays, so that nothing need be stored."""
    window = ReplayWindow().after(1, 5)

    assert window is window.after(1, 5)
    assert window is window.after(0, 9)
