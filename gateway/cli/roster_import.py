"""`belltower roster import`."""

from __future__ import annotations

import os
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from belltower.people.reading import Mapping, Reading
    from belltower.people.roster import Roster

_SHOWN = 20
_FINGERPRINT = re.compile(r"[0-9a-f]{24}")


@click.command(
    name="import",
    short_help="Read an export; list counts, faults with their mend, and what wants a look.",
)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what is in it; nothing is written.")
@click.option(
    "--config",
    "-c",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The settings file: whose roster it is. With --dry-run it says what would change of the roster in force."
    " Without, config.toml or $BELLTOWER_CONFIG.",
)
@click.option(
    "--source", default="sis", show_default=True, help="The district's name for where it comes from."
)
@click.option(
    "--approve", metavar="FINGERPRINT", default="", help="The diff that was looked at and is right."
)
@click.option("--by", metavar="PERSON", default="", help="Who approves it.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
@click.option(
    "--mapping",
    "mapping_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How the district's files are to be read, in TOML.",
)
@click.option(
    "--against",
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="An earlier full export of the same system: what would change.",
)
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    mapping_file: Path | None,
    against: Path | None,
    config: Path | None,
    source: str,
    approve: str,
    by: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read a roster from a file, a folder or a ZIP, and put it in force, or with --dry-run only say what is in it.

    OneRoster 1.1 and 1.2 (full and delta), Clever, School Data Sync 1, 2 and 2.1, Ed-Fi JSON, plain CSV with a mapping,
    and PFIF 1.4 reports are told apart by themselves. Passwords, race, lunch, birthplace, IEP, 504, language learner and
    GPA columns are dropped while they are read.

    \b
    Examples:
      belltower roster import --dry-run exports/2026-11-20.zip
      belltower roster import --dry-run --json exports/ | tail -n 1 | jq .errors
      belltower roster import --dry-run --config config.toml exports/2026-11-20.zip
      belltower roster import --config config.toml exports/2026-11-20.zip

    What is taken is written whole before it counts, and the desk lane puts it in force at one stroke, not while an
    incident is open. A load that would remove more than 5 students or 10 contacts in a hundred, or leave none, waits:
    whoever has looked at the diff approves that very diff by --approve and --by.

    With --json the last line of standard output is one JSON object: format, version, counts, diff, errors (file, row,
    column, what, mend) and review (the same, and kind). diff is beside the export of --against, or beside nothing: counts by
    table, lines with ids, and stops, for which it would wait for a person. Rows count as in a spreadsheet: the header is row 1.

    \b
    A mapping:
      region = "US"                 # telephone numbers without a country code
      dates = "day-first"           # 31/5/2012
      [may_collect]                 # else a link never says who may collect
      guardian = "conditional"
      [[people]]                    # files of no known format
      file = "pupils.csv"
      kind = "student"
      columns = { id = "Pupil No", given = "First", family = "Last" }
      [[people.contacts]]           # adults in the student's row
      relation = "guardian"
      columns = { name = "Mother", phones = "Mother Tel" }

    \b
    Exit codes:
      0   read without a fault
      1   faults: nothing of it can be taken
      2   the command line or the mapping is wrong
      77  it waits for a person
    """
    if bool(approve) != bool(by):
        raise click.UsageError("--approve and --by go together: which diff, and who approves it")
    approve = approve.strip().lower()
    if approve and not _FINGERPRINT.fullmatch(approve):
        raise click.BadParameter(
            "is no fingerprint: copy the 24 figures that the import prints where it waits for a person",
            param_hint="--approve",
        )
    if config is not None or not dry_run:
        if against is not None:
            raise click.UsageError("--against goes with --dry-run, and without --config")
        ctx.exit(_take(path, mapping_file, config, source, approve, by, look_only=dry_run, as_json=as_json))
    mapping = _mapping(mapping_file)
    before = _before(against, mapping)
    reading = _read(path, mapping, before)
    change = _change(reading, before)
    if as_json:
        _print_json(reading, change)
    else:
        _tell(_object(reading, change))
        _tell_change(change, against)
        if against is not None or (reading.roster is not None and not reading.roster.delta):
            _tell_stops(change)
    if reading.faults:
        ctx.exit(1)


def _take(
    path: Path,
    mapping: Path | None,
    config: Path | None,
    source: str,
    approve: str,
    by: str,
    *,
    look_only: bool,
    as_json: bool,
) -> int:
    from gateway.cli.output import emit
    from gateway.cli.roster_taking import Take, taken, tell

    _mapping(mapping)
    found = config or Path(os.environ.get("BELLTOWER_CONFIG", "config.toml"))
    if not found.is_file():
        raise click.UsageError(
            f"{found}: there is no such file; name the settings with --config, or add --dry-run"
        )
    said, code = taken(
        Take(
            config=found,
            path=path,
            source=source,
            mapping=mapping,
            approve=approve,
            by=by,
            look_only=look_only,
        )
    )
    if as_json:
        emit(said)
    else:
        _tell(said)
        tell(said, look_only=look_only)
    return code


def _mapping(file: Path | None) -> Mapping | None:
    from belltower.errors import SettingsError
    from belltower.people.reading import load_mapping

    if file is None:
        return None
    try:
        return load_mapping(file)
    except SettingsError as error:
        raise click.BadParameter(str(error), param_hint="--mapping") from None


def _before(path: Path | None, mapping: Mapping | None) -> Roster | None:
    if path is None:
        return None
    earlier = _read(path, mapping, None)
    if earlier.roster is None or earlier.roster.delta:
        what = "is a delta" if earlier.roster else "has faults itself"
        raise click.BadParameter(
            f"{path} {what}; give a full export that is in order", param_hint="--against"
        )
    return earlier.roster


def _change(reading: Reading, before: Roster | None) -> dict[str, Any] | None:
    """What it changes beside the earlier export, or beside nothing at all."""
    from belltower.people.roster import Roster
    from gateway.cli.roster_diff import diff

    if reading.roster is None:
        return None
    return diff(before or Roster(format=""), reading.roster, today=_today())


def _read(path: Path, mapping: Mapping | None, in_force: Roster | None) -> Reading:
    from belltower.people.reading import read

    with click.progressbar(length=1, label="Reading", file=sys.stderr) as bar:

        def started(octets: int) -> None:
            bar.length = max(1, octets)

        return read(
            path, today=_today(), mapping=mapping, in_force=in_force, started=started, progress=bar.update
        )


def _today() -> date:
    from belltower.clock import SystemClock, aware

    return aware(SystemClock().now()).astimezone().date()


def _object(reading: Reading, change: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "format": reading.format,
        "version": reading.version,
        "counts": reading.counts,
        "diff": change,
        "errors": reading.faults,
        "review": reading.review,
        "dropped": reading.dropped,
    }


def _print_json(reading: Reading, change: dict[str, Any] | None) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(_object(reading, change)) + b"\n")
    sys.stdout.flush()


def _tell(said: dict[str, Any]) -> None:
    """The same for people, as much as fits a screen."""
    if said["format"]:
        print(f"{said['format']} {said['version']}".strip())
    for name, count in said["counts"].items():
        if count:
            print(f"  {count:>8} {name}")
    if said["dropped"]:
        print("Dropped, because it must not be kept:")
        for one in said["dropped"]:
            print(f"  {one.file}: {one.column}")
    for what, found in (
        ("To look at:", said["review"]),
        ("Faults, for which nothing of it can be taken:", said["errors"]),
    ):
        if found:
            print(what)
            for one in found[:_SHOWN]:
                print(f"  {_where(one.file, one.row, one.column)}{one.what}; {one.mend}")
            _more(len(found))


def _tell_change(change: dict[str, Any] | None, against: Path | None) -> None:
    if change is None or against is None:
        return
    print(f"Beside {against}:")
    for table, counts in change.items():
        if isinstance(counts, dict) and any(counts.values()):
            print(f"  {table}: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count))


def _tell_stops(change: dict[str, Any] | None) -> None:
    for stop in change["stops"] if change is not None else ():
        print(f"  WAITS FOR A PERSON: {stop}")


def _where(file: str, row: int, column: str) -> str:
    parts = [file, f"row {row}" if row else "", f"column {column}" if column else ""]
    where = ", ".join(part for part in parts if part)
    return f"{where}: " if where else ""


def _more(count: int) -> None:
    if count > _SHOWN:
        print(f"  and {count - _SHOWN} more; --json lists them")
