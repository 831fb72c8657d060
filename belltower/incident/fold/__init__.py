"""An incident as it stands: the fold of its facts.

    incident.py    Incident, and `fold`
    calls.py       CallView: one call to the PSAP, over all links, with its updates
    outputs.py     OutputView: the latest order to one output
    rooms.py       RoomView: what one room said, and what is shown there
    notices.py     NoticeView: one notice, up to its plan
    buildings.py   BuildingView: one building's share

`apply` and every `after` are pure and total. Every step is a maximum, a set or a first-one-wins, so that a fact fed
twice (once from the spool, once from the journal) changes nothing the second time, and facts of two streams may
interleave in any order that keeps each stream's own. What became of a call may even stand before its order: a failing
disk can turn them round.
"""

from __future__ import annotations

from belltower.incident.fold.buildings import BuildingView
from belltower.incident.fold.calls import CallView, LinkView, UpdateView
from belltower.incident.fold.incident import Incident, fold
from belltower.incident.fold.notices import NoticeView
from belltower.incident.fold.outputs import OutputView
from belltower.incident.fold.rooms import RoomView

__all__ = [
    "BuildingView",
    "CallView",
    "Incident",
    "LinkView",
    "NoticeView",
    "OutputView",
    "RoomView",
    "UpdateView",
    "fold",
]
