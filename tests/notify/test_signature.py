"""Our signature is Twilio's: their own library is the judge."""

from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from notify.signature import sign, verified

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
