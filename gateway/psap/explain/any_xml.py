"""XML that is no document of a PSAP link, said to be so."""

from __future__ import annotations

from belltower.errors import Malformed
from belltower.xml import parse_xml
from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable
from gateway.psap.explain._xml import root

FORMAT = "XML"


def likely(octets: bytes) -> int:
    """A text that begins with a tag, a comment or a declaration."""
    return 20 if octets[:512].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" else 0


def explain(octets: bytes) -> Explanation:
    """One document; what it is not."""
    lines = Lines(octets)
    lines.add(0, len(octets), "a document")
    name = printable(root(octets))
    try:
        parse_xml(octets)
    except Malformed as error:
        lines.fault(str(error))
        return _explained(lines, "No XML that can be read.")
    lines.fault(f"XML, but no CAP, no Atom feed of CAP and no PIDF-LO: the root element is {name}")
    return _explained(lines, f"An XML document, {name}.")


def _explained(lines: Lines, summary: str) -> Explanation:
    return Explanation(format=FORMAT, summary=summary, lines=tuple(lines.found), faults=tuple(lines.faults))
