"""What a load is, told from its manifest and from its headers; where the two disagree, the headers are believed."""

from __future__ import annotations

from msgspec import Struct

from belltower.people.reading import clever, oneroster_columns, plain_columns, sds, sds_first
from belltower.people.reading.archive import Package
from belltower.people.reading.columns import Layout, within
from belltower.people.reading.columns import plain as bare
from belltower.people.reading.faults import Findings
from belltower.people.reading.mapping import Mapping, PeopleColumns, TableColumns
from belltower.people.reading.rows import Sheet, open_sheet, read_rows

_MANIFEST = Layout(wanted=("propertyName", "value"), required=frozenset({"propertyName", "value"}))
_MODES = frozenset({"absent", "bulk", "delta"})
# Files of SDS 2.1 that 2 has not.
_LATER_SDS = frozenset({"roles", "relationships", "userflags", "academicsessions", "courses", "demographics"})
_SDS_IDS = frozenset({"sourcedid", "usersourcedid", "classsourcedid"})
_FIRST_SDS_IDS = frozenset({"sisid", "sectionsisid"})
_CLEVER_IDS = frozenset({"schoolid", "studentid", "teacherid", "sectionid", "staffid"})
# Files that hold nothing but what must not be kept.
_UNREAD = frozenset({"userflags"})
_ONEROSTER_NAMES = {
    "orgs": "orgs",
    "academicsessions": "academicSessions",
    "courses": "courses",
    "classes": "classes",
    "users": "users",
    "roles": "roles",
    "demographics": "demographics",
    "enrollments": "enrollments",
}


class Detected(Struct, frozen=True, kw_only=True):
    """What a load is."""

    # "oneroster", "clever", "sds", "edfi", "plain", "pfif".
    format: str
    version: str = ""
    source: str = ""
    # By name in lower case, without the ending.
    sheets: dict[str, Sheet] = {}
    deltas: frozenset[str] = frozenset()
    # Files that are no CSV.
    others: tuple[str, ...] = ()


def detect(package: Package, mapping: Mapping, findings: Findings) -> Detected | None:
    """What the load is; None, and faults, where nobody can say."""
    endings = {file: file.rpartition(".")[2].casefold() for file in package.files}
    tables = [file for file, ending in endings.items() if ending in {"csv", "txt", "tsv"}]
    for ending, form, version in (("json", "edfi", ""), ("jsonl", "edfi", ""), ("xml", "pfif", "1.4")):
        others = tuple(file for file, one in endings.items() if one == ending)
        if others and (ending != "xml" or not mapping.names_files):
            sheets = _sheets(package, tables, findings) if form == "pfif" else {}
            return Detected(format=form, version=version, sheets=sheets, others=others)
    for file in package.files:
        if file not in tables:
            _unread(findings, file, only=not tables)
    if mapping.names_files:
        wanted = {table.file.casefold() for table in _tables(mapping)}
        tables = [file for file in tables if file.casefold() in wanted]
    sheets = _sheets(package, tables, findings)
    if not sheets:
        return None
    if mapping.names_files:
        return Detected(format="plain", version="mapped", sheets=sheets)
    return _by_headers(sheets, findings)


def _tables(mapping: Mapping) -> list[PeopleColumns | TableColumns]:
    return [*mapping.people, *mapping.schools, *mapping.classes, *mapping.enrolments, *mapping.links]


def _unread(findings: Findings, file: str, *, only: bool) -> None:
    if only:
        findings.fault(
            file, 1, "1", "is no roster file", "give a CSV, JSON or XML export, its folder or its ZIP"
        )
    else:
        findings.review("file", file, 0, "", "is not read", "leave it out")


def _sheets(package: Package, files: list[str], findings: Findings) -> dict[str, Sheet]:
    found: dict[str, Sheet] = {}
    for file in files:
        sheet = open_sheet(package, file, findings)
        if sheet is not None:
            found[file.rpartition("/")[2].rpartition(".")[0].casefold()] = sheet
        else:
            findings.unread(file)
    return found


def _by_headers(sheets: dict[str, Sheet], findings: Findings) -> Detected | None:
    headers = {name: {bare(cell) for cell in sheet.header} for name, sheet in sheets.items()}
    every = set().union(*headers.values())
    if "manifest" in sheets or _is_oneroster(headers):
        return _oneroster(sheets, headers, findings)
    for form, version, ids, layouts in (
        ("sds", "1", _FIRST_SDS_IDS, sds_first.LAYOUTS),
        ("sds", "", _SDS_IDS, sds.LAYOUTS),
        ("clever", "", _CLEVER_IDS, clever.LAYOUTS),
    ):
        if any(header & ids and name in {*layouts, *_UNREAD} for name, header in headers.items()):
            kept = _kept(sheets, frozenset(layouts), findings)
            if ids is _SDS_IDS:
                return Detected(format=form, version=_sds_version(headers), sheets=kept)
            return Detected(format=form, version=version, sheets=kept)
    if "personrecordid" in every:
        return Detected(format="pfif", version="1.4", sheets=sheets)
    if plain_columns.is_own(headers):
        return Detected(format="plain", sheets=_kept(sheets, frozenset(plain_columns.LAYOUTS), findings))
    for sheet in sheets.values():
        findings.fault(
            sheet.file,
            sheet.skipped + 1,
            "1",
            "the first row holds no names of columns that a known format has",
            "export it with its header row, or say in a mapping which column is which",
        )
    return None


def _is_oneroster(headers: dict[str, set[str]]) -> bool:
    return any(
        header & _SDS_IDS
        and ("status" in header or any(within(one, "datelastmodified", 2) for one in header))
        for header in headers.values()
    )


def _sds_version(headers: dict[str, set[str]]) -> str:
    users = headers.get("users")
    later = (
        _LATER_SDS & set(headers)
        or (users is not None and "role" not in users)
        or "sessionsourcedids" in headers.get("classes", ())
    )
    return "2.1" if later else "2"


def _kept(sheets: dict[str, Sheet], wanted: frozenset[str], findings: Findings) -> dict[str, Sheet]:
    """The sheets a format reads; the others are named."""
    for name, sheet in sheets.items():
        if name in _UNREAD:
            findings.review("file", sheet.file, 0, "", "must not be kept and is not read", "leave it out")
        elif name not in wanted and name != "manifest":
            findings.review("file", sheet.file, 0, "", "is not read", "leave it out")
    return {name: sheet for name, sheet in sheets.items() if name in wanted}


def _oneroster(sheets: dict[str, Sheet], headers: dict[str, set[str]], findings: Findings) -> Detected | None:
    sheets = dict(sheets)
    profiles = headers.get("userprofiles", set())
    if "roletype" in profiles and "roles" not in sheets:
        sheet = sheets.pop("userprofiles")
        findings.review(
            "file", sheet.file, 1, "", "holds roles and is read as roles.csv", "name it roles.csv"
        )
        sheets["roles"] = sheet
    for name, sheet in sheets.items():
        official = _ONEROSTER_NAMES.get(name)
        shown = sheet.file.rpartition("/")[2]
        if official and shown.casefold() == f"{official}.csv".casefold() and shown != f"{official}.csv":
            findings.review(
                "file", sheet.file, 0, "", f"is read as {official}.csv", f"name it {official}.csv"
            )
    said = _manifest(sheets["manifest"], findings) if "manifest" in sheets else {}
    users = headers.get("users", set())
    newer = "roles" in sheets or (bool(users) and "role" not in users)
    version = "1.2" if newer else "1.1"
    told = said.get("oneroster.version", (version, 0))
    if told[0] != version and (users or "roles" in sheets):
        findings.review(
            "manifest",
            sheets["manifest"].file,
            told[1],
            "value",
            f"oneroster.version says otherwise than the headers, which are those of {version}",
            f"set oneroster.version to {version}",
        )
    elif told[0] in {"1.1", "1.2"}:
        version = told[0]
    kept = _kept(sheets, frozenset(oneroster_columns.LAYOUTS), findings)
    return Detected(
        format="oneroster",
        version=version,
        source=said.get("source.systemName", ("", 0))[0],
        sheets=kept,
        deltas=_deltas(said, sheets, kept, findings),
    )


def _manifest(sheet: Sheet, findings: Findings) -> dict[str, tuple[str, int]]:
    """Value and row of every property."""
    return {name: (value, row) for row, (name, value) in read_rows(sheet, _MANIFEST, findings)}


def _deltas(
    said: dict[str, tuple[str, int]],
    sheets: dict[str, Sheet],
    kept: dict[str, Sheet],
    findings: Findings,
) -> frozenset[str]:
    """Which files are deltas, and in what the manifest contradicts the load."""
    if not said:
        findings.review(
            "manifest",
            "manifest.csv",
            0,
            "",
            "is missing or empty; every file counts as a full one",
            "export it with its manifest",
        )
        return frozenset()
    manifest = sheets["manifest"].file
    deltas = set()
    named = set()
    for key, (value, row) in said.items():
        if not key.startswith("file."):
            continue
        name = key.removeprefix("file.").casefold()
        named.add(name)
        mode = value.casefold()
        if mode not in _MODES:
            findings.review(
                "manifest", manifest, row, "value", "is not absent, bulk or delta", "write one of them"
            )
        elif mode == "absent" and name in sheets:
            what = f"says absent, but {name}.csv is there" + (" and is read" if name in kept else "")
            findings.review("manifest", manifest, row, "value", what, "write bulk")
        elif mode != "absent" and name not in sheets and name in oneroster_columns.LAYOUTS:
            findings.fault(
                manifest,
                row,
                "value",
                f"announces {name}.csv, which is not in the load",
                "export it, or write absent",
            )
        elif mode == "delta":
            deltas.add(name)
    for name, sheet in kept.items():
        if name not in named:
            findings.review(
                "manifest",
                manifest,
                0,
                "propertyName",
                f"does not name {sheet.file}, which is read",
                "add its row",
            )
    if deltas and deltas != set(kept):
        findings.review(
            "manifest",
            manifest,
            0,
            "value",
            "announces some files as bulk and some as delta; nothing is removed for being absent",
            "export all of them as bulk",
        )
    return frozenset(deltas)
