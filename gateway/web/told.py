"""Who was told of an incident and has not heard the end of it. Pure."""

from __future__ import annotations

from belltower.ids import NoticeId
from belltower.incident.fold import Incident
from belltower.incident.told import Readers, clears, corrects_another, readers

TOLD = {Readers.STAFF: "the staff", Readers.FAMILIES: "the families"}
"""The two sets of readers as people call them."""


def still_told(incident: Incident) -> list[Readers]:
    """Those who were told something of the incident and have not been told that it is over."""
    last = {readers(notice.template): notice for notice in incident.notices.values()}
    return [whose for whose in Readers if whose in last and not clears(last[whose].template)]


def taken_back(incident: Incident, notice: NoticeId) -> bool:
    """Whether the notice was corrected, or corrects another itself."""
    return corrects_another(incident.notices[notice].template) or any(
        notice in other.corrects and corrects_another(other.template) for other in incident.notices.values()
    )
