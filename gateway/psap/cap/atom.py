"""An index of alerts as an Atom feed with CAP elements, as weather services and others publish it, out and in.

Atom is RFC 4287; the CAP elements stand in each entry as in the feeds of the US National Weather Service.
"""

from __future__ import annotations

from html import escape

from msgspec import Struct

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.xml import Element, parse_xml
from gateway.psap.cap.lexical import UNWRITABLE, read_time, shown, write_time
from gateway.psap.cap.model import Alert, Named, Time
from gateway.psap.cap.reading import NAMESPACES

ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
CAP_MEDIA_TYPE = "application/cap+xml"
MOST_ENTRIES = 1_000
"""What is read of one index; more is passed over."""

_LONGEST = 4_000
_FAULTS_KEPT = 20


class IndexEntry(Struct, frozen=True, kw_only=True):
    """What an index says of one alert; the alert itself stands behind `link`."""

    id: str
    updated: Instant | None = None
    title: str = ""
    # The first link whose relation is none or "alternate".
    link: str = ""
    author: str = ""
    event: str = ""
    status: str = ""
    # CAP's msgType.
    type: str = ""
    urgency: str = ""
    severity: str = ""
    certainty: str = ""
    expires: Instant | None = None
    area: str = ""
    geocodes: tuple[Named, ...] = ()


class Index(Struct, frozen=True, kw_only=True):
    """One feed."""

    title: str
    entries: tuple[IndexEntry, ...]
    # Why entries were passed over: one bad entry hides no other.
    faults: tuple[str, ...] = ()


def write_index(
    alerts: tuple[tuple[str, Alert], ...], *, id_: str, title: str, author: str, updated: Time
) -> bytes:
    """The feed of these alerts, each with the address where it stands in full. `id_` is the feed's own address."""
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<feed xmlns="{ATOM}" xmlns:cap="{NAMESPACES[0]}">\n',
        f"<id>{_text(id_)}</id>\n<title>{_text(title)}</title>\n<updated>{_rfc3339(updated)}</updated>\n",
        f'<author><name>{_text(author)}</name></author>\n<link rel="self" href="{_text(id_)}"/>\n',
    ]
    for address, alert in alerts:
        _entry(out, address, alert)
    out.append("</feed>\n")
    return "".join(out).encode()


def _entry(out: list[str], address: str, alert: Alert) -> None:
    info = alert.infos[0] if alert.infos else None
    title = (info.headline or info.event) if info is not None else str(alert.type)
    out.append(
        f"<entry>\n<id>{_text(address)}</id>\n<title>{_text(title)}</title>\n"
        f"<updated>{_rfc3339(alert.sent)}</updated>\n<published>{_rfc3339(alert.sent)}</published>\n"
        f'<link href="{_text(address)}" type="{CAP_MEDIA_TYPE}"/>\n'
        f"<cap:identifier>{_text(alert.identifier)}</cap:identifier>\n<cap:sender>{_text(alert.sender)}</cap:sender>\n"
        f"<cap:sent>{write_time(alert.sent)}</cap:sent>\n<cap:status>{alert.status}</cap:status>\n"
        f"<cap:msgType>{alert.type}</cap:msgType>\n<cap:scope>{alert.scope}</cap:scope>\n"
    )
    if info is not None:
        out.append(f"<summary>{_text(info.description or info.headline)}</summary>\n")
        out.append(f"<cap:event>{_text(info.event)}</cap:event>\n")
        out.append(f"<cap:category>{info.categories[0]}</cap:category>\n")
        out.append(
            f"<cap:urgency>{info.urgency}</cap:urgency>\n<cap:severity>{info.severity}</cap:severity>\n"
        )
        out.append(f"<cap:certainty>{info.certainty}</cap:certainty>\n")
        if info.effective is not None:
            out.append(f"<cap:effective>{write_time(info.effective)}</cap:effective>\n")
        if info.expires is not None:
            out.append(f"<cap:expires>{write_time(info.expires)}</cap:expires>\n")
        out += [f"<cap:areaDesc>{_text(area.description)}</cap:areaDesc>\n" for area in info.areas[:1]]
    out.append("</entry>\n")


def is_index(octets: bytes) -> bool:
    """Whether it looks like a feed rather than an alert."""
    return b"<feed" in octets[:4_096] or b":feed" in octets[:4_096]


def read_index(octets: bytes) -> Index:
    """The feed that a document of at most 1 MiB says; elements that are not known are passed over.

    Raises:
        Malformed: it is no Atom feed.
    """
    root = parse_xml(octets)
    if root.tag != f"{{{ATOM}}}feed":
        raise Malformed(f"Atom: the document is a {shown(root.tag)}; expected feed in {ATOM}")
    entries: list[IndexEntry] = []
    faults: list[str] = []
    title = ""
    for child in root:
        if child.tag == f"{{{ATOM}}}title" and not title:
            title = _said(child)
        elif child.tag == f"{{{ATOM}}}entry" and len(entries) < MOST_ENTRIES:
            try:
                entries.append(_read_entry(child))
            except Malformed as error:
                faults.append(str(error))
    return Index(title=title, entries=tuple(entries), faults=tuple(faults[:_FAULTS_KEPT]))


def _read_entry(element: Element) -> IndexEntry:
    atom: dict[str, str] = {}
    cap: dict[str, str] = {}
    link = ""
    geocodes: list[Named] = []
    for child in element:
        namespace, _, name = child.tag.rpartition("}")
        if namespace == "{" + ATOM:
            if name == "link":
                if not link and child.get("rel", "alternate") == "alternate":
                    link = child.get("href", "")[:_LONGEST]
            elif name == "author":
                atom.setdefault(
                    "author", next((_said(one) for one in child if one.tag.endswith("}name")), "")
                )
            else:
                atom.setdefault(name, _said(child))
        elif namespace[1:] in NAMESPACES:
            if name == "geocode":
                geocodes += _read_geocodes(child)
            else:
                cap.setdefault(name, _said(child))
    if not atom.get("id"):
        raise Malformed("Atom: entry: id is missing")
    return IndexEntry(
        id=atom["id"],
        updated=_time(atom.get("updated", ""), "updated"),
        title=atom.get("title", ""),
        link=link,
        author=cap.get("sender") or atom.get("author", ""),
        event=cap.get("event", ""),
        status=cap.get("status", ""),
        type=cap.get("msgType", ""),
        urgency=cap.get("urgency", ""),
        severity=cap.get("severity", ""),
        certainty=cap.get("certainty", ""),
        expires=_time(cap.get("expires", ""), "expires"),
        area=cap.get("areaDesc", ""),
        geocodes=tuple(geocodes),
    )


def _read_geocodes(element: Element) -> list[Named]:
    """Pairs of valueName and value, in whatever namespace, several in one element; values may be a list."""
    found: list[Named] = []
    name = ""
    for child in element:
        if child.tag.rpartition("}")[2] == "valueName":
            name = _said(child)
        elif name:
            found += [Named(name, value) for value in _said(child).split()[:200]]
    return found


def _said(element: Element) -> str:
    return " ".join((element.text or "")[:_LONGEST].split())


def _time(text: str, where: str) -> Instant | None:
    return read_time(text, where, lenient=True).at if text else None


def _rfc3339(time: Time) -> str:
    """Atom has it as CAP does, but for UTC: -00:00 would say that the offset is unknown. RFC 3339, 4.3."""
    return write_time(time).replace("-00:00", "Z")


def _text(text: str) -> str:
    return escape(UNWRITABLE.sub("", text))
