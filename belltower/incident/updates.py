"""What is said of a call after it was ordered: it is cancelled, is for another place, and a person read that back. Pure."""

from __future__ import annotations

from belltower.errors import WrongState
from belltower.ids import PersonId, PlaceId
from belltower.incident.facts import UpdateKind, UpdateOrdered, UpdateReadBack
from belltower.incident.facts.calls import TELEPHONE
from belltower.incident.fold import CallView, Incident


def cancellations(incident: Incident, *, by: PersonId) -> list[UpdateOrdered]:
    """A cancellation of every call that is not being cancelled already."""
    return [
        UpdateOrdered(call=call.id, incident=incident.id, update=_next(call), kind=UpdateKind.CANCEL, by=by)
        for call in incident.calls.values()
        if call.number and not call.cancelling
    ]


def correction(
    incident: Incident, call: CallView, *, place: PlaceId, building: str, by: PersonId
) -> UpdateOrdered:
    """The call is for this place. Raises WrongState when it is being cancelled."""
    if call.cancelling:
        raise WrongState("this call is being cancelled")
    return UpdateOrdered(
        call=call.id,
        incident=incident.id,
        update=_next(call),
        kind=UpdateKind.PLACE,
        place=place,
        building=building,
        by=by,
    )


def read_back(incident: Incident, *, noted_by: PersonId, operator: str) -> list[UpdateReadBack]:
    """A telecommunicator read the latest update of each call back on the telephone, where nobody has yet."""
    return [
        UpdateReadBack(
            call=call.id,
            incident=incident.id,
            update=call.unread,
            link=TELEPHONE,
            by=operator,
            noted_by=noted_by,
        )
        for call in incident.calls.values()
        if call.unread
    ]


def _next(call: CallView) -> int:
    return max(call.updates, default=0) + 1
