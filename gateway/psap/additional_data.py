"""What else a PSAP may want to know of a call: the blocks of RFC 7852, pure.

    ServiceInfo     what kind of service calls            ProviderInfo    who sends the data, and how to reach them
    DeviceInfo      what kind of device                   SubscriberInfo  whose school it is, as a card (RFC 6351)
    Comment         a text for the telecommunicator

Each is one XML document in the namespace of its name. Elements that we do not use ourselves are read past.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from belltower.errors import Malformed
from belltower.xml import parse_xml
from gateway.psap.markup import escaped, local, namespace, text, writable

NAMESPACE = "urn:ietf:params:xml:ns:EmergencyCallData"
CARD = "urn:ietf:params:xml:ns:vcard-4.0"

MAX_COMMENT = 2_000
_MAX_ITEMS = 32
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")


class Card(Struct, frozen=True, kw_only=True):
    """How to reach somebody; of a school, never of a pupil."""

    name: str = ""
    organisation: str = ""
    street: str = ""
    locality: str = ""
    region: str = ""
    code: str = ""
    country: str = ""
    # "tel:" URIs.
    telephones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


class ServiceInfo(Struct, frozen=True, kw_only=True):
    """RFC 7852, section 4.2. `environment` is Business, Residence or Unknown; `mobility` Fixed, Mobile, Nomadic or Unknown."""

    reference: str
    environment: str
    types: tuple[str, ...]
    mobility: str


class DeviceInfo(Struct, frozen=True, kw_only=True):
    """RFC 7852, section 4.3."""

    reference: str
    classification: str = ""
    manufacturer: str = ""
    model: str = ""
    # Identifiers, each with its type.
    identifiers: tuple[tuple[str, str], ...] = ()


class ProviderInfo(Struct, frozen=True, kw_only=True):
    """RFC 7852, section 4.1."""

    reference: str
    provider: str
    identifier: str
    series: str
    kind: str
    # A "tel:" or "sip:" URI that is answered at any hour.
    contact: str
    languages: tuple[str, ...]
    card: Card | None = None


class SubscriberInfo(Struct, frozen=True, kw_only=True):
    """RFC 7852, section 4.4."""

    reference: str
    card: Card
    private: bool = False


class Comment(Struct, frozen=True, kw_only=True):
    """RFC 7852, section 4.5. Texts with their languages."""

    reference: str
    texts: tuple[tuple[str, str], ...]


Block = ServiceInfo | DeviceInfo | ProviderInfo | SubscriberInfo | Comment

BLOCKS: tuple[type[Block], ...] = (ServiceInfo, DeviceInfo, ProviderInfo, SubscriberInfo, Comment)


def media_type(block: Block | type[Block]) -> str:
    """The media type of a block's document."""
    kind = block if isinstance(block, type) else type(block)
    return f"application/EmergencyCallData.{kind.__name__}+xml"


def purpose(block: Block | type[Block]) -> str:
    """What a Call-Info that names the block says that it is for."""
    kind = block if isinstance(block, type) else type(block)
    return f"EmergencyCallData.{kind.__name__}"


# ---- writing


def build(block: Block) -> bytes:
    """The document; `ValueError` for what would not be read back."""
    name = type(block).__name__
    private = ""
    out = [_tag("DataProviderReference", block.reference)]
    match block:
        case ServiceInfo():
            out.append(_tag("ServiceEnvironment", block.environment))
            out += [_tag("ServiceType", each) for each in block.types]
            out.append(_tag("ServiceMobility", block.mobility))
        case DeviceInfo():
            out.append(_maybe("DeviceClassification", block.classification))
            out.append(_maybe("DeviceMfgr", block.manufacturer))
            out.append(_maybe("DeviceModelNr", block.model))
            out += [
                f'<UniqueDeviceID TypeOfDeviceID="{_good(kind)}">{_good(value)}</UniqueDeviceID>'
                for kind, value in block.identifiers
            ]
        case ProviderInfo():
            out += [_tag("DataProviderString", block.provider), _tag("ProviderID", block.identifier)]
            out += [_tag("ProviderIDSeries", block.series), _tag("TypeOfProvider", block.kind)]
            out.append(_tag("ContactURI", block.contact))
            out += [_tag("Language", each) for each in block.languages]
            if block.card is not None:
                out.append(f"<DataProviderContact>{_card(block.card)}</DataProviderContact>")
        case SubscriberInfo():
            private = f' privacyRequested="{"true" if block.private else "false"}"'
            out.append(f"<SubscriberData>{_card(block.card)}</SubscriberData>")
        case Comment():
            for language, said in block.texts:
                if not _LANGUAGE.fullmatch(language):
                    raise ValueError(f"{language[:40]!r} is no language tag")
                out.append(f'<Comment xml:lang="{language}">{_good(said, most=MAX_COMMENT)}</Comment>')
    root = f"EmergencyCallData.{name}"
    body = "".join(out)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<{root} xmlns="{NAMESPACE}:{name}"{private}>{body}</{root}>\r\n'
    ).encode()


def _tag(name: str, value: str) -> str:
    return f"<{name}>{_good(value)}</{name}>"


def _maybe(name: str, value: str) -> str:
    return _tag(name, value) if value else ""


def _good(value: str, *, most: int = 1_000) -> str:
    if not value or value != writable(value, most=most):
        raise ValueError("an element is empty, too long, or holds what XML cannot")
    return escaped(value)


def _card(card: Card) -> str:
    address = (card.street, card.locality, card.region, card.code, card.country)
    out = [f"<fn>{_text(card.name or card.organisation or '-')}</fn>"]
    if card.organisation:
        out.append(f"<org>{_text(card.organisation)}</org>")
    if any(address):
        names = ("street", "locality", "region", "code", "country")
        fields = [
            f"<{name}>{_good(value) if value else ''}</{name}>"
            for name, value in zip(names, address, strict=True)
        ]
        out.append(f"<adr><pobox/><ext/>{''.join(fields)}</adr>")
    out += [f"<tel><uri>{_good(each)}</uri></tel>" for each in card.telephones]
    out += [f"<email>{_text(each)}</email>" for each in card.emails]
    return f'<vcard xmlns="{CARD}">{"".join(out)}</vcard>'


def _text(value: str) -> str:
    return f"<text>{_good(value)}</text>"


# ---- reading


def parse(octets: bytes) -> Block:
    """The block in a document.

    Raises:
        Malformed: it is none of the five, or lacks what its section asks for.
    """
    root = parse_xml(octets)
    name = local(root).removeprefix("EmergencyCallData.")
    reader = _READERS.get(name)
    if reader is None or local(root) == name:
        raise Malformed(f"RFC 7852: the root {local(root)[:60]} is none of the five blocks")
    if namespace(root) != f"{NAMESPACE}:{name}":
        raise Malformed(
            f"RFC 7852: {name}: expected namespace {NAMESPACE}:{name}, found {namespace(root)[:100]!r}"
        )
    return reader(root)


def _all(root: Any, name: str, *, least: int = 0) -> tuple[str, ...]:
    found = tuple(text(each) for each in root.findall(f"{{{namespace(root)}}}{name}") if text(each))
    if not least <= len(found) <= _MAX_ITEMS:
        raise Malformed(
            f"RFC 7852: {local(root)}: expected {least} to {_MAX_ITEMS} of {name}, found {len(found)}"
        )
    return found


def _one(root: Any, name: str) -> str:
    found = _all(root, name, least=1)
    if len(found) > 1:
        raise Malformed(f"RFC 7852: {local(root)}: expected one {name}, found {len(found)}")
    return found[0]


def _none_or_one(root: Any, name: str) -> str:
    return next(iter(_all(root, name)), "")


def _read_service(root: Any) -> ServiceInfo:
    return ServiceInfo(
        reference=_one(root, "DataProviderReference"),
        environment=_one(root, "ServiceEnvironment"),
        types=_all(root, "ServiceType", least=1),
        mobility=_one(root, "ServiceMobility"),
    )


def _read_device(root: Any) -> DeviceInfo:
    identifiers = root.findall(f"{{{namespace(root)}}}UniqueDeviceID")[:_MAX_ITEMS]
    return DeviceInfo(
        reference=_one(root, "DataProviderReference"),
        classification=_none_or_one(root, "DeviceClassification"),
        manufacturer=_none_or_one(root, "DeviceMfgr"),
        model=_none_or_one(root, "DeviceModelNr"),
        identifiers=tuple(
            (str(each.get("TypeOfDeviceID", "")), text(each)) for each in identifiers if text(each)
        ),
    )


def _read_provider(root: Any) -> ProviderInfo:
    card = root.find(f"{{{namespace(root)}}}DataProviderContact")
    return ProviderInfo(
        reference=_one(root, "DataProviderReference"),
        provider=_one(root, "DataProviderString"),
        identifier=_one(root, "ProviderID"),
        series=_one(root, "ProviderIDSeries"),
        kind=_one(root, "TypeOfProvider"),
        contact=_one(root, "ContactURI"),
        languages=_all(root, "Language", least=1),
        card=None if card is None else _read_card(card),
    )


def _read_subscriber(root: Any) -> SubscriberInfo:
    data = root.find(f"{{{namespace(root)}}}SubscriberData")
    if data is None:
        raise Malformed("RFC 7852: SubscriberInfo: expected SubscriberData")
    return SubscriberInfo(
        reference=_one(root, "DataProviderReference"),
        card=_read_card(data),
        private=str(root.get("privacyRequested", "false")).strip() in ("true", "1"),
    )


def _read_comment(root: Any) -> Comment:
    found = root.findall(f"{{{namespace(root)}}}Comment")
    texts = tuple(
        (str(each.get("{http://www.w3.org/XML/1998/namespace}lang", "en")), text(each)[:MAX_COMMENT])
        for each in found[:_MAX_ITEMS]
        if text(each)
    )
    if not texts:
        raise Malformed("RFC 7852: Comment: there is no text")
    return Comment(reference=_one(root, "DataProviderReference"), texts=texts)


def _read_card(holder: Any) -> Card:
    card = holder.find(f"{{{CARD}}}vcard")
    if card is None:
        raise Malformed(f"RFC 7852: expected a vcard in namespace {CARD}")

    def all_of(path: str) -> tuple[str, ...]:
        steps = "/".join(f"{{{CARD}}}{step}" for step in path.split("/"))
        return tuple(text(each) for each in card.findall(steps)[:_MAX_ITEMS] if text(each))

    def first(path: str) -> str:
        return next(iter(all_of(path)), "")

    return Card(
        name=first("fn/text"),
        organisation=first("org/text"),
        street=first("adr/street"),
        locality=first("adr/locality"),
        region=first("adr/region"),
        code=first("adr/code"),
        country=first("adr/country"),
        telephones=all_of("tel/uri"),
        emails=all_of("email/text"),
    )


_READERS: dict[str, Callable[[Any], Block]] = {
    "ServiceInfo": _read_service,
    "DeviceInfo": _read_device,
    "ProviderInfo": _read_provider,
    "SubscriberInfo": _read_subscriber,
    "Comment": _read_comment,
}
