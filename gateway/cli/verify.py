"""`belltower verify`."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import config_option, emit, json_option, progress

if TYPE_CHECKING:
    from belltower.journal import Verdict
    from gateway.settings import Settings


@click.command(short_help="Walk the journals' chains; name the first altered entry.")
@config_option
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The key checkpoints are verified with; by default the one in the state folder. Better: a copy kept elsewhere.",
)
@json_option
def command(config: Path, public_key: Path | None, *, as_json: bool) -> None:
    """Walk every stream of both journals from the first entry on, and hold it against its signed checkpoints.

    \b
    Example:
      belltower verify --config config.toml --public-key /media/usb/signing.key.pub

    Exits with 1 when an entry was altered, removed or put in between, and names the first one. The lanes may run.
    """
    from gateway.cli.journal_reading import settings_of

    settings = settings_of(config)
    verdicts = asyncio.run(_verify(settings, public_key))
    for lane, verdict in verdicts:
        if as_json:
            emit({"lane": lane, "sound": verdict.sound, "verdict": verdict})
        else:
            click.echo(f"{lane}: stream {verdict.stream}: {_told(verdict)}")
    if not all(verdict.sound for _, verdict in verdicts):
        raise click.exceptions.Exit(1)


def _told(verdict: Verdict) -> str:
    if verdict.first_bad is not None:
        return f"ALTERED at entry {verdict.first_bad} ({verdict.reason}); {verdict.entries} entries before it are sound"
    if verdict.bad_checkpoint is not None:
        return f"the checkpoint at entry {verdict.bad_checkpoint} is NOT signed by this key"
    return f"sound, {verdict.entries} entries, {verdict.checkpoints} checkpoints"


async def _verify(settings: Settings, public_key: Path | None) -> list[tuple[str, Verdict]]:
    from belltower.journal import verify
    from belltower.journal.checkpoint import checkpoint_public_key
    from gateway.cli.journal_reading import reading, size, streams, urls

    path = public_key or settings.state.public_key
    key = checkpoint_public_key(path) if path.exists() else None
    if key is None:
        click.echo(f"no public key at {path}: signatures are not looked at", err=True)
    verdicts = []
    for lane, url in urls(settings).items():
        async with reading(url) as database:
            for stream in await streams(database):
                with progress(f"Verifying {lane}/{stream}") as bar:
                    task = bar.add_task("", total=await size(database, stream))
                    verdict = await verify(database, stream, key, progress=partial(_advance, bar, task))
                verdicts.append((lane, verdict))
    return verdicts


def _advance(bar: Any, task: Any, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)
