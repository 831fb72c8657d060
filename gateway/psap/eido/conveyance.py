"""The messages by which EIDOs are asked for and conveyed over a WebSocket: NENA-STA-024.1, 2.1.

Each message is one JSON object with one key, which says what it is. Its fields are those of the standard; what a
sender leaves out may also come as null.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from belltower.errors import Malformed
from gateway.psap.eido.document import MEDIA_TYPE

SUBPROTOCOL = "emergency-ent1.0"
"""What is negotiated when the WebSocket is opened; 2.1.3.1.2."""
REQUEST_MOST = 65_536
"""Octets of a request or answer that everybody has to take; 2.1.1."""
EVENT_MOST = 1 << 20
"""Octets of an event that we take."""
ACCEPTS = f'{MEDIA_TYPE}; version="1"'
"""What we ask for."""

OK = 200
BAD_REQUEST = 400
NOT_FOUND = 404
NOT_ACCEPTABLE = 406
BUSY = 503


class Subscribe(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Tell me of new incidents, or of one; with a subscriptionId: for longer."""

    request_id: str
    request_type: str | None = None
    # "new" or "single".
    request_sub_type: str | None = None
    request_accepts: str | None = None
    qual_filter: str | None = None
    # Milliseconds without an event after which an empty one is wanted.
    min_rate: int | float | None = None
    # Seconds.
    expires: int | float | None = None
    subscription_id: str | None = None
    incident_id: str | None = None


class SubscribeResponse(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """It is so, or why not."""

    request_id: str | None = None
    subscription_id: str | None = None
    expires: int | float | None = None
    status_code: int
    status_text: str | None = None


class Unsubscribe(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Tell me no more."""

    request_id: str | None = None
    subscription_id: str


class UnsubscribeResponse(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """You are told no more."""

    request_id: str | None = None
    subscription_id: str | None = None
    status_code: int
    status_text: str | None = None


class Event(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Documents that the subscription asked for; none: a sign of life."""

    subscription_id: str
    transaction_id: str
    notification: tuple[Raw, ...] | None = None


class EventResponse(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The event was taken, or why not."""

    transaction_id: str
    status_code: int
    status_text: str | None = None


class Terminate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The notifier ends the subscription."""

    request_id: str | None = None
    subscription_id: str


class TerminateResponse(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The subscriber has understood that."""

    request_id: str | None = None
    subscription_id: str | None = None
    status_code: int
    status_text: str | None = None


Message = (
    Subscribe
    | SubscribeResponse
    | Unsubscribe
    | UnsubscribeResponse
    | Event
    | EventResponse
    | Terminate
    | TerminateResponse
)

KEYS: dict[str, type[Message]] = {
    "subscribe": Subscribe,
    "subscribeResponse": SubscribeResponse,
    "unsubscribe": Unsubscribe,
    "unsubscribeResponse": UnsubscribeResponse,
    "event": Event,
    "eventResponse": EventResponse,
    "terminate": Terminate,
    "terminateResponse": TerminateResponse,
}
"""The record behind each key."""

_KEY_OF = {record: key for key, record in KEYS.items()}
_WRAPPER = msgspec.json.Decoder(dict[str, Raw])
_DECODERS = {key: msgspec.json.Decoder(record) for key, record in KEYS.items()}
_ENCODER = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """The message as it is sent: an event without documents says so with an empty list."""
    if isinstance(message, Event) and message.notification is None:
        message = Event(
            subscription_id=message.subscription_id, transaction_id=message.transaction_id, notification=()
        )
    return _ENCODER.encode({_KEY_OF[type(message)]: message})


def decode(octets: bytes, *, most: int = REQUEST_MOST) -> Message:
    """The message in `octets`.

    Raises:
        Malformed: it is longer than `most`, is no JSON, has not one known key, or a field that does not fit.
    """
    key, raw = _opened(octets, most)
    try:
        message: Message = _DECODERS[key].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"EIDO conveyance: {key}: {error}") from None
    except RecursionError:
        raise Malformed(f"EIDO conveyance: {key}: it is nested too deeply") from None
    return message


def refusal_of(octets: bytes) -> Message | None:
    """What to answer to a request that `decode` did not understand; None: nothing sensible can be said."""
    try:
        key, raw = _opened(octets, REQUEST_MOST)
        ids = msgspec.json.decode(raw, type=_Ids)
    except (Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    text = "Bad Request"
    match key:
        case "subscribe":
            return SubscribeResponse(request_id=ids.request_id, status_code=BAD_REQUEST, status_text=text)
        case "unsubscribe":
            return UnsubscribeResponse(request_id=ids.request_id, status_code=BAD_REQUEST, status_text=text)
        case "event" if ids.transaction_id is not None:
            return EventResponse(transaction_id=ids.transaction_id, status_code=BAD_REQUEST, status_text=text)
        case "terminate":
            return TerminateResponse(request_id=ids.request_id, status_code=BAD_REQUEST, status_text=text)
        case _:
            return None


class _Ids(Struct, frozen=True, rename="camel"):
    request_id: str | None = None
    transaction_id: str | None = None


def _opened(octets: bytes, most: int) -> tuple[str, Raw]:
    if len(octets) > most:
        raise Malformed(f"EIDO conveyance: {len(octets)} octets, at most {most} are taken")
    try:
        found = _WRAPPER.decode(octets if octets.isascii() else octets.decode())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"EIDO conveyance: {error}") from None
    except RecursionError:
        raise Malformed("EIDO conveyance: it is nested too deeply") from None
    if len(found) != 1 or (key := next(iter(found))) not in KEYS:
        raise Malformed(f"EIDO conveyance: expected one key of {', '.join(KEYS)}")
    return key, found[key]
