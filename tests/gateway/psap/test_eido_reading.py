"""What a county's document says of our calls: which ones it is about, how far responders are, who has the call."""

import json

import pytest

from belltower.errors import Malformed
from belltower.incident.facts import ResponseStatus, UpdateKind
from gateway.psap.eido import reading

OURS = "urn:emergency:uid:incidentid:C7-I12-K0A1B2C3D:belltower.school.example"
THEIRS = "urn:emergency:uid:incidentid:2026-4711:cad.county.example"
AGENCY = {"$id": "county.example"}
PERSON = {
    "$id": "jane.doe@county.example",
    "agentRoleRegistryText": ["Call Taking"],
    "agencyReference": {"$ref": "county.example"},
    "agentWorkstationPositionIdentification": "POS-3",
}
ANSWERED = {"answerDate": "2026-11-22T12:00:00Z", "agentReference": [{"$ref": "jane.doe@county.example"}]}


def read(**fields):
    """What this document says of the school's calls."""
    octets = json.dumps({"$id": OURS, **fields}).encode()
    return reading.read(octets, element="belltower.school.example", agency="school.example")


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({}, True),
        ({"$id": OURS.replace("belltower", "BELLTOWER")}, True),
        ({"$id": OURS.replace("C7", "EX-C7")}, True),
        ({"$id": THEIRS}, False),
        ({"$id": OURS.replace("school", "other")}, False),
        (
            {
                "$id": THEIRS,
                "linkComponent": [{"incidentTrackingIdentifier": OURS, "linkDirectionCode": "RELATED"}],
            },
            True,
        ),
        (
            {
                "$id": THEIRS,
                "linkComponent": [{"incidentTrackingIdentifier": OURS, "linkDirectionCode": "UNLINK"}],
            },
            False,
        ),
        (
            {
                "$id": THEIRS,
                "mergeComponent": [
                    {"incidentTrackingIdentifier": OURS, "incidentMergeDirectionCode": "REPLACING"}
                ],
            },
            True,
        ),
        (
            {
                "$id": THEIRS,
                "mergeComponent": [
                    {"incidentTrackingIdentifier": OURS, "incidentMergeDirectionCode": "SPLIT"}
                ],
            },
            False,
        ),
        (
            {"$id": THEIRS, "notesComponent": [{"notesActionComments": "school says [C7 I12 K0A1B2C3D]"}]},
            True,
        ),
        ({"$id": THEIRS, "notesComponent": [{"notesActionComments": "XC7 I12 K0A1B2C3DD"}]}, False),
        ({"$id": THEIRS, "incidentComponent": {"internalIncidentId": "C7 I12 K0A1B2C3D"}}, True),
    ],
)
def test_a_document_is_about_our_call_when_it_names_it(fields, about):
    """By its id, a link, a merge, its internal id or a note."""
    said = read(**fields)

    assert ([(7, 12, "0A1B2C3D")] if about else []) == [
        (call.number, call.incident, call.key) for call in (said.calls if said else ())
    ]


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["Active"], None),
        ([], None),
        (["Active", "ResourcesAssigned"], ResponseStatus.ASSIGNED),
        (["ResourcesAssigned", "ResourcesEnroute"], ResponseStatus.ENROUTE),
        (["ResourcesOnscene", "ResourcesEnroute"], ResponseStatus.ONSCENE),
        (["Closed", "ResourcesOnscene"], ResponseStatus.CLOSED),
        (["Cancelled"], ResponseStatus.CLOSED),
        (["Closed", "ReOpened", "ResourcesEnroute"], ResponseStatus.ENROUTE),
        (["SomethingNew", "ResourcesEnroute"], ResponseStatus.ENROUTE),
    ],
)
def test_the_furthest_state_counts(states, status):
    """Whatever the order; reopened is not closed."""
    assert status is read(incidentComponent={"incidentStatusCommonRegistryText": states}).status


def person(**changes):
    """Who has the call, after these changes to a document that says so."""
    fields = {"agencyComponent": [AGENCY], "agentComponent": [PERSON], "callComponent": [ANSWERED]}
    return read(**{**fields, **changes}).person


def test_a_person_has_the_call_when_a_call_was_answered_by_an_agent_of_the_county():
    """Named by position."""
    assert "POS-3" == person()


def test_an_agent_without_a_position_is_a_code_and_never_a_name():
    """An id may be one."""
    code = person(agentComponent=[{**PERSON, "agentWorkstationPositionIdentification": "Jane Doe, desk 3"}])

    assert code.startswith("A-")
    assert "jane" not in code.lower()


@pytest.mark.parametrize(
    "changes",
    [
        {"callComponent": []},
        {"callComponent": [{**ANSWERED, "answerDate": None}]},
        {"callComponent": [{**ANSWERED, "agentReference": []}]},
        {"callComponent": [{**ANSWERED, "agentReference": [{"$ref": "somebody"}]}]},
        {"agentComponent": []},
        {"agentComponent": [{**PERSON, "agentRoleRegistryText": ["Automaton"]}]},
        {"agentComponent": [{**PERSON, "agencyReference": {"$ref": "elsewhere.example"}}]},
        {"agencyComponent": []},
        {
            "agencyComponent": [{"$id": "school.example"}],
            "agentComponent": [{**PERSON, "agencyReference": {"$ref": "school.example"}}],
        },
    ],
)
def test_short_of_that_nobody_has_it(changes):
    """No answer, no agent, a machine, our own agency."""
    assert "" == person(**changes)


def test_an_update_is_read_back_by_a_person_who_changed_the_incident():
    """Cancelled for a cancellation, NewLocation for a correction; a machine's change is neither."""
    fields = {"agencyComponent": [AGENCY], "agentComponent": [PERSON]}
    for states, kind in (
        (["Cancelled"], UpdateKind.CANCEL),
        (["NewLocation"], UpdateKind.PLACE),
        (["Active"], None),
    ):
        incident = {"incidentStatusCommonRegistryText": states}
        by_person = {**incident, "updatedByAgentReference": {"$ref": PERSON["$id"]}}
        said = read(incidentComponent=by_person, **fields)
        assert (kind, "POS-3") == (said.read_back, said.read_by)
        assert None is read(incidentComponent=incident, **fields).read_back


@pytest.mark.parametrize(
    ("fields", "person"),
    [
        ({"mergeComponent": [{"incidentTrackingIdentifier": OURS}]}, "POS-3"),
        ({"linkComponent": [{"incidentTrackingIdentifier": OURS}]}, ""),
        ({"notesComponent": [{"notesActionComments": "see C7 I12 K0A1B2C3D"}]}, ""),
        ({"incidentComponent": {"internalIncidentId": "C7 I12 K0A1B2C3D"}}, ""),
    ],
)
def test_who_has_another_call_has_ours_only_when_they_are_merged(fields, person):
    """A link or a note tells how far responders are, never who answered."""
    incident = {
        "incidentStatusCommonRegistryText": ["ResourcesEnroute", "Cancelled"],
        "updatedByAgentReference": {"$ref": PERSON["$id"]},
        **fields.pop("incidentComponent", {}),
    }
    said = read(
        **{
            "$id": THEIRS,
            "agencyComponent": [AGENCY],
            "agentComponent": [PERSON],
            "callComponent": [ANSWERED],
        },
        incidentComponent=incident,
        **fields,
    )

    assert (1, ResponseStatus.CLOSED) == (len(said.calls), said.status)
    assert (person, person, bool(person)) == (said.person, said.read_by, bool(said.own))


@pytest.mark.parametrize(
    ("note", "number"),
    [
        ({"notesActionComments": "read back C7 I12 K0A1B2C3D U2"}, 0),
        (
            {
                "notesActionComments": "read back C7 I12 K0A1B2C3D U2",
                "updatedByAgentReference": {"$ref": "x"},
            },
            0,
        ),
        ({"notesActionComments": "read back C7 I12 K0A1B2C3D U2", "updatedByAgentReference": PERSON}, 2),
        ({"notesActionComments": "read back C8 I12 K0A1B2C3D U2", "updatedByAgentReference": PERSON}, 0),
        ({"notesActionComments": "read back C7 I12 K0A1B2C3D", "updatedByAgentReference": PERSON}, 0),
    ],
)
def test_which_update_was_read_back_is_said_by_a_person_s_note(note, number):
    """A machine's copy of ours says nothing."""
    if note.get("updatedByAgentReference") is PERSON:
        note = {**note, "updatedByAgentReference": {"$ref": PERSON["$id"]}}
    incident = {
        "incidentStatusCommonRegistryText": ["NewLocation"],
        "updatedByAgentReference": {"$ref": PERSON["$id"]},
    }
    said = read(
        agencyComponent=[AGENCY], agentComponent=[PERSON], incidentComponent=incident, notesComponent=[note]
    )

    assert (UpdateKind.PLACE, number) == (said.read_back, said.read_number)


def test_a_field_that_matters_and_is_of_another_type_is_malformed_and_the_rest_does_not_matter():
    """Lenient in form."""
    assert read(vehicleComponent=5, eidoVersion=None, agencyComponent=None).calls
    with pytest.raises(Malformed, match="incidentStatusCommonRegistryText"):
        read(incidentComponent={"incidentStatusCommonRegistryText": "Closed"})
    with pytest.raises(Malformed):
        reading.read(b"{}", element="x", agency="y")


def test_no_more_calls_than_sixteen_are_taken_from_one_document():
    """However many its notes name."""
    notes = [{"notesActionComments": " ".join(f"C{n} I1 K0A1B2C3D" for n in range(1, 100))}]

    assert 16 == len(read(notesComponent=notes).calls)
