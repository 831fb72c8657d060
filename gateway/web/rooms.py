"""How the rooms are: what each said, which are not reached, and which have not said a word yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from belltower.clock import Instant
from belltower.ids import IncidentId, PlaceId, UnitId
from belltower.incident.facts import RoomStatus
from belltower.incident.fold import Incident, RoomView


class Room(Struct, frozen=True, kw_only=True):
    """A room with units that show orders."""

    id: PlaceId
    name: str
    units: tuple[UnitId, ...]


class RoomText(Struct, frozen=True, kw_only=True):
    """A text of a room, or to one, as the alarm lane keeps it."""

    text: str
    said_at: Instant
    incident: IncidentId | None
    unit: UnitId
    upward: bool
    words: str


class RoomLine(Struct, frozen=True, kw_only=True):
    """One room of the roll call. `kinds` are the words it is counted under, the most urgent first."""

    key: str
    name: str
    kinds: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    said: str


class Tile(Struct, frozen=True, kw_only=True):
    """One large number."""

    kind: str
    count: int
    word: str


class RollCall(Struct, frozen=True, kw_only=True):
    """All rooms, the most urgent first."""

    tiles: Sequence[Tile]
    lines: Sequence[RoomLine]


class TextLine(Struct, frozen=True, kw_only=True):
    """One text as people read it."""

    at: str
    room: str
    upward: bool
    words: str
    state: str


_ORDER = ("need_help", "injured", "missing", "extra", "not_reached", "no_word", "safe")
_COUNTED = {RoomStatus.INJURED: "injured", RoomStatus.MISSING: "missing", RoomStatus.EXTRA: "extra"}
_WORDS = {
    "need_help": ("room needs help", "rooms need help"),
    "injured": ("injured", "injured"),
    "missing": ("missing", "missing"),
    "extra": ("extra", "extra"),
    "not_reached": ("room not reached", "rooms not reached"),
    "no_word": ("room: no word yet", "rooms: no word yet"),
    "safe": ("room safe", "rooms safe"),
}


def roll_call(
    incident: Incident, rooms: Sequence[Room], wall: Callable[[Instant | None], str]
) -> RollCall | None:
    """The rooms of the incident; None while nothing is ordered and no room has spoken."""
    if incident.action is None and not incident.rooms:
        return None
    names = {room.id: room.name for room in rooms}
    meant = incident.action_places or frozenset(names)
    expected = [room for room in names if room in meant] if incident.action is not None else []
    every = dict.fromkeys([*expected, *incident.rooms])
    lines = [
        _line(
            room, names.get(room) or spoken_room(room), incident, incident.rooms.get(room, RoomView()), wall
        )
        for room in every
    ]
    counts = dict.fromkeys(_ORDER, 0)
    for view in incident.rooms.values():
        for status, kind in _COUNTED.items():
            counts[kind] += view.statuses.get(status, 0)
    for line in lines:
        for kind in line.kinds:
            if kind not in _COUNTED.values():
                counts[kind] += 1
    lines.sort(key=lambda line: (_ORDER.index(line.kinds[0]), line.name))
    return RollCall(
        tiles=[Tile(kind=kind, count=n, word=_WORDS[kind][n != 1]) for kind, n in counts.items()], lines=lines
    )


def _line(
    room: PlaceId, name: str, incident: Incident, view: RoomView, wall: Callable[[Instant | None], str]
) -> RoomLine:
    said: list[tuple[str, str]] = []
    if RoomStatus.NEED_HELP in view.statuses:
        said.append(("need_help", "needs help"))
    for status, kind in _COUNTED.items():
        if view.statuses.get(status):
            said.append((kind, f"{view.statuses[status]} {kind}"))
    latest = incident.actions[-1] if incident.actions else None
    shown = latest is not None and latest in view.shown_of
    if latest is not None and latest in view.missed_of and not shown:
        said.append(("not_reached", "not reached: nothing there confirms the order"))
    elif not view.statuses:
        said.append(("no_word", "order shown, no word yet" if shown else "no word yet"))
    if RoomStatus.SAFE in view.statuses:
        said.append(("safe", "safe"))
    if not said:  # all that it said was taken back
        said.append(("no_word", "nothing stands any more"))
    return RoomLine(
        key=room,
        name=name,
        kinds=tuple(kind for kind, _ in said),
        labels=tuple(said),
        said=wall(view.said_at),
    )


def spoken_room(room: PlaceId) -> str:
    """A room whose place is not known."""
    return f"Unit {room[1:]}, place unknown" if room.startswith("?") else str(room)


def room_names(rooms: Sequence[Room]) -> Mapping[UnitId, str]:
    """What people call the room of each unit."""
    return {unit: room.name for room in rooms for unit in room.units}


def text_lines(
    texts: Sequence[RoomText],
    rooms: Sequence[Room],
    shown: frozenset[str],
    wall: Callable[[Instant | None], str],
) -> list[TextLine]:
    """The texts of an incident, the latest first."""
    names = room_names(rooms)
    return [
        TextLine(
            at=wall(text.said_at),
            room=names.get(text.unit, f"Unit {text.unit}"),
            upward=text.upward,
            words=text.words,
            state="" if text.upward else ("shown on the unit" if text.text in shown else "not confirmed yet"),
        )
        for text in reversed(texts)
    ]
