"""A provider that dies after taking half of an alarm, on the running daemon: a second one takes over, nobody is told twice."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from tests.stories import harm
from tests.stories.house import House, Process
from tests.stories.office import Office, ordered, rows, told

STAFF = 25
SECRET = 6
"""How many messages the first provider takes without ever saying so."""


class First(Process):
    """The provider that is asked first, a process of its own."""

    def __init__(self, house: House) -> None:
        super().__init__("first", house.folder, "simulate", "carrier", "--port", "0")
        self._house = house
        self.url = ""

    async def up(self) -> None:
        """Start it."""
        said = await self.ready()
        self.url = str(said["url"])
        self._command[-1] = str(said["port"])

    async def fault(self, **faults: object) -> None:
        """Ask it for faults."""
        async with self._house.session.post(f"{self.url}/fault", json=faults) as answer:
            assert answer.status < 300, await answer.text()

    async def took(self) -> set[str]:
        """The deliveries whose messages it has taken."""
        phones = await self._house.get(f"{self.url}/phones")
        return {text["callback"].rpartition("/")[2] for texts in phones.values() for text in texts}


def states(house: House, template: str, channel: str = "sms") -> dict[str, str]:
    """Where the deliveries of the notice by this template stand."""
    (notice,) = [notice for notice, fact in ordered(house).items() if fact["template"] == template]
    sql = "SELECT id, state FROM notice_delivery WHERE notice = :notice AND channel = :channel"
    return dict(rows(house, sql, notice=notice, channel=channel))


async def test_a_provider_that_dies_half_way_is_relieved_and_what_it_may_have_taken_stays_unknown(
    tmp_path: Path,
) -> None:
    """R20, R21, R25, I4, I5, W13: definite failures go by the second, the rest is never sent again, mail goes on."""
    async with House(tmp_path, units=4) as house:
        first = First(house)
        house.processes.append(first)
        await first.up()
        house._channels = (
            house.text_way("text", first.url, more='rate = 100\norder = 1\nin_flight = 10\ntimeout = "8s"')
            + house.text_way("text-2", more="rate = 100\norder = 2")
            + house.other_ways()
        )
        house.configure()
        await house.run()
        await house.connect_units()
        await house.sign_in()
        await first.fault(lose_answer=True, accept_anyway=True, times=SECRET, slow=0.1, callbacks=False)

        # It takes half of the alarm, some without a word, and dies.
        await house.press("u3")

        async def half() -> bool:
            return len(await first.took()) >= STAFF // 2

        await house.eventually(half)
        await first.fault(reset=True, callbacks=False)
        by_first = await first.took()
        await first.end(signal.SIGKILL)
        await harm.shows(house, "u3", "psap")

        async def settled() -> bool:
            known = [*states(house, "staff-alarm").values(), *states(house, "staff-alarm", "email").values()]
            return len(known) == 2 * STAFF and not {"pending", "sending"} & set(known)

        await house.eventually(settled, every=0.1)
        alarm = states(house, "staff-alarm")
        unknown = {delivery for delivery, state in alarm.items() if state == "uncertain"}
        by_second = {one.delivery for one in await told(house) if one.channel == "sms"}
        assert len(unknown & by_first) >= SECRET
        assert not by_second & (by_first | unknown)
        assert set(alarm) == by_first | by_second | unknown
        assert {"accepted", "delivered"} >= {alarm[delivery] for delivery in set(alarm) - unknown}
        (notice,) = [notice for notice, fact in ordered(house).items() if fact["template"] == "staff-alarm"]
        assert unknown == {
            fact["delivery"]
            for fact in house.facts("delivery.settled", desk=True)
            if fact["outcome"] == "uncertain"
        }

        # Mail has told everybody meanwhile.
        (raised,) = house.facts("alarm.raised")
        mailed = [one.at for one in await told(house) if one.channel == "email"]
        assert STAFF == len(mailed)
        assert max(mailed) / 1e6 - raised["at"] <= 30

        # It comes back, and knows of nothing. What is ordered now leaves once too, though the mail server hangs up.
        await first.up()
        (opened,) = house.facts("incident.opened")
        await house.carrier_fault(smtp_drop=True)
        await Office(house).order(opened["incident"], "lockdown")

        async def hung_up() -> bool:
            return "uncertain" in states(house, "staff-action", "email").values()

        async def ordered_to_all() -> bool:
            known = [
                *states(house, "staff-action").values(),
                *states(house, "staff-action", "email").values(),
            ]
            return len(known) == 2 * STAFF and not {"pending", "sending"} & set(known)

        await house.eventually(hung_up, every=0.1)
        await house.carrier_fault()
        await house.eventually(ordered_to_all, every=0.1)
        said = [one.delivery for one in await told(house) if one.notice != notice]
        action = states(house, "staff-action")
        assert [] == [one for one, times in Counter([*said, *await first.took()]).items() if times > 1]
        assert set(action) <= set(said) | await first.took()
        assert {"accepted", "delivered"} >= set(action.values())
        mails = states(house, "staff-action", "email")
        assert {"accepted", "uncertain"} == set(mails.values())
        assert {delivery for delivery, state in mails.items() if state == "accepted"} <= set(said)

        # Nobody finds out any more what the first had taken: it stays unknown, and the page says so.
        async def given_up() -> bool:
            return not rows(house, "SELECT 1 FROM notice_delivery WHERE asking = 1 LIMIT 1")

        await house.eventually(given_up, every=0.5)
        assert unknown == {
            delivery for delivery, state in states(house, "staff-alarm").items() if state == "uncertain"
        }
        assert f'<b class="mono">{len(unknown)}</b> unknown' in await house.page(f"/notices/{notice}")
        table = await house.page(f"/notices/{notice}.csv")
        assert len(unknown) == len([line for line in table.splitlines() if ",unknown," in line])
