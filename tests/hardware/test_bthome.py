"""BTHome v2, judged by a reader that nobody here wrote."""

from random import Random
from types import SimpleNamespace

import pytest
from bthome_ble import BTHomeBluetoothDeviceData
from bthome_ble.const import MEAS_TYPES
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed
from hardware.codecs.bthome import BUTTON, LENGTHS, SIGNED, Object, decode, encode, signals
from hardware.profiles.signal import SignalKind
from tests.hardware.fuzzing import LONG, USUAL, bear, mutated

KEY, MAC = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932"), bytes.fromhex("5448E68F80A5")
SEALED = bytes.fromhex("41e445f3c9962b332211006c7c4519")  # bthome-ble, MIT
LONG_PRESS = bytes.fromhex("403a04")  # bthome-ble, MIT
SAMPLES = [SEALED, LONG_PRESS, bytes.fromhex("4400 1d 0164 3a01"), bytes.fromhex("40 5302 4142 3b01 0105")]

objects = st.one_of(
    st.sampled_from(sorted(LENGTHS)).flatmap(
        lambda kind: st.integers(
            *((-(1 << 8 * LENGTHS[kind] - 1), (1 << 8 * LENGTHS[kind] - 1) - 1) if kind in SIGNED
              else (0, (1 << 8 * LENGTHS[kind]) - 1))
        ).map(lambda value: Object(id=kind, value=value))
    ),
    st.binary(min_size=1, max_size=20).map(lambda text: Object(id=0x53, value=text)),
)  # fmt: skip


def judge(data, key=None):
    """What the other reader hears."""
    info = SimpleNamespace(
        name="x", address="54:48:E6:8F:80:A5", rssi=-60, manufacturer_data={}, service_uuids=[], source="",
        service_data={"0000fcd2-0000-1000-8000-00805f9b34fb": data}, time=1.0, tx_power=0, device=None,
        advertisement=SimpleNamespace(local_name="x"),
    )  # fmt: skip
    return BTHomeBluetoothDeviceData(bindkey=key).update(info)


def test_a_long_press_in_clear():
    """By us and by the judge."""
    (signal,) = signals(decode(LONG_PRESS), device="x")
    assert SignalKind.LONG_PRESS is signal.kind
    (event,) = judge(LONG_PRESS).events.values()
    assert "long_press" == event.event_type


def test_an_encrypted_frame_is_opened_once():
    """The counter must rise; another key, MAC or a spoilt octet opens nothing."""
    heard = decode(SEALED, key=KEY, mac=MAC)
    assert heard.encrypted
    assert 1_122_867 == heard.counter
    assert [2506, 5055] == [each.value for each in heard.objects]
    judged = {each.key: value.native_value for each, value in judge(SEALED, KEY).entity_values.items()}
    assert (25.06, 50.55) == (judged["temperature"], judged["humidity"])
    with pytest.raises(Malformed, match="does not rise"):
        decode(SEALED, key=KEY, mac=MAC, last=1_122_867)
    for at in range(len(SEALED) * 8):
        spoilt = bytearray(SEALED)
        spoilt[at // 8] ^= 1 << at % 8
        if spoilt[0] & 1:
            with pytest.raises(Malformed):
                decode(bytes(spoilt), key=KEY, mac=MAC)
    with pytest.raises(Malformed, match="another key"):
        decode(SEALED, key=bytes(16), mac=MAC)
    with pytest.raises(Malformed, match="in clear"):
        decode(LONG_PRESS, key=KEY, mac=MAC, sealed=True)


@given(st.lists(objects, max_size=6), st.booleans(), st.none() | st.integers(0, 2**32 - 1))
def test_what_is_encoded_is_decoded(said, triggered, counter):
    """In clear and encrypted."""
    data = encode(said, triggered=triggered, key=KEY, mac=MAC, counter=counter)
    if counter is not None and not said:
        with pytest.raises(Malformed):
            decode(data, key=KEY, mac=MAC)
        return
    heard = decode(data, key=KEY, mac=MAC)
    assert (tuple(said), triggered, counter) == (heard.objects, heard.triggered, heard.counter)


def test_every_object_has_the_length_that_the_judge_gives_it():
    """Another length would shift all that follows."""
    theirs = {
        kind: each.data_length
        for kind, each in MEAS_TYPES.items()
        if each.data_format not in ("string", "raw", "command")
    }
    assert theirs == LENGTHS
    signed = {kind for kind, each in MEAS_TYPES.items() if each.data_format == "signed_integer"}
    assert signed == SIGNED


def test_the_judge_hears_the_same_of_every_button_event():
    """Encrypted by us."""
    for value, kind in {1: "press", 2: "double_press", 4: "long_press", 0x80: "hold_press"}.items():
        sealed = encode([Object(id=BUTTON, value=value)], key=KEY, mac=MAC, counter=7)
        assert [kind] == [each.event_type for each in judge(sealed, KEY).events.values()]


def test_no_event_is_no_press_and_an_unknown_one_is_a_trouble():
    """Of two buttons the second was pressed."""
    heard = signals(decode(bytes.fromhex("44 3a00 3a01")), device="x")
    assert [(SignalKind.PRESS, "1")] == [(each.kind, each.channel) for each in heard]
    assert [SignalKind.TROUBLE] == [
        each.kind for each in signals(decode(bytes.fromhex("443a77")), device="x")
    ]
    kinds = [each.kind for each in signals(decode(bytes.fromhex("443a01ee00")), device="x")]
    assert [SignalKind.PRESS, SignalKind.TROUBLE] == kinds
    (beat,) = signals(decode(bytes.fromhex("40001d0164")), device="x")
    assert (SignalKind.HEARTBEAT, 100.0, 29) == (beat.kind, beat.battery, beat.data["packet"])


def fuzzed(count):
    """Spoilt frames never raise anything else, and no encrypted one that is spoilt is heard."""
    bear(lambda data: signals(decode(data, key=KEY, mac=MAC), device="x"), SAMPLES, count)
    for data in mutated([SEALED], count // 10, seed=2):
        if data != SEALED:
            with pytest.raises(Malformed):
                decode(data, key=KEY, mac=MAC, sealed=True)
    random = Random(3)
    for _ in range(count // 10):
        bear(decode, [random.randbytes(random.randrange(1, 40))], 1)


def test_spoilt_frames_are_refused():
    """Twenty thousand."""
    fuzzed(USUAL)


@pytest.mark.soak
def test_a_million_spoilt_frames_are_refused():
    """The same for long."""
    fuzzed(LONG)
