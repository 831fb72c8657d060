"""The far ends of six links in one process: `python -m gateway.bench.county_ends OPTIONS` until its input is closed.

The county's own ends where there are such, and the devices that stand between for texts. OPTIONS is the JSON of
`Ends`; one line is printed, the ends' addresses, once all are open.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from belltower.tasks import together
from gateway.county import CountyOptions, run_county
from gateway.process import end_with_parent
from hardware.simulators.fleetsync_radio import SimulatedFleetSyncRadio
from hardware.simulators.modem import SimulatedModem
from hardware.simulators.serving import Device, serve
from hardware.simulators.tetra_radio import SimulatedTetraRadio
from hardware.transports import open_transport


class Ends(Struct, frozen=True, kw_only=True):
    """What is to be opened."""

    # Ends of the county, as for `belltower simulate county --links`, and their secrets.
    county: Mapping[str, str]
    keys: Mapping[str, str]
    # Devices by kind, each with the transport it is on.
    devices: Mapping[str, str]


def _device(kind: str) -> Device:
    match kind:
        case "modem":
            return SimulatedModem()
        case "tetra":
            return SimulatedTetraRadio()
        case _:
            return SimulatedFleetSyncRadio()


async def _main(ends: Ends) -> None:
    here = asyncio.current_task()
    assert here is not None
    end_with_parent(here.cancel)
    ready = {kind: asyncio.Event() for kind in ends.devices}
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def announce() -> None:
        line = await said
        for event in ready.values():
            await event.wait()
        print(line, flush=True)

    options = CountyOptions(
        links=ends.county, key_files={name: Path(file) for name, file in ends.keys.items()}
    )
    await together(
        county=run_county(options, announce=said.set_result),
        say=announce(),
        **{
            f"device_{kind}": serve(_device(kind), open_transport(url), ready[kind])
            for kind, url in ends.devices.items()
        },
    )


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(sys.argv[1], type=Ends)))
