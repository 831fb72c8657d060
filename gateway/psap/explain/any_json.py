"""JSON that is no document of a PSAP link, said to be so."""

from __future__ import annotations

import json

from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable

FORMAT = "JSON"


def likely(octets: bytes) -> int:
    """A text that begins with a brace or a bracket, and a word, a number or an end behind it."""
    head = octets[:512].lstrip()
    return 10 if head[:1] in (b"{", b"[") and octets[:512].isascii() and head[1:].lstrip()[:1] else 0


def explain(octets: bytes) -> Explanation:
    """One document; what it is not."""
    lines = Lines(octets)
    lines.add(0, len(octets), "a document")
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError) as error:
        said = str(error).encode("utf-8", "replace")
        lines.fault(f"it is no JSON: {printable(said, most=200)}")
        return _explained(lines, "No JSON that can be read.")
    has = "it is no object"
    if isinstance(document, dict):
        names = ", ".join(printable(name.encode("utf-8", "replace"), most=40) for name in list(document)[:8])
        has = f"it has {names or 'nothing'}"
    lines.fault(f"JSON, but no EIDO, no message that conveys one, and no frames: {has}")
    return _explained(lines, "A JSON document.")


def _explained(lines: Lines, summary: str) -> Explanation:
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))
