"""R7, R8: the broker in between is killed, or stays away, while people press."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hardware.codecs.unit import mqtt_password
from hardware.unit_keys import read_keys
from tests.servers.mosquitto import Mosquitto, make_passwords
from tests.stories import harm
from tests.stories.house import House
from tests.stories.test_press_reaches_everyone import broker_of


@asynccontextmanager
async def house_behind_a_broker(folder: Path, units: int) -> AsyncIterator[tuple[House, Mosquitto]]:
    """A running house whose units reach it through mosquitto only."""
    broker = broker_of(folder / "broker")
    password = folder / "broker.password"
    password.write_text("a long password")
    password.chmod(0o600)
    async with House(folder, units=units) as house:
        keys = read_keys(house.state / "units.keys")
        make_passwords(
            folder / "broker" / "passwords",
            {"belltower": "a long password", **{f"u{n}": mqtt_password(key) for n, key in keys.items()}},
        )
        async with broker:
            house._broker = (
                f'[alarm.mqtt_broker.campus]\nurl = "mqtt://127.0.0.1:{broker.port}"\n'
                f'username = "belltower"\npassword = {{ file = "{password}" }}\n'
            )
            house.configure()
            await house.run()
            await house.connect_units(f"mqtt://127.0.0.1:{broker.port}")
            yield house, broker


async def test_r7_r8_presses_outlive_a_killed_and_an_absent_broker(tmp_path: Path) -> None:
    """Every press is in the journal once, and at the county; the way that was lost is said, and said to be back."""
    units = [f"u{number}" for number in range(1, 13)]
    async with house_behind_a_broker(tmp_path, len(units)) as (house, broker):
        campus = "broker-campus"

        # R7: killed in the middle of presses, and there again at once.
        await asyncio.gather(*(house.press(unit) for unit in units[:6]), broker.kill())
        await broker.start()

        async def recorded(count: int) -> bool:
            return len({fact["unit"] for fact in house.facts("alarm.raised")}) >= count

        await house.eventually(lambda: recorded(6))

        # R8: away for a while, and pressed meanwhile.
        async def link_is(*, lost: bool) -> bool:
            return (campus in (await harm.status(house)).links_lost) is lost

        await house.eventually(lambda: link_is(lost=False))
        await broker.kill()
        await house.eventually(lambda: link_is(lost=True))
        await asyncio.gather(*(house.press(unit) for unit in units[6:]))
        assert 6 == len({fact["unit"] for fact in house.facts("alarm.raised")})
        await broker.start()
        await house.eventually(lambda: recorded(12))
        await house.eventually(lambda: link_is(lost=False))

        for unit in units:
            await harm.shows(house, unit, "psap")
        presses = Counter(
            (fact["unit"], fact["epoch"], fact["counter"]) for fact in house.facts("alarm.raised")
        )
        assert set(presses.values()) == {1}
        lost = [fact["link"] for fact in house.facts("link.lost")]
        back = [fact["link"] for fact in house.facts("link.restored")]
        assert lost.count(campus) >= 1
        assert back.count(campus) >= 1
        assert sum(high - low + 1 for call in await house.calls() for low, high in call["presses"]) == 12
