"""No valid token means ACTUAL."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from belltower.clock import Instant
from belltower.errors import NotVerified
from belltower.incident import drill
from belltower.incident.drill import DrillAuthorisation

PRINCIPAL, OFFICER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEYS = {"principal": PRINCIPAL.public_key(), "officer": OFFICER.public_key()}
GOOD = DrillAuthorisation(
    id="d1",
    campus="lincoln",
    kind="lockdown",
    begins=Instant(100),
    until=Instant(200),
    authorisers=("principal", "officer"),
)


def verified(token: str, now: int = 150, used: frozenset[str] = frozenset()) -> DrillAuthorisation:
    return drill.verify(token, keys=KEYS, campus="lincoln", now=Instant(now), used=used)


def test_a_token_of_two_authorisers_is_valid_in_its_window() -> None:
    """What was signed comes back."""
    assert GOOD == verified(drill.sign(GOOD, (PRINCIPAL, OFFICER)))


@pytest.mark.parametrize(
    ("authorisation", "keys"),
    [
        (GOOD, (PRINCIPAL, PRINCIPAL)),
        (GOOD, (OFFICER, PRINCIPAL)),
        (replace(GOOD, authorisers=("principal", "principal")), (PRINCIPAL, PRINCIPAL)),
        (replace(GOOD, authorisers=("principal", "stranger")), (PRINCIPAL, OFFICER)),
        (replace(GOOD, campus="roosevelt"), (PRINCIPAL, OFFICER)),
        (replace(GOOD, until=Instant(150)), (PRINCIPAL, OFFICER)),
        (replace(GOOD, begins=Instant(151)), (PRINCIPAL, OFFICER)),
    ],
    ids=["one signer", "swapped", "one person twice", "stranger", "other campus", "over", "not yet"],
)
def test_a_faulty_token_is_no_token(
    authorisation: DrillAuthorisation, keys: tuple[Ed25519PrivateKey, Ed25519PrivateKey]
) -> None:
    """Each way of being wrong is refused."""
    with pytest.raises(NotVerified):
        verified(drill.sign(authorisation, keys))


def test_a_token_opens_one_drill_only() -> None:
    """A used token is refused."""
    with pytest.raises(NotVerified, match="used"):
        verified(drill.sign(GOOD, (PRINCIPAL, OFFICER)), used=frozenset({"d1"}))


@given(st.data())
def test_no_altered_token_is_valid(data: st.DataObject) -> None:
    """Any one changed character voids it."""
    token = drill.sign(GOOD, (PRINCIPAL, OFFICER))
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCxyz09-_.").filter(lambda character: character != token[at]))
    # The last character of a part may carry unused bits: alter only where a change is a change.
    altered = token[:at] + other + token[at + 1 :]
    try:
        read = verified(altered)
    except NotVerified:
        return
    assert GOOD == read


@given(st.text(max_size=300))
def test_any_text_is_refused_not_crashed_on(text: str) -> None:
    """Nonsense is no token."""
    with pytest.raises(NotVerified):
        verified(text)
