"""`belltower demo`."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.output import emit, json_option

if TYPE_CHECKING:
    from gateway.demo import Addresses, DemoOptions


@click.command(short_help="A whole simulated school on this machine, to try it.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="Of the live page."
)
@click.option(
    "--training-port",
    type=click.IntRange(0, 65_535),
    default=8081,
    show_default=True,
    help="Of the training page.",
)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Keep state here afterwards."
)
@click.option(
    "--students",
    type=click.IntRange(0, 2_000),
    default=120,
    show_default=True,
    help="Of the generated roster; 0 for none.",
)
@json_option
def command(port: int, training_port: int, folder: Path | None, students: int, *, as_json: bool) -> None:
    """Run both lanes with a simulated county, carrier and twenty units, families, and a page to train on.

    \b
    Examples:
      belltower demo
      belltower demo --port 9080 --training-port 9081 --folder var/demo

    Nobody is called and nothing is sent anywhere: the county, the carrier and the mail server are simulators on this
    machine. Once the pages answer, a roster of families who do not exist is taken as a school takes its own: try People and a
    notice to families on the live page, or any command with --config and the settings file that is printed. A port that is taken is replaced by a free one. A part that ends is started again. Ctrl-C ends everything.
    """
    from gateway.demo import DemoOptions

    options = DemoOptions(
        folder=folder and folder.resolve(), port=port, training_port=training_port, students=students
    )
    asyncio.run(_run(options, as_json=as_json))


async def _run(options: DemoOptions, *, as_json: bool) -> None:
    from gateway.demo import ChildEndedError, run_demo

    def step(what: str) -> None:
        if not as_json:
            click.echo(f"  starting {what}")

    def announce(addresses: Addresses) -> None:
        if as_json:
            emit(
                {
                    "training": addresses.training,
                    "live": addresses.live,
                    "sign_in": addresses.sign_in,
                    "config": str(addresses.config),
                    "try": _to_try(addresses.config),
                }
            )
            return
        click.echo(f"\nPress a button, answer as the county, read the phones:\n  {addresses.training}")
        click.echo(f"The live page:\n  {addresses.live}")
        if addresses.sign_in:
            click.echo(f"Make your account on it, once:\n  {addresses.sign_in}")
        click.echo(f"The settings, for every other command, as this one:\n  {addresses.config}")
        click.echo(f"  {_to_try(addresses.config)}")
        click.echo("\nCtrl-C ends everything.")

    def remark(what: str) -> None:
        with suppress(OSError):  # the terminal may be gone
            click.echo(what, err=as_json)

    running = asyncio.current_task()
    assert running is not None  # noqa: S101 - we run in one
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:  # started with nohup
            continue
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await run_demo(options, announce=announce, step=step, remark=remark)
    except* ChildEndedError as ended:
        raise ended.exceptions[0] from None
    except* asyncio.CancelledError:
        if not as_json:
            with suppress(OSError):  # the terminal may be gone
                click.echo("Ended.")


def _to_try(config: Path) -> str:
    """A command line that is ready to be run, by the very program that we are."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "belltower" else "belltower"
    return shlex.join((program, "people", "search", "garcia", "--config", str(config)))
