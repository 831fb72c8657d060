"""XML from outside, read by one hardened parser: no document types, no entities, no network, bounded in every way.

Whoever reads XML reads it here. A document is a sender's claim and may be made to harm the reader; what this module
gives back holds elements, attributes and text only, comments and processing instructions already gone.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from belltower.errors import Malformed

MOST_OCTETS = 1 << 20
"""The longest document that is read unless the caller says otherwise."""

DEEPEST = 256
"""Elements within elements that the parser follows; ours need twelve."""

Element = Any
"""An lxml element: `tag`, `text`, `get(name)`, and its children by iterating over it."""

# One parser for ever: making one costs as much as reading a short document. lxml locks it between threads.
_PARSER = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    huge_tree=False,  # libxml2's own bounds stay on: 256 levels, names of 50,000 octets
    remove_comments=True,
    remove_pis=True,
)
# Eight-bit encodings in which `<!DOCTYPE` looks like itself, so that it is seen before anything is parsed.
_ENCODINGS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"latin1", b"windows-1252"})
# The whole declaration: what cannot be read here is not given to a parser that would read it otherwise.
_DECLARATION = re.compile(
    rb"<\?xml\s{1,9}version\s{0,9}=\s{0,9}[\"']1\.[0-9][\"']"
    rb"(?:\s{1,9}encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9._-]{1,40})[\"'])?"
    rb"(?:\s{1,9}standalone\s{0,9}=\s{0,9}[\"'](?:yes|no)[\"'])?\s{0,9}\?>"
)
_BOM = b"\xef\xbb\xbf"
_OPENINGS = (b"<", b" ", b"\t", b"\r", b"\n")


def parse_xml(octets: bytes, limit: int = MOST_OCTETS) -> Element:
    """The root element of a document of at most `limit` octets.

    Raises:
        Malformed: it is too long or too deep, not well formed, not in UTF-8 (or plain Latin letters), or declares a
            document type or entities.
    """
    if len(octets) > limit:
        raise Malformed(f"XML: {len(octets)} octets; at most {limit} are read")
    head = octets[3:] if octets.startswith(_BOM) else octets
    if not head.startswith(_OPENINGS):
        raise Malformed(
            f"XML: begins with {head[:4].hex(' ') or 'nothing'}; expected '<' in UTF-8 at octet 0"
        )
    if head.startswith(b"<?xml"):
        declared = _DECLARATION.match(head)
        if declared is None:
            raise Malformed(
                'XML: the declaration at octet 0 is not of the form <?xml version="1.0" encoding="UTF-8"?>'
            )
        if declared[1] is not None and declared[1].lower() not in _ENCODINGS:
            raise Malformed(f"XML: encoding {declared[1].decode()}; send it in UTF-8")
    at = octets.find(b"<!DOCTYPE")
    if at >= 0:
        raise Malformed(f"XML: a document type at octet {at}; none is read, leave it out")
    try:
        return etree.fromstring(octets, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed(f"XML: not well formed: {' '.join(str(error).split())}") from None
