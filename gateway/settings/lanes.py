"""Which lane opens which secrets of a settings file."""

from __future__ import annotations

ALARM_SECRETS = frozenset({"alarm", "psap"})
"""The tables whose secrets the alarm lane opens: that a carrier's password is missing must not silence a press.

Those of outputs it opens too, each for itself: a siren whose password is missing silences itself only.
"""

DESK_SECRETS = frozenset({"desk", "notify"})
"""The tables whose secrets the desk lane opens; the keys of the ways to the PSAP are none of its business."""
