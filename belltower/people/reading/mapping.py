"""A district's mapping: how its files are to be read where they do not say it themselves.

```toml
region = "US"            # whose telephone numbers stand without a country code
dates = "month-first"    # or "day-first", for dates such as 5/31/2012
pfif_domain = "example.org"

[may_collect]            # what a link of the source alone means for collecting; without it, nothing
guardian = "conditional"

[[people]]               # files of no known format, one table each
file = "pupils.csv"
kind = "student"         # student, staff, guardian or contact
columns = { id = "Pupil No", given = "First", family = "Last", school = "School" }

[[people.contacts]]      # adults who stand in the student's own row
relation = "guardian"    # parent, guardian, relative or contact
columns = { name = "Mother", phones = "Mother Tel" }

[[schools]]
file = "schools.csv"
columns = { id = "No", name = "Name" }
```
`[[classes]]`, `[[enrolments]]` and `[[links]]` are like `[[schools]]`. `columns` holds our name = the file's name.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from belltower.errors import SettingsError
from belltower.people.reading.columns import is_forbidden
from belltower.people.roster import HumanKind, MayCollect, Relation

_LARGEST = 1 << 20


class DateOrder(StrEnum):
    """Which comes first in a date with slashes."""

    MONTH_FIRST = "month-first"
    DAY_FIRST = "day-first"


class AdultColumns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One adult who stands in the student's row."""

    columns: dict[str, str]
    relation: Relation = Relation.CONTACT


class TableColumns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a plain load: which of its columns are ours."""

    file: str
    columns: dict[str, str] = {}


class PeopleColumns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of people of a plain load."""

    file: str
    # None: a column "kind" says it.
    kind: HumanKind | None = None
    columns: dict[str, str] = {}
    contacts: tuple[AdultColumns, ...] = ()


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a district's files are to be read; every part may be left out."""

    region: str = "US"
    dates: DateOrder = DateOrder.MONTH_FIRST
    pfif_domain: str = ""
    may_collect: dict[Relation, MayCollect] = {}
    people: tuple[PeopleColumns, ...] = ()
    schools: tuple[TableColumns, ...] = ()
    classes: tuple[TableColumns, ...] = ()
    enrolments: tuple[TableColumns, ...] = ()
    links: tuple[TableColumns, ...] = ()

    @property
    def names_files(self) -> bool:
        """Whether it says which files are read, so that nothing has to be detected."""
        return bool(self.people or self.schools or self.classes or self.enrolments or self.links)


def load_mapping(path: Path) -> Mapping:
    """The mapping in a TOML file.

    Raises:
        SettingsError: it cannot be read, has an unknown key or asks for a column that must not be kept.
    """
    try:
        octets = path.read_bytes()
        if len(octets) > _LARGEST:
            raise SettingsError(f"{path}: is larger than {_LARGEST} octets; a mapping is a page of text")
        mapping = msgspec.toml.decode(octets, type=Mapping)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); give another path") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: octet {error.start} is not UTF-8; save it in UTF-8") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise SettingsError(
            f"{path}: is no mapping: {error}; `belltower roster import --help` shows a mapping"
        ) from None
    columns = [(table.file, table.columns) for table in mapping.people]
    for tables in (mapping.schools, mapping.classes, mapping.enrolments, mapping.links):
        columns += [(table.file, table.columns) for table in tables]
    columns += [(table.file, adult.columns) for table in mapping.people for adult in table.contacts]
    for file, names in columns:
        for name in names.values():
            if is_forbidden(name):
                raise SettingsError(f'{path}: {file}: the column "{name}" must not be kept; leave it out')
    return mapping
