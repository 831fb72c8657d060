"""The line on every page that says that a drill runs."""

from __future__ import annotations

from datetime import UTC

from belltower.clock import SECOND, Instant
from gateway.switch_wires import output_remarks
from gateway.web.desk import LaneState
from gateway.web.headline import Tone
from gateway.web.view import banner

NOW = Instant(1_800_000_000 * SECOND)
DRILL = LaneState(
    drill_until=Instant(NOW + 60 * SECOND), drill_action="lockdown", drill_places=("B", "gym-floor")
)


def test_a_running_drill_stands_on_every_page_until_its_window_closes() -> None:
    """With its places, action and end; marked first and last; gone with the window, or when the lane is silent."""
    (line,) = banner(DRILL, reading="", now=NOW, zone=UTC)

    assert line.exercise
    assert line.text.startswith("EXERCISE until 08:01")
    assert line.text.endswith("EXERCISE")
    assert "lockdown, at B, gym-floor. The PSAP is not part of it." in line.text
    assert [] == banner(DRILL, reading="", now=Instant(NOW + 60 * SECOND), zone=UTC)
    (silent,) = banner(
        LaneState(silent_for=60.0, drill_until=DRILL.drill_until), reading="", now=NOW, zone=UTC
    )
    assert not silent.exercise


def test_a_disk_whose_reserve_is_used_is_loud_and_says_whose() -> None:
    """One line, whether it is the disk of one lane or of both."""
    (one,) = banner(LaneState(reserves_used=("the desk",)), reading="", now=NOW, zone=UTC)
    (both,) = banner(LaneState(reserves_used=("the alarm lane", "the desk")), reading="", now=NOW, zone=UTC)

    assert Tone.LOUD is one.tone
    assert one.text.startswith("The disk of the desk is full: the reserve is used.")
    assert both.text.startswith("The disk of the alarm lane and of the desk is full: the reserve is used.")


def test_w22_a_promised_update_is_named_before_it_is_due_and_loud_once_it_was_missed() -> None:
    """W22: on every screen; one that is far off is not."""
    now = Instant(1_795_000_000 * SECOND)
    due = [(Instant(now + minutes * 60 * SECOND), number) for minutes, number in ((-1, 7), (4, 0), (20, 8))]

    lines = banner(LaneState(promised=due), reading="", now=now, zone=UTC)

    assert [Tone.LOUD, Tone.WAITING] == [line.tone for line in lines]
    assert "Incident No. 7: families were promised" in lines[0].text
    assert "Families were promised" in lines[1].text


def test_the_faults_of_many_outputs_are_one_line() -> None:
    """Their names, and where why stands; one alone says it itself."""
    remarks = output_remarks({f"siren-{n:02}": "no answer within 2 s" for n in range(30)})
    lines = banner(LaneState(faults=("not signed", *remarks)), reading="", now=NOW, zone=UTC)
    assert 2 == len(lines)
    assert "not signed" in lines[0].text
    assert "siren-00, siren-01" in lines[1].text
    assert f"and {30 - (len(remarks) - 1)} more; see Devices" in lines[1].text
    (line,) = banner(LaneState(faults=remarks[:1]), reading="", now=NOW, zone=UTC)
    assert "siren-00: no answer within 2 s" in line.text
