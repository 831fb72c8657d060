"""Rosters of nobody, written and read again, clean and with every trap of real exports."""

import pytest

from belltower.people.generator import SENTINEL, Form, generate, write
from belltower.people.reading import Mapping
from belltower.people.reading.mapping import AdultColumns, PeopleColumns
from belltower.people.roster import HumanKind
from tests.belltower.people.exports import reading

_ROSTER = generate(seed=11, students=400)
_PLAIN = Mapping(
    people=(
        PeopleColumns(
            file="students.csv",
            kind=HumanKind.STUDENT,
            columns={
                "id": "Student number",
                "given": "First name",
                "family": "Last name",
                "schools": "School",
                "grade": "Grade",
                "birth_date": "Birth date",
                "language": "Home language",
            },
            contacts=(
                AdultColumns(
                    columns={
                        "given": "Contact first name",
                        "family": "Contact last name",
                        "relation": "Relationship",
                        "phones": "Contact phone",
                        "emails": "Contact e-mail",
                    }
                ),
            ),
        ),
    )
)


def _students(roster):
    return {(one.given, one.family, one.birth_date, one.grade) for one in roster.of_kind(HumanKind.STUDENT)}


@pytest.mark.parametrize("traps", [None, 3, 4])
@pytest.mark.parametrize("form", list(Form))
def test_what_was_written_is_what_is_read(tmp_path, form, traps):
    """P1, P8: every trap is named for a look or read through; nothing that must not be kept comes along."""
    write(_ROSTER, tmp_path / "load.zip", form=form, traps=traps)
    found = reading(tmp_path / "load.zip", mapping=_PLAIN if form is Form.PLAIN else None)
    counts = _ROSTER.counts()

    assert () == found.faults
    assert counts["students"] == found.counts["students"]
    assert counts["links"] == found.counts["links"]
    assert SENTINEL not in repr(found)
    if traps is None:
        assert _students(_ROSTER) == _students(found.roster)
        assert {"name", "phone", "identity"} >= {one.kind for one in found.review}
