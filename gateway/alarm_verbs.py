"""The verbs that the alarm lane offers on its socket, with their arguments as they come from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from belltower.ids import CallId, IncidentId, PersonId, PlaceId, VerbId
from belltower.incident.facts import Action, AlarmKind, UpdateKind
from belltower.incident.verbs import Verbs
from floorplans.place import Place
from gateway.control import Verb

_OPERATOR = 16
"""Characters of a telecommunicator's code or position."""


def verbs_offered(verbs: Verbs, places: Mapping[PlaceId, Place]) -> dict[str, Verb]:
    """The verbs that the control socket takes, with their arguments as they come from outside."""

    async def order_action(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.order_action(
            verb=verb,
            incident=IncidentId(args["incident"]),
            action=Action(args["action"]),
            places=frozenset(PlaceId(place) for place in args["places"]),
            by=PersonId(args["by"]),
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

    async def update_call(verb: VerbId, args: dict[str, Any]) -> str:
        place = places.get(PlaceId(args.get("place") or ""))
        return await verbs.update_call(
            verb=verb,
            call=CallId(args["call"]),
            kind=UpdateKind(args["kind"]),
            place=place.id if place is not None else None,
            building=place.building if place is not None else "",
            by=PersonId(args["by"]),
        )

    async def note_read_back(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.note_read_back(
            verb=verb,
            call=CallId(args["call"]),
            by=PersonId(args["by"]),
            operator=str(args.get("operator", ""))[:_OPERATOR],
        )

    async def test_links(verb: VerbId, args: dict[str, Any]) -> str:
        by = args.get("by")
        return await verbs.test_links(verb=verb, by=PersonId(by) if by else None)

    async def begin_drill(verb: VerbId, args: dict[str, Any]) -> str:
        return await verbs.begin_drill(verb=verb, token=str(args["token"]))

    async def end_drill(verb: VerbId, args: dict[str, Any]) -> str:
        del args
        return await verbs.end_drill(verb=verb)

    return {
        "order_action": order_action,
        "close_incident": close_incident,
        "raise_alarm": raise_alarm,
        "update_call": update_call,
        "note_read_back": note_read_back,
        "test_links": test_links,
        "begin_drill": begin_drill,
        "end_drill": end_drill,
    }
