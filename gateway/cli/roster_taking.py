"""`belltower roster import` without --dry-run: the load is compared, written and put in force."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click
from msgspec import Struct

if TYPE_CHECKING:
    from belltower.ids import PersonId
    from belltower.people.apart import Outcome, Stage
    from gateway.settings import Settings

IN_FORCE_WITHIN = 15.0
"""Seconds that the desk lane is given to put in force what is ready."""

_LABELS = {"reading": "Reading", "comparing": "Comparing", "writing": "Writing"}


class Take(Struct, frozen=True, kw_only=True):
    """One load to be taken, as the command line gives it."""

    config: Path
    path: Path
    source: str
    mapping: Path | None = None
    # The fingerprint of the diff that `by` has looked at and approves.
    approve: str = ""
    by: str = ""
    # Only say what it would change beside the roster in force.
    look_only: bool = False


def taken(take: Take) -> tuple[dict[str, Any], int]:
    """Take the load; what is said of it, and the exit code: 0 done, 1 faults, 77 it waits for a person."""
    from gateway.cli.journal_reading import settings_of

    return asyncio.run(_taken(take, settings_of(take.config)))


async def _taken(take: Take, settings: Settings) -> tuple[dict[str, Any], int]:
    from belltower.ids import PersonId
    from belltower.people.apart import Job, import_apart
    from belltower.people.safety import Approval

    by = await known(settings, take.by) if take.approve else PersonId("")
    await _key_ring(settings)
    job = Job(
        database=settings.desk_url,
        key_ring=str(settings.people_keys),
        path=str(take.path.absolute()),
        source=take.source,
        mapping=str(take.mapping.absolute()) if take.mapping else "",
        look_only=take.look_only,
        approval=Approval(by=by, fingerprint=take.approve) if take.approve else None,
    )
    with _Bars() as bars:
        outcome = await import_apart(job, told=bars.told)
    in_force = outcome.ready is not None and await _in_force(settings, outcome.ready.revision)
    return _said(outcome, in_force=in_force), _exit_code(outcome)


async def known(settings: Settings, person: str, right: str = "roster-approve") -> PersonId:
    """Whoever acts is somebody: of the site package's people, or with an account (by id or sign-in name) that has the right.

    The former have no rights: they act only until there is an account. Raises
    `NotFound`, and `NotPermitted` for whoever may not.
    """
    from belltower.errors import NotFound
    from belltower.ids import PersonId
    from belltower.people.grant import Reach, Right
    from gateway import site_package
    from gateway.invitation import grants_beside

    asked = Right(right)
    named = person in site_package.load(settings.site.folder).people
    with suppress(NotFound):  # no desk has ever run here
        async with grants_beside(settings) as grants:
            accounts = await grants.listed()
            folded = person.strip().casefold()
            if found := [one.person for one in accounts if person == one.person or folded == one.sign_in]:
                await grants.allowed(found[0], asked)
                return found[0]
            if named and accounts:
                raise await grants.refused(asked, (), Reach())
    if named:
        return PersonId(person)
    raise NotFound(
        f"--by {person}: neither the site package nor the accounts know this person; give an id of people.toml,"
        " or a sign-in name or id of belltower accounts list"
    )


async def _key_ring(settings: Settings) -> None:
    """The desk lane makes it when it first starts; before that, we do."""
    from belltower.store import Taken, open_database
    from gateway.rosters import open_rosters

    if settings.people_keys.exists():
        return
    settings.state.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        database = await open_database(settings.desk_url)
    except Taken:  # the lane is just making it
        return
    try:
        await open_rosters(database, settings.people_keys)
    finally:
        await database.close()


async def _in_force(settings: Settings, revision: int) -> bool:
    """Whether the desk lane, the one who writes its journal, puts it in force while we look."""
    from belltower.people.store import RosterStore
    from belltower.people.vault import open_vault
    from gateway.beside import desk_database

    async with desk_database(settings) as database:
        store = RosterStore(database=database, vault=open_vault(settings.people_keys))
        try:
            async with asyncio.timeout(IN_FORCE_WITHIN):
                while await store.in_force() < revision:  # noqa: ASYNC110 - another process rings no bell
                    await asyncio.sleep(0.5)
        except TimeoutError:
            return False
    return True


def _exit_code(outcome: Outcome) -> int:
    if outcome.faults:
        return 1
    return 77 if outcome.stops else 0


def _said(outcome: Outcome, *, in_force: bool) -> dict[str, Any]:
    """The object of --json."""
    diff = outcome.diff
    told: dict[str, Any] | None = None
    if diff is not None:
        told = {
            table: dict(zip(("added", "changed", "removed"), counts, strict=True))
            for table, counts in diff.counts.items()
        }
        told["lines"] = list(diff.lines)
        told["stops"] = [stop.message for stop in outcome.stops]
        told["fingerprint"] = diff.fingerprint
        told["kept_by_hand"] = diff.kept_by_hand
        told["to_review"] = diff.to_review
    return {
        "format": outcome.format,
        "version": outcome.version,
        "counts": outcome.counts,
        "diff": told,
        "errors": outcome.faults,
        "review": outcome.review,
        "dropped": outcome.dropped,
        "revision": None if outcome.ready is None else outcome.ready.revision,
        "in_force": in_force,
    }


class _Bars:
    """A progress bar on standard error for each stage in its turn."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def told(self, stage: Stage) -> None:
        """Show how far it is."""
        if stage.name != self._stage:
            self._end()
            self._stage = stage.name
            label = _LABELS.get(stage.name, stage.name)
            self._bar = click.progressbar(length=max(1, stage.of), label=label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(stage.done - self._bar.pos)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def tell(said: dict[str, Any], *, look_only: bool) -> None:
    """What became of it, for people; faults and reviews are told elsewhere."""
    diff = said["diff"]
    if diff is None:
        return
    changes = {table: counts for table, counts in diff.items() if isinstance(counts, dict)}
    if not any(any(counts.values()) for counts in changes.values()):
        print("Nothing changes: this roster is in force.")
        _tell_of_people(diff)
        return
    print("Beside the roster in force:")
    for table, counts in changes.items():
        if any(counts.values()):
            print(f"  {table}: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count))
    _tell_of_people(diff)
    if diff["stops"]:
        for stop in diff["stops"]:
            print(f"  WAITS FOR A PERSON: {stop}")
        print(
            f"Nothing was written. To approve this very diff: --approve {diff['fingerprint']} --by YOUR-SIGN-IN-NAME"
        )
    elif said["in_force"]:
        print(f"Revision {said['revision']} is in force.")
    elif not look_only:
        print(
            f"Revision {said['revision']} is ready. The desk lane puts it in force when it runs and no incident is open."
        )


def _tell_of_people(diff: dict[str, Any]) -> None:
    if diff["kept_by_hand"]:
        print(f"  {diff['kept_by_hand']} stay as they were changed by hand, though the load says otherwise")
    if diff["to_review"]:
        print(
            f"  {diff['to_review']} contacts may be the same person and stay as they are: belltower roster review"
        )
