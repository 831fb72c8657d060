"""What lies outside of the alarm lane: clock, chance, disk and wires. A simulator brings its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from msgspec import Struct, field

from belltower.clock import Clock, SystemClock
from belltower.ids import LinkName, RandomBytes
from belltower.journal import RunSpool, Signer, Spool, SpoolFile
from belltower.store import Database, open_database
from gateway.damage import Aside
from gateway.meanwhile import Meanwhile
from gateway.outputs.kinds import wire_from
from gateway.outputs.switch_kinds import switches_from
from gateway.psap.kinds import link_from
from gateway.psap.link import NUMERIC_ONLY, AddressBook, Around, PSAPLink
from gateway.settings import Settings
from gateway.signing import open_signer
from hardware.drivers.lines import SharedLines
from hardware.drivers.switch import Switches
from hardware.drivers.zone import PageWire
from hardware.transports import Transport, open_transport
from hardware.transports.addresses import Addresses


class World(Struct, frozen=True, kw_only=True):
    """Everything outside of the lane that a test may bend."""

    clock: Clock
    random: Random
    random_bytes: RandomBytes
    open_database: Callable[[], Awaitable[Database]]
    spool: Spool
    run_spool: RunSpool | None = None
    # Signs the journal's head from time to time; None: its chain is verified without signatures.
    signer: Signer | None = None
    # What of the machine cannot be used.
    faults: tuple[str, ...] = ()
    # Where a damaged journal is put; None: the lane ends with `Damaged`.
    aside: Aside | None = None
    # Does what can be done while the journal syncs; None: everything is done afterwards.
    meanwhile: Meanwhile | None = None
    open_transport: Callable[[str], Transport] = open_transport
    open_link: Callable[[LinkName, Any, Around], PSAPLink] = link_from
    open_wire: Callable[[Any, RandomBytes], PageWire] = wire_from
    open_switches: Callable[[Mapping[str, Any], Clock, RandomBytes], Switches] = switches_from
    # Lines that inputs and outputs share.
    lines: SharedLines = field(default_factory=SharedLines)
    # Numeric addresses of the hosts that links call, and what keeps them fresh.
    addresses: AddressBook = NUMERIC_ONLY
    look_up: Callable[[], Awaitable[None]] | None = None


def open_world(settings: Settings) -> World:
    """The machine's own clock, disk and wires."""
    clock = SystemClock()
    settings.state.make()
    meanwhile = Meanwhile(loop=asyncio.get_running_loop())
    signer, unsigned = open_signer(settings.state.signing_key, clock=clock, notes=settings.state.checkpoints)
    lines = SharedLines()
    addresses = Addresses(path=settings.state.links / "addresses.json")
    return World(
        clock=clock,
        addresses=addresses,
        look_up=addresses.run,
        random=Random(),  # noqa: S311 - jitter, not a secret
        random_bytes=os.urandom,
        open_database=partial(open_database, settings.alarm_url, before_commit=meanwhile.begin),
        meanwhile=meanwhile,
        lines=lines,
        open_switches=partial(switches_from, lines=lines),
        spool=SpoolFile(path=settings.state.spool),
        signer=signer,
        faults=(unsigned,) if unsigned else (),
        aside=Aside(file=settings.state.alarm_database),
    )
