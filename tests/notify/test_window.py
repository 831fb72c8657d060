"""How many messages a provider is handed at once, in which order at an address, and until when: without any clock of ours."""

from random import Random

from belltower.clock import SECOND, Instant
from notify.expiry import Expiry
from notify.turns import Turns
from notify.window import Window


class Stepping:
    """A wall clock that somebody sets."""

    at = Instant(100 * SECOND)

    def now(self) -> Instant:
        return self.at


def opened(at_once: int) -> Window:
    """A window that is as wide as can be."""
    window = Window(at_once=at_once, random=Random(1))
    for _ in range(at_once):
        window.well(0.0)
    return window


def test_it_begins_narrow_and_opens_with_every_success() -> None:
    """Sixteen at first, then one more for each message that was taken."""
    window = Window(at_once=100, random=Random(1))
    first = window.free(0)
    for _ in range(10):
        window.well(0.0)

    assert (16, 26) == (first, window.free(0))


def test_a_commit_is_shared() -> None:
    """A single free place is not worth a lease; a quarter of them is."""
    window = Window(at_once=16, random=Random(1))

    assert [0, 0, 4] == [window.free(flying) for flying in (15, 13, 12)]


def test_some_stand_in_line_while_nothing_goes_wrong() -> None:
    """What leaves in 50 ms: of answers within 50 ms, as many again as are in flight."""
    window = opened(100)

    assert 199 == window.free(0)
    window.uncertain()
    assert 50 == window.free(0)


def test_trouble_lets_it_rest_and_asks_one_afterwards() -> None:
    """Longer each time, or as long as the provider asked for; the trouble is over with the first success."""
    window = opened(100)
    other = window.pause("http:503", None, 0.0)
    first = window.paused_until
    again = window.pause("http:503", None, first)
    second = window.paused_until - first
    window.pause("http:429", 30.0, window.paused_until)

    assert (True, False) == (other, again)
    assert 0.25 <= first <= 0.5 <= second <= 1.0
    assert first + second + 30.0 == window.paused_until
    assert ("http:429", 1) == (window.trouble, window.free(0))
    end = window.paused_until
    assert (True, False) == (window.well(end), window.well(end))


def test_what_is_answered_while_it_rests_says_nothing_of_it() -> None:
    """It was asked before: were the trouble over, nobody would take over for as long as it rests."""
    window = opened(16)
    window.pause("http:429", 30.0, 10.0)

    assert not window.well(39.9)
    assert ("http:429", 1) == (window.trouble, window.free(0))
    assert window.well(40.0)
    assert "" == window.trouble


def test_one_address_hears_one_text_after_another() -> None:
    """Each waits for the one before it, and nobody for another address."""
    turns: Turns[str] = Turns()
    may = [
        turns.take("a", "first"),
        turns.take("a", "second"),
        turns.take("a", "third"),
        turns.take("b", "other"),
    ]

    assert [True, False, False, True] == may
    assert ["second", "third", None] == [turns.end("a") for _ in range(3)]
    assert turns.take("a", "fourth")


def test_a_wall_clock_that_is_set_back_makes_no_notice_worth_sending_for_longer() -> None:
    """Ordered ten seconds ago, worth sending for sixty: fifty more, by the loop's time."""
    clock = Stepping()
    expiry = Expiry(ttl=60.0, clock=clock)
    until = expiry.until("ntc_1", 1, Instant(90 * SECOND), 7.0)
    clock.at = Instant(0)

    assert [57.0, 57.0] == [until, expiry.until("ntc_1", 1, Instant(90 * SECOND), 8.0)]
