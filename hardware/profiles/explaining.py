"""A profile in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hardware.profiles.compiled import Profile
from hardware.profiles.profile import CALLS, OutputTable, RuleTable
from hardware.profiles.signal import ALARMING, SignalKind

_OPERATORS = {
    "equal": "is {}",
    "in": "is one of {}",
    "match": "matches {}",
    "is": "is a {}",
    "lt": "is below {}",
    "gt": "is above {}",
    "mask": "has a bit of {}",
    "not": "is not so: {}",
}
_SURE = {
    "none": "Anybody on its wire could say the same: it alarms staff, and places no call unattended unless the site says so.",
    "link": "Its link is protected, by a network key for instance; the device itself proves nothing.",
    "device": "The device itself proves who it is.",
}


def explained(profile: Profile) -> list[str]:
    """What it hears, what alarms, what is trouble, how it is watched, what it can be told, and its proofs."""
    head = profile.tables.profile
    lines = [
        f"{head.id}: {head.title or head.id}",
        f"  class {head.cls}, version {head.version}, hash {profile.hash}",
    ]
    if head.models:
        lines.append(f"  models: {', '.join(head.models)}")
    lines += [f"  {_SURE[head.authenticity]}", "", "It hears"]
    if profile.bearer is not None:
        lines.append(f"  {profile.bearer.table.topic}: carries the bytes of other models (a bearer)")
    for layout in profile.layouts:
        ports = f" on port {', '.join(map(str, layout.table.ports))}" if layout.table.ports else ""
        lines.append(
            f"  bytes{ports}{f', layout {layout.name}' if layout.name else ''}: {_fields(layout.table)}"
        )
    for rule in profile.rules:
        lines += [f"  {line}" for line in _rule(rule.table, profile)]
    alarming = sorted({kind for rule in profile.rules for kind in rule.kinds} & ALARMING)
    lines += ["", f"It alarms by: {', '.join(alarming) or 'nothing'}"]
    if profile.cls in CALLS:
        lines.append("Whatever is not understood (a value, a shape, a length, octets left over) is trouble.")
    else:
        lines.append("Whatever is not understood is counted and kept, and means nothing.")
    lines += ["What the broker had kept never alarms.", "", *_watched(profile), "", *_told(profile.outputs)]
    notes = [example.note or "(no note)" for example in profile.tables.example]
    lines += ["", f"Proven by {len(notes)} examples, run at every load"]
    return [*lines, *(f"  {note}" for note in notes)]


def _fields(table: Any) -> str:
    return ", ".join(
        [*(field.name for field in table.field), *(f"{tlv.name} ({tlv.tag})" for tlv in table.tlv)]
    ) or (f"begins with {table.starts}")


def _rule(table: RuleTable, profile: Profile) -> Iterable[str]:
    settings = profile.tables.settings
    about = table.topic or (
        f"the line {table.line}" if table.line else "bytes" if profile.layouts else "any message"
    )
    for name, value in settings.items():
        about = about.replace(f"{{{name}}}", value)
    if table.layout or table.port is not None:
        about += f" ({table.layout or f'port {table.port}'})"
    conditions = [f"{path} {_condition(wanted)}" for path, wanted in table.when.items()]
    said = about + (f", each of {table.each}" if table.each else "")
    yield said + (f", when {' and '.join(conditions)}" if conditions else "")
    if table.kind is not None:
        yield f"    means {table.kind}" + (f": {table.why}" if table.why else "")
    for text, kind in table.map.items():
        edge = ", when it becomes so" if table.edge and kind is not SignalKind.IGNORE else ""
        yield f'    {table.path or "the text"} "{text}" means {kind}{edge}'
    if table.map:
        other = table.else_ or ("trouble" if profile.cls in CALLS else "ignore")
        yield f"    anything else means {other}"


def _condition(wanted: Any) -> str:
    if not isinstance(wanted, dict):
        return f'is "{wanted}"' if isinstance(wanted, str) else f"is {str(wanted).lower()}"
    said = []
    for name, value in wanted.items():
        if name == "exists":
            said.append("is there" if value else "is not there")
        elif name == "not":
            said.append(f"is there, but not so that it {_condition(value)}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            said.append(_OPERATORS[name].format(shown))
    return " and ".join(said)


def _watched(profile: Profile) -> Iterable[str]:
    watched = profile.supervision
    if watched.expect_every is None and watched.online is None:
        yield "It is not supervised: nobody notices that it is gone."
        return
    yield "It is supervised" + (f", through {watched.parent}" if watched.parent else "")
    if watched.expect_every is not None:
        late = f", late after {_time(watched.late_after)}" if watched.late_after is not None else ""
        yield f"  heard every {_time(watched.expect_every)}{late}{' (weak supervision)' if watched.weak else ''}"
    if watched.online is not None:
        yield f"  {watched.online.topic} says whether it is there"


def _told(outputs: tuple[OutputTable, ...]) -> Iterable[str]:
    if not outputs:
        yield "It can be told nothing."
        return
    yield "It can be told"
    for output in outputs:
        if output.receipt == "none":
            proof = "never confirmed"
        else:
            proof = f"confirmed by its answer within {_time(output.receipt.get('within', 5.0))}"
            level = output.receipt.get("level", "device")
            proof += "" if level == "device" else f', which proves only "{level}"'
        again = "may be repeated" if output.idempotent else "is never repeated blindly"
        pulse = f", for {_time(output.pulse)}" if output.pulse is not None else ""
        safe = f", otherwise {output.fail_safe}" if output.fail_safe else ""
        drill = "" if output.exercise is None else ", has its own form in an exercise"
        yield f"  {output.does}: {proof}, {again}{pulse}{safe}{drill}"


def _time(seconds: Any) -> str:
    if isinstance(seconds, str):
        return seconds
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
