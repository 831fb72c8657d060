"""`belltower drill`: authorisers' keys, and the drill as two people agree to it, begin it and end it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from belltower.errors import NotPermitted
from gateway.cli.drill_terms import agreed_to, signer, terms_options, told, written_time
from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from belltower.ids import VerbId
    from belltower.incident.store import KeptDrill
    from gateway.settings import Settings
    from gateway.site_package import SitePackage

_key_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(short_help="Exercises: authorisers' keys; agree to a drill, begin and end it.")
def command() -> None:
    """Exercises. Two authorisers of the site package agree to each; without their token every press is live.

    \b
    Examples:
      belltower drill key new p01.key --person p01
      belltower drill begin --place campus --action lockdown --minutes 30 --key p01.key --key p02.key
      belltower drill end
    """


@command.group(short_help="Keys of authorisers.")
def key() -> None:
    """Keys of authorisers: the private half is the person's own, the public half stands in drills.toml."""


@key.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--person", required=True, help="Whose key it is: an id of people.toml.")
@json_option
def new(file: Path, person: str, *, as_json: bool) -> None:
    """Make a key in a new FILE that only its owner may read, and print what drills.toml needs.

    \b
    Example:
      belltower drill key new p01.key --person p01 >> site/drills.toml

    The person keeps the file, not the campus machine: with two such files anybody opens a drill.
    """
    from gateway.site_package.drills import new_private_key, public_text

    public = public_text(new_private_key(file).public_key())
    if as_json:
        emit({"file": str(file), "person": person, "key": public})
        return
    click.echo(f'[[authoriser]]\nperson = "{person}"\nkey = "{public}"')


@command.command()
@terms_options
@click.option(
    "--at", metavar="TIME", default="", help='When it may begin, "2026-11-23T10:00-06:00"; else now.'
)
@click.option("--key", "key_file", required=True, type=_key_file, help="Your private key.")
@click.option("--with", "other", default="", metavar="PERSON", help="The other authoriser.")
@click.option("--token", type=click.File("r"), help="What the other authoriser has signed, to be signed too.")
@click.option("--yes", is_flag=True, help="Do not ask before signing it.")
@config_option
def authorise(
    places: tuple[str, ...],
    action: str | None,
    minutes: int | None,
    at: str,
    key_file: Path,
    other: str,
    token: IO[str] | None,
    config: Path,
    *,
    yes: bool,
    psap_accepted: bool,
) -> None:
    """Agree to a drill, each authoriser on a machine of their own; the token is printed.

    \b
    Examples:
      belltower drill authorise --place B --action lockdown --minutes 30 --at 2026-11-23T10:00-06:00 \\
        --key p01.key --with p02 > half.token
      belltower drill authorise --token half.token --key p02.key > drill.token

    The second authoriser is shown what they sign, and asked. The token opens one drill, in its window only.
    """
    from belltower.incident import drill

    package = _package(config)
    mine = signer(package, key_file)
    if token is None:
        agreed = agreed_to(
            package, places, action, minutes, at, (mine[0], other), psap_accepted=psap_accepted
        )
        payload = drill.payload_of(agreed)
        signed = [drill.signature(payload, mine[1])]
    else:
        agreed, payload, signed = drill.read(token.read().strip())
        first, second = agreed.authorisers
        if len(signed) != 1:
            raise NotPermitted(f"this token has {len(signed)} signatures; one is to be added to one")
        if second != mine[0]:
            raise NotPermitted(f"this token wants the signature of {second}, not that of {mine[0]}")
        drill.check(first, signed[0], payload, package.authorisers)
        click.echo(told(agreed), err=True)
        if not yes:
            click.confirm("Sign this?", abort=True, err=True)
        signed.append(drill.signature(payload, mine[1]))
    click.echo(drill.join(payload, *signed))


@command.command()
@terms_options
@click.option("--key", "key_files", multiple=True, type=_key_file, help="A private key; two of them.")
@click.option(
    "--token", type=click.File("r"), help="A token that both have signed, instead of all the others."
)
@config_option
def begin(
    places: tuple[str, ...],
    action: str | None,
    minutes: int | None,
    key_files: tuple[Path, ...],
    token: IO[str] | None,
    config: Path,
    *,
    psap_accepted: bool,
) -> None:
    """Begin a drill. From now on a press with the exercise bit, at its places, is an exercise; all others are live.

    \b
    Examples:
      belltower drill begin --token drill.token
      belltower drill begin --place campus --action lockdown --minutes 30 --key p01.key --key p02.key

    A live press ends the drill. It is refused with 77 where the token is forged, expired, used or for another campus,
    or where a drill runs.
    """
    from belltower.incident import drill

    settings, package = _both(config)
    if token is not None:
        if places or action or minutes or key_files:
            raise click.UsageError("--token says all of it; leave the other options out")
        text = token.read().strip()
    else:
        if len(key_files) != 2:
            raise click.UsageError("a drill takes two authorisers: give --key twice, or --token")
        (first, one), (second, two) = (signer(package, file) for file in key_files)
        agreed = agreed_to(package, places, action, minutes, "", (first, second), psap_accepted=psap_accepted)
        text = drill.sign(agreed, (one, two))
    _ask(settings, "begin_drill", token=text)
    click.echo(f"the drill has begun: {told(drill.read(text)[0])}")
    click.echo(
        "press with the exercise bit only; any other press, and any press elsewhere, is live and ends it"
    )


@command.command()
@config_option
def end(config: Path) -> None:
    """End the drill that runs. From here on every press is live.

    \b
    Example:
      belltower drill end
    """
    settings = _settings(config)
    _ask(settings, "end_drill")
    click.echo("the drill is over; every press is live. Close its exercises on the page")


@command.command("list")
@config_option
@json_option
def list_(config: Path, *, as_json: bool) -> None:
    """Show the drills there were, and the one that runs.

    \b
    Example:
      belltower drill list --json
    """
    import msgspec

    from belltower.incident.store import KeptDrill

    kept = msgspec.json.decode(_ask(_settings(config), "drills").encode(), type=list[KeptDrill])
    if as_json:
        for each in kept:
            emit(each)
        return
    table(
        f"{len(kept)} drills" if kept else "No drills",
        ("begun", "until", "action", "places", "agreed by", "PSAP", "ended"),
        [_row(each) for each in kept],
    )


def _row(each: KeptDrill) -> tuple[str, ...]:
    ended = f"{written_time(each.ended_at)}, {_ENDS.get(each.reason, each.reason)}" if each.ended else "RUNS"
    return (
        written_time(each.begun_at),
        written_time(each.until),
        each.action.value if each.action is not None else "none",
        ", ".join(each.places),
        ", ".join(each.authorisers),
        "agreed" if each.psap_accepted else "no part of it",
        ended,
    )


_ENDS = {"over": "window over", "ended": "by a person", "aborted_real": "by a real alarm"}


def _settings(config: Path) -> Settings:
    from gateway import settings as rooms

    return rooms.load(config, secrets=False)


def _package(config: Path) -> SitePackage:
    return _both(config)[1]


def _both(config: Path) -> tuple[Settings, SitePackage]:
    from gateway import site_package

    settings = _settings(config)
    return settings, site_package.load(settings.site.folder)


def _ask(settings: Settings, verb: str, **args: object) -> str:
    from gateway.control import ControlClient

    return asyncio.run(ControlClient(path=settings.state.control).ask(verb, _verb(), **args))


def _verb() -> VerbId:
    from belltower.clock import SystemClock
    from belltower.ids import Ids

    return Ids(clock=SystemClock()).verb()
