"""What the templates are given. Pure.

incident.py   one incident: its card, its steps, the calls and reasons that forms name
notices.py    notices with their counts; who was reached
banner.py     what is wrong with the house itself
alerts.py     public alerts
times.py      times as people read them
"""

from __future__ import annotations

from gateway.web.view.alerts import alert_view
from gateway.web.view.banner import SILENT, BannerLine, banner
from gateway.web.view.incident import (
    ACTIONS,
    REASONS,
    Card,
    calling_view,
    calls_told,
    card,
    reasons,
    step_view,
    unread,
)
from gateway.web.view.notices import notice_block, recipients
from gateway.web.view.times import ago, day, wall

__all__ = [
    "ACTIONS",
    "REASONS",
    "SILENT",
    "BannerLine",
    "Card",
    "ago",
    "alert_view",
    "banner",
    "calling_view",
    "calls_told",
    "card",
    "day",
    "notice_block",
    "reasons",
    "recipients",
    "step_view",
    "unread",
    "wall",
]
