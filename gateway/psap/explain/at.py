"""AT dialogues with modems and radios, line by line."""

from __future__ import annotations

from gateway.psap.explain import Explanation
from gateway.psap.explain._at_lines import dialogue, looks

FORMAT = "AT dialogue"


def likely(octets: bytes) -> int:
    """A command or an answer first. What carries a message is told better by its own format."""
    rated, text = looks(octets)
    carries = any(name in text for name in ("+CMGS", "+CMT", "+CDS", "+CMGR", "+CMGL", "+CTS"))
    return rated // 2 if carries else rated


def explain(octets: bytes) -> Explanation:
    """Every line; bodies are only named."""
    return dialogue(octets, FORMAT, None)
