"""`belltower roster import`."""

import json

from click.testing import CliRunner

from gateway.cli.roster_generate import command as generate
from gateway.cli.roster_import import command
from tests.belltower.people.exports import ONEROSTER_12, USERS_11, folder, manifest
from tests.gateway.cli.house import belltower


def test_a_dry_run_ends_with_one_line_of_json(tmp_path):
    """Through the whole command, as a person types it; progress is on the other stream."""
    done = belltower("roster", "import", "--dry-run", "--json", folder(tmp_path, ONEROSTER_12))
    last = json.loads(done.stdout.splitlines()[-1])

    assert 0 == done.returncode
    assert ("oneroster", "1.2", []) == (last["format"], last["version"], last["errors"])
    assert 1 == last["counts"]["students"]
    assert {"format", "version", "counts", "diff", "errors", "review", "dropped"} == set(last)


def test_faults_end_with_1_and_name_file_row_column_and_mend(tmp_path):
    """In JSON and for people."""
    load = folder(
        tmp_path, {"orgs.csv": ONEROSTER_12["orgs.csv"], "users.csv": USERS_11 + "u1,,,true,S1,pupilx\n"}
    )
    told = CliRunner().invoke(command, ["--dry-run", str(load)])
    done = CliRunner().invoke(command, ["--dry-run", "--json", str(load)])
    (error,) = json.loads(done.stdout.splitlines()[-1])["errors"]

    assert (1, 1) == (told.exit_code, done.exit_code)
    assert {"file", "row", "column", "what", "mend"} == set(error)
    assert "users.csv, row 2, column" in told.stdout


def test_a_wrong_command_line_ends_with_2(tmp_path):
    """No such path, no such mapping, a mapping that is wrong, no settings, no fingerprint."""
    (tmp_path / "bad.toml").write_text("a = 1", encoding="utf-8")
    load = str(folder(tmp_path / "load", ONEROSTER_12))
    lines = [
        ["--dry-run", str(tmp_path / "nothing")],
        ["--dry-run", "--mapping", str(tmp_path / "nothing"), load],
        ["--dry-run", "--mapping", str(tmp_path / "bad.toml"), load],
        [load],
        ["--approve", "WRONG", "--by", "p01", load],
    ]
    done = [CliRunner().invoke(command, line) for line in lines]

    assert [2] * 5 == [one.exit_code for one in done]
    assert "copy the 24 figures" in done[-1].output


def test_a_refused_archive_is_an_error_with_its_reason(tmp_path):
    """P9, as the command tells it."""
    (tmp_path / "load.zip").write_bytes(b"PK\x03\x04 and nothing more")
    done = CliRunner().invoke(command, ["--dry-run", "--json", str(tmp_path / "load.zip")])

    assert 1 == done.exit_code
    assert "load.zip" == json.loads(done.stdout.splitlines()[-1])["errors"][0]["file"]


def test_a_load_beside_an_earlier_one_says_what_would_change_and_what_stops_it(tmp_path):
    """P6: more than one student in twenty; nothing at all beside itself (P5)."""
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    for path, students in ((before, "120"), (after, "100")):
        done = CliRunner().invoke(generate, [str(path), "--students", students, "--seed", "5"])
        assert 0 == done.exit_code
    line = ["--dry-run", "--json", "--against", str(before)]
    same, fewer = (
        json.loads(CliRunner().invoke(command, [*line, str(path)]).stdout.splitlines()[-1])["diff"]
        for path in (before, after)
    )

    assert ([], []) == (same["lines"], same["stops"])
    assert {"added": 0, "changed": 0, "removed": 20} == fewer["students"]
    assert any("20 of 120 students" in stop for stop in fewer["stops"])


def test_a_delta_beside_the_full_load_it_changes(tmp_path):
    """A removal, a new child, and the parent who is known already."""
    at = "2026-11-20T10:00:00.000Z"
    names = ("orgs", "classes", "users", "roles", "enrollments")
    heads = {f"{name}.csv": ONEROSTER_12[f"{name}.csv"].splitlines()[0] + "\n" for name in names}
    heads["roles.csv"] += f"r4,active,{at},u4,primary,student,,,S1,\n"
    heads["users.csv"] += f"u4,active,{at},true,,,Luz,Lee,,,,,,u2,05,,,,,,S1,\n"
    heads["users.csv"] += f"u3,tobedeleted,{at},true,,,Tim,Teller,,,,,,,,,,,,,S1,\n"
    heads["manifest.csv"] = manifest(**{f"file_{name}": "delta" for name in names})
    full = folder(tmp_path / "full", ONEROSTER_12)
    delta = folder(tmp_path / "delta", heads)
    done = CliRunner().invoke(command, ["--dry-run", "--json", "--against", str(full), str(delta)])
    diff = json.loads(done.stdout.splitlines()[-1])["diff"]

    assert (1, 0) == (diff["students"]["added"], diff["students"]["removed"])
    assert (1, 1, 1) == (diff["staff"]["removed"], diff["links"]["added"], diff["enrolments"]["removed"])
    assert 0 == diff["guardians"]["removed"]


def test_a_load_without_students_says_in_every_dry_run_that_it_waits(tmp_path):
    """With nothing to compare it with, too."""
    load = folder(tmp_path, {"orgs.csv": ONEROSTER_12["orgs.csv"], "users.csv": USERS_11})
    told = CliRunner().invoke(command, ["--dry-run", str(load)])

    assert "WAITS FOR A PERSON: no student is left" in told.stdout
