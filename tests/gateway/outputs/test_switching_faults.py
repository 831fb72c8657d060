"""What must not happen to a switched output whatever goes wrong around it; in virtual time."""

import asyncio

from belltower.ids import IncidentId
from belltower.incident.facts import Mode
from gateway.outputs.rules import Does, DrillVariant, FailSafe, Rule
from hardware.drivers.switch import Reached
from tests.gateway.outputs.test_switching import OTHER, Switchboard, ordered
from tests.peers.switch import Device
from tests.peers.virtual_time import in_virtual_time

PULSED = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, pulse=5.0)


class SlowToEnd(Device):
    """Takes half a second to give up."""

    async def switch(self, ask, reach):
        """Wait for ever."""
        try:
            await super().switch(ask, reach)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            raise


class Mistaken(Device):
    """Raises what no driver may, after it was sent."""

    async def switch(self, ask, reach):
        """Off works."""
        if ask.on:
            self.asked.append(ask)
            reach(Reached.SENT)
            raise AttributeError("a mistake")
        await super().switch(ask, reach)


def test_a_pulse_ends_although_its_first_off_failed_and_something_else_was_ordered():
    """A drill's order, withheld, comes between."""

    async def story():
        async with Switchboard(PULSED) as house:
            await asyncio.sleep(1)
            await house.give(ordered())
            await asyncio.sleep(2)
            house.siren.how = "gone"
            await house.give(ordered(incident=OTHER, mode=Mode.EXERCISE))
            await asyncio.sleep(10)
            assert house.siren.on
            assert {"siren": "nobody there"} == house.worker.faults()
            assert [("its pulse has no end: nobody there", "queued")] == await house.failures()
            house.siren.how = "well"
            await asyncio.sleep(15)
            assert house.siren.on is False
            assert {} == house.worker.faults()

    in_virtual_time(story())


def test_a_pulse_ends_when_its_worker_is_ended_and_run_again():
    """The worker's own memory says that it is on."""

    async def story():
        async with Switchboard(PULSED) as house:
            await asyncio.sleep(1)
            await house.give(ordered())
            await asyncio.sleep(1)
            assert house.siren.on
            house._worker_task.cancel()
            await asyncio.wait([house._worker_task])
            house._worker_task = asyncio.get_running_loop().create_task(house.worker.run())
            await asyncio.sleep(10)
            assert house.siren.on is False

    in_virtual_time(story())


def test_a_test_is_ended_by_an_order_and_never_silences_what_is_live():
    """It is pressed while the test's second runs; a test of what is on is refused."""

    async def story():
        async with Switchboard() as house:
            await asyncio.sleep(0.5)
            test = asyncio.get_running_loop().create_task(house.worker.prove("siren"))
            await asyncio.sleep(0.3)
            await house.give(ordered())
            await asyncio.sleep(0.1)
            assert house.siren.on
            assert "an order ended the test" == (await test)[1]
            await asyncio.sleep(60)
            assert house.siren.on
            asked = len(house.siren.asked)
            assert "it is in use, so it was not tested" == (await house.worker.prove("siren"))[1]
            assert asked == len(house.siren.asked)

    in_virtual_time(story())


def test_a_test_leaves_the_output_as_its_rule_wants_it():
    """Off after its second; on where it rests on."""

    async def story(fail_safe):
        rule = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, fail_safe=fail_safe)
        async with Switchboard(rule) as house:
            await asyncio.sleep(1)
            assert ("device", "") == await house.worker.prove("siren")
            await asyncio.sleep(1)
            return house.siren.on

    assert [False, True, False] == [
        in_virtual_time(story(each)) for each in (FailSafe.OFF, FailSafe.ON, FailSafe.HOLD)
    ]


def test_a_burst_of_orders_while_it_is_put_to_rest_ends_nothing():
    """Its driver is slow to give up."""

    async def story():
        async with Switchboard() as house:
            house.devices["siren"] = SlowToEnd(how="hung")
            await house.restart()
            await asyncio.sleep(0.2)
            for number in range(1, 6):
                incident = IncidentId(f"inc_01J9ZZZZZZZZZZZZZZZZZZZZ0{number}")
                await house.give(ordered(order=number, incident=incident))
            await asyncio.sleep(1)
            assert not house._worker_task.done()
            house.siren.how = "well"
            await asyncio.sleep(60)
            assert house.siren.on
            assert 5 == len(await house.receipts())

    in_virtual_time(story())


def test_what_must_not_be_switched_twice_is_sent_once_although_its_driver_is_mistaken():
    """It is told once, and shown as a fault."""

    async def story():
        rule = Rule(does=Does.RELAY, exercise=DrillVariant.WITHHELD, idempotent=False)
        async with Switchboard(rule) as house:
            house.devices["siren"] = Mistaken()
            await house.restart()
            await asyncio.sleep(1)
            await house.give(ordered())
            await asyncio.sleep(0.01)
            assert "AttributeError" in house.worker.faults()["siren"]
            await asyncio.sleep(30)
            assert 1 == sum(ask.on for ask in house.siren.asked)
            ((reason, _),) = await house.failures()
            assert "go and look" in reason

    in_virtual_time(story())
