"""Ed-Fi's files, opened: the items of each resource, bounded, and not understood before somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from belltower.people.reading.archive import Package
from belltower.people.reading.edfi_items import Item
from belltower.people.reading.faults import Findings
from belltower.people.reading.rows import Progress

MOST_OCTETS = 100 * 1000 * 1000
"""The longest file that is read."""

LONGEST_ITEM = 1 << 20
"""Octets of one item."""

Raw = tuple[str, int, msgspec.Raw]
"""An item as it stands in its file: the file's name, and which one it is; the first is 1."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoder raises for octets from outside."""

I = TypeVar("I", bound=Item)  # noqa: E741 - an item

_ALSO = {
    "parents": "contacts",
    "studentparentassociations": "studentcontactassociations",
    "staffeducationorganizationassignmentassociations": "staffschoolassociations",
    "staffs": "staff",
}
_NAMES = (
    "schools students staff contacts studentschoolassociations studenteducationorganizationassociations "
    "staffschoolassociations studentcontactassociations sections studentsectionassociations "
    "staffsectionassociations"
)
_RESOURCES = frozenset(_NAMES.split())


class Resources:
    """The items of a load's files by the resource's name in lower case."""

    def __init__(self, *, package: Package, findings: Findings, progress: Progress | None) -> None:
        self._package = package
        self._findings = findings
        self._progress = progress
        self._items: dict[str, list[Raw]] = {}
        self.deletes: dict[str, list[Raw]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether the load has that resource, though perhaps no item of it."""
        return name in self._items

    def load(self, file: str) -> None:
        """Take in one file."""
        octets = self._package.octets_of(file, MOST_OCTETS)
        if self._progress is not None:
            self._progress(len(octets))
        stem = file.rpartition("/")[2].casefold()
        stem = stem.removesuffix(".jsonl").removesuffix(".json")
        deletes = stem.endswith((".deletes", "_deletes", "-deletes"))
        stem = stem[: -len(".deletes")] if deletes else stem
        text = octets.removeprefix(b"\xef\xbb\xbf").strip()
        try:
            first = text.partition(b"\n")[0]
            if file.casefold().endswith(".jsonl") or (first != text and _is_item(first)):
                raws = [msgspec.Raw(line) for line in text.splitlines() if line.strip()]
                self._keep(file, stem, raws, deletes=deletes)
            elif text.startswith(b"{"):
                parts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
                lists = {name: raw for name, raw in parts.items() if bytes(raw).lstrip().startswith(b"[")}
                if not lists:
                    self._findings.fault(file, 1, "1", "holds no list of items", "export whole resources")
                for name, raw in lists.items():
                    items_of = msgspec.json.decode(raw, type=list[msgspec.Raw])
                    self._keep(file, name.casefold(), items_of, deletes=deletes)
            else:
                self._keep(file, stem, msgspec.json.decode(text, type=list[msgspec.Raw]), deletes=deletes)
        except UNREADABLE as error:
            where = "a list of items" if isinstance(error, msgspec.ValidationError) else "JSON"
            self._findings.fault(
                file, 1, "1", f"is no {where} ({decoder_says(error)})", "export the resource again"
            )

    def _keep(self, file: str, name: str, raws: list[msgspec.Raw], *, deletes: bool) -> None:
        name = _ALSO.get(name, name)
        if name not in _RESOURCES:
            self._findings.review(
                "file", file, 0, "", "is no resource that is read", "name it after its resource"
            )
            return
        kept = (self.deletes if deletes else self._items).setdefault(name, [])
        for row, raw in enumerate(raws, 1):
            if len(bytes(raw)) > LONGEST_ITEM:
                self._findings.fault(file, row, "1", "the item is longer than 1 MiB", "shorten its fields")
            elif b"\\u0000" in bytes(raw):
                self._findings.fault(file, row, "1", "the item holds a NUL: this is no text", "take it out")
            else:
                kept.append((file, row, raw))

    def all(self, name: str, kind: type[I]) -> Iterator[tuple[str, int, I]]:
        """File, number and what is known of each item of a resource; those that are none are faults, and left out."""
        decoder = msgspec.json.Decoder(kind, strict=False)
        for file, row, raw in self._items.get(name, ()):
            try:
                yield file, row, decoder.decode(raw)
            except UNREADABLE as error:
                text = decoder_says(error)
                path = text.rpartition("$.")[2].rstrip("`") if "$." in text else "1"
                self._findings.fault(
                    file, row, path, f"the item is no {name} item ({text})", "export the resource again"
                )


def decoder_says(error: Exception) -> str:
    """The decoder's message; it names types and places, never what a field holds."""
    if isinstance(error, msgspec.DecodeError):
        return str(error)
    return "nested too deeply" if isinstance(error, RecursionError) else "not UTF-8"


def _is_item(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return False
    return True
