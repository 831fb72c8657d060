"""What people read: ids in one piece, who pressed, nothing said to be in order that was never heard."""

import logging
import re
import sys

from belltower.clock import Instant
from belltower.ids import AlarmId, IncidentId
from belltower.incident import facts
from gateway.cli.output import count, table
from gateway.cli.telling import tell
from gateway.intake.devices.health import DeviceHealth
from gateway.web.device_page import DevicePage
from hardware.drivers import modbus

LONG = "sos-of-a-room-with-a-long-name-b204"


def test_an_id_is_never_wrapped_however_narrow_the_terminal(monkeypatch, capsys) -> None:
    """Other columns are."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    row = (LONG, "B 204, second floor", "what is wrong is told in so many words that they need lines")
    table("Devices", ("device", "place", ""), [row], whole=("device",))
    assert LONG in capsys.readouterr().out


def test_no_word_is_parted_where_there_is_room_for_the_longest(monkeypatch, capsys) -> None:
    """In 80 columns, however little a reason beside an id is given; long columns give way first."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    rows = [
        (WORDS[0], "acknowledged", "unrecognised certificates of the telecommunicator", "simulated"),
        ("x", "reconnecting", "", "automatically"),
    ]
    table("Ways", ("id", "how", "why", ""), rows, whole=("id",))
    said = capsys.readouterr().out

    assert {word for row in rows for cell in row for word in cell.split()} <= set(said.split())
    assert 80 >= max(map(len, said.splitlines()[2:]))


def test_the_device_that_was_pressed_is_named() -> None:
    """Where no unit and no person raised the alarm."""
    alarm = facts.AlarmRaised(
        alarm=AlarmId("alm_1"),
        incident=IncidentId("inc_1"),
        kind=facts.AlarmKind.PANIC,
        mode=facts.Mode.ACTUAL,
        place=None,
        building="",
        number=1,
        device="sos-gym",
    )
    assert " by sos-gym" in tell(alarm, {})[0]


def test_what_was_never_heard_is_not_said_to_be_in_order() -> None:
    """Not heard yet."""

    class Names:
        def place(self, _place: object) -> str:
            return "B 204"

    class Clock:
        def now(self) -> Instant:
            return Instant(5_000_000)

    async def ask() -> None:
        """Nothing."""

    page = DevicePage(pages=None, names=Names(), ask=ask, clock=Clock())  # type: ignore[arg-type]
    known = {"cls": "panic", "profile": "p", "place": "plc_b204", "supervision": "strong"}
    tested = {"tested_at": Instant(1), "tested_place": "plc_b204"}
    silent = page._line(DeviceHealth(id="a", kind="device", heard=Instant(0), **known, **tested))
    heard = page._line(DeviceHealth(id="a", kind="device", heard=Instant(1), **known, **tested))
    path = page._line(DeviceHealth(id="mqtt", kind="path", profile="listener"))
    assert ("not heard yet", "never heard") == (silent.said, silent.heard)
    assert ["in order", "in order"] == [heard.said, path.said]


def test_a_library_says_nothing_on_standard_error_by_itself(capfd) -> None:
    """Its callers say what is wrong, in our words."""
    assert modbus.TURN
    logging.getLogger("pymodbus.logging").error("Connection to (192.0.2.1, 502) failed")
    assert "Connection to" not in capfd.readouterr().err


WORDS = (
    "dsc_01JD9Z2V4E5F6G7H8J9K0MNPQR",
    "Abigail Winterbottom",
    "told in so many words that they need lines",
)


def test_where_no_terminal_is_nothing_is_wrapped(monkeypatch, capsys) -> None:
    """Whoever pipes a table gets one line a row."""
    monkeypatch.setenv("COLUMNS", "40")
    table("People", ("id", "name", "why"), [WORDS])

    assert WORDS == tuple(
        cell.strip() for cell in re.split(r"\s{2,}", capsys.readouterr().out.splitlines()[2])
    )


def test_one_is_one() -> None:
    """And of several there are several."""
    assert ["1 student", "2 students", "0 children"] == [
        count(1, "student"),
        count(2, "student"),
        count(0, "child", several="children"),
    ]
