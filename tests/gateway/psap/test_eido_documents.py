"""EIDO documents: our records and core-subset.schema.json give the same verdict, and what we write passes both."""

import json
from copy import deepcopy
from pathlib import Path
from random import Random

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.ids import PlaceId
from belltower.incident.facts import AlarmKind, Mode, UpdateKind, UpdateOrdered
from floorplans.campus import Campus, Civic
from gateway.psap import pidf
from gateway.psap.eido import document as eido
from gateway.psap.eido import reading, writing
from gateway.psap.link import Spot, admitted, update_of
from tests.gateway.psap.house import order

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "gateway/psap/eido/core-subset.schema.json").read_text())
SAMPLE = (ROOT / "tests/golden/eido/school-panic.json").read_bytes()

FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checks("date-time")(lambda text: not isinstance(text, str) or _is_rfc3339(text))
JUDGE = jsonschema.Draft202012Validator(SCHEMA, format_checker=FORMATS)

CAMPUS = Campus(
    id="lincoln",
    name='Lincoln "High" & <Co>',
    address=Civic(
        state="IL", county="Kane", city="Aurora", road="New York St", number="2106", postcode="60502"
    ),
    position=(41.772035, -88.473291),
    telephone="+16305550100",
)
ISSUER = writing.Issuer(element="belltower.lincolnhs.example", agency="lincolnhs.example", campus=CAMPUS)
SPOT = Spot(spoken="B 204", building="B", building_name="North wing", level="2", room="204")
AT = Instant(1_790_000_000_123_000)


def _is_rfc3339(text):
    """The standard's form, apart from our pattern: date, T, time, offset."""
    try:
        date, moment = text[:10], text[11:]
        year, month, day = date.split("-")
        clock, offset = (moment[:-1], "+00:00") if moment[-1] in "Zz" else (moment[:-6], moment[-6:])
        hour, minute, second = clock.split(":")
        whole, _, fraction = second.partition(".")
        off_hour, off_minute = offset[1:].split(":")
        digits = [year, month, day, hour, minute, whole, off_hour, off_minute]
        return (
            text[10] in "Tt"
            and all(part.isascii() and part.isdigit() for part in digits)
            and [len(part) for part in digits] == [4, 2, 2, 2, 2, 2, 2, 2]
            and (fraction.isascii() and fraction.isdigit() if "." in second else True)
            and offset[0] in "+-"
            and 1 <= int(month) <= 12
            and 1 <= int(day) <= 31
            and int(hour) <= 23
            and int(minute) <= 59
            and int(whole) <= 60
            and int(off_hour) <= 23
            and int(off_minute) <= 59
        )
    except (ValueError, IndexError):
        return False


def a_call(number=7, *, mode=Mode.ACTUAL, kind=AlarmKind.PANIC, spot=SPOT, now=None):
    """A call as links get it, ordered now where a clock is given."""
    ordered = order(number, mode=mode, accepted=mode is Mode.EXERCISE, kind=kind)
    return admitted(ordered, place=spot.spoken, spot=spot, at=now.now() if now else AT)


def an_update(call, kind, spot=None):
    """Its first update."""
    ordered = UpdateOrdered(
        call=call.order.call, incident=call.order.incident, update=1, kind=kind, place=PlaceId("x")
    )
    return update_of(call, ordered, spot=spot)


def accepted(value):
    """Our verdict on a JSON value."""
    try:
        eido.parse(json.dumps(value).encode())
    except Malformed:
        return False
    return True


def written():
    """One document of each sort."""
    live, drill = a_call(), a_call(8, mode=Mode.EXERCISE, kind=AlarmKind.MEDICAL)
    elsewhere = Spot(spoken="Gym")
    for call in (live, drill):
        yield writing.write(ISSUER, call)
        yield writing.write(ISSUER, call, further=((2, 9), (11, 11)))
        yield writing.write(ISSUER, call, update=an_update(call, UpdateKind.CANCEL))
        yield writing.write(ISSUER, call, update=an_update(call, UpdateKind.PLACE, elsewhere))


# ---- the schema


def test_the_sample_passes_and_comes_back_as_it_was():
    """Parsed and written again it is the same JSON."""
    document = eido.parse(SAMPLE)

    assert json.loads(SAMPLE) == json.loads(eido.encode(document))
    assert () == eido.dangling(document)


@pytest.mark.parametrize("document", list(written()))
def test_what_we_write_passes_the_schema_and_names_nothing_that_is_missing(document):
    """The library jsonschema is the judge; and reading it gives the same record."""
    JUDGE.validate(json.loads(eido.encode(document)))

    assert document == eido.parse(eido.encode(document))
    assert () == eido.dangling(document)


BROKEN = {
    "$.eidoVersion": lambda it: it.update(eidoVersion="1.1"),
    "`agencyComponent`": lambda it: it.pop("agencyComponent"),
    "$.agencyComponent": lambda it: it.update(agencyComponent=[]),
    "$.incidentComponent.incidentStatusCommonRegistryText[0]": lambda it: it["incidentComponent"].update(
        incidentStatusCommonRegistryText=["Over"]
    ),
    "$.incidentComponent.locationReference[0]": lambda it: it["incidentComponent"].update(
        locationReference=["6f0d"]
    ),
    "$.alarmsSensorsComponent[0]": lambda it: it["alarmsSensorsComponent"][0].update(
        csaaAlarmInformation="x"
    ),
    "$.notesComponent[0]": lambda it: it["notesComponent"][0].pop("notesActionComments"),
    "$.lastUpdateTimeStamp": lambda it: it.update(lastUpdateTimeStamp="yesterday"),
    "$.locationComponent[0].locationTypeDescriptionRegistryText": lambda it: it["locationComponent"][
        0
    ].update(locationTypeDescriptionRegistryText="Somewhere"),
    "$.$id": lambda it: it.update({"$id": "urn:emergency:uid:callid:1:x"}),
}


@pytest.mark.parametrize("path", BROKEN)
def test_a_broken_document_is_refused_with_its_path(path):
    """Both verdicts agree, and ours says where."""
    broken = json.loads(SAMPLE)
    BROKEN[path](broken)

    assert not JUDGE.is_valid(broken)
    with pytest.raises(Malformed) as refused:
        eido.parse(json.dumps(broken).encode())
    assert path.strip("`") in str(refused.value)


def _spots(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _spots(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _spots(inner, (*path, at))


ODD = [None, True, 0, 1.0, 1.5, -3, "", "x", "Active", "2026-11-22T00:32:34Z", [], {}, ["Active"], [{}]]
ODD += [{"$ref": "x"}, {"$ref": ""}, [{"$ref": "x"}], 10**30, "1.0", "urn:emergency:uid:incidentid:a:b"]


def _changed(document, random):
    changed = deepcopy(document)
    for _ in range(random.choice((1, 1, 2))):
        path = random.choice([path for path in _spots(changed) if path])
        parent = changed
        for step in path[:-1]:
            parent = parent[step]
        match random.randrange(4):
            case 0:
                del parent[path[-1]]
            case 1 if isinstance(parent, dict):
                parent["also"] = random.choice(ODD)
            case 2 if isinstance(parent, list):
                parent.append(deepcopy(random.choice(ODD)))
            case _:
                parent[path[-1]] = deepcopy(random.choice(ODD))
    return changed


def test_our_records_and_the_schema_agree_on_documents_changed_at_random():
    """What jsonschema says of one or two changes anywhere, we say."""
    random = Random(4)
    documents = [json.loads(SAMPLE), *(json.loads(eido.encode(document)) for document in written())]
    verdicts = []
    for _ in range(600):
        changed = _changed(random.choice(documents), random)
        verdicts.append(JUDGE.is_valid(changed))
        assert verdicts[-1] == accepted(changed), changed

    assert 60 < sum(verdicts) < 540


def test_a_time_must_be_rfc_3339():
    """By the pattern, as by the judge."""
    for text in ("2026-11-22T00:32:34.000-06:00", "2026-11-22T00:32:34Z", "2026-11-22t23:59:60.5z"):
        assert accepted({**json.loads(SAMPLE), "lastUpdateTimeStamp": text}), text
    for text in (
        "2026-11-22",
        "2026-13-22T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T00:00:00",
        "٢٠٢٦-11-22T00:00:00Z",
    ):
        assert not accepted({**json.loads(SAMPLE), "lastUpdateTimeStamp": text}), text


# ---- hostile octets


def mutated(runs, seed=5):
    """Octets of real documents with changes, through both readers: only Malformed."""
    random = Random(seed)
    seeds = [SAMPLE, *(eido.encode(document) for document in written())]
    refused = 0
    for _ in range(runs):
        octets = bytearray(random.choice(seeds))
        for _ in range(random.choice((1, 1, 2, 5, 40))):
            at = random.randrange(len(octets))
            match random.randrange(5):
                case 0:
                    octets[at] = random.randrange(256)
                case 1:
                    del octets[at : at + random.randrange(1, 64)]
                case 2:
                    octets[at:at] = random.choice((b"{", b"[", b'"', b"\\", b"\xff", b"null", b"1e999", b","))
                case 3:
                    octets[at:at] = octets[at : at + 32]
                case _:
                    octets[at] ^= 1 << random.randrange(8)
            octets = octets or bytearray(b"{")
        data = bytes(octets)
        try:
            eido.parse(data)
        except Malformed:
            refused += 1
        try:
            said = reading.read(data, element=ISSUER.element, agency=ISSUER.agency)
        except Malformed:
            said = None
        assert said is None or (not said.person and not said.read_by), data
    return refused


def test_mutated_documents_are_malformed_or_fit():
    """Twenty thousand of them; none makes a person answer."""
    assert mutated(20_000) > 10_000


@pytest.mark.soak
def test_a_million_mutated_documents():
    """The same, longer."""
    assert mutated(1_000_000, seed=6) > 500_000


def test_depth_length_and_nonsense_are_malformed():
    """Bounded whatever comes."""
    for data in (
        b"",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"nul",
        b'"\\ud800"',
        b" " * (eido.MOST + 1),
        b"\xff\xfe",
    ):
        for reader in (eido.parse, lambda it: reading.read(it, element="x", agency="y")):
            with pytest.raises(Malformed):
                reader(data)


# ---- what we say


def test_a_call_says_where_help_is_needed_and_who_asks():
    """Type, state, priority, place in words and by value, and the call's name in the note."""
    document = json.loads(eido.encode(writing.write(ISSUER, a_call())))
    incident, note = document["incidentComponent"], document["notesComponent"][0]["notesActionComments"]
    location = document["locationComponent"][0]

    assert "urn:emergency:uid:incidentid:C7-I12-KZZ000007:belltower.lincolnhs.example" == document["$id"]
    assert "ALRPANS" == incident["incidentTypeCommonRegistryText"]
    assert ["Active"] == incident["incidentStatusCommonRegistryText"]
    assert "C7 I12 KZZ000007" == incident["internalIncidentId"]
    assert note.startswith("Silent panic alarm: B 204, North wing, level 2")
    assert note.endswith("[C7 I12 KZZ000007]")
    assert "CurrentIncident" == location["locationTypeDescriptionRegistryText"]
    (placed,) = pidf.parse(location["locationByValue"].encode())
    assert (CAMPUS.position, 1_790_000_000_000_000) == (placed.point, placed.at)
    assert {"HNO": "2106", "BLD": "North wing", "ROOM": "204", "FLR": "2"}.items() <= dict(
        placed.civic
    ).items()


def test_an_exercise_is_no_emergency_to_whoever_reads_any_part_of_it():
    """Its id, type, code and every note say so; it has no priority."""
    call = a_call(mode=Mode.EXERCISE)
    for document in (
        writing.write(ISSUER, call),
        writing.write(ISSUER, call, further=((2, 3),)),
        writing.write(ISSUER, call, update=an_update(call, UpdateKind.CANCEL)),
    ):
        told = json.loads(eido.encode(document))
        incident = told["incidentComponent"]
        assert ":EX-C7" in told["$id"]
        assert ("NONEMERG", "EXERCISE") == (
            incident["incidentTypeCommonRegistryText"],
            incident["incidentTypeInternalCode"],
        )
        assert "incidentCommonPriorityNumber" not in incident
        assert all(note["notesActionComments"].startswith("EXERCISE") for note in told["notesComponent"])


def test_live_and_exercise_never_look_alike():
    """No live document says EXERCISE, no exercise one has an alarm's type; two thousand in turn."""
    for number in range(1, 2_001):
        mode = Mode.EXERCISE if number % 2 else Mode.ACTUAL
        octets = eido.encode(writing.write(ISSUER, a_call(number, mode=mode)))
        assert (mode is Mode.EXERCISE) == (b"EXERCISE" in octets) == (b"ALRPANS" not in octets)


def test_a_cancellation_stays_active_until_a_person_decides():
    """A machine's word ends no response."""
    document = writing.write(ISSUER, a_call(), update=an_update(a_call(), UpdateKind.CANCEL))

    assert (eido.IncidentStatus.ACTIVE,) == document.incident_component.incident_status_common_registry_text
    assert "ASKS TO CANCEL" in document.notes_component[1].notes_action_comments


def test_a_correction_moves_the_incident_and_keeps_where_it_was():
    """The current place first, the first one as such."""
    document = writing.write(
        ISSUER, a_call(), update=an_update(a_call(), UpdateKind.PLACE, Spot(spoken="Gym", room="G1"))
    )

    assert ["CurrentIncident", "InitialIncident"] == [
        location.location_type_description_registry_text for location in document.location_component
    ]
    assert "help is needed at Gym, not at B 204" in document.notes_component[1].notes_action_comments


printable = st.text(st.characters(codec="utf-8"), max_size=40)


@settings(max_examples=60, deadline=None)
@given(
    spoken=printable,
    building=printable,
    number=st.integers(1, 2**63 - 1),
    kind=st.sampled_from(AlarmKind),
    mode=st.sampled_from(Mode),
    at=st.integers(0, 4_000_000_000_000_000),
)
def test_whatever_a_place_is_called_a_call_comes_back_as_it_was(spoken, building, number, kind, mode, at):
    """Round trip, and the id names the call."""
    spot = Spot(spoken=spoken, building=building, room=building)
    ordered = order(number, mode=mode, accepted=True, kind=kind)
    call = admitted(ordered, place=spoken, spot=spot, at=Instant(at))
    document = writing.write(ISSUER, call)

    assert document == eido.parse(eido.encode(document))
    assert writing.name_of(call) == writing.named_by(document.id, ISSUER.element)
    assert None is writing.named_by(document.id, "other.example")
