"""No valid token means ACTUAL."""

from __future__ import annotations

from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from belltower.clock import SECOND, Instant
from belltower.errors import NotVerified
from belltower.incident import drill
from belltower.incident.drill import LONGEST, DrillAuthorisation
from belltower.incident.facts import Action

PRINCIPAL, OFFICER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEYS = {"principal": PRINCIPAL.public_key(), "officer": OFFICER.public_key()}
GOOD = DrillAuthorisation(
    id="d1",
    campus="lincoln",
    places=("lincoln",),
    action=Action.LOCKDOWN,
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
        (replace(GOOD, until=Instant(101 + LONGEST)), (PRINCIPAL, OFFICER)),
        (replace(GOOD, places=()), (PRINCIPAL, OFFICER)),
        (replace(GOOD, places=("b",) * 101), (PRINCIPAL, OFFICER)),
        (replace(GOOD, id=""), (PRINCIPAL, OFFICER)),
    ],
    ids=[
        *("one signer", "swapped", "one person twice", "stranger", "other campus", "over", "not yet"),
        *("too long", "nowhere", "too many places", "no id"),
    ],
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


def test_one_signature_is_none_and_two_names_of_one_key_are_one_person() -> None:
    """Half a token, a third signature, and a key that two names share are refused."""
    payload = drill.payload_of(GOOD)
    signed = [drill.signature(payload, key) for key in (PRINCIPAL, OFFICER)]
    for signatures in ([], signed[:1], [*signed, signed[1]]):
        with pytest.raises(NotVerified):
            verified(drill.join(payload, *signatures))
    twin = drill.sign(GOOD, (PRINCIPAL, PRINCIPAL))
    shared = {"principal": PRINCIPAL.public_key(), "officer": PRINCIPAL.public_key()}
    with pytest.raises(NotVerified, match="one key"):
        drill.verify(twin, keys=shared, campus="lincoln", now=Instant(150), used=())


def test_a_signature_over_the_payload_alone_is_none() -> None:
    """What the key signed elsewhere, without the prefix, agrees to no drill."""
    payload = drill.payload_of(GOOD)
    with pytest.raises(NotVerified, match="false"):
        verified(drill.join(payload, PRINCIPAL.sign(payload), OFFICER.sign(payload)))


_names = st.text("abcB-0", min_size=1, max_size=4)
_agreed = st.builds(
    DrillAuthorisation,
    id=st.sampled_from(["d1", "d2"]),
    campus=st.sampled_from(["lincoln", "roosevelt"]),
    places=st.lists(_names, max_size=3).map(tuple),
    action=st.sampled_from([None, *Action]),
    begins=st.integers(0, 300).map(Instant),
    until=st.integers(-5, 300).map(Instant),
    authorisers=st.tuples(*[st.sampled_from(["principal", "officer", "stranger"])] * 2),
    psap_accepted=st.booleans(),
)
_keys = st.sampled_from([PRINCIPAL, OFFICER, Ed25519PrivateKey.generate()])


@settings(max_examples=150)
@given(
    agreed=_agreed, keys=st.tuples(_keys, _keys), now=st.integers(0, 300), used=st.frozensets(st.just("d2"))
)
def test_only_two_of_this_campus_in_their_window_and_once_make_a_drill(agreed, keys, now, used) -> None:
    """Whatever is signed by whomever: it is valid exactly when every rule holds, and comes back as it was."""
    holders = {"principal": PRINCIPAL, "officer": OFFICER}
    rules = (
        set(agreed.authorisers) == set(holders),
        [holders.get(name) for name in agreed.authorisers] == list(keys),
        agreed.campus == "lincoln",
        agreed.places != (),
        agreed.id not in used,
        agreed.begins <= now < agreed.until,
    )
    try:
        read = verified(drill.sign(agreed, keys), now, used)
    except NotVerified:
        assert not all(rules)
    else:
        assert all(rules)
        assert agreed == read


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_a_spoilt_token_is_never_another_agreement(count: int) -> None:
    """Characters changed, cut, doubled and swapped between two good tokens: refused, or the very same agreement."""
    random = Random(5)
    other = replace(GOOD, id="d9", places=("B",), until=Instant(100 + 900 * SECOND))
    tokens = [drill.sign(each, (PRINCIPAL, OFFICER)) for each in (GOOD, other)]
    valid = 0
    for _ in range(count):
        token = random.choice(tokens)
        match random.randrange(5):
            case 0:
                at = random.randrange(len(token))
                spoilt = token[:at] + random.choice("ABab09-_.= \n\x00é") + token[at + 1 :]
            case 1:
                spoilt = token[: random.randrange(len(token))]
            case 2:
                at = random.randrange(len(token))
                spoilt = token[:at] + token[random.randrange(len(token)) :]
            case 3:
                parts = [random.choice(tokens).split(".")[place] for place in (0, 1, 2)]
                spoilt = ".".join(parts)
            case _:
                parts = token.split(".")
                random.shuffle(parts)
                spoilt = ".".join(parts)
        try:
            read = verified(spoilt)
        except NotVerified:
            continue
        valid += 1
        assert read in (GOOD, other)
    assert valid < count / 5


@pytest.mark.parametrize(
    ("places", "place", "building", "inside"),
    [
        (("lincoln",), None, "", True),
        (("B",), "b-204", "B", True),
        (("B",), None, "B", True),
        (("B",), "a-101", "A", False),
        (("b-204",), "b-204", "B", True),
        (("b-204",), "b-205", "B", False),
        (("B", "b-204"), None, "", False),
    ],
)
def test_a_drill_covers_its_places_only(places, place, building, inside) -> None:
    """A press whose place is not known is inside the whole campus only."""
    assert inside == drill.covers(places, campus="lincoln", place=place, building=building)
