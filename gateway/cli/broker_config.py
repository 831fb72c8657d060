"""`belltower broker-config`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Print hardened settings for a mosquitto broker, and what its PUBACK is worth.")
@click.option("--bind", default="", help="The address to listen on; every one by default.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8883, show_default=True)
@click.option("--username", default="belltower", show_default=True, help="Our own name at the broker.")
@click.option(
    "--site",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A site package: its foreign devices get users of their own, and the broker keeps what they retain.",
)
@click.option(
    "--devices-username",
    default="belltower-devices",
    show_default=True,
    help="Our own name where we read foreign devices.",
)
@click.option("--without-tls", is_flag=True, help="For a network that carries nothing else.")
@click.option(
    "--save-every-change",
    is_flag=True,
    help="Write the database at every change: safer, and slow under load.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("/etc/mosquitto/belltower"),
    show_default=True,
    help="Where the broker keeps the ACL and password files.",
)
def command(
    bind: str,
    port: int,
    username: str,
    site: Path | None,
    devices_username: str,
    folder: Path,
    *,
    without_tls: bool,
    save_every_change: bool,
) -> None:
    """Print mosquitto.conf and the ACL for units: each one reads and writes its own topics only, nothing is dropped.

    \b
    Examples:
      belltower broker-config --bind 10.1.2.3 > belltower-mosquitto.txt
      belltower broker-config --site site > belltower-mosquitto.txt

    With --site the foreign devices of the package, and the bridges and servers that speak for them, get a user each;
    one can then not publish as another, nor read what another is told. Without it nothing is kept: a retained message
    is refused. The text says itself what the broker's PUBACK is worth, and where our own listener does better.
    """
    from gateway import site_package
    from gateway.broker_config import BrokerPlan, render
    from gateway.broker_users import BrokerUsers, broker_users

    users = BrokerUsers()
    if site is not None:
        package = site_package.load(site)
        taken = {str(name): f"the unit {name}" for name in package.units}
        users = broker_users(package.foreign, {**taken, username: "us", devices_username: "us"})
    plan = BrokerPlan(
        bind=bind,
        port=port,
        username=username,
        devices_username=devices_username,
        users=users,
        folder=folder,
        save_every_change=save_every_change,
    )
    if without_tls:
        from msgspec.structs import replace

        plan = replace(plan, certificate=None, private_key=None)
    click.echo(render(plan), nl=False)
