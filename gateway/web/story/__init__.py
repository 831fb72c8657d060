"""The facts of one incident as a story: steps, each with its seconds since the press and its stage. Pure.

    story.py      Story: one incident, its steps, and what else a page shows of it
    moment.py     Stage, Step, Moment; timeline.py: the steps in the order in which they were told
    plain.py      facts that are one step each; calls.py: those about calls to the PSAP
    presses.py    the presses of a building, and how many of them the PSAP has
    notices.py    notices and their deliveries, counted
    rooms.py      what rooms say, and what is shown there
    replies.py    what people answered
    words.py      channels, carriers and templates as people call them

A step is a place in the story that may still grow ("accepted: 12, last at +4.2 s"): `Story.apply` says which
steps changed, and a screen replaces those by their key. A fact fed twice changes nothing the second time.
"""

from __future__ import annotations

from gateway.web.story.calls import RESPONSES
from gateway.web.story.moment import Moment, Stage, stamp
from gateway.web.story.notices import Tally
from gateway.web.story.plain import disclosed
from gateway.web.story.story import Story, tell
from gateway.web.story.words import CHANNELS, carrier, no_channel, spoken_template

__all__ = [
    "CHANNELS",
    "RESPONSES",
    "Moment",
    "Stage",
    "Story",
    "Tally",
    "carrier",
    "disclosed",
    "no_channel",
    "spoken_template",
    "stamp",
    "tell",
]
