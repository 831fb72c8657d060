"""`belltower outputs test` of what is switched, against a real Modbus server."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from gateway.cli.outputs import command
from tests.servers.modbus import tcp_device

CONFIG = """
[psap.links.county]
kind = "kiss"
url = "tcp://127.0.0.1:8001"
from = "SCHOOL-1"
to = "COUNTY"
key = {{ env = "NO_SUCH_KEY" }}
[outputs.siren-hall]
kind = "modbus"
does = "siren"
url = "tcp://127.0.0.1:{port}"
coil = {coil}
"""


@pytest.mark.parametrize(("coil", "code", "says"), [(2, 0, '"confirmed": true'), (99, 69, "illegal address")])
async def test_a_relay_is_switched_on_for_a_second_and_off_again(tmp_path, coil, code, says):
    """It says how far that got."""
    config = tmp_path / "config.toml"
    async with tcp_device() as device:
        config.write_text(CONFIG.format(port=device.port, coil=coil))
        asked = ["test", "siren-hall", "--config", str(config), "--json"]
        run = asyncio.get_running_loop().run_in_executor(
            None, lambda: CliRunner().invoke(command, asked, standalone_mode=True)
        )
        answer = await run
        if code:
            assert answer.exception is not None
            assert says in str(answer.exception)
        else:
            assert says in json.dumps(json.loads(answer.output))
            assert not await device.coil(coil)
