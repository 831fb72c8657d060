"""How a roster is read: a file, a folder or a ZIP of any format becomes one `Roster`, or faults that say what to mend.

- `archive`: opens what arrives without trusting it; `rows`: CSV by rows; `columns`: which column is which, and what
  must not be kept; `cells`, `phones`: what a cell says
- `detect`: which format and version it is
- `encoding`: UTF-8, UTF-16 or Windows-1252, and no line without end; `edfi_files`: the same care for JSON
- `oneroster`, `clever`, `sds`, `sds_first`, `edfi`, `plain`: one reader each; `pfif`: reports from outside
- `gathering`, `linking`, `namesakes`: one record per id, links between student and adult, names that are easily mixed up
- `faults`: what is wrong, with file, row, column and mend; `mapping`: what a district says about its files

Nothing here writes anywhere: a load is read in place, and columns that must not be kept never leave `rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from belltower.people.reading.archive import BadArchive, Package, open_package
from belltower.people.reading.clever import CleverReader
from belltower.people.reading.detect import Detected, detect
from belltower.people.reading.edfi import EdFiReader
from belltower.people.reading.faults import Dropped, Fault, Findings
from belltower.people.reading.gathering import Gathering
from belltower.people.reading.linking import link_all, speak_at_home
from belltower.people.reading.mapping import Mapping, load_mapping
from belltower.people.reading.namesakes import find_namesakes
from belltower.people.reading.oneroster import OneRosterReader
from belltower.people.reading.pfif import PFIFReader, Reports
from belltower.people.reading.plain import PlainReader
from belltower.people.reading.rows import Progress
from belltower.people.reading.sds import SDSReader
from belltower.people.reading.sds_first import FirstSDSReader
from belltower.people.roster import HumanKind, Review, Roster

__all__ = ["BadArchive", "Dropped", "Fault", "Mapping", "Reading", "Reports", "load_mapping", "read"]

Started = Callable[[int], None]
"""Told how many octets there are to read."""


class Reading(Struct, frozen=True, kw_only=True):
    """What came of reading a load. With faults nothing of it may be taken."""

    format: str = ""
    version: str = ""
    # None: it is no roster, or faults stand in the way.
    roster: Roster | None = None
    # PFIF only.
    reports: Reports | None = None
    # Also with faults, of what could be read.
    counts: dict[str, int] = {}
    faults: tuple[Fault, ...] = ()
    review: tuple[Review, ...] = ()
    # Columns thrown away because they must not be kept.
    dropped: tuple[Dropped, ...] = ()


def read(
    path: Path,
    *,
    today: date,
    mapping: Mapping | None = None,
    in_force: Roster | None = None,
    started: Started | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Read the load at `path`. A delta is read against the roster `in_force`.

    Blocks for seconds with large loads: call it in a thread. Never raises for what a load holds.
    """
    mapping = mapping or Mapping()
    findings = Findings()
    try:
        package = open_package(path)
        if started is not None:
            started(package.octets)
        detected = detect(package, mapping, findings)
        if detected is None:
            return _reading(findings, "", "")
        if detected.format == "pfif":
            reader = PFIFReader(
                package=package, domain=mapping.pfif_domain, findings=findings, progress=progress
            )
            reports = reader.read(detected.others, detected.sheets)
            return replace(
                _reading(findings, "pfif", reports.version),
                reports=None if findings.faulty else reports,
                counts=reports.counts(),
            )
        roster = _roster(package, detected, mapping, findings, in_force, progress)
    except BadArchive as error:
        findings.fault(error.file, 1, "1", error.what, error.mend)
        return _reading(findings, "", "")
    _look_at_all(roster, findings, today)
    roster = replace(roster, review=findings.reviews())
    return replace(
        _reading(findings, roster.format, roster.version),
        roster=None if findings.faulty else roster,
        counts=roster.counts(),
    )


def _reading(findings: Findings, form: str, version: str) -> Reading:
    return Reading(
        format=form,
        version=version,
        faults=findings.faults(),
        review=findings.reviews(),
        dropped=tuple(findings.dropped),
    )


def _roster(
    package: Package,
    detected: Detected,
    mapping: Mapping,
    findings: Findings,
    in_force: Roster | None,
    progress: Progress | None,
) -> Roster:
    gathering = Gathering(findings=findings, mapping=mapping)
    version, delta = detected.version, bool(detected.deltas)
    sheets = detected.sheets
    match detected.format, version:
        case "oneroster", _:
            reader = OneRosterReader(
                sheets=sheets,
                deltas=detected.deltas,
                gathering=gathering,
                in_force=in_force,
                progress=progress,
            )
            statements = reader.read()
            known = reader.known()
            link_all(statements, known, gathering.links, mapping.may_collect, findings)
            speak_at_home(gathering.links.values(), known, gathering.humans)
        case "sds", "1":
            FirstSDSReader(sheets=sheets, gathering=gathering, progress=progress).read()
        case "sds", _:
            statements = SDSReader(sheets=sheets, gathering=gathering, progress=progress).read()
            link_all(statements, gathering.humans, gathering.links, mapping.may_collect, findings)
        case "clever", _:
            CleverReader(sheets=sheets, gathering=gathering, progress=progress).read()
        case "edfi", _:
            edfi = EdFiReader(package=package, gathering=gathering, in_force=in_force, progress=progress)
            delta = edfi.read(detected.others)
        case _:
            PlainReader(sheets=sheets, gathering=gathering, progress=progress).read()
    find_namesakes(gathering.humans, gathering.rows, findings)
    return gathering.roster(form=detected.format, version=version, source=detected.source, delta=delta)


def _look_at_all(roster: Roster, findings: Findings, today: date) -> None:
    """What only the load as a whole shows."""
    if roster.nothing_current(today):
        ends = [one.ends for one in roster.classes if one.ends is not None]
        last = f"; the last one ended on {max(ends)}" if ends and max(ends) < today else ""
        findings.review(
            "term",
            roster.classes[0].file,
            0,
            "",
            f"NOTHING in the load is in the current term{last}: it counts as removing all",
            "export the current term, or approve it",
        )
    if not roster.delta and not roster.of_kind(HumanKind.STUDENT):
        findings.review(
            "empty", "", 0, "", "the load holds no student: it counts as removing all", "export the students"
        )
