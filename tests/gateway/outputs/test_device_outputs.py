"""Devices told by their profiles: what goes on the wire, and which answers prove what; in virtual time, no broker."""

import asyncio
import json
from random import Random

import pytest
from msgspec.structs import replace

from belltower.errors import LinkError, Rejected, SettingsError, Unreachable
from gateway.intake.devices.settings import MQTTDeviceSettings
from gateway.outputs.rules import Does, DrillVariant
from gateway.outputs.switch_settings import DeviceSettings
from gateway.switch_wires import device_output, output_remarks
from hardware.drivers.device_switch import DeviceLine, DeviceSwitch
from hardware.drivers.switch import Ask, Reached
from hardware.profiles.profile import OutputTable
from tests.peers.told_device import CONFIRMED, DOES, MODELS, Air, ToldDevice, site
from tests.peers.virtual_time import in_virtual_time

WAYS = {"hall": MQTTDeviceSettings(url="mqtt://127.0.0.1:1883")}
QUEUED, SENT, DEVICE = Reached.QUEUED, Reached.SENT, Reached.DEVICE
RANDOM = Random(1)


def settings_of(model, **how):
    """As a settings file says it."""
    return DeviceSettings(
        does=Does(DOES.get(model, "relay")), device=model, values=dict(MODELS[model][3]), **how
    )


class Told:
    """A device of a model, and our switch of it."""

    def __init__(self, model, **how) -> None:
        made = device_output(settings_of(model, **how), site(model), WAYS)
        self.rule = made.rule
        line = DeviceLine(reply="belltower/us")
        self.air = Air(line)
        self.device = ToldDevice(model, self.air.say)
        self.air.devices.append(self.device)
        self.switch = DeviceSwitch(told=made.told, line=line, answered=how.get("receipt") != "none")

    async def asked(self, *, on=True, within=10.0, **more):
        """The levels reached, and what was raised."""
        levels = []
        ask = Ask(on=on, request=RANDOM.randbytes(8).hex(), **more)
        try:
            async with asyncio.timeout(within):
                await self.switch.switch(ask, levels.append)
        except (LinkError, TimeoutError) as error:
            return levels, error
        return levels, None


@pytest.mark.parametrize("model", MODELS)
def test_every_model_does_what_it_is_told_and_only_its_own_word_confirms(model):
    """On and off; an echo of a state, a broker's and a server's word are no confirmation."""

    async def story():
        told = Told(model)
        carried = bool(MODELS[model][2])
        for on in (True, False):
            levels, error = await told.asked(on=on)
            assert error is None
            assert on is told.device.on
            assert (QUEUED if carried else SENT) is levels[0]
            assert (DEVICE if model in CONFIRMED else SENT) is levels[-1]
            assert not carried or SENT in levels
        assert (model in CONFIRMED) is told.switch.confirms

    in_virtual_time(story())


@pytest.mark.parametrize("model", sorted(CONFIRMED))
def test_an_answer_to_another_request_a_no_and_a_late_one_settle_nothing(model):
    """A no is a no; half an answer is none; nothing that was kept by the broker answers."""

    async def story():
        told = Told(model)
        told.device.how = "stale"
        assert isinstance((await told.asked(within=5))[1], TimeoutError)
        told.device.how = "refusing"
        assert isinstance((await told.asked())[1], Rejected)
        told.device.how, told.device.delay = "late", 6.0
        assert isinstance((await told.asked(within=5))[1], TimeoutError)
        await asyncio.sleep(10)
        told.device.how = "silent"
        heard = asyncio.get_running_loop().create_task(told.asked(within=5))
        await asyncio.sleep(0.1)
        request = json.loads(told.device.orders[-1])
        if model == "shelly-gen2":
            kept = json.dumps({"id": request["id"], "result": {}}).encode()
            told.air.say("belltower/us/rpc", kept, retain=True)
            told.air.say("belltower/other/rpc", kept)
            told.air.say("belltower/us/rpc", b"{")
            told.air.say("belltower/us/rpc", b"\xff" * 1_000)
        assert isinstance((await heard)[1], TimeoutError)

    in_virtual_time(story())


def test_an_answer_without_a_name_counts_only_where_it_can_mean_nothing_else():
    """The siren's answer to on and off is the same: the one that comes late must not prove the other."""

    async def story():
        told = Told("chirpstack")
        told.device.how, told.device.delay = "late", 7.0
        assert isinstance((await told.asked(on=True, within=5))[1], TimeoutError)
        told.device.how = "silent"
        levels, error = await told.asked(on=False, within=5)  # the answer to "on" comes in here
        assert isinstance(error, TimeoutError)
        assert DEVICE not in levels
        await asyncio.sleep(40)
        told.device.how = "well"
        assert DEVICE is (await told.asked(on=False))[0][-1]

    in_virtual_time(story())


def test_a_server_that_could_not_send_says_so():
    """By the request's own id, wherever it stands."""

    async def story():
        told = Told("tts")
        told.device.how = "silent"
        heard = asyncio.get_running_loop().create_task(told.asked(within=5))
        await asyncio.sleep(0.1)
        (order,) = json.loads(told.device.orders[-1])["downlinks"]
        topic = "v3/school/devices/siren-1/down/failed"
        told.air.say(
            topic, json.dumps({"downlink_failed": {"downlink": {"correlation_ids": ["x"]}}}).encode()
        )
        await asyncio.sleep(0.1)
        assert not heard.done()
        said = {"downlink_failed": {"downlink": {"correlation_ids": order["correlation_ids"]}}}
        told.air.say(topic, json.dumps(said).encode())
        levels, error = await heard
        assert [QUEUED] == levels
        assert isinstance(error, Rejected)

    in_virtual_time(story())


def test_nothing_is_said_to_have_left_while_the_broker_is_away():
    """And nothing is waited for."""

    async def story():
        told = Told("zigbee2mqtt")
        told.air.away = True
        levels, error = await told.asked()
        assert [] == levels
        assert isinstance(error, Unreachable)

    in_virtual_time(story())


def test_without_a_receipt_nobody_is_waited_for():
    """`receipt = "none"`: sent, not confirmed."""

    async def story():
        told = Told("shelly-gen2", receipt="none")
        told.device.how = "silent"
        assert ([SENT], None) == await told.asked()
        assert not told.rule.confirmed

    in_virtual_time(story())


def test_a_pulse_ends_by_itself_on_the_device_and_a_drill_has_its_own_form():
    """What is on for 2.5 s is told 3; what the profile says for drills is sent in them."""

    async def story():
        told = Told("zigbee2mqtt")
        await told.asked(seconds=2.5)
        assert 3 == json.loads(told.device.orders[-1])["warning"]["duration"]
        await told.asked()
        assert 180 == json.loads(told.device.orders[-1])["warning"]["duration"]
        made = device_output(settings_of("zigbee2mqtt"), site("zigbee2mqtt"), WAYS).told
        chirp = {"warning": {"duration": 1, "mode": "burglar", "strobe": False, "level": "low"}}
        values = {name: getattr(made.on, name) for name in made.on.__struct_fields__}
        drilled = replace(made, on=OutputTable(**{**values, "exercise": chirp}))
        told.switch = DeviceSwitch(told=drilled, line=told.switch._line)
        await told.asked(exercise=True)
        assert chirp == json.loads(told.device.orders[-1])

    in_virtual_time(story())


def test_the_rule_is_what_settings_and_profile_say_together():
    """The profile's time to answer, what ends by itself, who must not be asked too often, signs without a text."""
    siren = device_output(settings_of("zigbee2mqtt"), site("zigbee2mqtt"), WAYS)
    carried = device_output(settings_of("chirpstack"), site("chirpstack"), WAYS)
    pulsed = device_output(settings_of("zigbee2mqtt", pulse=5.0), site("zigbee2mqtt"), WAYS)
    relay = device_output(settings_of("tasmota", within=7.0), site("tasmota"), WAYS)

    assert (2.0, 120.0, "hall") == (siren.rule.within, siren.rule.refresh, siren.way)
    assert (10.0, 60.0) == (carried.rule.within, carried.rule.slowest)
    assert (5.0, 0.0) == (pulsed.rule.pulse, pulsed.rule.refresh)
    assert (7.0, 0.0, DrillVariant.WITHHELD) == (relay.rule.within, relay.rule.refresh, relay.rule.exercise)


@pytest.mark.parametrize(
    ("model", "how", "ways", "says"),
    [
        ("tasmota", {"device": "nobody"}, WAYS, 'device: devices.toml has no device "nobody"'),
        (
            "tasmota",
            {"on": "relay_up"},
            WAYS,
            'on: the profile "tasmota" has no output "relay_up"; there is: relay_on',
        ),
        ("tasmota", {}, {}, "way: write the name"),
        ("tasmota", {}, {**WAYS, "gym": WAYS["hall"]}, "way: write the name of one .* there is: hall, gym"),
        ("esphome", {"values": {}}, WAYS, "values: nothing stands for {channel}"),
        ("chirpstack", {"values": {}}, WAYS, "values: nothing stands for {application}"),
        ("chirpstack", {"values": {"application": "a", "seconds": 70_000}}, WAYS, "values: .*2 octets"),
    ],
)
def test_what_cannot_be_told_is_known_before_it_is_needed(model, how, ways, says):
    """With the key and the mend."""
    settings = replace(settings_of(model), **how)
    with pytest.raises(SettingsError, match=says):
        device_output(settings, site(model), ways)


def test_of_many_outputs_at_fault_the_first_are_named():
    """The status stays readable when a broker with five hundred of them is away."""
    said = output_remarks({f"siren-{n:03}": "no answer" for n in range(500)})

    assert ["outputs.siren-000: no answer", "outputs: 492 more cannot be relied upon"] == [said[0], said[-1]]
    assert 9 == len(said)
