"""What alarm reports say: SIA and Contact ID payloads, and the sort of event each code is."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs import dc09_events as events
from hardware.codecs.dc09 import Content, Frame, Kind
from hardware.codecs.dc09_events import Event, Meaning


def sia(payload):
    """The events of an SIA-DCS report of account 1234."""
    return events.events_of(Frame(kind=Kind.SIA, account="1234", content=Content(data=f"#1234|{payload}")))


def cid(payload):
    """The event of an ADM-CID report."""
    return events.events_of(Frame(kind=Kind.CID, account="1234", content=Content(data=f"#1234|{payload}")))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("NPA013", Event(code="PA", zone="013")),
        ("Nri1/PA0013^RM204^", Event(code="PA", zone="0013", area="1", text="RM204")),
        ("Nti12:30/id7/ri2/HA5", Event(code="HA", zone="5", area="2")),
        ("Nri2ti07:24:57HA7", Event(code="HA", zone="7", area="2")),
        ("Nri2HA7/", Event(code="HA", zone="7", area="2")),
        ("NidA7/PA1", Event(code="PA", zone="1")),
        ("OMA1", Event(code="MA", zone="1", qualifier=0)),
        ("NRX", Event(code="RX")),
        ("PA13", Event(code="PA", zone="13")),
        ("Nri1/PA13*'ROOM'NM", Event(code="PA", zone="13", area="1", tail="*'ROOM'NM")),
        ("NPAxyz", Event(code="PA", tail="xyz")),
    ],
)
def test_sia_payloads(payload, expected):
    """What is not understood after a code is kept; it silences no alarm."""
    assert (expected,) == sia(payload)


def test_a_hostile_row_of_modifiers_takes_no_time():
    """4,000 octets, each way that could make a pattern search for ever."""
    for modifier in ("id1/", "idA1/", "id", "id1", "id1A/"):
        for end in ("", "x", "A", "/"):
            with pytest.raises(Malformed):
                sia("N" + modifier * 800 + end)


def test_a_report_may_tell_of_several_events():
    """One after a slash; no more than 16."""
    assert [("PA", "1"), ("BA", "2"), ("HA", "3")] == [
        (event.code, event.zone) for event in sia("Nri1/PA1/BA2^hall^/HA3")
    ]
    assert 16 == len(sia("N" + "/".join(["PA1"] * 40)))


@pytest.mark.parametrize("payload", ["", "N", "Npa013", "N1", "ri1/", "N/PA1"])
def test_what_is_no_sia_report(payload):
    """Malformed."""
    with pytest.raises(Malformed):
        sia(payload)


def test_contact_id_payloads():
    """Three groups, or Malformed."""
    assert (Event(code="120", qualifier=1, area="01", zone="013"),) == cid("1120 01 013")
    for payload in ("", "2120 01 013", "1120 01", "1120 1 013", "1120 01 013 ", "112001013"):
        with pytest.raises(Malformed):
            cid(payload)


def test_a_report_for_another_account_is_malformed():
    """The account inside must be the frame's, which chose the key."""
    for data in ("#9999|NPA013", "NPA013", ""):
        with pytest.raises(Malformed):
            events.events_of(Frame(kind=Kind.SIA, account="1234", content=Content(data=data)))


def test_a_link_test_has_no_events():
    """NULL."""
    assert () == events.events_of(Frame(kind=Kind.NULL, account="1234"))


@pytest.mark.parametrize(
    ("kind", "code", "meaning"),
    [
        *[(Kind.SIA, code, Meaning.PANIC) for code in ("PA", "HA")],
        *[(Kind.CID, code, Meaning.PANIC) for code in ("120", "121", "122", "123")],
        (Kind.SIA, "MA", Meaning.MEDICAL),
        (Kind.CID, "100", Meaning.MEDICAL),
        *[(Kind.SIA, code, Meaning.ALARM) for code in ("FA", "BA", "VA")],
        *[(Kind.CID, code, Meaning.ALARM) for code in ("110", "115", "130", "199")],
        *[(Kind.SIA, code, Meaning.TEST) for code in ("RP", "RX")],
        *[(Kind.CID, code, Meaning.TEST) for code in ("601", "602")],
        *[(Kind.SIA, code, Meaning.TROUBLE) for code in ("TA", "AT", "YT", "YC", "XT")],
        *[(Kind.CID, code, Meaning.TROUBLE) for code in ("137", "144", "301", "302", "350", "384")],
        *[(Kind.SIA, code, Meaning.RESTORE) for code in ("PR", "PH", "HR", "MR", "AR", "YR", "YK")],
        (Kind.SIA, "OC", Meaning.CANCEL),
        (Kind.CID, "406", Meaning.CANCEL),
        (Kind.SIA, "ZZ", Meaning.UNKNOWN),
        (Kind.CID, "999", Meaning.UNKNOWN),
        (Kind.SIA, "CL", Meaning.NOTE),
    ],
)
def test_what_codes_mean(kind, code, meaning):
    """Only what a person pressed for help is panic or medical."""
    assert meaning is events.meaning_of(kind, Event(code=code))


def test_a_restored_contact_id_alarm_is_a_restore():
    """Its qualifier says so; "still there" is an alarm."""
    assert Meaning.RESTORE is events.meaning_of(Kind.CID, Event(code="120", qualifier=3))
    assert Meaning.PANIC is events.meaning_of(Kind.CID, Event(code="120", qualifier=6))
    assert "panic alarm, restored" == events.says(Kind.CID, Event(code="120", qualifier=3))


def test_every_code_agrees_with_pysiaalarm():
    """Contact ID codes that both tables have are of the same sort as the SIA code that it maps them to."""
    from pysiaalarm.data.data import ADM_MAPPING, SIA_CODES

    for code in sorted(set(events.CID_CODES) & set(ADM_MAPPING)):
        ours = events.meaning_of(Kind.CID, Event(code=code))
        theirs = events.meaning_of(Kind.SIA, Event(code=ADM_MAPPING[code]["1"]))
        people = {Meaning.PANIC, Meaning.MEDICAL}
        assert (ours in people) == (theirs in people), code
    assert set() == set(events.SIA_CODES) - set(SIA_CODES)


@given(
    st.builds(
        Event,
        code=st.sampled_from(sorted(events.SIA_CODES)),
        qualifier=st.integers(0, 1),
        zone=st.integers(0, 9999).map(str) | st.just(""),
        area=st.integers(0, 99).map(str) | st.just(""),
        text=st.text("ABC xyz019.-", max_size=30),
    )
)
def test_sia_events_both_ways(event):
    """Written, then read."""
    assert (event,) == sia(events.sia_payload(event))


@given(
    st.builds(
        Event,
        code=st.sampled_from(sorted(events.CID_CODES)),
        qualifier=st.sampled_from((1, 3, 6)),
        zone=st.integers(0, 999).map("{:03}".format),
        area=st.integers(0, 99).map("{:02}".format),
    )
)
def test_contact_id_events_both_ways(event):
    """Written, then read."""
    assert (event,) == cid(events.contact_id_payload(event))


def test_an_event_that_would_be_read_otherwise_is_not_written():
    """A caller's mistake."""
    for event in (Event(code="pa"), Event(code="PA", text="a^b"), Event(code="PA", area="1/x")):
        with pytest.raises(ValueError):
            events.sia_payload(event)
    with pytest.raises(ValueError):
        events.contact_id_payload(Event(code="120", area="1", zone="13"))


@given(st.text(max_size=60))
def test_any_payload_is_events_or_malformed(payload):
    """No other exception."""
    for read in (sia, cid):
        with contextlib.suppress(Malformed):
            read(payload)
