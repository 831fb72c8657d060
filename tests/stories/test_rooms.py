"""A lockdown in twenty-one rooms, one of them silent, and the alarm lane killed in the middle."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

from hardware.codecs import ax25, kiss
from hardware.codecs.unit import Type, peek
from tests.stories.house import House

SILENT = 21
MORE = """
[[unit]]
number = 21
place = "tent"
bearer = "both"
heartbeat = "30s"
"""
RADIO = """
[alarm.mqtt_listener]
port = {port}
[alarm.radio.field]
url = "tcp://127.0.0.1:{modem}"
"""


class Modem:
    """A radio modem on whose channel nobody answers; it keeps the orders it was given to send."""

    def __init__(self) -> None:
        self.orders: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take frames until the lane goes away."""
        decoder = kiss.Decoder()
        while data := await reader.read(4_096):
            for found in decoder.feed(data):
                if isinstance(found, kiss.Frame) and found.data:
                    head = peek(ax25.decode(found.data).info)
                    if head.type == Type.ORDER:
                        self.orders.append(head.number)
        writer.close()


async def ordered_on_the_page(house: House, incident: str, path: str, **fields: str) -> None:
    """Send one of the incident page's forms, as a browser would."""
    page = await house.page(f"/incidents/{incident}")
    form = re.search(rf'action="/incidents/{incident}/{path}">(.*?)</form>', page, re.DOTALL)
    if "action" in fields:
        found = re.findall(rf'action="/incidents/{incident}/{path}">(.*?)</form>', page, re.DOTALL)
        chosen = next(each for each in found if f'value="{fields["action"]}"' in each)
    else:
        assert form is not None
        chosen = form[1]
    hidden = dict(re.findall(r'name="(form|verb)" value="([^"]*)"', chosen))
    url = f"{house.url}/incidents/{incident}/{path}"
    async with house.session.post(url, data={**hidden, **fields}, headers={"Origin": house.url}) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_lockdown_in_twenty_one_rooms_one_of_them_silent(tmp_path: Path) -> None:
    """Twenty confirm, one is shown as not reached after its second way; statuses and a text survive a kill -9."""
    modem = Modem()
    server = await asyncio.start_server(modem.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    house = House(tmp_path, units=SILENT)
    house._broker = RADIO.format(port=house.mqtt_port, modem=port)
    loop = asyncio.get_running_loop()
    async with server, house:
        with (tmp_path / "site" / "units.toml").open("a") as file:
            file.write(MORE)
        with (tmp_path / "site" / "site.toml").open("a") as file:
            file.write('[[place]]\nid = "tent"\nlabel = "Tent"\n')
        (house.state / "units.keys").unlink()
        await remake_keys(house)
        await house.run()
        await house.connect_units()
        await house.sign_in()

        async def unit(number: int, path: str, **body: Any) -> None:
            url = f"{house.units_url}/units/u{number}/{path}"
            async with house.session.post(url, json=body) as answer:
                assert answer.status == 202, await answer.text()

        await unit(SILENT, "fault", fault="deaf")
        await house.press("u3")

        async def opened() -> list[dict[str, Any]]:
            return house.facts("incident.opened")

        incident = (await house.eventually(opened))[0]["incident"]

        async def page_has(words: str) -> bool:
            return words in await house.page(f"/incidents/{incident}")

        await house.eventually(lambda: page_has("A Library"))
        began = loop.time()
        await ordered_on_the_page(house, incident, "actions", action="lockdown")

        async def confirmed() -> bool:
            return len(house.facts("order.shown")) >= SILENT - 1

        await house.eventually(confirmed)
        print(f"{loop.time() - began:8.3f} s  twenty units show the lockdown")
        await unit(4, "status", status="injured", count=2)

        house.signal("alarm", signal.SIGKILL)
        await unit(5, "status", status="missing", count=1)
        await unit(6, "status", status="safe")
        await unit(6, "text", text="Door jammed on our side")
        await house.lanes_up()

        async def heard() -> bool:
            units = await house.get(f"{house.units_url}/units")
            return all(shown["unheard"] == 0 for shown in units)

        await house.eventually(heard)

        async def missed() -> list[dict[str, Any]]:
            return house.facts("room.not_reached")

        (room,) = await house.eventually(missed)
        print(f"{loop.time() - began:8.3f} s  the silent room is shown as not reached")
        assert "tent" == room["place"]
        assert SILENT in modem.orders

        statuses = [
            (fact["unit"], fact["status"], fact.get("count", 0)) for fact in house.facts("status.reported")
        ]
        assert [("u4", "injured", 2), ("u5", "missing", 1), ("u6", "safe", 0)] == sorted(statuses)
        shown = [fact["unit"] for fact in house.facts("order.shown")]
        assert len(shown) == len(set(shown)) == SILENT - 1
        assert 1 == len(house.facts("text.heard"))
        assert "jammed" not in str(house.facts()) + house.daemon.output()
        for words in ("Door jammed on our side", "not reached", "2 injured", "1 missing"):
            await house.eventually(lambda words=words: page_has(words))

        room_of_u6 = next(
            each["place"] for each in await house.get(f"{house.units_url}/units") if each["unit"] == "u6"
        )
        await ordered_on_the_page(house, incident, "texts", room=room_of_u6, words="Stay, help is coming")

        async def read() -> bool:
            units = await house.get(f"{house.units_url}/units")
            return any(shown["texts"] == ["Stay, help is coming"] for shown in units)

        await house.eventually(read)
        await house.eventually(lambda: page_has("shown on the unit"))

        await unit(SILENT, "fault", fault="")

        await ordered_on_the_page(house, incident, "close", reason="over")

        async def cleared() -> bool:
            return all(shown["order"] == "" for shown in await house.get(f"{house.units_url}/units"))

        await house.eventually(cleared)


async def remake_keys(house: House) -> None:
    """Keys for every unit, the new one among them."""
    keys = house.process("keys", "units", "keys", "--json", "--config", house.config)
    await keys.ready()
    await keys.end()
