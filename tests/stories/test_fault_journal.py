"""R6: the alarm lane's journal is damaged while the lane is down. It starts on a fresh one, and both lanes go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

from tests.stories import harm
from tests.stories.house import House


def damage(file: Path, seed: int) -> None:
    """Flip octets all over the file, its header among them."""
    random = Random(seed)
    with file.open("r+b") as octets:
        size = os.fstat(octets.fileno()).st_size
        for at in [5, 18, *(random.randrange(100, size) for _ in range(400))]:
            octets.seek(at)
            octet = octets.read(1)
            octets.seek(at)
            octets.write(bytes([octet[0] ^ (1 << random.randrange(8)) or 1]))


async def test_r6_a_damaged_journal_is_put_aside_and_the_desk_follows_the_fresh_one(tmp_path: Path) -> None:
    """The next press is recorded, called and told, although the fresh stream begins at 1 again."""
    async with House(tmp_path, units=8) as house:
        await house.run()
        await house.connect_units()
        await house.sign_in()
        await house.press("u3")
        await harm.shows(house, "u3", "psap")

        async def told(words: str) -> bool:
            texts = [text["body"] for texts in (await house.phones()).values() for text in texts]
            return sum(words in text for text in texts) >= 25

        await house.eventually(lambda: told("A Library"))
        (before,) = house.facts("incident.opened")

        # The supervisor is held so that it does not start the lane over the very bytes that are being turned.
        house.daemon.send(signal.SIGSTOP)
        house.signal("alarm", signal.SIGKILL)
        for suffix in ("-wal", "-shm"):
            (house.state / f"alarm.db{suffix}").unlink(missing_ok=True)
        damage(house.state / "alarm.db", seed=6)
        house.daemon.send(signal.SIGCONT)

        await house.lanes_up()
        state = await harm.status(house)
        assert state.stream.startswith("alarm.")
        assert list(house.state.glob("alarm.db.damaged-*"))
        await house.press("u8")
        await harm.at_county(house, "B 201")
        await harm.shows(house, "u8", "psap")
        assert ["u8"] == [fact["unit"] for fact in house.facts("alarm.raised", stream=state.stream)]
        await house.eventually(lambda: told("B 201"))
        (after,) = house.facts("incident.opened", stream=state.stream)

        async def listed() -> bool:
            page = await house.page("/")
            return after["incident"] in page and before["incident"] in page

        await house.eventually(listed)
        await harm.page_says(house, "A Library", path=f"/incidents/{before['incident']}")

        # Nobody but this desk knows the old incident any more; it can be closed all the same.
        page = await house.page(f"/incidents/{before['incident']}")
        form = {
            "form": page.split('name="form" value="')[1].split('"')[0],
            "verb": page.split('name="verb" value="')[-1].split('"')[0],
            "reason": "over",
        }
        url = f"{house.url}/incidents/{before['incident']}/close"
        async with house.session.post(url, data=form, headers={"Origin": house.url}) as answer:
            assert answer.status == 200, await answer.text()
        await harm.page_says(house, "CLOSED", path=f"/incidents/{before['incident']}")
        assert [before["incident"]] == [
            fact["incident"] for fact in house.facts("incident.closed", desk=True)
        ]
