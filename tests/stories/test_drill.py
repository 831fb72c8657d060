"""A drill on the running daemon: two keys, one window; then what is forged, elsewhere, or in earnest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.clock import SystemClock
from belltower.errors import NotVerified
from belltower.ids import Ids
from gateway.control import ControlClient
from tests.stories.drilling import Drill
from tests.stories.house import House
from tests.stories.office import Office


async def test_a_drill_is_an_exercise_everywhere_and_everything_else_is_live(tmp_path: Path) -> None:
    """Begin, press, and every wire says EXERCISE; forged, used, elsewhere or ended: live, and nothing says so."""
    house = House(tmp_path)
    async with house:
        run = Drill(house)
        keys = run.authorised()
        await house.run()
        await house.connect_units()
        await house.sign_in()

        # Nobody opens a drill with keys of their own, or with a token whose window is closed.
        strangers = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]
        lane = ControlClient(path=house.state / "control.sock")
        for token, why in (
            (run.token(strangers), "signature of 'p01' is false"),
            (run.token(keys, ago=3600), "window is not open"),
        ):
            with pytest.raises(NotVerified, match=why):
                await lane.ask("begin_drill", Ids(clock=SystemClock()).verb(), token=token)
        assert 77 == (await run.press("u7"))[0]
        assert [] == house.facts("alarm.raised")

        # A drill of building A, which the centre takes part in.
        begun = await run.begin("--place", "A", "--action", "lockdown", "--minutes", "5", "--psap-accepted")
        assert 0 == begun[0], begun[1]
        elsewhere = await run.press("u12")
        assert 77 == elsewhere[0]
        assert "is not there" in elsewhere[1]
        pressed = await run.press("u7")
        assert 0 == pressed[0], pressed[1]

        async def exercise() -> list[dict[str, Any]]:
            return [call for call in await house.calls() if call["exercise"]]

        await house.eventually(exercise)

        async def phones_told() -> dict[str, list[dict[str, Any]]] | None:
            phones = await house.phones()
            return phones if len(phones) >= 20 else None

        async def page_says() -> bool:
            return "EXERCISE until" in await house.page("/")

        phones = await house.eventually(phones_told)
        await house.eventually(page_says)
        (opened,) = house.facts("incident.opened")
        incident = opened["incident"]
        await Office(house).order(incident, "lockdown")

        async def shown() -> bool:
            units = await house.get(f"{house.units_url}/units")
            return all(unit["order"] == "lockdown" and unit["order_exercise"] for unit in units)

        await house.eventually(shown)
        assert all(call["exercise"] for call in await house.calls())
        texts = [str(text["body"]) for told in phones.values() for text in told]
        mark = "EXERCISE EXERCISE EXERCISE"
        assert all(text.startswith(mark) and text.rstrip().endswith(mark) for text in texts), texts[:2]
        stamped = house.facts("alarm.raised") + house.facts("call.ordered") + house.facts("notice.ordered")
        assert {"exercise"} == {fact["mode"] for fact in stamped}

        # Somebody presses in earnest: live on every wire, and the drill is over, though its window is open.
        before = len(house.facts("notice.ordered"))
        await house.press("u5")

        async def live() -> list[dict[str, Any]]:
            return [call for call in await house.calls() if not call["exercise"]]

        await house.eventually(live)
        assert ["aborted_real"] == [fact["reason"] for fact in house.facts("drill.ended")]
        real = [fact for fact in house.facts("notice.ordered")[before:] if fact["template"] == "staff-alarm"]
        assert ["actual"] == [fact["mode"] for fact in real]

        async def real_texts() -> list[str]:
            told = [str(text["body"]) for each in (await house.phones()).values() for text in each]
            return [text for text in told if "EXERCISE" not in text]

        await house.eventually(real_texts)
        ended = await run.press("u7", "--even-if-live")
        assert 0 == ended[0], ended[1]
        assert "actual" == house.facts("alarm.raised")[-1]["mode"]
