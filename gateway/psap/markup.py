"""What the builders and readers of XML documents share: names, texts, what may be written, and the schemas we bring."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from lxml import etree

from belltower.xml import Element, parse_xml


def text(element: Element) -> str:
    """The text of an element, blanks at both ends removed and those within made one."""
    return " ".join((element.text or "").split())


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def namespace(element: Element) -> str:
    """An element's namespace; "" where it has none."""
    return str(element.tag).rpartition("}")[0].removeprefix("{")


def writable(said: str, *, most: int = 1_000) -> str:
    """What of a text may stand in XML: no control characters, single blanks, not endless."""
    if said.isascii() and said.isprintable():
        kept = said
    else:
        kept = "".join([each if each.isprintable() else " " for each in said[: 4 * most]])
    return " ".join(kept.split())[:most].strip()


def escaped(said: str) -> str:
    """A `writable` text as it stands in an element or, in double quotes, in an attribute."""
    if "&" in said or "<" in said or ">" in said or '"' in said:
        return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return said


@lru_cache(maxsize=4)
def schema(name: str) -> Any:
    """The XML schema in file `name` of this package."""
    return etree.XMLSchema(parse_xml((files("gateway.psap") / name).read_bytes()))
