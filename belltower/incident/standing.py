"""The incidents as decided so far, held in memory: those that are open, and those closed lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from belltower.clock import SECOND, Instant
from belltower.errors import NotFound
from belltower.ids import CallId, IncidentId
from belltower.incident.entry import Entry
from belltower.incident.facts import AlarmKind, AlarmRaised, Mode
from belltower.incident.fold import Incident

JOIN_WITHIN = 3600 * SECOND
"""A new alarm joins an open incident of its mode and kind whose last alarm is at most this old."""

_CLOSED_KEPT = 64


class Standing:
    """Every open incident, and the latest that were closed: what was said of their calls may still be read back."""

    def __init__(self) -> None:
        self._open: dict[IncidentId, Incident] = {}
        self._closed: OrderedDict[IncidentId, Incident] = OrderedDict()

    @property
    def open(self) -> Mapping[IncidentId, Incident]:
        """Every open incident, in the order in which they were opened."""
        return self._open

    def required(self, incident: IncidentId) -> Incident:
        """The open incident. Raises NotFound when it is not open."""
        if (standing := self._open.get(incident)) is None:
            raise NotFound("there is no such open incident")
        return standing

    def known(self, incident: IncidentId) -> Incident:
        """The incident, open or closed lately. Raises NotFound when it is neither."""
        known = self._open.get(incident) or self._closed.get(incident)
        if known is None:
            raise NotFound("there is no such open incident")
        return known

    def of_call(self, call: CallId) -> Incident:
        """The open incident that has this call. Raises NotFound when none has."""
        for incident in self._open.values():
            if call in incident.calls and incident.calls[call].number:
                return incident
        raise NotFound("no open incident has such a call")

    def joinable(self, mode: Mode, kind: AlarmKind, drilled: str, now: Instant) -> Incident | None:
        """The incident that an alarm of this moment belongs to; None: it opens one."""
        for incident in reversed(self._open.values()):
            # Whoever presses after a cancellation is not part of what was cancelled.
            same = (incident.mode, incident.kind, incident.drill) == (mode, kind, drilled)
            if same and not incident.withdrawn:
                # A clock that stepped back makes the age negative: that joins too.
                return incident if now - incident.last_alarm_at <= JOIN_WITHIN else None
        return None

    def observe(self, entry: Entry) -> None:
        """Take in a fact, our own or another room's; facts already taken in change nothing."""
        if not entry.subject:
            return
        incident = IncidentId(entry.subject)
        known = self._open.get(incident) or self._closed.get(incident)
        if known is None:
            if not isinstance(entry.fact, AlarmRaised):
                return
            known = Incident(id=incident)
        self.hold(known.apply(entry))

    def hold(self, incident: Incident) -> None:
        """Hold the incident as it stands now."""
        if incident.open:
            self._open[incident.id] = incident
            return
        self._open.pop(incident.id, None)
        self._closed[incident.id] = incident
        if len(self._closed) > _CLOSED_KEPT:
            self._closed.popitem(last=False)
