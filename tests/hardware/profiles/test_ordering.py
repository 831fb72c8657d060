"""What a device is told, and what proves that it did it."""

from __future__ import annotations

import json

import pytest

from hardware.profiles.message import Message
from hardware.profiles.ordering import Answer, Sending, carried, receipt_of, sending, settles
from hardware.profiles.profile import BearerTable, DownTable, OutputTable

ORDER = {"request": "r7", "reply": "belltower", "device": "x1", "channel": 2}


def relay() -> OutputTable:
    """The relay of a Shelly."""
    return OutputTable(
        does="relay_on",
        topic="{device}/rpc",
        payload={
            "id": "{request}",
            "src": "{reply}/response",
            "method": "Switch.Set",
            "params": {"id": "{channel}", "on": True},
        },
        receipt={
            "topic": "{reply}/response/rpc",
            "match": {"id": "{request}", "result": {"exists": True}},
            "fail": {"error": {"exists": True}},
            "within": "2s",
        },
    )


def answer(topic: str = "belltower/response/rpc", **said: object) -> Message:
    """What comes back."""
    return Message(topic=topic, payload=json.dumps(said).encode())


def test_names_are_filled_in_with_their_type() -> None:
    """A channel is a number."""
    told = sending(relay(), ORDER)

    assert "x1/rpc" == told.topic
    assert {
        "id": "r7",
        "src": "belltower/response",
        "method": "Switch.Set",
        "params": {"id": 2, "on": True},
    } == (json.loads(told.payload))


def test_a_name_that_nothing_stands_for_is_refused() -> None:
    """Rather than sent."""
    with pytest.raises(ValueError, match="request"):
        sending(relay(), {"device": "x1", "reply": "b"})


def test_only_the_answer_to_this_request_settles_it() -> None:
    """Another id, another topic, another shape: nothing."""
    receipt = receipt_of(relay())
    assert receipt is not None

    assert Answer.DONE is settles(receipt, answer(id="r7", result={}), ORDER)
    assert Answer.FAILED is settles(receipt, answer(id="r7", error={"code": -1}), ORDER)
    assert None is settles(receipt, answer(id="r8", result={}), ORDER)
    assert None is settles(receipt, answer("other/response/rpc", id="r7"), ORDER)
    assert None is settles(receipt, Message(topic="belltower/response/rpc", payload=b"{"), ORDER)


def test_bytes_are_carried_by_the_bearer() -> None:
    """With numbers of so many octets."""
    siren = OutputTable(does="siren_on", receipt="none", octets="036901{seconds:2}", port=7, confirmed=True)
    bearer = BearerTable(
        topic="a/{device}/up",
        octets="data",
        port="fPort",
        down=DownTable(
            topic="a/{device}/down", payload={"fPort": "{port}", "data": "{bytes}", "ok": "{confirmed}"}
        ),
    )
    told = sending(siren, {"seconds": 180})

    assert Sending(payload=bytes.fromhex("03690100b4"), port=7, confirmed=True) == told
    assert None is receipt_of(siren)
    down = carried(bearer, told, {"device": "eui"})
    assert ("a/eui/down", {"fPort": 7, "data": "A2kBALQ=", "ok": True}) == (
        down.topic,
        json.loads(down.payload),
    )
    with pytest.raises(ValueError, match="2 octets hold"):
        sending(siren, {"seconds": 70_000})
