"""The verbs that the alarm lane offers on its socket, with their arguments as they come from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from belltower.errors import NotFound, WrongState
from belltower.ids import CallId, IncidentId, PersonId, PlaceId, UnitId, VerbId
from belltower.incident.facts import Action, AlarmKind, OutputLevel, room_of
from belltower.incident.verbs import Verbs
from floorplans.place import Place
from gateway.control import Verb
from gateway.device_room import DeviceRoom
from gateway.outputs.switching import SwitchWorker
from hardware.codecs.unit_room import clean
from hardware.unit_record import UnitRecord

_TEXTS_READ = 200
_DRILLS_TOLD = 500
_OPERATOR = re.compile(r"[A-Za-z0-9-]{0,16}")


def _operator(said: Any) -> str:
    """A telecommunicator's code or position; anything that may be a name is left out of the record."""
    return said if isinstance(said, str) and _OPERATOR.fullmatch(said) else ""


def verbs_offered(
    verbs: Verbs, places: Mapping[PlaceId, Place], units: Iterable[UnitRecord] = ()
) -> dict[str, Verb]:
    """The verbs that the control socket takes, with their arguments as they come from outside."""

    async def order_action(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.order_action(
            verb=verb,
            incident=IncidentId(args["incident"]),
            action=Action(args["action"]),
            places=frozenset(PlaceId(place) for place in args["places"]),
            by=PersonId(args["by"]),
        )

    async def order_output(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.order_output(
            verb=verb, incident=IncidentId(args["incident"]), output=str(args["output"])
        )

    async def close_incident(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.close_incident(
            verb=verb,
            incident=IncidentId(args["incident"]),
            by=PersonId(args["by"]),
            reason=str(args.get("reason", "")),
        )

    async def raise_alarm(verb: VerbId, args: dict[str, Any]) -> str:
        place = places.get(PlaceId(args.get("place", "")))
        return await verbs.raise_by_person(
            verb=verb,
            kind=AlarmKind(args.get("kind", AlarmKind.PANIC)),
            place=place.id if place is not None else None,
            building=place.building if place is not None else "",
            by=PersonId(args["by"]),
            path=str(args.get("path", "desk")),
            exercise=bool(args.get("exercise", False)),
        )

    async def cancel_calls(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.cancel_calls(
            verb=verb, incident=IncidentId(args["incident"]), by=PersonId(args["by"])
        )

    async def correct_call(verb: VerbId, args: dict[str, Any]) -> str:
        place = places.get(PlaceId(args["place"]))
        if place is None:
            raise NotFound(f"there is no place {args['place']!r} in the site package")
        return await verbs.correct_call(
            verb=verb,
            call=CallId(args["call"]),
            place=place.id,
            building=place.building,
            by=PersonId(args["by"]),
        )

    async def note_read_back(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.note_read_back(
            verb=verb,
            incident=IncidentId(args["incident"]),
            by=PersonId(args["by"]),
            operator=_operator(args.get("operator", "")),
        )

    rooms: dict[PlaceId, list[UnitId]] = {}
    for unit in units:
        rooms.setdefault(room_of(unit.place, unit.id), []).append(unit.id)

    async def send_text(verb: VerbId, args: dict[str, Any]) -> str:
        room, words = PlaceId(args["room"]), clean(str(args["words"]))
        if room not in rooms:
            raise NotFound("there is no unit at this place")
        if not words:
            raise NotFound("the text is empty")
        return await verbs.send_text(
            verb=verb,
            units=rooms[room],
            words=words,
            incident=IncidentId(args["incident"]),
            by=PersonId(args["by"]),
        )

    async def room_texts(verb: VerbId, args: dict[str, Any]) -> str:
        del verb
        incident = IncidentId(args["incident"])
        said = [text for text in await verbs.texts.living() if text.incident == incident]
        return msgspec.json.encode(said[-_TEXTS_READ:]).decode()

    async def test_links(verb: VerbId, args: dict[str, Any]) -> str:
        by = args.get("by")
        return await verbs.test_links(verb=verb, by=PersonId(by) if by else None)

    async def begin_drill(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.begin_drill(verb=verb, token=str(args["token"]))

    async def end_drill(verb: VerbId, args: dict[str, Any]) -> str:
        del args
        return await verbs.end_drill(verb=verb)

    async def drills(verb: VerbId, args: dict[str, Any]) -> str:
        del verb, args
        return msgspec.json.encode((await verbs.drills())[-_DRILLS_TOLD:]).decode()

    return {
        "order_action": order_action,
        "order_output": order_output,
        "close_incident": close_incident,
        "raise_alarm": raise_alarm,
        "cancel_calls": cancel_calls,
        "correct_call": correct_call,
        "note_read_back": note_read_back,
        "send_text": send_text,
        "room_texts": room_texts,
        "test_links": test_links,
        "begin_drill": begin_drill,
        "end_drill": end_drill,
        "drills": drills,
    }


class OutputProof(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the test of an output."""

    level: OutputLevel
    # Why it got no further; "": it did all that it can.
    failed: str = ""
    # Whether the device's own answer was asked for and came.
    confirmed: bool = False


def output_verbs(switching: SwitchWorker, verbs: Verbs) -> dict[str, Verb]:
    """The verb that tests an output; it is about no incident, and refused while there is one."""

    async def test_output(verb: VerbId, args: dict[str, Any]) -> str:
        del verb
        if verbs.incidents:
            raise WrongState("an incident is open; what it has switched on would be switched off")
        level, failed = await switching.prove(str(args["output"]))
        confirmed = not failed and level is OutputLevel.DEVICE and switching.confirmed(str(args["output"]))
        return msgspec.json.encode(OutputProof(level=level, failed=failed, confirmed=confirmed)).decode()

    return {"test_output": test_output}


def device_verbs(room: DeviceRoom) -> dict[str, Verb]:
    """The verbs about foreign devices; none of them is about an incident, so asking twice costs nothing."""

    async def devices(verb: VerbId, args: dict[str, Any]) -> str:
        del verb
        return room.told(str(args.get("device", "")))

    async def begin_walk_test(verb: VerbId, args: dict[str, Any]) -> str:
        del verb
        at = args.get("at")
        return room.begin_walk_test(PersonId(args["by"]), PlaceId(str(at)) if at else None)

    async def end_walk_test(verb: VerbId, args: dict[str, Any]) -> str:
        del verb, args
        return room.end_walk_test()

    return {"devices": devices, "begin_walk_test": begin_walk_test, "end_walk_test": end_walk_test}
