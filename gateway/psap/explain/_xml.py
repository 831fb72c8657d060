"""What explanations of XML documents share."""

from __future__ import annotations

import re

from gateway.psap.explain._building import Lines

_ELEMENT = re.compile(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)(?:\s[^<>]*)?>([^<>]*)</\1?\2>")


_BEFORE = re.compile(
    rb"(?:(?:<\?[^>]{0,200}\?>|<!--.{0,2000}?-->|<!DOCTYPE[^<>\[]{0,500}(?:\[[^\]]{0,3000}\]\s{0,20})?>)\s*){0,9}",
    re.DOTALL,
)


def root(octets: bytes) -> bytes:
    """The name of the root element without its prefix; empty when there is none."""
    head = octets[:8192].lstrip(b"\xef\xbb\xbf \t\r\n")
    before = _BEFORE.match(head)
    found = re.match(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)", head[before.end() if before else 0 :])
    return found[1] if found is not None else b""


def begins_with(octets: bytes, *names: bytes) -> bool:
    """Whether the root element has one of these names, whatever its prefix."""
    return root(octets) in names


def add_elements(lines: Lines, octets: bytes, known: dict[str, str], *, at: int = 0) -> None:
    """A line for each element that holds a text and is known; everything between them as markup."""
    done = 0
    for found in _ELEMENT.finditer(octets):
        name = found[2].decode("ascii", "replace")
        if name not in known:
            continue
        lines.add(at + done, at + found.start(), "markup")
        said = " ".join(found[3].decode("utf-8", "backslashreplace").split())
        shown = said if len(said) <= 160 else said[:159] + "…"
        lines.add(at + found.start(), at + found.end(), f"{known[name]}: {shown}")
        done = found.end()
    lines.add(at + done, at + len(octets), "markup")
