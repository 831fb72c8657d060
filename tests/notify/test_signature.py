"""Our signature is Twilio's: their own library is the judge."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from belltower.errors import Malformed, NotVerified
from notify.channels.inbox import TwilioInbox
from notify.channels.twilio_api import TwilioReports
from notify.signature import pairs, sign, signed_form, verified

PUBLIC = "https://bell.example"
READERS = (
    TwilioInbox(public_url=PUBLIC, token="secret").read,
    TwilioReports(public_url=PUBLIC, token="secret", statuses={}).read,
)
FORMS = st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=20), max_size=8)
TOKENS = st.text(min_size=1, max_size=40)


@given(FORMS, TOKENS)
def test_it_is_the_same_signature(form: dict[str, str], token: str) -> None:
    """For any form and token."""
    url = "https://bell.school.example/notices/callbacks/sms/dlv_1?x=y"

    assert RequestValidator(token).compute_signature(url, form) == sign(url, form.items(), token)


@given(FORMS, TOKENS, st.text(max_size=40))
def test_a_forgery_is_not_believed(form: dict[str, str], token: str, forged: str) -> None:
    """Whatever it is, even if it is not ASCII."""
    url = "https://bell.school.example/x"
    right = sign(url, form.items(), token)

    assert verified(url, form.items(), token, right)
    assert (forged == right) == verified(url, form.items(), token, forged)
    assert not verified(url + "/", form.items(), token, right)


@pytest.mark.parametrize("body", [b"Body=caf\xe9", b"Body=%ff", b"Body", b"a=1&" * 201 + b"b=2"])
def test_what_is_no_form_is_said_to_be_none(body: bytes) -> None:
    """Reports and messages are read in the same way: no octet of either is guessed."""
    for read in READERS:
        with pytest.raises(Malformed, match="it is not a form"):
            read("/x", {}, body)


@given(st.binary(max_size=200))
def test_whatever_is_unsigned_is_not_read(body: bytes) -> None:
    """Any octets at all: not a form, or not signed."""
    for read in READERS:
        with pytest.raises((Malformed, NotVerified)):
            read("/x", {"X-Twilio-Signature": ""}, body)


def test_a_signed_form_is_read_and_its_last_value_counts() -> None:
    """The path with its query, and every field, stand under the signature."""
    body = b"From=%2B15550100&Body=&From=%2B15550101"
    fields = [("From", "+15550100"), ("Body", ""), ("From", "+15550101")]
    headers = {"X-Twilio-Signature": sign("https://bell.example/x?y=1", fields, "secret")}

    read = signed_form("https://bell.example", "/x?y=1", headers, body, "secret")

    assert {"From": "+15550101", "Body": ""} == read
    with pytest.raises(NotVerified):
        signed_form("https://bell.example", "/x?y=2", headers, body, "secret")


@given(
    form=st.one_of(
        st.text(alphabet="ab=&%+4fC3e9", max_size=40),
        st.lists(st.tuples(st.text(), st.text()), max_size=5).map(urlencode),
    )
)
def test_a_form_is_read_as_the_standard_library_reads_it(form: str) -> None:
    """Whatever it is made of; and what that refuses is refused."""
    try:
        expected = parse_qsl(form, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        with pytest.raises(ValueError):
            pairs(form)
    else:
        assert expected == pairs(form)


def test_a_form_of_more_fields_than_any_provider_sends_is_refused() -> None:
    """Memory stays bounded."""
    assert 200 == len(pairs("&".join(["a=b"] * 200)))
    with pytest.raises(ValueError, match="200"):
        pairs("&".join(["a=b"] * 201))
