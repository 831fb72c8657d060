"""What real exports have in them, put into clean files on purpose: each trap by its name, and where it was set.

Which rows a trap takes is drawn from the seed, so the same seed spoils the same rows. `SENTINEL` stands in every
column that must never reach a disk: whoever finds it there has found a leak.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec import Struct

from belltower.people.generator.sheets import Sheet, Sheets

SENTINEL = "MUST-NOT-BE-KEPT"
"""Stands in forbidden cells."""

FORBIDDEN = frozenset(
    [
        "password",
        "Password",
        "sex",
        "americanIndianOrAlaskaNative",
        "asian",
        "blackOrAfricanAmerican",
        "nativeHawaiianOrOtherPacificIslander",
        "white",
        "demographicRaceTwoOrMoreRaces",
        "hispanicOrLatinoEthnicity",
        "countryOfBirthCode",
        "stateOfBirthAbbreviation",
        "cityOfBirth",
        "Race",
        "Hispanic_Latino",
        "Ell_status",
        "Frl_status",
        "IEP_status",
        "Unweighted_gpa",
    ]
)
"""Columns that are dropped at the reader; those of `sex` too, which nothing here needs."""


class Trap(Struct, frozen=True, kw_only=True):
    """One sort of dirt and where it lies."""

    name: str
    file: str
    # Rows as a person counts them, the header being 1. Empty: the whole file.
    rows: tuple[int, ...] = ()


def spoil(files: Sheets, seed: int) -> tuple[Trap, ...]:
    """Set every trap that fits these files, in place."""
    random = Random(f"belltower traps {seed}")  # noqa: S311 - to be repeated, not to be secret
    setters = _ONEROSTER if "manifest.csv" in files else _CLEVER if "schools.csv" in files else ()
    found = [trap for setter in (*_ALL, *setters) for trap in setter(files, random)]
    return tuple(found)


def _some(random: Random, sheet: Sheet, share: float = 0.02) -> list[int]:
    """Indices of a few rows, at least one where there is one."""
    count = min(len(sheet.rows), max(1, int(len(sheet.rows) * share)))
    return sorted(random.sample(range(len(sheet.rows)), count))


def _put(
    files: Sheets, random: Random, name: str, file: str, column: str, change: Callable[[str], str]
) -> list[Trap]:
    """Change one column of a few rows."""
    sheet = files[file]
    at = sheet.column(column)
    rows = [row for row in _some(random, sheet) if sheet.rows[row][at]]
    for row in rows:
        sheet.rows[row][at] = change(sheet.rows[row][at])
    return [Trap(name=name, file=file, rows=tuple(row + 2 for row in rows))]


# ---- in any files


def _forbidden(files: Sheets, _random: Random) -> list[Trap]:
    found = []
    for name, sheet in files.items():
        columns = [at for at, column in enumerate(sheet.header) if column in FORBIDDEN]
        for at in columns:
            for number, row in enumerate(sheet.rows):
                row[at] = f"{SENTINEL}-{number}"
        if columns:
            found.append(Trap(name="forbidden columns filled", file=name))
    return found


def _outer_form(files: Sheets, random: Random) -> list[Trap]:
    names = [name for name in files if name != "manifest.csv"]
    marked, ended = random.choice(names), random.choice(names)
    files[marked].bom = True
    files[ended].line_end = "\r\n"
    return [Trap(name="byte order mark", file=marked), Trap(name="CRLF", file=ended)]


def _namesakes(files: Sheets, random: Random) -> list[Trap]:
    """Two students of one school whose names are a letter apart."""
    for name, given, school in (
        ("users.csv", "givenName", "primaryOrgSourcedId"),
        ("students.csv", "First_name", "School_id"),
        ("students.csv", "First name", "School"),
    ):
        sheet = files.get(name)
        if sheet is None or given not in sheet.header:
            continue
        family = {"givenName": "familyName", "First_name": "Last_name", "First name": "Last name"}[given]
        grade = sheet.column("grades" if name == "users.csv" else "Grade")
        pupils = [row for row in range(len(sheet.rows)) if sheet.rows[row][grade]]
        first = random.choice(pupils)
        one = sheet.rows[first]
        ids = {"givenName": 0, "First_name": 1, "First name": 0}[given]
        twins = [
            row
            for row in pupils
            if sheet.rows[row][sheet.column(school)] == one[sheet.column(school)]
            and sheet.rows[row][ids] != one[ids]
        ]
        if not twins:
            return []
        chosen = sheet.rows[random.choice(twins)][ids]
        rows = [row for row in pupils if sheet.rows[row][ids] == chosen]
        for row in rows:
            sheet.rows[row][sheet.column(given)] = one[sheet.column(given)] + "h"
            sheet.rows[row][sheet.column(family)] = one[sheet.column(family)]
        return [Trap(name="namesakes", file=name, rows=(first + 2, *(row + 2 for row in rows)))]
    return []


def _odd_cells(files: Sheets, random: Random) -> list[Trap]:
    for name, column in (("classes.csv", "title"), ("sections.csv", "Name"), ("students.csv", "School")):
        if name in files and column in files[name].header:
            return [
                *_put(files, random, "line end within a cell", name, column, lambda cell: cell + "\n(moved)"),
                *_put(
                    files,
                    random,
                    "a cell that a spreadsheet would run",
                    name,
                    column,
                    lambda cell: "=1+" + cell,
                ),
            ]
    return []


# ---- OneRoster


def _bulk_status(files: Sheets, random: Random) -> list[Trap]:
    return [
        *_put_always(files, random, "status filled in bulk", "users.csv", "status", "active"),
        *_put_always(files, random, "inactive in bulk", "orgs.csv", "status", "inactive"),
    ]


def _put_always(files: Sheets, random: Random, name: str, file: str, column: str, text: str) -> list[Trap]:
    sheet = files[file]
    rows = _some(random, sheet)
    for row in rows:
        sheet.rows[row][sheet.column(column)] = text
    return [Trap(name=name, file=file, rows=tuple(row + 2 for row in rows))]


def _near_headers(files: Sheets, _random: Random) -> list[Trap]:
    for file, right, wrong in (
        ("users.csv", "preferredGivenName", "prefferedGivenName"),
        ("enrollments.csv", "dateLastModified", "dataLastModified"),
    ):
        files[file].header[files[file].column(right)] = wrong
    return [Trap(name="near-miss header", file=file) for file in ("users.csv", "enrollments.csv")]


def _near_words(files: Sheets, random: Random) -> list[Trap]:
    return [
        *_put(files, random, "capital class type", "classes.csv", "classType", str.capitalize),
        *_put(files, random, "capital boolean", "users.csv", "enabledUser", str.upper),
        *_put(files, random, "date with slashes", "enrollments.csv", "beginDate", lambda _: "1/05/2027"),
        *_put_always(files, random, "impossible telephone number", "users.csv", "phone", "+10273841983"),
    ]


def _links(files: Sheets, random: Random) -> list[Trap]:
    """Links stated by the adult, or by both; and one from a student to a teacher."""
    users, roles = files["users.csv"], files["roles.csv"]
    agents, grade = users.column("agentSourcedIds"), users.column("grades")
    row_of = {row[0]: at for at, row in enumerate(users.rows)}
    turned, both = [], []
    for at, row in enumerate(users.rows):
        draw = random.random()
        if not row[grade] or not row[agents] or draw >= 0.2:
            continue
        for adult in row[agents].split(","):
            other = users.rows[row_of[adult]]
            other[agents] = ",".join(filter(None, [other[agents], row[0]]))
        if draw < 0.1:
            row[agents] = ""
            turned.append(at + 2)
        else:
            both.append(at + 2)
    teachers = [row[3] for row in roles.rows if row[5] == "teacher"]
    pupils = [at for at, row in enumerate(users.rows) if row[grade]]
    pupil = random.choice(pupils)
    row = users.rows[pupil]
    row[agents] = ",".join(filter(None, [row[agents], random.choice(teachers)]))
    return [
        Trap(name="link stated by the adult only", file="users.csv", rows=tuple(turned)),
        Trap(name="link stated by both", file="users.csv", rows=tuple(both)),
        Trap(name="link to a teacher", file="users.csv", rows=(pupil + 2,)),
    ]


def _enrolled_teacher(files: Sheets, random: Random) -> list[Trap]:
    sheet = files["enrollments.csv"]
    teaching = [row for row in sheet.rows if row[6] == "teacher"]
    taught, chosen = random.choice(teaching), random.choice(teaching)
    sheet.rows.append(["E-TRAP", *taught[1:5], chosen[5], "student", *taught[7:]])
    return [Trap(name="teacher enrolled as student", file="enrollments.csv", rows=(len(sheet.rows) + 1,))]


def _same_ids(files: Sheets, random: Random) -> list[Trap]:
    """A course bears the id of a class: ids are unique within their kind only."""
    courses, classes = files["courses.csv"], files["classes.csv"]
    row = random.randrange(len(courses.rows))
    old, new = courses.rows[row][0], random.choice(classes.rows)[0]
    courses.rows[row][0] = new
    at = classes.column("courseSourcedId")
    for one in classes.rows:
        one[at] = new if one[at] == old else one[at]
    return [Trap(name="one id for a class and a course", file="courses.csv", rows=(row + 2,))]


def _odd_files(files: Sheets, _random: Random) -> list[Trap]:
    files["userprofiles.csv"] = Sheet(
        list(files["roles.csv"].header), [list(row) for row in files["roles.csv"].rows[:3]]
    )
    files["resources.csv"] = Sheet(["sourcedId", "status", "dateLastModified", "title"], [])
    manifest = files["manifest.csv"]
    for row in manifest.rows:
        if row[0] == "file.demographics":
            row[1] = "absent"
    manifest.rows.append(["source.systemVersion", ""])
    return [
        Trap(name="wrong-case name, and another file's rows", file="userprofiles.csv"),
        Trap(name="header only, and not in the manifest", file="resources.csv"),
        Trap(name="manifest contradicts the files", file="manifest.csv"),
        Trap(name="manifest row without a value", file="manifest.csv", rows=(len(manifest.rows) + 1,)),
    ]


# ---- Clever


def _clever_words(files: Sheets, random: Random) -> list[Trap]:
    found = []
    students = files["students.csv"]
    at = students.column("Grade")
    young = [row for row in students.rows if row[at] == "Kindergarten"]
    for pupil in young:
        pupil[at] = random.choice(("Kindergarten", "KG", "0"))
    found.append(Trap(name="kindergarten in three spellings", file="students.csv"))
    at = students.column("Contact_sis_id")
    rows = _some(random, students, 0.3)
    for row in rows:
        students.rows[row][at] = ""
    found.append(Trap(name="contact without an id", file="students.csv", rows=tuple(row + 2 for row in rows)))
    found += _put(
        files,
        random,
        "impossible telephone number",
        "students.csv",
        "Contact_phone",
        lambda _: "+11234567890",
    )
    return found + _put(
        files, random, "section without a teacher", "sections.csv", "Teacher_id", lambda _: ""
    )


def _clever_ids(files: Sheets, random: Random) -> list[Trap]:
    """A teacher bears the id of a student."""
    teachers, sections, students = files["teachers.csv"], files["sections.csv"], files["students.csv"]
    row = random.randrange(len(teachers.rows))
    old, new = teachers.rows[row][1], random.choice(students.rows)[1]
    teachers.rows[row][1] = new
    at = sections.column("Teacher_id")
    for one in sections.rows:
        one[at] = new if one[at] == old else one[at]
    return [Trap(name="one id for a teacher and a student", file="teachers.csv", rows=(row + 2,))]


def _more_columns(files: Sheets, random: Random) -> list[Trap]:
    """A district's own columns, and all of them in another order."""
    sheet = files["students.csv"]
    sheet.header += ["ext.locker", "ext.bus_route"]
    order = list(range(len(sheet.header)))
    random.shuffle(order)
    sheet.rows = [[[*row, "17", "4B"][at] for at in order] for row in sheet.rows]
    sheet.header = [sheet.header[at] for at in order]
    return [Trap(name="own columns, in another order", file="students.csv")]


_Setter = Callable[[Sheets, Random], list[Trap]]
_ALL: tuple[_Setter, ...] = (_forbidden, _namesakes, _odd_cells, _outer_form)
_ONEROSTER: tuple[_Setter, ...] = (
    _bulk_status,
    _near_words,
    _links,
    _enrolled_teacher,
    _same_ids,
    _near_headers,
    _odd_files,
)
_CLEVER: tuple[_Setter, ...] = (_clever_words, _clever_ids, _more_columns)
