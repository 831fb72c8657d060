"""`belltower simulate`: the other ends of the wires, on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.output import config_option


@click.group(short_help="The other ends of the wires: county, carrier, units.")
def command() -> None:
    """Run the other end of a wire on this machine, for a rehearsal or a demonstration.

    \b
    Examples:
      belltower simulate units --count 20 --config config.toml
      belltower simulate county --link tcp://127.0.0.1:8001 --key-file county.key --acknowledge-after 5s
      belltower simulate carrier --port 8092
    """


@command.command()
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    help="The first so many units of the site package; all by default.",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Where to be asked; 0 takes a free port."
)
@click.option("--url", default="", help="Another MQTT server than the settings name.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="Whom to trust, a PEM file.")
@config_option
def units(count: int | None, port: int, url: str, ca: Path | None, config: Path) -> None:
    """Connect units of the site package over MQTT, with heartbeats, and press them when asked.

    \b
    Example:
      belltower simulate units --count 20 --port 8090 --config config.toml
      curl -X POST http://127.0.0.1:8090/units/u7/press

    The first line printed is JSON with the address: {"api": "http://127.0.0.1:8090", "units": 20}.
      GET  /units             every unit, whether it is connected, and the level it shows
      POST /units/UNIT/press  {"kind": "panic" | "medical"}, the body may be left out
    """
    from gateway.cli.simulated_units import run_units
    from gateway.process import tied

    tied(run_units(config=config, count=count, port=port, url=url, ca=ca))


@command.command()
@click.option(
    "--link", required=True, help='The wire: "serial:///dev/ttyUSB0?baud=9600" or "tcp://127.0.0.1:8001".'
)
@click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The link's key, mode 0600.",
)
@click.option("--make-key", is_flag=True, help="Make the key file first, if it is not there.")
@click.option("--us", default="PSAP", show_default=True, help="The county's call sign.")
@click.option("--them", default="SCHOOL-1", show_default=True, help="The school's call sign.")
@click.option(
    "--fault", default="", help='A fault, such as "silent", "late=3" or "wrong-id"; none by default.'
)
@click.option(
    "--acknowledge-after",
    metavar="DURATION",
    help='The telecommunicator acknowledges unasked, after "5s" say.',
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Where the telecommunicator is steered; 0 takes a free port.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="What faults are drawn from.")
def county(
    link: str,
    key_file: Path,
    *,
    make_key: bool,
    us: str,
    them: str,
    fault: str,
    acknowledge_after: str | None,
    port: int | None,
    seed: int,
) -> None:
    """Be the county: the far end of the radio link, with a telecommunicator.

    \b
    Example:
      belltower simulate county --link tcp://127.0.0.1:8001 --key-file county.key --acknowledge-after 5s

    The first line printed is JSON, once the line is open: {"county": "ready", "port": 8091, "link": ".."}.
    """
    from belltower.values import duration
    from gateway.county import CountyOptions, run_county
    from gateway.county.running import write_key
    from gateway.process import tied

    try:
        after = None if acknowledge_after is None else duration(acknowledge_after)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--acknowledge-after") from None
    if make_key and not key_file.exists():
        write_key(key_file)
    tied(
        run_county(
            CountyOptions(
                link=link,
                key_file=key_file,
                us=us,
                them=them,
                fault=fault,
                auto_acknowledge=after,
                control=port,
                seed=seed,
            )
        )
    )


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

    The first line printed is JSON: {"url": "..", "port": 8092, "smtp_port": .., "account": ".."}. GET /phones and
    GET /mailboxes show what arrived; POST /fault asks for faults.
    """
    from belltower.values import duration
    from gateway.carrier import run_carrier
    from gateway.carrier_records import CarrierOptions
    from gateway.process import tied

    try:
        seconds = duration(latency)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--latency") from None
    tied(run_carrier(CarrierOptions(port=port, smtp_port=smtp_port, latency=seconds, seed=seed)))
