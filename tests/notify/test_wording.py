"""Wording is data; faults are listed; an exercise is marked and the real thing never is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.errors import SettingsError
from belltower.incident.facts import Action, Mode
from notify import words
from notify.segments import segments
from notify.wording import MOST_PARTS, REQUIRED, Slots, parse, too_long

SLOTS = Slots(
    school="Jefferson School",
    place="B 204",
    time="09:14",
    action="lockdown",
    incident="7",
    url="https://b.example/7",
)
WORDS = words.default()
PLAIN = st.text(alphabet="abcdefgh 0123456789{}\\", max_size=20)


@pytest.mark.parametrize("template", REQUIRED)
@pytest.mark.parametrize("channel", ["sms", "email", "console"])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("action", list(Action))
def test_every_shipped_text_is_complete(template: str, channel: str, language: str, action: Action) -> None:
    """Nothing unresolved is left, the school speaks first, and a short message fits in two parts."""
    wording = WORDS

    slots = Slots(
        school="Jefferson School", place="B 204", time="09:14", action=action, incident="7", url="u"
    )
    for mode in Mode:
        text = wording.render(template=template, channel=channel, language=language, mode=mode, slots=slots)
        mark = wording.of(language).mark
        assert "{" not in text.body + text.subject
        assert (mode is Mode.EXERCISE) == (mark in text.body)
        assert channel != "email" or (mode is Mode.EXERCISE) == (mark in text.subject)
        if mode is Mode.EXERCISE:
            assert text.body.strip().startswith(mark)
            assert text.body.strip().endswith(mark)
        else:
            assert text.body.lstrip().startswith("Jefferson School")
        if channel == "sms":
            assert MOST_PARTS >= segments(text.body).parts


@settings(deadline=None)
@given(PLAIN, PLAIN, st.sampled_from(["sms", "email", "console"]), st.sampled_from(REQUIRED))
def test_a_real_text_never_bears_the_mark(school: str, place: str, channel: str, template: str) -> None:
    """Whatever the slots hold, and they are never read as slots themselves."""
    slots = Slots(school=school, place=place, time="09:14", action="lockdown", incident="7", url="u")
    text = WORDS.render(template=template, channel=channel, language="en", mode=Mode.ACTUAL, slots=slots)

    assert "EXERCISE" not in (text.body + text.subject).upper()


def test_an_unknown_place_is_said_in_words() -> None:
    """An alarm without a place still makes a sentence."""
    slots = Slots(school="S", place="", time="09:14")

    text = WORDS.render(template="staff-alarm", channel="sms", language="en", mode=Mode.ACTUAL, slots=slots)

    assert "ALARM at a place not yet known" in text.body


def test_an_unknown_template_is_said_as_a_plain_notice() -> None:
    """A newer lane's template does not leave people untold."""
    text = WORDS.render(
        template="from-the-future", channel="sms", language="xx", mode=Mode.ACTUAL, slots=SLOTS
    )

    assert "Jefferson School: Notice about incident 7 at B 204, 09:14." in text.body


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("channel", ["sms", "console", "email", "voice", "push"])
def test_a_staff_notice_without_an_incident_names_none(language: str, channel: str) -> None:
    """W7: no hole where a number, a place or a cause would stand; what is known is said."""
    bare = Slots(school="Jefferson", place="", time="09:14")
    placed = Slots(school="Jefferson", place="Gym", time="09:14", cause="water")

    texts = [
        WORDS.render(
            template="staff-notice", channel=channel, language=language, mode=Mode.ACTUAL, slots=slots
        )
        for slots in (bare, placed)
    ]

    for text in texts:
        said = f"{text.subject} {text.body}"
        assert "incident" not in said
        assert "  " not in said.strip()
        assert " ," not in said
    assert WORDS.of(language).unknown_place not in texts[0].body
    assert "Gym" in texts[1].body
    assert WORDS.of(language).causes["water"] in texts[1].body


def test_a_district_changes_one_text_and_keeps_the_rest() -> None:
    """A file of the site package lies over the shipped texts."""
    own = parse(
        {"wording/en.toml": 'language = "en"\n[templates.staff-alarm]\nsms = "{school}: help at {place}"'},
        base=WORDS,
    )

    text = own.render(template="staff-alarm", channel="sms", language="en", mode=Mode.ACTUAL, slots=SLOTS)
    mail = own.render(template="staff-alarm", channel="email", language="en", mode=Mode.ACTUAL, slots=SLOTS)

    assert "Jefferson School: help at B 204" == text.body
    assert "Jefferson School: ALARM at B 204, 09:14" == mail.subject


FAULTS = {
    'language = "en"\n[actions]\ndance = "x"': "wording/en.toml: [actions] dance: is not an action; use one of hold",
    'language = "en"\nlanguag = "en"': "wording/en.toml: languag: is not a key of a wording file; remove it",
    'mark = "X"': "wording/en.toml: language: is missing or empty",
    'language = "en"\n[templates.test]\nsms = "{school}: {plaec}"': "sms: names the slot {plaec}; use one of {action}",
    'language = "en"\n[templates.test]\nsms = "{school} }"': "sms: has a brace that belongs to no slot; remove it",
    'language = "en"\n[templates.test]\nsms = "Hello {school}"': "sms: does not say first who speaks; begin with",
    'language = "en"\n[templates.test]\nsms = "{school} this is a drill"': "sms: says 'drill', which only the mark",
    'language = "en"\n[templates.test]\nsms = "{school}: All clear"': "sms: says 'all clear', which no automatic",
    'language = "en"\n[templates.test]\nsms = "{school}: https://bit.ly/x"': "sms: holds an address of its own",
    'language = "en"\n[templates.test]\nsms = 7': "sms: is missing or empty; give a text in quotes",
    'language = "en"\n[templates.test]\ntweet = "x"': "[templates.test] tweet: is not a form of text; use one of sms",
    'language = "en"\n[templates]\ntest = "x"': "templates.test: is not a table; write it as [templates.test]",
    'language = "en"\n[templates.staff-action]\nsms = "x"': "[templates.staff-action.sms]: is not an action",
    'language = "en"\n[templates.test]\nsms = "{school}: '
    + "It is now. " * 30
    + '"': "sms takes 3 parts when filled (actual",
    "language = ": "wording/en.toml: is not TOML",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_a_fault_is_named_with_its_mend(text: str, fault: str) -> None:
    """File, table, key, what is wrong and what to write instead."""
    with pytest.raises(SettingsError) as caught:
        parse({"wording/en.toml": text}, base=WORDS)

    assert fault in str(caught.value)


def test_all_faults_are_listed_together() -> None:
    """Two faulty files, three faults, one error."""
    with pytest.raises(SettingsError) as caught:
        parse(
            {"a.toml": 'language = "en"\nx = 1\n[actions]\ny = "z"', "b.toml": "nonsense"},
            base=WORDS,
        )

    assert 3 == len(str(caught.value).splitlines())


def test_a_file_that_stands_alone_must_be_complete() -> None:
    """Every missing template and action is listed."""
    with pytest.raises(SettingsError) as caught:
        parse({"tl.toml": 'language = "tl"\nmark = "X"\nunknown_place = "?"'})

    assert "tl.toml: [templates.staff-action.evacuate]: is missing" in str(caught.value)
    assert "tl.toml: [actions] shelter: is missing" in str(caught.value)


def test_a_school_whose_name_makes_texts_too_long_hears_of_it() -> None:
    """The check runs on the real names."""
    long_name = "Ācademy of the Most Long Name That a District Ever Gave to One of Its Many Schools " * 2

    assert any("sms takes" in fault for fault in too_long(WORDS, school=long_name))
    assert [] == too_long(WORDS, school="Jefferson School", places=("B 204",), url="https://b.example/i/7")
