"""`belltower devices`: how the foreign devices and our own units are, and walk-tests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from belltower.clock import Instant
    from belltower.ids import VerbId
    from gateway.control import ControlClient, Status
    from gateway.intake.devices.health import DeviceHealth, Devices


@click.group(invoke_without_command=True, short_help="Foreign devices: who is heard, who is not; walk-tests.")
@config_option
@click.option("--all", "everything", is_flag=True, help="Show those in order too.")
@json_option
@click.pass_context
def command(context: click.Context, config: Path, *, everything: bool, as_json: bool) -> None:
    """Ask the running alarm lane how the devices are: place, profile, last heard, battery, and what is wrong.

    \b
    Examples:
      belltower devices --config config.toml
      belltower devices --config config.toml --json
      belltower devices walk-test --by p07 --config config.toml

    Exits with 1 when a device or unit whose press calls for help is out of service, 69 when no alarm lane answers.
    """
    if context.invoked_subcommand is not None:
        return
    client = _client(config)
    devices, status = asyncio.run(_ask(client))
    if as_json:
        emit(
            {
                "devices": devices.devices,
                "others": devices.others,
                "unknown": devices.unknown,
                "outputs": devices.outputs,
                "units_lost": status.units_lost,
            }
        )
    else:
        _show(devices, status, everything=everything)
    if devices.out_of_service:
        raise click.exceptions.Exit(1)


@command.command("walk-test")
@config_option
@click.option("--by", required=True, metavar="PERSON", help="Who walks: a person's id of the site package.")
@click.option(
    "--token", type=click.File("r"), help="The drill token that opens it, in a file; - for standard input."
)
@click.option(
    "--at",
    default="",
    metavar="PLACE",
    help="Where you stand: binds a device that devices.toml gives no place, and the press of one that hangs elsewhere is live.",
)
@click.option("--end", is_flag=True, help="End it, and list the devices that were not pressed.")
def walk_test(config: Path, by: str, token: IO[str] | None, at: str, *, end: bool) -> None:
    """Begin a walk-test: from now on each device's first press is its proof, and an exercise.

    \b
    Examples:
      belltower devices walk-test --by p07 --token drill.token --config config.toml
      belltower devices walk-test --by p07 --at b-204 --config config.toml
      belltower devices walk-test --by p07 --end --config config.toml

    With --at it goes on at that place: what devices.toml gives no place is bound there, until devices.toml says otherwise.

    It needs a drill: one that runs already, or a token that opens one. It ends with the drill. What a device says later
    than half a minute after its proof is live. A unit of ours is proven by a press that it sends as an exercise; what it
    sends as live is live.
    """
    asyncio.run(_walk(_client(config), by, token.read().strip() if token else "", at, end=end))


async def _walk(client: ControlClient, by: str, token: str, at: str, *, end: bool) -> None:
    if end:
        left = (await client.ask("end_walk_test", _verb(), by=by)).split()
        click.echo("every device was pressed" if not left else f"NOT pressed: {', '.join(left)}")
        return
    if token:
        await client.ask("begin_drill", _verb(), token=token)
    await client.ask("begin_walk_test", _verb(), by=by, at=at)
    click.echo(
        "begun: press each device at its place, and each unit of ours as an exercise; end it with --end"
    )


def _verb() -> VerbId:
    from belltower.clock import SystemClock
    from belltower.ids import Ids

    return Ids(clock=SystemClock()).verb()


def _client(config: Path) -> ControlClient:
    from gateway import settings as rooms
    from gateway.control import ControlClient

    return ControlClient(path=rooms.load(config, secrets=False).state.control)


async def _ask(client: ControlClient) -> tuple[Devices, Status]:
    import msgspec

    from gateway.intake.devices.health import Devices

    told = await client.ask("devices", _verb())
    return msgspec.json.decode(told.encode(), type=Devices), await client.look()


def _show(devices: Devices, status: Status, *, everything: bool) -> None:
    every = sorted((*devices.devices, *devices.others), key=lambda each: each.rank)
    shown = [each for each in every if everything or each.rank < 2]
    wrong = len(devices.out_of_service)
    table(
        f"{len(devices.devices)} devices, {status.units} units; {wrong} out of service",
        ("device", "place", "profile", "heard", "battery", "supervision", ""),
        [_row(each) for each in shown],
        whole=("device", "place"),
    )
    if faulty := [each for each in devices.outputs if everything or each.fault]:
        table(
            "Outputs",
            ("output", "is", "device", ""),
            [(each.name, each.does, each.device, each.fault or "no fault known") for each in faulty],
            whole=("output", "device"),
        )
    if devices.unknown:
        table(
            "Heard and not in devices.toml",
            ("profile", "address", "way", "said", "times"),
            [(one.profile, one.address, one.path, one.said, str(one.count)) for one in devices.unknown],
            whole=("profile", "address"),
        )
    if devices.walk_test_by:
        click.echo(f"walk-test by {devices.walk_test_by}")


def _row(each: DeviceHealth) -> tuple[str, ...]:
    return (
        each.id,
        each.place or "none",
        f"{each.profile} {each.hash}",
        _time(each.heard),
        f"{each.battery} %" if each.battery >= 0 else "",
        each.supervision,
        ", ".join(each.remarks),
    )


def _time(at: Instant) -> str:
    from belltower.clock import aware

    return aware(at).strftime("%Y-%m-%d %H:%M UTC") if at else "never"
