"""PFIF 1.4 (zesty.ca, 2012): reports from outside that somebody was seen. Read only; this house exports none.

A report is no roster and joins nobody by itself: it is what somebody elsewhere has written about somebody.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.people.reading.archive import Package
from belltower.people.reading.columns import Layout
from belltower.people.reading.faults import Findings
from belltower.people.reading.rows import Progress, Sheet, read_rows
from belltower.xml import Element, parse_xml

MOST_OCTETS = 20 * 1000 * 1000
"""The longest XML file that is read."""

_SPACES = tuple(f"{{http://zesty.ca/pfif/1.{minor}}}" for minor in (4, 3, 2))
_LONGEST = 10_000
_TRUE = frozenset({"true", "1"})


class SeenStatus(StrEnum):
    """What a note says of a person."""

    SOUGHT = "information_sought"
    AUTHOR = "is_note_author"
    ALIVE = "believed_alive"
    MISSING = "believed_missing"
    DEAD = "believed_dead"


class SeenPerson(Struct, frozen=True, kw_only=True):
    """Somebody of whom another registry keeps a record."""

    # "domain/local".
    id: str
    # All names given as whole ones, the alternate ones last.
    names: tuple[str, ...] = ()
    given: str = ""
    family: str = ""
    # As written: "1970-01", "35-45".
    birth: str = ""
    age: str = ""
    city: str = ""
    source: str = ""
    source_at: Instant | None = None
    file: str = ""


class SeenNote(Struct, frozen=True, kw_only=True):
    """One report about such a person; a later one may be backdated, so that `source_at` puts them in order."""

    id: str
    person: str
    status: SeenStatus | None = None
    linked: str = ""
    # Somebody has spoken to the person.
    contact_made: bool | None = None
    location: str = ""
    text: str = ""
    source_at: Instant | None = None
    file: str = ""


class Reports(Struct, frozen=True, kw_only=True):
    """Everything of one load; notes in the order of what they tell, none left out."""

    version: str
    persons: tuple[SeenPerson, ...] = ()
    notes: tuple[SeenNote, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        return {"persons": len(self.persons), "notes": len(self.notes)}


_PERSON = (
    "person_record_id",
    "full_name",
    "alternate_names",
    "given_name",
    "family_name",
    "date_of_birth",
    "age",
    "home_city",
    "source_name",
    "source_date",
)
_NOTE = (
    "note_record_id",
    "status",
    "author_made_contact",
    "last_known_location",
    "text",
    "linked_person_record_id",
    "source_date",
)
_LAYOUT = Layout(
    wanted=(*_PERSON, *_NOTE[:-1]),
    required=frozenset({"person_record_id"}),
    known=frozenset(
        {"author_name", "author_email", "author_phone", "source_url", "description", "home_state"}
    ),
)


class PFIFReader:
    """Reads the XML and CSV files of one load."""

    def __init__(
        self, *, package: Package, domain: str, findings: Findings, progress: Progress | None
    ) -> None:
        """Ids without a domain get `domain`; where that is empty they are faults."""
        self._package = package
        self._domain = domain
        self._findings = findings
        self._progress = progress
        self._persons: dict[str, SeenPerson] = {}
        self._notes: dict[str, SeenNote] = {}
        self._version = "1.4"

    def read(self, files: tuple[str, ...], sheets: dict[str, Sheet]) -> Reports:
        """Read XML `files` and CSV `sheets`."""
        for file in files:
            self._read_xml(file)
        for sheet in sheets.values():
            self._read_csv(sheet)
        notes = sorted(self._notes.values(), key=lambda note: (note.source_at is None, note.source_at or 0))
        return Reports(version=self._version, persons=tuple(self._persons.values()), notes=tuple(notes))

    def _read_xml(self, file: str) -> None:
        octets = self._package.octets_of(file)
        try:
            root = parse_xml(octets, MOST_OCTETS)
        except Malformed as error:
            self._findings.fault(file, 1, "1", str(error), "export it again as PFIF 1.4")
            return
        if self._progress is not None:
            self._progress(len(octets))
        space = next((one for one in _SPACES if root.tag == f"{one}pfif"), None)
        if space is None:
            self._findings.fault(
                file, root.sourceline or 1, "pfif", "the document is no PFIF", "export it as PFIF 1.4"
            )
            return
        self._version = space.rpartition("/")[2].rstrip("}")
        for person in root.findall(f"{space}person"):
            cells = _texts(person, space)
            key = self._person(cells, file, person.sourceline or 1)
            for note in person.findall(f"{space}note"):
                self._note({"person_record_id": key, **_texts(note, space)}, file, note.sourceline or 1)
        for note in root.findall(f"{space}note"):
            self._note(_texts(note, space), file, note.sourceline or 1)

    def _read_csv(self, sheet: Sheet) -> None:
        for row, cells in read_rows(sheet, _LAYOUT, self._findings, self._progress):
            values = dict(zip(_LAYOUT.wanted, cells, strict=True))
            key = self._person(values, sheet.file, row)
            if key and (values["note_record_id"] or values["status"] or values["text"]):
                self._note({**values, "person_record_id": key}, sheet.file, row)

    def _id(self, key: str, file: str, row: int, column: str) -> str:
        """The id with its domain; empty, and a fault, where nobody can say it."""
        domain, slash, local = key.partition("/")
        if domain and slash and local:
            return key
        if key and self._domain and not slash:
            return f"{self._domain}/{key}"
        self._findings.fault(
            file,
            row,
            column,
            "the id is not of the form domain/local" if key else "the id is empty",
            'write it as example.org/1, or set pfif_domain = "example.org" in a mapping',
        )
        return ""

    def _person(self, cells: dict[str, str], file: str, row: int) -> str:
        key = self._id(cells.get("person_record_id", ""), file, row, "person_record_id")
        if not key:
            return ""
        names = f"{cells.get('full_name', '')}\n{cells.get('alternate_names', '')}".splitlines()
        self._persons[key] = SeenPerson(
            id=key,
            names=tuple(dict.fromkeys(name.strip() for name in names if name.strip())),
            given=cells.get("given_name", ""),
            family=cells.get("family_name", ""),
            birth=cells.get("date_of_birth", ""),
            age=cells.get("age", ""),
            city=cells.get("home_city", ""),
            source=cells.get("source_name", ""),
            source_at=self._instant(cells.get("source_date", ""), file, row),
            file=file,
        )
        return key

    def _note(self, cells: dict[str, str], file: str, row: int) -> None:
        person = self._id(cells.get("person_record_id", ""), file, row, "person_record_id")
        key = self._id(cells.get("note_record_id", ""), file, row, "note_record_id")
        if not person or not key:
            return
        word = cells.get("status", "")
        if word and word not in set(SeenStatus):
            self._findings.fault(
                file,
                row,
                "status",
                "is no status of PFIF",
                f"write one of {', '.join(SeenStatus)}, or nothing",
            )
            return
        made = cells.get("author_made_contact", "").casefold()
        self._notes[key] = SeenNote(
            id=key,
            person=person,
            status=SeenStatus(word) if word else None,
            linked=cells.get("linked_person_record_id", ""),
            contact_made=made in _TRUE if made else None,
            location=cells.get("last_known_location", ""),
            text=cells.get("text", ""),
            source_at=self._instant(cells.get("source_date", ""), file, row),
            file=file,
        )

    def _instant(self, text: str, file: str, row: int) -> Instant | None:
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
            return Instant(int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000_000))
        except (ValueError, OverflowError):
            self._findings.fault(
                file, row, "source_date", "is no time of PFIF", "write 2013-02-14T00:00:00Z, in UTC"
            )
            return None


def _texts(element: Element, space: str) -> dict[str, str]:
    """The texts of an element's children by name, blanks around them gone."""
    return {
        child.tag.removeprefix(space): (child.text or "").strip()[:_LONGEST]
        for child in element
        if isinstance(child.tag, str) and not len(child)
    }
