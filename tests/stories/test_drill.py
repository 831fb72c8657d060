"""A drill on the running daemon: two keys, one window; then what is forged, elsewhere, or in earnest."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import NotVerified
from belltower.ids import Ids
from belltower.incident import drill
from belltower.incident.drill import DrillAuthorisation
from belltower.incident.facts import Action
from gateway.control import ControlClient
from gateway.site_drills import new_private_key, public_text
from tests.stories.house import BELLTOWER, ROOT, House


class Drill:
    """The command line as the principal and the officer use it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keys = [house.folder / f"{person}.key" for person in ("p01", "p02")]

    async def __call__(self, *words: object) -> tuple[int | None, str]:
        """Run `belltower WORDS`; its exit code and all it says."""
        process = await asyncio.create_subprocess_exec(
            *BELLTOWER,
            *map(str, words),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    async def begin(self, *words: object) -> tuple[int | None, str]:
        keys = [word for key in self.keys for word in ("--key", key)]
        return await self("drill", "begin", *words, *keys, "-c", self.house.config)

    async def press(self, unit: str, *more: str) -> tuple[int | None, str]:
        return await self("press", "-u", unit, "--exercise", *more, "-c", self.house.config)

    def token(self, keys: list[Ed25519PrivateKey], *, ago: int = 0) -> str:
        """A token by hand, of a minute that began so many seconds ago."""
        now = SystemClock().now() - ago * SECOND
        agreed = DrillAuthorisation(
            id=f"by-hand-{ago}",
            campus="lindenfield",
            places=("lindenfield",),
            action=Action.LOCKDOWN,
            begins=Instant(now - SECOND),
            until=Instant(now + 60 * SECOND),
            authorisers=("p01", "p02"),
            psap_accepted=True,
        )
        return drill.sign(agreed, (keys[0], keys[1]))


async def test_a_drill_is_an_exercise_everywhere_and_everything_else_is_live(tmp_path: Path) -> None:
    """Begin, press, and every wire says EXERCISE; forged, used, elsewhere or ended: live, and nothing says so."""
    house = House(tmp_path)
    async with house:
        run = Drill(house)
        keys = [new_private_key(file) for file in run.keys]
        with (tmp_path / "site" / "drills.toml").open("w") as file:
            for person, key in zip(("p01", "p02"), keys, strict=True):
                file.write(f'[[authoriser]]\nperson = "{person}"\nkey = "{public_text(key.public_key())}"\n')
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

        await house.eventually(exercise, within=10)

        async def phones_told() -> dict[str, list[dict[str, Any]]] | None:
            phones = await house.phones()
            return phones if len(phones) >= 20 else None

        async def page_says() -> bool:
            return "EXERCISE until" in await house.page("/")

        phones = await house.eventually(phones_told, within=30)
        await house.eventually(page_says, within=10)
        (opened,) = house.facts("incident.opened")
        incident = opened["incident"]
        await order(house, incident, "lockdown")

        async def shown() -> bool:
            units = await house.get(f"{house.units_url}/units")
            return all(unit["order"] == "lockdown" and unit["order_exercise"] for unit in units)

        await house.eventually(shown, within=20)
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

        await house.eventually(live, within=10)
        assert ["aborted_real"] == [fact["reason"] for fact in house.facts("drill.ended")]
        real = [fact for fact in house.facts("notice.ordered")[before:] if fact["template"] == "staff-alarm"]
        assert ["actual"] == [fact["mode"] for fact in real]

        async def real_texts() -> list[str]:
            told = [str(text["body"]) for each in (await house.phones()).values() for text in each]
            return [text for text in told if "EXERCISE" not in text]

        await house.eventually(real_texts, within=20)
        ended = await run.press("u7", "--even-if-live")
        assert 0 == ended[0], ended[1]
        assert "actual" == house.facts("alarm.raised")[-1]["mode"]


async def order(house: House, incident: str, action: str) -> None:
    """Order an action on the incident's page, as a browser would."""
    page = await house.page(f"/incidents/{incident}")
    forms = re.findall(rf'action="/incidents/{incident}/actions">(.*?)</form>', page, re.DOTALL)
    chosen = next(each for each in forms if f'value="{action}"' in each)
    hidden = dict(re.findall(r'name="(form|verb)" value="([^"]*)"', chosen))
    url = f"{house.url}/incidents/{incident}/actions"
    form = {**hidden, "action": action}
    async with house.session.post(url, data=form, headers={"Origin": house.url}) as answer:
        assert answer.status == 200, await answer.text()
