"""Devices that are told what to do over MQTT: what each model answers on the wire, by its maker's documentation."""

import asyncio
import base64
import json

from belltower.errors import Unreachable
from gateway.site_package.devices import SiteDevices
from hardware.device_record import DeviceRecord
from hardware.drivers import Received
from hardware.profiles.loading import shipped

EUI = "00137a1000000602"
PROFILES = shipped()
APP = {"application": "school"}
MODELS = {
    # The profile, its address, its bearer, values, and the topic on which it is told.
    "shelly-gen2": ("shelly-gen2-input", "shellyplus1-aa", "", {"channel": 1}, "shellyplus1-aa/rpc"),
    "shelly-gen1": ("shelly-gen1", "shelly1-bb", "", {}, "shellies/shelly1-bb/relay/0/command"),
    "tasmota": ("tasmota", "plug7", "", {}, "cmnd/plug7/Power1"),
    "esphome": ("esphome", "office", "", {"channel": "horn"}, "office/switch/horn/command"),
    "zigbee2mqtt": ("zigbee2mqtt", "gym siren", "", {}, "zigbee2mqtt/gym siren/set"),
    "chirpstack": (
        "netvox-r602a",
        EUI.upper(),
        "chirpstack",
        APP,
        f"application/school/device/{EUI}/command/down",
    ),
    "tts": ("netvox-r602a", "siren-1", "tts", APP, "v3/school/devices/siren-1/down/push"),
}
CONFIRMED = {"shelly-gen2", "chirpstack", "tts"}
DOES = {"zigbee2mqtt": "siren", "chirpstack": "siren", "tts": "siren"}


def site(*models):
    """A site package with these devices."""
    return SiteDevices(
        profiles=PROFILES,
        devices={
            model: DeviceRecord(
                id=model, profile=MODELS[model][0], address=MODELS[model][1], bearer=MODELS[model][2]
            )
            for model in models
        },
    )


class ToldDevice:
    """One device. `how`: "well", "refusing", "silent", "late" (by `delay`), "twice", "stale" (of another request)."""

    def __init__(self, model, say, *, delay=0.0) -> None:
        self.model = model
        self.topic = MODELS[model][4]
        self.how = "well"
        self.delay = delay
        self.on = None
        self.orders = []
        self._say = say
        self._tasks = set()

    def hear(self, topic, payload) -> None:
        """Take an order."""
        if topic != self.topic:
            return
        self.orders.append(payload)
        if self.how == "gone":
            return
        on, answers = getattr(self, "_" + self.model.replace("-", "_"))(payload)
        if self.how != "refusing":
            self.on = on
        if self.how == "silent":
            return
        task = asyncio.get_running_loop().create_task(
            self._answer(answers * (2 if self.how == "twice" else 1))
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, answers) -> None:
        if self.how == "late":
            await asyncio.sleep(self.delay)
        for topic, said in answers:
            self._say(topic, said if isinstance(said, bytes) else json.dumps(said).encode())

    def _shelly_gen2(self, payload):
        asked = json.loads(payload)
        assert "Switch.Set" == asked["method"]
        assert 1 == asked["params"]["id"]
        result = {"error": {"code": -105}} if self.how == "refusing" else {"result": {"was_on": False}}
        number = "other" if self.how == "stale" else asked["id"]
        answer = {"id": number, "src": "shellyplus1-aa", "dst": asked["src"], **result}
        return asked["params"]["on"], [(asked["src"] + "/rpc", answer)]

    def _shelly_gen1(self, payload):
        return payload == b"on", [("shellies/shelly1-bb/relay/0", payload)] if self._echoes else []

    def _tasmota(self, payload):
        echo = [("stat/plug7/RESULT", {"POWER1": payload.decode()}), ("stat/plug7/POWER1", payload)]
        return payload == b"ON", echo if self._echoes else []

    def _esphome(self, payload):
        return payload == b"ON", [("office/switch/horn/state", payload)] if self._echoes else []

    def _zigbee2mqtt(self, payload):
        return json.loads(payload)["warning"]["mode"] != "stop", []

    @property
    def _echoes(self):
        return self.how not in ("refusing", "stale")

    def _netvox(self, octets):
        assert b"\x03\x69" == octets[:2]
        status = b"\x01" if self.how == "refusing" else b"\x00"
        said = b"\x83\x69" + status + bytes(8)
        if self.how == "stale":
            said = b"\x01\x69" + bytes.fromhex("010384000000000000")
        return octets[2] != 0, base64.b64encode(said).decode(), 6 if self.how == "stale" else 7

    def _chirpstack(self, payload):
        asked = json.loads(payload)
        assert (EUI, 7) == (asked["devEui"], asked["fPort"])
        on, data, port = self._netvox(base64.b64decode(asked["data"]))
        base = f"application/school/device/{EUI}/event"
        return on, [
            (f"{base}/txack", {"queueItemId": asked["id"], "gatewayId": "gw"}),
            (f"{base}/up", {"deviceInfo": {"devEui": EUI}, "fPort": port, "fCnt": 9, "data": data}),
        ]

    def _tts(self, payload):
        (asked,) = json.loads(payload)["downlinks"]
        assert "HIGH" == asked["priority"]
        on, data, port = self._netvox(base64.b64decode(asked["frm_payload"]))
        base = "v3/school/devices/siren-1"
        sent = {"f_port": 7, "correlation_ids": ["as:downlink:01", *asked["correlation_ids"]]}
        return on, [
            (f"{base}/down/sent", {"downlink_sent": sent}),
            (f"{base}/up", {"uplink_message": {"f_port": port, "f_cnt": 9, "frm_payload": data}}),
        ]


class Air:
    """A broker in memory between a `DeviceLine` and devices."""

    def __init__(self, line) -> None:
        self.devices = []
        self.away = False
        self._line = line
        line.attach(self.deliver)

    async def deliver(self, topic, payload) -> None:
        if self.away:
            raise Unreachable("the broker is away")
        await asyncio.sleep(0)
        for device in self.devices:
            device.hear(topic, payload)

    def say(self, topic, payload, *, retain=False) -> None:
        self._line.heard(Received(client="", topic=topic, payload=payload, retain=retain, dup=False, qos=0))
