"""Simulated devices at a real broker that lets each user publish its own topics only."""

import asyncio

import pytest

from belltower.clock import SystemClock
from belltower.errors import Rejected
from hardware.simulators.outlets import outlet_at
from hardware.simulators.spoken import Spoken
from tests.servers.mosquitto import Mosquitto, make_passwords

STRICT = """
per_listener_settings true
listener PORT 127.0.0.1
allow_anonymous false
allow_zero_length_clientid false
use_username_as_clientid true
password_file FOLDER/passwords
acl_file FOLDER/acl
"""


def outlet(port, password="right"):
    return outlet_at(f"mqtt://127.0.0.1:{port}", clock=SystemClock(), username="shelly1", password=password)


async def test_what_the_broker_does_not_let_through_is_refused_with_its_reason(tmp_path):
    """And what nobody reads is counted; a wrong password is said to be one."""
    make_passwords(tmp_path / "passwords", {"shelly1": "right"})
    (tmp_path / "acl").write_text("user shelly1\ntopic write shelly1/#\n", "utf-8")
    async with Mosquitto(tmp_path, STRICT) as broker:
        device = outlet(broker.port)
        await device.open()
        await device.send(Spoken(topic="shelly1/events/rpc", payload=b"{}"))
        await device.flush()
        assert "" == device.refused
        await device.send(Spoken(topic="shelly2/events/rpc", payload=b"{}"))
        await device.flush()
        await device.close()
        assert {"sent": 1, "read_by_nobody": 1, "refused": 1} == dict(device.counts)
        assert "the broker refused it because of what it allows this user" == device.refused
        stranger = outlet(broker.port, "wrong")
        with pytest.raises(Rejected, match=r"because of .*password"):
            await stranger.open()
        await stranger.close()


async def old_broker(reader, writer):
    """Knows MQTT 3.1.1 alone."""
    connect = await reader.read(1024)
    if connect[8] == 5:
        writer.write(b"\x20\x02\x00\x01")
    else:
        writer.write(b"\x20\x02\x00\x00")
        publish = await reader.read(1024)
        writer.write(b"\x40\x02" + publish[5:7])
        await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_a_broker_of_version_3_is_spoken_to_as_it_knows():
    """It never says what it did not let through."""
    server = await asyncio.start_server(old_broker, "127.0.0.1", 0)
    async with server:
        device = outlet(server.sockets[0].getsockname()[1])
        await device.open()
        await device.send(Spoken(topic="x", payload=b"{}"))
        await device.flush()
        await device.close()
        assert {"sent": 1} == dict(device.counts)
