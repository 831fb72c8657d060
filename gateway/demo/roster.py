"""The demo's roster: families who do not exist, taken by the commands that a school would use."""

from __future__ import annotations

from pathlib import Path

from gateway.demo.parts import Parts

_SEED = "7"


async def take_roster(parts: Parts, folder: Path, config: Path, students: int) -> str:
    """Take a generated roster beside the running desk, once for a folder; what became of it, "" if nothing was to do.

    A failure is said, and ends nothing; the next start tries again.
    """
    taken, drawn = folder / "roster.zip", folder / "roster-untaken.zip"
    if not students or taken.exists():
        return ""
    try:
        drawn.unlink(missing_ok=True)
        said = ""
        for words in (
            ("generate", str(drawn), "--students", str(students), "--seed", _SEED),
            ("import", str(drawn), "--config", str(config)),
        ):
            code, said = await parts.once("roster", "roster", *words)
            if code:
                return f"The roster was not taken, and the demo goes on without families: {said}"
        drawn.rename(taken)
    except OSError as error:
        return f"The roster was not taken, and the demo goes on without families: {error.strerror}"
    return f"A roster of {students} students and their families: {said}"
