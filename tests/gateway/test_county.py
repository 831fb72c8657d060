"""The county simulator as a program: its key file, its control interface, its faults."""

import asyncio
import json

import aiohttp
import pytest

from belltower.errors import SettingsError
from belltower.values import Secret
from gateway.county import CountyOptions, Fault, FaultName, run_county
from gateway.county.keys import read_key, write_key
from gateway.psap.kinds import link_from
from gateway.psap.link import Answered, Receipt, admitted
from gateway.psap.settings import KISSLinkSettings
from tests.gateway.psap.house import around, order
from tests.peers.county import PSAP, SCHOOL
from tests.peers.waiting import PATIENCE
from tests.servers.pty import socat_cable


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("silent", Fault(name=FaultName.SILENT)),
        ("late=3", Fault(name=FaultName.LATE, value=3.0)),
        ("late=3s", Fault(name=FaultName.LATE, value=3.0)),
        ("late", Fault(name=FaultName.LATE, value=5.0)),
        ("noise=0.01", Fault(name=FaultName.NOISE, value=0.01)),
        ("deaf-after=2", Fault(name=FaultName.DEAF_AFTER, value=2.0)),
    ],
)
def test_a_fault_is_asked_for_by_name(text, fault):
    """With its measure, or a default."""
    assert fault == Fault.parse(text)


@pytest.mark.parametrize("text", ["", "quiet", "late=x"])
def test_an_unknown_fault_is_refused_with_those_there_are(text):
    """So that a typo does not become a healthy county."""
    with pytest.raises(SettingsError, match="silent, late"):
        Fault.parse(text)


def test_a_link_key_is_read_only_from_a_file_of_ones_own(tmp_path):
    """Mode 0600, 64 hex digits; the message names file and mend, never the key."""
    path = tmp_path / "key"
    with pytest.raises(SettingsError, match="cannot be read"):
        read_key(path)
    write_key(path)
    assert 32 == len(read_key(path))
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_key(path)
    path.chmod(0o600)
    path.write_text("secretsecret")
    with pytest.raises(SettingsError, match="openssl rand") as caught:
        read_key(path)
    assert "secretsecret" not in str(caught.value)


async def test_the_county_is_steered_over_http(tmp_path):
    """Ready with its port; it shows calls, acknowledges, takes faults, refuses nonsense."""
    key = tmp_path / "key"
    write_key(key)
    loop = asyncio.get_running_loop()
    with socat_cable(tmp_path) as cable:
        ready = loop.create_future()
        options = CountyOptions(
            links={"kiss": f"serial://{cable.far}"}, key_files={"kiss": key}, us=PSAP, them=SCHOOL, control=0
        )
        county = loop.create_task(run_county(options, announce=ready.set_result))
        settings = KISSLinkSettings(
            url=f"serial://{cable.near}", from_=SCHOOL, to=PSAP, key=Secret(key.read_text().strip())
        )
        link = link_from("county", settings, around(tmp_path))
        heard = asyncio.Queue()

        def report(what):
            heard.put_nowait(what)
            if isinstance(what, Answered | Receipt):
                return None
            written = loop.create_future()
            written.set_result(True)
            return written

        running = loop.create_task(link.run(report))
        try:
            async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
                line = json.loads(await ready)
                base = f"http://127.0.0.1:{line['port']}"
                while not isinstance(await heard.get(), Answered):
                    pass
                assert await link.send(link.first(admitted(order(7), place="B 204")))
                while not isinstance(await heard.get(), Receipt):
                    pass
                async with http.get(f"{base}/calls") as answer:
                    (call,) = (await answer.json())["calls"]
                assert (7, "B 204", "new", [[1, 1]]) == (
                    call["number"],
                    call["place"],
                    call["state"],
                    call["presses"],
                )
                async with http.post(f"{base}/calls/7/acknowledge", json={"by": "T4"}) as answer:
                    assert "acknowledged" == (await answer.json())["state"]
                assert "T4" == (await heard.get()).by
                for path, body, status in [
                    ("/calls/8/acknowledge", {}, 404),
                    ("/calls/7/acknowledge", {"by": "a person's name"}, 400),
                    ("/fault", {"fault": "quiet"}, 400),
                    ("/fault", {"fault": "silent"}, 200),
                    ("/fault", {}, 200),
                    ("/calls/7/reject", {}, 200),
                ]:
                    async with http.post(base + path, json=body) as answer:
                        assert (path, status) == (path, answer.status)
                async with http.post(f"{base}/fault", data=b"{") as answer:
                    assert 400 == answer.status
        finally:
            for task in (running, county):
                task.cancel()
            await asyncio.wait([running, county], timeout=PATIENCE)
        assert running.cancelled()
        assert county.cancelled()
