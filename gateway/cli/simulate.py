"""`belltower simulate`: the other ends of the wires, on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.output import config_option

F = TypeVar("F", bound=Callable[..., Any])


@click.group(short_help="The other ends of the wires: county, carrier, units, devices.")
def command() -> None:
    """Run the other end of a wire on this machine, for a rehearsal or a demonstration.

    \b
    Examples:
      belltower simulate units --count 20 --config config.toml
      belltower simulate units --profile milesight-ws101 --script rehearsal.txt --config config.toml
      belltower simulate play samples.jsonl --to mqtt://127.0.0.1:1883 --duplicates 2
      belltower simulate county --links dc09=127.0.0.1:0,sip=127.0.0.1:0 --acknowledge-after 5s --port 0
      belltower simulate carrier --port 8092
    """


_wire_options = (
    click.option(
        "--username", default="", help="Who we are to the broker, where it asks; by default we say nobody."
    ),
    click.option(
        "--password-file", type=click.Path(path_type=Path), help="A file with the password for that name."
    ),
    click.option(
        "--duplicates", type=click.IntRange(0, 1000), default=0, help="Each message comes so many times more."
    ),
    click.option(
        "--gaps", type=click.FloatRange(0, 1), default=0.0, help="The share of messages that are lost."
    ),
    click.option("--shuffle", is_flag=True, help="Later messages overtake earlier ones."),
    click.option(
        "--retained", is_flag=True, help="The broker keeps each: whoever comes later gets it as old."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="What mishaps are drawn from."),
)


def _wired(function: F) -> F:
    """The options of a wire, for what speaks on one."""
    for option in reversed(_wire_options):
        function = option(function)
    return function


@command.command()
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    help="The first so many of the site package; all by default.",
)
@click.option(
    "--profile", "profiles", multiple=True, metavar="ID", help="Devices of this profile, not our own units."
)
@click.option("--script", type=click.Path(path_type=Path), help="Who says what and when; see below.")
@click.option(
    "--profiles", "folders", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Profiles besides the shipped ones and the site's.",
)  # fmt: skip
@click.option(
    "--address",
    default="",
    metavar="TEXT",
    help='What the wire calls made-up devices, "room-{n}" for instance.',
)
@click.option(
    "--bearer",
    default="chirpstack",
    show_default=True,
    help="The network server of devices that speak octets.",
)
@click.option("--port", type=click.IntRange(0, 65_535), help="Where to be asked; 0 takes a free port.")
@click.option("--url", "--to", "url", default="", help="Another way than the settings name.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="Whom to trust, a PEM file.")
@_wired
@config_option
def units(
    count: int | None,
    profiles: tuple[str, ...],
    script: Path | None,
    folders: tuple[Path, ...],
    address: str,
    bearer: str,
    port: int | None,
    url: str,
    ca: Path | None,
    config: Path,
    **wire: Any,
) -> None:
    """Be units of the site package, or with --profile devices of other makes, which speak as real ones do.

    \b
    Examples:
      belltower simulate units --count 20 --port 8090 --config config.toml
      curl -X POST http://127.0.0.1:8090/units/u7/press
      belltower simulate units --profile netvox-r312 --script rehearsal.txt --config config.toml
      belltower simulate units --profile acme-button --profiles profiles --to mqtt://127.0.0.1:1883 --count 3
      curl -X POST http://127.0.0.1:8090/devices/acme-button-1/press

    \b
    The first line printed is JSON with the address: {"api": "http://127.0.0.1:8090", "units": 20}.
      GET  /units             every unit, whether it is connected, and the level it shows
      POST /units/UNIT/press  {"kind": "panic" | "medical"}, the body may be left out
      POST /units/UNIT/status {"status": "safe" | "need_help" | "injured" | "missing" | "extra", "count": 2}
      POST /units/UNIT/text   {"text": "Door jammed"}
      POST /units/UNIT/fault  {"fault": "mute" | "deaf" | "late=3" | ""}: confirm no order, hear none, or late
      GET  /devices           with --profile: every device, and what its profile has examples of
      POST /devices/NAME/KIND press, release, heartbeat, offline .., battery?percent=12, example?number=2, noise

    \b
    A script is a step a line, WHEN WHO WHAT HOW:
      0s         *        clear                     # every device says that its input is at rest
      5s         1        press                     # the first one
      +2s        sos-gym  press duplicates 2        # two seconds later, one by its name; and twice more
      every 30s  *        heartbeat                 # at once, and again and again
      40s        2..4     battery 12                # percent
      50s        5        silent                    # until "speaks"
      1m         end
    """
    from gateway.process import tied

    if not profiles:
        if script is not None or address or folders:
            raise click.UsageError(
                "--script, --address and --profiles are for devices of a profile; add --profile ID"
            )
        from gateway.cli.simulated_units import run_units

        tied(run_units(config=config, count=count, port=port or 0, url=url, ca=ca))
        return
    from gateway.cli.device_ways import WireOptions
    from gateway.cli.simulated_devices import CastOptions, run_devices

    cast = CastOptions(
        profiles=profiles,
        folders=folders,
        script=script,
        count=count,
        address=address,
        bearer=bearer,
        port=port,
    )
    tied(run_devices(cast, WireOptions(config=config, to=url, ca=ca, **wire)))


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "to", default="", metavar="URL", help="Where; else the settings' way in with topics.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="Whom to trust, a PEM file.")
@click.option("--every", default="100ms", show_default=True, metavar="DURATION", help="Between messages.")
@click.option("--speed", type=click.FloatRange(0), default=1.0, show_default=True, help="0: without pauses.")
@click.option(
    "--bearer",
    default="",
    metavar="ID",
    help="Put octets without a topic behind it, chirpstack for instance.",
)
@click.option("--address", default="", metavar="EUI", help="Whose those octets are.")
@click.option("--only", default="", metavar="TEXT", help="Only lines whose id has this in it.")
@_wired
@config_option
def play(
    file: Path,
    to: str,
    ca: Path | None,
    every: str,
    speed: float,
    bearer: str,
    address: str,
    only: str,
    config: Path,
    **wire: Any,
) -> None:
    """Send recorded messages again: a JSON object a line, with topic, payload and payload_encoding.

    \b
    Examples:
      belltower simulate play samples.jsonl --to mqtt://127.0.0.1:1883
      belltower simulate play samples.jsonl --duplicates 2 --gaps 0.1 --shuffle --seed 7 --speed 10

    Pauses are those between the lines' own `at` (seconds), else --every; --speed divides them. What cannot be sent is
    counted in the first line printed, with the reason; the last line counts what became of the rest.
    """
    from belltower.values import duration
    from gateway.cli.device_ways import WireOptions
    from gateway.cli.played import play as played
    from gateway.process import tied

    try:
        seconds = duration(every)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--every") from None
    options = WireOptions(config=config, to=to, ca=ca, **wire)
    tied(played(file, options, bearer=bearer, address=address, every=seconds, speed=speed, only=only))


@command.command()
@click.option(
    "--links",
    multiple=True,
    metavar="NAME=ADDRESS,..",
    help="The county's ends: dc09=127.0.0.1:0,kiss=tcp://127.0.0.1:8001; may be repeated.",
)
@click.option("--link", metavar="URL", help="The radio line alone: the same as --links kiss=URL.")
@click.option(
    "--key-file",
    "key_files",
    multiple=True,
    metavar="[NAME=]PATH",
    help="The secret of an end, a file of mode 0600; without a name it is the radio's.",
)
@click.option("--make-key", is_flag=True, help="Make the radio's key file first, if it is not there.")
@click.option("--us", default="PSAP", show_default=True, help="The county's call sign.")
@click.option("--them", default="SCHOOL-1", show_default=True, help="The school's call sign.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="[NAME:]FAULT",
    help='What an end does wrong: "dc09:silent", "late=3"; may be repeated.',
)
@click.option(
    "--acknowledge-after",
    metavar="DURATION",
    help='The telecommunicator acknowledges unasked, after "5s" say.',
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Of the telecommunicator's page on 127.0.0.1; 0 takes a free port.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="What faults are drawn from.")
def county(
    links: tuple[str, ...],
    link: str | None,
    key_files: tuple[str, ...],
    *,
    make_key: bool,
    us: str,
    them: str,
    faults: tuple[str, ...],
    acknowledge_after: str | None,
    port: int | None,
    seed: int,
) -> None:
    """Be the county: the far end of every link, with one screen and a telecommunicator.

    \b
    Examples:
      belltower simulate county --link tcp://127.0.0.1:8001 --key-file county.key --acknowledge-after 5s
      belltower simulate county --links dc09=127.0.0.1:0,sip=127.0.0.1:0 --fault dc09:silent --port 0
      curl -X POST http://127.0.0.1:8091/calls/12/acknowledge

    The first line printed is JSON, once every end is open:
      {"county": "ready", "port": 8091, "page": "http://127.0.0.1:8091/", "ends": {"dc09": "127.0.0.1:40123"}}
    A person's screen is at the page; docs/county-simulator.md has every end, setting and fault.
    """
    from belltower.values import duration
    from gateway.county import CountyOptions, run_county
    from gateway.county.keys import write_key
    from gateway.process import tied

    try:
        after = None if acknowledge_after is None else duration(acknowledge_after)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--acknowledge-after") from None
    ends = _named(",".join(links).split(",") if links else [], "--links", bare="")
    if link is not None:
        ends["kiss"] = link
    keys = {name: Path(path) for name, path in _named(key_files, "--key-file", bare="kiss").items()}
    if make_key and "kiss" in keys and not keys["kiss"].exists():
        write_key(keys["kiss"])
    tied(
        run_county(
            CountyOptions(
                links=ends,
                key_files=keys,
                us=us,
                them=them,
                faults=faults,
                auto_acknowledge=after,
                control=port,
                seed=seed,
            )
        )
    )


def _named(words: Iterable[str], option: str, *, bare: str) -> dict[str, str]:
    """`NAME=VALUE` words by name; one without a name is `bare`'s, where there is such a thing."""
    named: dict[str, str] = {}
    for word in words:
        found = re.fullmatch(r"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)=(.+)", word)
        name, value = found.groups() if found else (bare, word)
        if not name:
            raise click.BadParameter(f'"{word}": expected NAME=ADDRESS', param_hint=option)
        if name in named:
            raise click.BadParameter(f'"{name}" is named twice', param_hint=option)
        named[name] = value
    return named


@command.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Of the REST API and the door; 0 takes a free one.",
)
@click.option(
    "--smtp-port", type=click.IntRange(0, 65_535), default=0, help="Of the mail server; 0 takes a free one."
)
@click.option("--latency", default="0s", show_default=True, metavar="DURATION", help="Before each answer.")
@click.option("--seed", type=int, default=0, show_default=True, help="What faults are drawn from.")
def carrier(port: int, smtp_port: int, latency: str, seed: int) -> None:
    """Be the carrier and the mail server: take every message, report on it, send nothing to anybody.

    \b
    Example:
      belltower simulate carrier --port 8092
      curl http://127.0.0.1:8092/phones
      curl -d '{"text": "1"}' http://127.0.0.1:8092/phones/+15550100/reply

    The first line printed is JSON: {"url": "..", "port": 8092, "smtp_port": .., "account": "..", "token": "..",
    "application": ".."}: what the channels of the settings take. GET /phones and
    GET /mailboxes show what arrived; POST /phones/NUMBER/reply and /press answer; POST /fault asks for faults.
    """
    from belltower.values import duration
    from gateway.carrier.carrier import run_carrier
    from gateway.carrier.records import CarrierOptions
    from gateway.process import tied

    try:
        seconds = duration(latency)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--latency") from None
    tied(run_carrier(CarrierOptions(port=port, smtp_port=smtp_port, latency=seconds, seed=seed)))
