"""Guessing is slowed down; a school behind one address is not shut out."""

from gateway.web.throttle import HALF_LIFE, Throttle
from tests.gateway.web.house import SetClock

NAT = "192.0.2.1"


def guessed(clock: SetClock, tries: int, accounts: int = 1) -> Throttle:
    """A throttle that heard so many wrong tries, spread over so many accounts."""
    throttle = Throttle(clock=clock)
    for number in range(tries):
        throttle.wrong(f"a{number % accounts}", NAT)
    return throttle


def test_one_account_is_slowed_down_more_and_more() -> None:
    """Five tries are free; then each costs twice the wait, a quarter of an hour at most."""
    clock = SetClock()

    assert 0.0 == guessed(clock, 4).wait("a0", NAT)
    assert 1.0 == guessed(clock, 5).wait("a0", NAT)
    assert 8.0 == guessed(clock, 8).wait("a0", NAT)
    assert 900.0 == guessed(clock, 5_000).wait("a0", NAT)
    assert 0.0 == guessed(clock, 8).wait("a0", "192.0.2.2")


def test_an_address_with_many_wrong_tries_makes_nobody_wait_for_long() -> None:
    """A school signs in through one address: sixty slips there cost others seconds, not a quarter of an hour."""
    assert 30.0 == guessed(SetClock(), 600, accounts=600).wait("somebody", NAT)


def test_wrong_tries_fade() -> None:
    """Yesterday's slips do not count today, and a slow trickle of them never becomes a wait."""
    clock = SetClock()
    throttle = guessed(clock, 60, accounts=60)
    clock.step(2 * HALF_LIFE)
    for _ in range(20):
        throttle.wrong("somebody", NAT)
        clock.step(HALF_LIFE)

    assert 0.0 == throttle.wait("anybody", NAT)
    throttle.wrong("somebody", NAT)
    assert 0.0 == throttle.wait("somebody", NAT)


def test_who_gets_it_right_is_forgiven_and_nobody_else() -> None:
    """An account's own slips are taken off the address; guesses at other accounts are not."""
    clock = SetClock()
    throttle = guessed(clock, 49, accounts=49)
    for _ in range(4):
        throttle.wrong("ruth", NAT)
    assert 8.0 == throttle.wait("tom", NAT)
    throttle.right("ruth", NAT)
    assert 0.0 == throttle.wait("tom", NAT)
    throttle.wrong("mallory", NAT)
    throttle.right("ruth", NAT)

    assert 1.0 == throttle.wait("tom", NAT)
