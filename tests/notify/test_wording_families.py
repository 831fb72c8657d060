"""What families read, by the requirements of the field note on wording (W1 to W12, W24, W26 to W28)."""

from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from belltower.clock import Instant
from belltower.errors import SettingsError
from belltower.ids import IncidentId, NoticeId, PlaceId
from belltower.incident.facts import Action, Mode, NoticeOrdered
from belltower.incident.told import Readers, clearing, correcting, readers
from floorplans.place import Place
from notify import words
from notify.filling import slots_of
from notify.segments import Alphabet, segments
from notify.site import NoticeSite
from notify.store import Ordered
from notify.wording import (
    FAMILY_FALLBACK,
    LIMITS,
    MOST_PARTS,
    WORDS,
    Phase,
    SitePhase,
    Slots,
    WordingSet,
    all_faults,
    approvals,
    approving,
    cells,
    exercise_only,
    families,
    for_families,
    grade,
    parse,
    promises,
    site_text,
    too_long,
)
from notify.wording.lint import SHORTENERS, address_fault, lint, phrase_faults

GOLDEN = Path(__file__).parents[1] / "golden"
DRAFTS = words.default()
APPROVED = approving.everything(DRAFTS, name="Ana Ruiz", date=date(2026, 11, 20))
CHANNELS = ("sms", "voice", "email", "push", "paging", "sign", "console")
LANGUAGES = ("en", "es")
MATRIX = [families(action, phase) for action in Action for phase in Phase] + [
    site_text(phase) for phase in SitePhase
]
EVERY = [*MATRIX, *(name for name in cells() if for_families(name) and name not in MATRIX)]
SLOTS = Slots(
    school="Jefferson School",
    place="B 204",
    time="09:14",
    incident="17",
    url="https://b.example/17",
    cause="fire",
    next="13:05",
    phone="+15550100100",
    site="Lakeside Church",
    former="Town Hall",
)
VOCABULARIES = {
    "five actions": None,
    "Idaho-like": GOLDEN / "wording" / "idaho-like.toml",
    "New-York-like": GOLDEN / "wording" / "new-york-like.toml",
}


def vocabulary(name: str) -> WordingSet:
    """The texts of a district that has these words for actions."""
    file = VOCABULARIES[name]
    return DRAFTS if file is None else parse({file.name: file.read_text(encoding="utf-8")}, base=DRAFTS)


def one(template: str, text: str, *, form: str = "sms", language: str = "en") -> list[str]:
    """The faults of one text."""
    return list(lint(text, wording=DRAFTS.languages[language], template=template, form=form))


@pytest.mark.parametrize("name", VOCABULARIES)
def test_w1_another_districts_words_are_loaded_without_a_change_of_code(name: str) -> None:
    """Three vocabularies pass the same checks, and each says its own words."""
    texts = vocabulary(name)

    assert [] == all_faults(texts)
    assert [] == too_long(texts, school="Jefferson Elementary School", url="https://bell.example.org/i/99999")
    assert set(cells()) <= texts.source.templates.keys()
    own = {"five actions": "ROOM", "Idaho-like": "HALL CHECK", "New-York-like": "SOFT LOCKDOWN"}[name]
    assert own in texts.source.actions[Action.HOLD]
    for template in ("staff-action", families(Action.HOLD, Phase.NOW)):
        said = texts.said(
            template=template,
            channel="sms",
            language="en",
            mode=Mode.ACTUAL,
            slots=replace(SLOTS, action="hold"),
        )
        assert own.casefold() in said.body.casefold()


def test_w2_words_of_a_school_protocols_owner_want_a_licence() -> None:
    """A district names the licence under which it types them in; without one they are refused."""
    text = '[templates.test]\nsms = "{school}: Lock outside doors, please. This is a test at {time}."'
    with pytest.raises(SettingsError, match="belong to a school protocol's owner"):
        parse({"en.toml": f'language = "en"\n{text}'}, base=DRAFTS)

    parse({"en.toml": f'language = "en"\n[lint]\nlicence = "No. 17 of 2026"\n{text}'}, base=DRAFTS)


CONTENTS = {
    "{school}: As of {time}, the school is in lockdown. Do not come. Next update: {next}.": "",
    "As of {time}, the school is in lockdown. Do not come. Next update: {next}.": "who speaks",
    "{school}: As of {time}, the school is open. Do not come. Next update: {next}.": "what happens",
    "{school}: As of {time}, we are in lockdown. Do not call. Next update: {next}.": "say where",
    "{school}: As of {time}, the school is in lockdown. Next update: {next}.": "what to do",
    "{school}: The school is in lockdown. Do not come. Next update: {next}.": "since when",
    "{school}: As of {time}, the school is in lockdown. Do not come.": "when there is more",
}


@pytest.mark.parametrize(("text", "lacks"), CONTENTS.items())
def test_w3_a_text_that_lacks_one_of_the_contents_is_refused(text: str, lacks: str) -> None:
    """Source, what, where, do, since, and when there is more; only the whole one passes."""
    faults = one("families.lockdown.now", text)

    assert [bool(lacks)] == [lacks in fault for fault in faults] or (not lacks and not faults)


@pytest.mark.parametrize("template", [*EVERY, "families-of-the-district", "child.please-wait"])
def test_w3_no_text_for_families_is_let_off_but_what_names_no_hazard(template: str) -> None:
    """Of one child none says where or what; the two that no action names say where, and all say what to do and when."""
    faults = " ".join(one(template, "{school}: Hello."))

    for lacks in ("what to do", "since when", "when there is more"):
        assert f"does not say {lacks}" in faults
    of_child = template.startswith("child.")
    assert of_child != ("does not say where;" in faults)
    named = of_child or template in {"families-notice", "families-closed"}
    assert named != ("does not say what happens" in faults)
    assert [] == one("staff-notice", "{school}: Hello.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_w3_every_shipped_text_says_all_of_it_when_it_is_filled(language: str) -> None:
    """School, times and the number to call are in what is sent."""
    for template in EVERY:
        mode = Mode.EXERCISE if exercise_only(template) else Mode.ACTUAL
        for channel in ("sms", "voice", "email", "push"):
            text = APPROVED.said(
                template=template, channel=channel, language=language, mode=mode, slots=SLOTS
            )
            assert language == text.language
            assert "Jefferson School" in text.body
            assert "9:14" in text.body
            assert "1:05" in text.body


@pytest.mark.parametrize("language", LANGUAGES)
def test_w4_texts_ask_for_six_years_of_school_by_two_formulas(language: str) -> None:
    """And for fifteen words a sentence, at most; Spanish has formulas of its own."""
    hardest: dict[str, float] = {}
    for template in DRAFTS.languages[language].templates.values():
        for form, text in asdict(template).items():
            found = grade.reading(text, language=language)
            assert grade.LONGEST_SENTENCE >= found.sentence
            if form in {"sms", "voice", "body", "push"} and found.words >= grade.FEWEST_WORDS:
                for formula, value in found.grades.items():
                    hardest[formula] = max(value, hardest.get(formula, 0.0))

    assert 2 == len(hardest)
    assert grade.HIGHEST_GRADE >= max(hardest.values())


def test_w4_a_hard_text_is_refused_with_its_grade() -> None:
    """Long words, long sentences."""
    text = (
        "{school}: Notwithstanding {cause}, the administration of the school is implementing lockdown procedures as of"
        " {time}, necessitating that all the families do not approach the facility in question until further notice. Next update: {next}."
    )

    faults = one("families.lockdown.now", text)

    assert any("(Flesch-Kincaid)" in fault for fault in faults)
    assert any("(automated readability)" in fault for fault in faults)
    assert any("words a sentence" in fault for fault in faults)


@pytest.mark.parametrize("language", LANGUAGES)
def test_w5_lengths_are_those_of_the_filled_text_on_its_encoding(language: str) -> None:
    """Two parts at most, exercise and interpreter counted; 90 and 360 characters for signs and phones."""
    for template in EVERY:
        for mode in Mode:
            if mode is Mode.ACTUAL and exercise_only(template):
                continue
            sms = APPROVED.said(template=template, channel="sms", language=language, mode=mode, slots=SLOTS)
            assert MOST_PARTS >= segments(sms.body).parts
            for form, most in LIMITS.items():
                text = APPROVED.said(
                    template=template, channel=form, language=language, mode=mode, slots=SLOTS
                )
                assert most >= len(text.body)

    plain = APPROVED.said(
        template=families(Action.SECURE, Phase.NOW),
        channel="sms",
        language=language,
        mode=Mode.ACTUAL,
        slots=replace(SLOTS, cause="animal"),
    )
    assert Alphabet.GSM7 == segments(plain.body).alphabet


def test_w5_a_name_that_flips_the_encoding_is_found_before_anything_is_sent() -> None:
    """One í makes every character cost twice: the check says which texts come to three parts."""
    faults = too_long(DRAFTS, school="Escuela José Martí", url="https://bell.example.org/i/99999")

    assert any("of ucs2" in fault for fault in faults)
    assert all("sms takes" in fault for fault in faults)


@pytest.mark.parametrize("channel", CHANNELS)
def test_w6_without_an_approval_people_read_english_and_the_interpreters_number(channel: str) -> None:
    """Both of a language that nobody has approved, and of one that has no text at all."""
    template = families(Action.LOCKDOWN, Phase.NOW)
    english = DRAFTS.said(template=template, channel=channel, language="en", mode=Mode.ACTUAL, slots=SLOTS)
    for language in ("es", "vi", "zh-Hans"):
        text = DRAFTS.said(
            template=template, channel=channel, language=language, mode=Mode.ACTUAL, slots=SLOTS
        )
        if channel in {"paging", "sign", "console"}:
            assert english == text
            continue
        number = "5 5 5, 0 1 0, 0 1 0 0" if channel == "voice" else "+15550100100"
        assert text.body.startswith(english.body.rstrip())
        assert f"Interpreter: {number}." in text.body
        assert f"en-x-{language.casefold()}" == text.language

    spanish = APPROVED.said(
        template=template, channel=channel, language="es-MX", mode=Mode.ACTUAL, slots=SLOTS
    )
    assert "es" == spanish.language


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from(MATRIX),
    st.sampled_from(["sms", "voice", "subject", "body", "push", "paging", "sign"]),
    st.integers(0, 10_000),
    st.characters(codec="utf-8"),
)
def test_w6_one_changed_character_voids_the_approval(
    language: str, template: str, form: str, where: int, letter: str
) -> None:
    """On the side of the source as on that of the translation; other templates keep theirs."""
    wording = APPROVED.languages[language]
    before: str = getattr(wording.templates[template], form)
    at = where % len(before)
    after = before[:at] + letter + before[at + 1 :]
    changed = replace(wording.templates[template], **{form: after})
    texts = replace(
        APPROVED,
        languages={
            **APPROVED.languages,
            language: replace(wording, templates={**wording.templates, template: changed}),
        },
    )

    assert (before == after) == texts.approved("es", template)
    assert texts.approved("es", FAMILY_FALLBACK)


def test_w6_approvals_carry_a_name_and_a_date_and_are_read_back() -> None:
    """The file that the command writes; faults in it are named with their mend."""
    text = approvals.written(APPROVED.approvals)
    read, faults = approvals.read("approvals.toml", text)

    assert ([], len(APPROVED.approvals)) == (faults, len(read))
    assert {("Ana Ruiz", date(2026, 11, 20))} == {(each.name, each.date) for each in read}
    assert [] == approving.void(replace(DRAFTS, approvals=tuple(read)))
    _, faults = approvals.read("a.toml", '[[approval]]\nlanguage = "es"\ndate = "soon"\nsha = "x"')
    assert [
        "a.toml: approval[1].sha: is not a key of an approval; remove it",
        "a.toml: approval[1].template: is missing or empty; give a text in quotes",
        "a.toml: approval[1].name: is missing or empty; give a text in quotes",
        "a.toml: approval[1].sha256: is missing or empty; give a text in quotes",
        "a.toml: approval[1].date: is not a date; write it as 2026-01-31, without quotes",
    ] == faults


def test_w6_what_all_texts_share_is_approved_too() -> None:
    """Another word for a cause, and nothing of the language is sent."""
    spanish = APPROVED.languages["es"]
    other = replace(spanish, causes={**spanish.causes, "fire": "fuego"})
    texts = replace(APPROVED, languages={**APPROVED.languages, "es": other})

    assert not texts.approved("es", families(Action.HOLD, Phase.NOW))
    assert ["es"] == [each.language for each in approving.void(texts)]
    assert [WORDS] == [each.template for each in approving.void(texts)]


def test_w7_slots_take_typed_values_only() -> None:
    """Free text in an order is as if nothing had been given; ids become names, instants become times."""
    site = NoticeSite(
        school="Jefferson School",
        people={},
        places={PlaceId("church"): Place(id=PlaceId("church"), label="Lakeside Church")},
        audiences={},
        wording=APPROVED,
        timezone="America/Chicago",
        phone="+15550100100",
    )
    at = Instant(1_800_000_000_000_000)

    def said(slots: dict[str, str]) -> str:
        order = NoticeOrdered(
            notice=NoticeId("not_1"),
            revision=1,
            incident=IncidentId(""),
            mode=Mode.ACTUAL,
            template=families(Action.EVACUATE, Phase.DISMISSAL),
            audience="",
            slots=slots,
        )
        ordered = Ordered(
            notice=order.notice,
            revision=1,
            incident=order.incident,
            template=order.template,
            place="",
            mode=order.mode,
            urgency=0,
            ordered_at=at,
        )
        return APPROVED.said(
            template=order.template,
            channel="sms",
            language="en",
            mode=order.mode,
            slots=slots_of(order, ordered, site),
        ).body

    assert (
        "Jefferson School: Dismissal has moved as of 2:00 AM because of smoke. Meet your child at Lakeside Church."
        " Bring a photo card. Next update: 2:20 AM."
    ) == said({"cause": "smoke", "site": "church", "next": str(at + 1_200_000_000)})
    assert (
        "Jefferson School: Dismissal has moved as of 2:00 AM because of an emergency report. Meet your child at a place to"
        " be confirmed. Bring a photo card. Next update: when we know more."
    ) == said(
        {"cause": "the police {url}", "site": "my house", "next": "soon", "url": "http://x", "more": "x"}
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_w8_the_matrix_is_complete(language: str) -> None:
    """Five actions by six phases and five texts about where families go, by seven forms; none the same as another's."""
    templates = DRAFTS.languages[language].templates
    texts = [
        (form, getattr(templates[name], form))
        for name in MATRIX
        for form in ("sms", "voice", "subject", "body", "push", "paging", "sign")
    ]

    assert 245 == len(texts)
    assert all(text.strip() for _, text in texts)
    assert 35 == len({text for form, text in texts if form == "body"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_w18_w19_a_text_about_another_place_names_both_in_every_way_that_has_room(language: str) -> None:
    """Where families go, and where no longer; a sign at the school says only to follow the staff."""
    for channel in ("sms", "voice", "email", "push", "paging"):
        for phase in (SitePhase.OPEN, SitePhase.MOVED, SitePhase.ROUTE):
            text = APPROVED.said(
                template=site_text(phase), channel=channel, language=language, mode=Mode.ACTUAL, slots=SLOTS
            )
            assert "Lakeside Church" in text.body
            assert (phase is SitePhase.MOVED) == ("Town Hall" in text.body)


@pytest.mark.parametrize(
    ("phase", "text", "fault"),
    [
        (SitePhase.OPEN, "the place to meet your child is ready", "does not say where families go"),
        (SitePhase.OPEN, "the place to meet your child[ is {site}]", "does not say where families go"),
        (SitePhase.MOVED, "the place to meet your child is {site}", "does not say where they no longer go"),
        (
            SitePhase.MOVED,
            "the place to meet your child is {site}[, no longer {former}]",
            "does not say where they no longer go",
        ),
        (SitePhase.MOVED, "the place to meet your child is {site}, no longer {former}", ""),
        (SitePhase.OPEN, "the place to meet your child is {site}, not {former}", "names {former}"),
    ],
)
def test_w19_a_text_that_leaves_the_place_out_is_refused(phase: SitePhase, text: str, fault: str) -> None:
    """And one in which it may go; the place that is no longer meant is named only where it has changed."""
    faults = one(site_text(phase), f"{{school}}: As of {{time}}, {text}. Do not come here. {{next}}")

    assert [bool(fault)] == [fault in each for each in faults] or (not fault and not faults)


def test_w8_a_cell_that_lacks_is_a_fault() -> None:
    """A language of one's own has all of them, or says that it is partial and is not sent where it lacks."""
    text = DRAFTS_OF_THE_DISTRICT.replace("[families.hold.now]", "[families.hold.update]")
    with pytest.raises(SettingsError) as caught:
        parse({"so.toml": text}, base=DRAFTS)
    assert (
        "so.toml: [families.hold.now]: is missing; give sms, voice, subject, body, push, paging, sign"
        in str(caught.value)
    )

    partial = parse({"so.toml": f"partial = true\n{DRAFTS_OF_THE_DISTRICT}"}, base=DRAFTS)
    ready = approving.everything(partial, name="Hodan Ali", date=date(2026, 11, 20))
    tongues = [
        ready.said(template=name, channel="sms", language="so", mode=Mode.ACTUAL, slots=SLOTS).language
        for name in (families(Action.HOLD, Phase.NOW), families(Action.HOLD, Phase.UPDATE))
    ]
    assert ["so", "en-x-so"] == tongues


DRAFTS_OF_THE_DISTRICT = """
language = "so"
mark = "TIJAABO TIJAABO TIJAABO"
unknown_place = "meel aan la garanayn"
campus = "dugsiga oo dhan"
unknown_cause = "warbixin degdeg ah"
[actions]
hold = "A"
secure = "B"
lockdown = "C"
evacuate = "D"
shelter = "E"
[lint]
never = ["waa nabad"]
drill = ["tijaabo*"]
what = ["qolalka"]
where = ["dugsiga"]
do = ["ha imaan"]
[families.hold.now]
sms = "{school}: {time}: qolalka dugsiga. Ha imaan. {next}."
voice = "{school}: {time}: qolalka dugsiga. Ha imaan. {next}."
subject = "{school}: {time}"
body = "{school}: {time}: qolalka dugsiga. Ha imaan. {next}."
push = "{school}: {time}: qolalka dugsiga. Ha imaan. {next}."
paging = "Qolalka."
sign = "QOLALKA"
"""

OF_ONE_CHILD = [
    ("en", "{school}: Your child was injured, {time}."),
    ("en", "{school}: Your child got no INJURIES at {time}."),
    ("en", "{school}: Your child is at the hospital, {time}."),
    ("en", "{school}: Your child was transported at {time}."),
    ("en", "{school}: Your child talks to the police, {time}."),
    ("en", "{school}: Your child saw the suspects, {time}."),
    ("en", "{school}: Your child is miss\u00ading, {time}."),
    ("en", "{school}: The child's mother is here, {time}."),
    ("en", "{school}: Wait because of the roads, {time}."),
    ("en", "{school}: Your child was shot, {time}."),
    ("en", "{school}: Your child is bleeding, {time}."),
    ("en", "{school}: Your daughter passed away, {time}."),
    ("en", "{school}: Your child is a victim, {time}."),
    ("en", "{school}: Your child fell, {time}."),
    ("en", "{school}: Your child is in surgery, {time}."),
    ("en", "{school}: Mr. Smith picked up your child, {time}."),
    ("es", "{school}: Su hija fue herida a {time}."),
    ("es", "{school}: Sus hijas fueron trasladadas, {time}."),
    ("es", "{school}: Su hijo está en el HOSPITAL, {time}."),
    ("es", "{school}: Su hijo habla con la policía, {time}."),
    ("es", "{school}: Su hijo es testigo, {time}."),
    ("es", "{school}: Su hija está sangrando, {time}."),
    ("es", "{school}: Su hijo fue baleado, {time}."),
    ("es", "{school}: Su hijo se cayó, {time}."),
    ("es", "{school}: Su abuela recogió a su hija, {time}."),
]


@pytest.mark.parametrize(("language", "text"), OF_ONE_CHILD)
def test_w9_no_text_about_one_child_says_what_happened_to_it(language: str, text: str) -> None:
    """In any inflection, any size of letters, with or without accents; in a district's own texts too."""
    assert any("of one child" in fault for fault in one("child.please-wait", text, language=language))
    file = f'language = "{language}"\n[child.please-wait]\n' + "\n".join(
        f'{form} = "{text}"' for form in ("sms", "voice", "subject", "body", "push", "paging", "sign")
    )
    with pytest.raises(SettingsError, match="of one child"):
        parse({"own.toml": file}, base=DRAFTS)


PROMISED = [
    ("en", "All students are safe."),
    ("en", "Every one of our students is now safe."),
    ("en", "Your children are doing fine."),
    ("en", "ALL  CLEAR"),
    ("en", "All\u200b clear!"),
    ("en", "No one was hurt."),
    ("en", "There were no injuries."),
    ("en", "Everyone is accounted for."),
    ("en", "The suspect is in custody."),
    ("en", "Another bus is coming."),
    ("en", "More students are on the way."),
    ("en", "3 students are missing."),
    ("en", "The danger is over."),
    ("en", "School will reopen at noon."),
    ("en", "Each student is safe."),
    ("en", "The whole class is safe."),
    ("en", "{school} is safe."),
    ("en", "It is safe now."),
    ("en", "The children are out of the building and safe."),
    ("en", "Students are all right."),
    ("en", "Everyone got out."),
    ("en", "Nobody is in danger."),
    ("en", "The threat has ended."),
    ("en", "The situation is resolved."),
    ("en", "Police have the suspect."),
    ("en", "False alarm."),
    ("en", "You may come soon."),
    ("es", "Todos los alumnos están a salvo."),
    ("es", "Todos los alumnos estan bien."),
    ("es", "Sus hijas están seguras."),
    ("es", "Nadie resultó herido."),
    ("es", "No hay heridos."),
    ("es", "Está bajo custodia."),
    ("es", "Viene otro autobús."),
    ("es", "Hay 3 niños desaparecidos."),
    ("es", "El peligro ya pasó."),
    ("es", "La escuela reabrirá a mediodía."),
    ("es", "La escuela es segura."),
    ("es", "Todo está bajo control."),
    ("es", "Detuvieron al sospechoso."),
    ("es", "La policía ya tiene al sospechoso."),
    ("es", "La situación está controlada."),
    ("es", "Fue una falsa alarma."),
    ("es", "Pronto volveremos a clases."),
]


@pytest.mark.parametrize(("language", "promise"), PROMISED)
def test_w10_no_text_of_ours_promises_what_the_machine_cannot_know(language: str, promise: str) -> None:
    """Safety, custody, counts, buses, forecasts."""
    lists = DRAFTS.languages[language].lists

    faults = list(phrase_faults(f"{{school}}: {promise}", lists=lists, template="families.hold.now"))

    assert any("which no automatic text may promise" in fault for fault in faults)


SAFE = {
    "en": (
        ("each student", "the class", "{school}", "it", "our building", "your daughter", "the bus", "room 204"),
        ("is safe", "is now safe", "was kept safe", "is still very much unharmed", "remains safe", "got out and is okay"),
    ),
    "es": (
        ("cada alumno", "la clase", "{school}", "nuestro edificio", "su hija", "el salón"),
        ("está a salvo", "sigue segura", "es seguro", "salió ilesa", "quedó protegido", "está muy bien"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["families.hold.update", "families-notice", "staff-notice", "test"])
def test_w10_nothing_and_nobody_is_safe_by_a_machines_word(language: str, template: str) -> None:
    """Whatever the subject is."""
    lists = DRAFTS.languages[language].lists
    for subject, end in product(*SAFE[language]):
        faults = list(phrase_faults(f"{{school}}: {subject} {end}.", lists=lists, template=template))
        assert any("which no automatic text may promise" in fault for fault in faults), (subject, end)


MAY_BE_SAID = {
    "en": (
        "Find a safe place.",
        "Open to no one. Danger at {place}. Stay calm.",
        "We write as soon as we know more.",
        "Police have asked each person to keep away.",
        "Meet at the hall for music and fine arts.",
        "Students leave the building because of a fire.",
    ),
    "es": (
        "Busque un lugar seguro.",
        "No abra a nadie. Peligro en {place}.",
        "Tan pronto como se sepa más le avisamos.",
        "La policía pide a cada persona no acercarse.",
        "Cierre bien las puertas.",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["families.hold.update", "staff-notice"])
def test_w10_what_tells_people_what_to_do_is_no_promise(language: str, template: str) -> None:
    """Words that a promise is made of stand in directives too."""
    lists = DRAFTS.languages[language].lists

    assert [] == [
        fault
        for text in MAY_BE_SAID[language]
        for fault in phrase_faults(f"{{school}}: {text}", lists=lists, template=template)
    ]


TOLD_BY_PEOPLE = [
    ("en", "Two students are hurt."),
    ("en", "Students were injured."),
    ("en", "Your kids are not hurt."),
    ("en", "A teacher has been shot."),
    ("en", "We search for a missing child."),
    ("en", "The shooter is dead."),
    ("en", "There are victims."),
    ("es", "Dos alumnos heridos."),
    ("es", "Una maestra fue lastimada."),
    ("es", "Falta un niño desaparecido."),
    ("es", "El tirador huyó."),
]


@pytest.mark.parametrize(("language", "told"), TOLD_BY_PEOPLE)
def test_w10_no_machine_tells_families_who_was_hurt_or_held(language: str, told: str) -> None:
    """Neither in a text nor in a cause; staff are told to report whom they miss."""
    lists = DRAFTS.languages[language].lists
    for template in ("families.hold.update", "families-notice"):
        faults = list(phrase_faults(f"{{school}}: {told}", lists=lists, template=template))
        assert any("tell it in person" in fault or "may promise" in fault for fault in faults)

    with pytest.raises(SettingsError, match=r"\[causes\] told: says"):
        parse({"x.toml": f'language = "{language}"\n[causes]\ntold = "{told}"'}, base=DRAFTS)
    staff = "{school}: Report any student who is hurt."
    assert [] == list(phrase_faults(staff, lists=lists, template="staff-notice"))


def test_w10_what_stands_in_a_slot_promises_no_more_than_a_text() -> None:
    """Neither a cause of the district's own nor the name of a place."""
    with pytest.raises(SettingsError, match=r"\[causes\] relief: says 'all students are safe'"):
        parse(
            {"en.toml": 'language = "en"\n[causes]\nrelief = "good news: all students are safe"'}, base=DRAFTS
        )

    assert [] != list(promises("Room where everyone is safe", DRAFTS))
    assert [] == list(promises("Safe Harbor Hall", DRAFTS))


def test_w10_a_district_adds_phrases_and_takes_none_away() -> None:
    """Its list comes on top of the one that ships, and the texts that ship are held against it."""
    own = parse({"en.toml": 'language = "en"\n[lint]\nnever = ["heroes"]'}, base=DRAFTS)

    assert "heroes" in own.source.lists["never"]
    assert "all clear" in own.source.lists["never"]
    with pytest.raises(SettingsError, match="says 'classes go on', which no automatic"):
        parse({"en.toml": 'language = "en"\n[lint]\nnever = ["classes go on"]'}, base=DRAFTS)


@pytest.mark.parametrize("name", ["مدرسة النور", "בית ספר", "光明小学", "Łódź 🏫", "Escuela Ñandú"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_w11_names_of_every_script_are_rendered_in_every_variant(channel: str, name: str) -> None:
    """Whole, and where the direction differs kept from turning the rest around."""
    slots = replace(SLOTS, school=name, site=name)
    for template in EVERY:
        mode = Mode.EXERCISE if exercise_only(template) else Mode.ACTUAL
        text = APPROVED.said(template=template, channel=channel, language="en", mode=mode, slots=slots)
        if channel not in {"paging", "sign"}:
            assert name in text.body
        if channel in {"email", "push"}:
            turned = name[0] >= "\u0590" and name[0] < "\u0700"
            assert turned == (f"\u2068{name}\u2069" in text.body)
        assert text.body.count("\u2068") == text.body.count("\u2069")


@pytest.mark.parametrize(("language", "mark"), [("en", "EXERCISE"), ("es", "SIMULACRO")])
@pytest.mark.parametrize("channel", CHANNELS)
def test_w24_an_exercise_is_marked_at_both_ends_and_the_real_thing_never(
    channel: str, language: str, mark: str
) -> None:
    """What says that something is practised is never said of what is so: neutral words stand in."""
    for template in EVERY:
        real, drill = (
            APPROVED.said(template=template, channel=channel, language=language, mode=mode, slots=SLOTS)
            for mode in (Mode.ACTUAL, Mode.EXERCISE)
        )
        for text in (drill.body, *([drill.subject] if channel == "email" else [])):
            assert text.strip().startswith(f"{mark} {mark} {mark}")
            assert text.strip().endswith(f"{mark} {mark} {mark}")
        assert mark not in (real.body + real.subject).upper()
        assert "PRACTI" not in (real.body + real.subject).upper()
        if exercise_only(template):
            neutral = APPROVED.said(
                template=FAMILY_FALLBACK,
                channel=channel,
                language=language,
                mode=Mode.ACTUAL,
                slots=replace(SLOTS, action=template.split(".")[1]),
            )
            assert neutral == real


FOREIGN = (
    *("example.de", "school.io", "lincoln.school", "escuela.españa", "学校.中国", "a.b.museum", "x@y.dev"),
    *("example.de/i/7", "EXAMPLE.DE.", "noon.wait", "10.0.0.1", "192.168.7.20:8443"),
)


def test_w26_links_are_of_our_own_domain_and_the_sender_speaks_first() -> None:
    """No shortener, no address in a text, no foreign domain in the settings."""
    for host in SHORTENERS:
        assert any(
            "address of its own" in fault for fault in one("test", f"{{school}}: {host}/x at {{time}}")
        )
        assert "hides where" in address_fault(f"https://{host}/x", ())
    for address in (*FOREIGN, *(f"{{school}}.{ending}" for ending in ("com", "de"))):
        assert any("address of its own" in fault for fault in one("test", f"{{school}}: See {address} now"))
        with pytest.raises(SettingsError, match=r"\[causes\] see: holds an address"):
            parse({"x.toml": f'language = "en"\n[causes]\nsee = "{address}"'}, base=DRAFTS)
    assert [] == one("test", "{school}: At 9.30 a.m. we test. Call 555.0100. See U.S. rules, No. 7.")
    assert "none of your domains" in address_fault("https://example.com/i/7", ("example.org",))
    assert "none of your domains" in address_fault("https://notexample.org/i/7", ("example.org",))
    assert "" == address_fault("https://bell.example.org:8443/i/7", ("example.org",))
    for language in LANGUAGES:
        for template in EVERY:
            texts = asdict(DRAFTS.languages[language].templates[template])
            assert all(
                texts[form].startswith("{school}") for form in ("sms", "voice", "subject", "body", "push")
            )


@pytest.mark.parametrize("language", LANGUAGES)
def test_w27_a_voice_reads_no_address_and_says_figures_one_by_one(language: str) -> None:
    """The texts as they are spoken, held against those of record."""
    spoken = []
    for template in EVERY:
        mode = Mode.EXERCISE if exercise_only(template) else Mode.ACTUAL
        text = APPROVED.said(
            template=template, channel="voice", language=language, mode=mode, slots=SLOTS
        ).body
        assert "http" not in text
        assert "5 5 5, 0 1 0, 0 1 0 0" in text
        spoken.append(f"{template}\n{text}\n")

    assert (GOLDEN / "wording" / f"voice-{language}.txt").read_text(encoding="utf-8") == "\n".join(spoken)
    for form in ("voice", "console"):
        assert any(
            "reads an address aloud" in fault for fault in one("test", "{school}: {url}", form=form)
        ) == (form == "voice")


@pytest.mark.parametrize("name", VOCABULARIES)
def test_w28_secure_and_lockdown_are_told_apart_in_every_text(name: str) -> None:
    """No form of the one is a form of the other, and no text for the one names the other."""
    texts = vocabulary(name).source
    for phase in Phase:
        secure = asdict(texts.templates[families(Action.SECURE, phase)])
        lockdown = asdict(texts.templates[families(Action.LOCKDOWN, phase)])
        for form in ("sms", "voice", "body", "push", "paging", "sign"):
            assert secure[form] != lockdown[form]
            assert "lockdown" not in secure[form].casefold()
    assert texts.actions[Action.SECURE] != texts.actions[Action.LOCKDOWN]


SEED = (GOLDEN / "wording" / "idaho-like.toml").read_text(encoding="utf-8")
PIECES = st.sampled_from(
    [
        '"',
        "[",
        "]",
        "{",
        "}",
        "=",
        "[[",
        "\n",
        "..",
        "|",
        "*",
        "{url}",
        "true",
        "[lint]",
        "1e999",
        "\x00",
        "\u202e",
    ]
)


def damaged(where: int, piece: str, cut: int) -> None:
    """One damaged file and one damaged list of approvals, read."""
    at = where % len(SEED)
    text = SEED[:at] + piece + SEED[at + cut :]
    try:
        parse({"en.toml": text}, base=DRAFTS)
    except SettingsError as error:
        assert all(line.startswith(("en.toml: ", "wording ")) for line in str(error).splitlines())
    kept = approvals.written(APPROVED.approvals[:3])
    at = where % len(kept)
    approvals.read("a.toml", kept[:at] + piece + kept[at + cut :])


@settings(deadline=None, max_examples=100)
@example(1609, "\x85", 0)
@given(st.integers(0, 5_000), PIECES | st.text(max_size=5), st.integers(0, 40))
def test_a_damaged_file_is_refused_with_its_name_or_of_use(where: int, piece: str, cut: int) -> None:
    """Never anything else: no crash, no hang."""
    damaged(where, piece, cut)


@pytest.mark.soak
@settings(deadline=None, max_examples=5_000)
@given(st.integers(0, 5_000), PIECES | st.text(max_size=5), st.integers(0, 40))
def test_five_thousand_damaged_files_are_refused_or_of_use(where: int, piece: str, cut: int) -> None:
    """The same for longer."""
    damaged(where, piece, cut)


HOSTILE = {
    'language = "' + "x" * 50 + '"': "is no tag of a language",
    'language = "en"\na = ' + "[" * 5_000: "is not TOML",
    'language = "en"\n[lint]\nnever = ["a .. b .. c .. d"]': "has more than 2 gaps",
    'language = "en"\n[templates.test]\nbody = "{school} '
    + "a " * 3_000
    + '"': "has 6009 characters; write 4000",
}


@pytest.mark.parametrize(("text", "fault"), HOSTILE.items(), ids=HOSTILE.values())
def test_what_would_take_for_ever_is_refused_first(text: str, fault: str) -> None:
    """Nothing in a file decides how long its reading takes."""
    with pytest.raises(SettingsError) as caught:
        parse({"en.toml": text}, base=DRAFTS)

    assert fault in str(caught.value)


def test_what_takes_a_text_back_or_ends_it_is_of_the_same_readers_and_known() -> None:
    """Also where a text names no action."""
    for name in cells():
        for after in (correcting(name), clearing(name)):
            assert readers(name) is readers(after)
            assert after in DRAFTS.source.templates
            assert (readers(name) is Readers.FAMILIES) == for_families(after)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(("language", "mistake"), [("en", " was a mistake"), ("es", " fue un error")])
def test_the_subject_of_a_correction_says_which_message_was_wrong(
    action: Action, language: str, mistake: str
) -> None:
    """W18: what is urgent may overtake it, and then it is not about the last message any more."""
    texts = DRAFTS.languages[language].templates[f"families.{action}.correction"]
    named = texts.subject.partition(": ")[2].partition(mistake)[0]

    assert named.casefold() in texts.form("sms").casefold()


@pytest.mark.parametrize(("language", "mistake"), [("en", " was a mistake"), ("es", " fue un error")])
def test_the_general_correction_says_which_message_was_wrong(language: str, mistake: str) -> None:
    """W18: in every form in which it is heard or read whole."""
    texts = DRAFTS.languages[language].templates["families-correction"]
    named = texts.subject.partition(": ")[2].partition(mistake)[0]

    assert all(named in texts.form(kind) for kind in ("sms", "voice", "body", "push", "paging"))
    assert not any(word in texts.subject for word in ("last", "anterior"))
