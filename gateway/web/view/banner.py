"""What is wrong with the house itself, or that a drill runs: the lines at the top of every page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from math import inf

from msgspec import Struct

from belltower.clock import SECOND, Instant, aware
from gateway.web.desk import LaneState
from gateway.web.headline import Tone
from gateway.web.story import CHANNELS
from gateway.web.view.times import wall

SILENT = 5.0
"""Seconds without a sign of life until the alarm lane counts as silent."""

SOON = 300 * SECOND
"""How long before it is due a promised update is named."""


class BannerLine(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the house itself, or that a drill runs."""

    tone: Tone
    text: str
    exercise: bool = False


def banner(lane: LaneState, *, reading: str, now: Instant, zone: tzinfo) -> list[BannerLine]:
    """What is wrong with the house itself, the worst first. `reading`: why this page cannot read, or ""."""
    return [
        *_lines(Tone.LOUD, _silence(lane, now, zone)),
        *_lines(
            Tone.LOUD, f"Cannot read the record: {reading}. What is shown may be old." if reading else ""
        ),
        *_promised(lane, now, zone),
        *_lines(Tone.LOUD, *_recording(lane)),
        *_drill(lane, now, zone),
        *_lines(
            Tone.WAITING,
            *(
                f"Not as it was set up: {fault}. Alarms go out all the same."
                for fault in _folded(lane.faults)
            ),
        ),
        *_lines(Tone.WAITING, *_lost(lane)),
        *_lines(Tone.QUIET, _unproven(lane)),
        *_lines(Tone.WAITING, *_pausing(lane), *_unheard(lane)),
    ]


def _lines(tone: Tone, *texts: str) -> list[BannerLine]:
    """A line for each text that says something."""
    return [BannerLine(tone=tone, text=text) for text in texts if text]


def _silence(lane: LaneState, now: Instant, zone: tzinfo) -> str:
    if lane.silent_for <= SILENT:
        return ""
    since = "since this page started"
    if lane.silent_for != inf:
        since = f"since {wall(Instant(now - int(lane.silent_for * SECOND)), zone)}"
    return f"The alarm lane is silent {since}. Presses may not be seen here: use the telephone, call 911."


def _recording(lane: LaneState) -> Iterator[str]:
    if lane.recording_trouble:
        yield f"What happens cannot be recorded ({lane.recording_trouble}). Calls for help still go out. Notices wait."
    if lane.reserves_used:
        whose = " and of ".join(lane.reserves_used)
        yield f"The disk of {whose} is full: the reserve is used. Make room, before nothing can be recorded."
    if lane.record_broken:
        yield f"Part of the record is missing: {lane.record_broken}. Incidents opened before may not be shown as open."


def _lost(lane: LaneState) -> Iterator[str]:
    for link, reason in sorted(lane.lost.items()):
        yield f"Link {link} does not answer{f': {reason}' if reason else ''}."


def _unproven(lane: LaneState) -> str:
    names = ", ".join(lane.unproven)
    return f"Not proven by a test for 31 days: {names}. Run: belltower psap test" if names else ""


def _pausing(lane: LaneState) -> Iterator[str]:
    for channel, reason in sorted(lane.channels_pausing.items()):
        yield f"{CHANNELS.get(channel, channel)} are not going out now ({reason}); they are tried again."


def _unheard(lane: LaneState) -> Iterator[str]:
    if lane.units_lost:
        units = "1 unit has" if lane.units_lost == 1 else f"{lane.units_lost} units have"
        yield f"{units} not been heard lately."
    if lane.devices_lost:
        devices = "1 device is" if lane.devices_lost == 1 else f"{lane.devices_lost} devices are"
        yield f"{devices} not heard; see Devices."
    if lane.devices_unknown:
        devices = "1 device hangs" if lane.devices_unknown == 1 else f"{lane.devices_unknown} devices hang"
        yield f"{devices} on something that is lost, so nothing is known of them; see Devices."
    if lane.device_troubles:
        yield "A device is in trouble that lasts; see Devices."


def _folded(faults: Sequence[str]) -> list[str]:
    """The faults, those of several outputs as one: on a telephone they would hide what happens."""
    outputs = [fault for fault in faults if fault.startswith("outputs")]
    if len(outputs) < 2:
        return list(faults)
    names = ", ".join(
        fault.split(":", 1)[0].removeprefix("outputs.") for fault in outputs if fault.startswith("outputs.")
    )
    more = next((f" and {fault.split()[1]} more" for fault in outputs if fault.startswith("outputs: ")), "")
    folded = f"outputs that cannot be relied upon: {names}{more}; see Devices"
    return [*(fault for fault in faults if fault not in outputs), folded]


def _promised(lane: LaneState, now: Instant, zone: tzinfo) -> list[BannerLine]:
    """Updates that families were promised: missed ones are loud, those due within `SOON` are named."""
    lines = []
    for due, number in lane.promised:
        at = aware(due).astimezone(zone).strftime("%H:%M")
        which = f"Incident No. {number}: families" if number else "Families"
        if now >= due:
            text = f"{which} were promised an update at {at}, and have none. Write it now."
            lines.append(BannerLine(tone=Tone.LOUD, text=text))
        elif now >= due - SOON:
            text = f"{which} were promised an update at {at}. Write it in time."
            lines.append(BannerLine(tone=Tone.WAITING, text=text))
    return lines


def _drill(lane: LaneState, now: Instant, zone: tzinfo) -> list[BannerLine]:
    """The drill that runs; a lane that is silent may have ended it."""
    if lane.silent_for > SILENT or now >= lane.drill_until:
        return []
    action = lane.drill_action or "no action"
    psap = "The PSAP has agreed to take part" if lane.drill_psap else "The PSAP is not part of it"
    text = (
        f"EXERCISE until {wall(lane.drill_until, zone)}: {action}, at {', '.join(lane.drill_places)}. {psap}. Only units"
        " switched to exercise take part; any other press is real and ends it. EXERCISE"
    )
    return [BannerLine(tone=Tone.QUIET, text=text, exercise=True)]
