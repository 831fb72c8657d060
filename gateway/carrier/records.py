"""What the simulated carrier keeps: its options, the faults asked for, what arrived."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from belltower.clock import Instant

ACCOUNT = "AC" + "b" * 32
APPLICATION = "bbbbbbbb-0000-4000-8000-000000000000"
TOKEN = "simulated-carrier-token"  # noqa: S105 - of a carrier that carries nothing


class CarrierOptions(Struct, frozen=True, kw_only=True):
    """How the simulated carrier is started."""

    host: str = "127.0.0.1"
    port: int = 0
    """Of the REST API and of the control; 0: any free one."""
    smtp_port: int = 0
    account: str = ACCOUNT
    token: str = TOKEN
    """The first carrier's token; the second one signs with it too."""
    application: str = APPLICATION
    """Of the second carrier, which speaks Vonage's API."""
    application_key: str = ""
    """The PEM of that application's public key; "": whoever signs is believed."""
    seed: int = 0
    latency: float = 0.0
    """Seconds before an answer."""
    carrying: float = 0.05
    """Seconds from one status callback to the next."""
    gap: float = 0.0
    """Seconds between two messages to one phone; the second waits in the carrier's queue."""


class Faults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong from now on. Chances are between 0 and 1."""

    chance: float = 1.0
    """Of each request to meet `status`, `lose_answer`, `reset`, `garbage`, `redirect`, `flood` or `trickle`."""
    times: int = -1
    """How many requests meet it; -1: all."""
    status: int = 0
    """Answer with this HTTP status instead of taking the message."""
    code: int = 0
    """The provider's code in that answer."""
    retry_after: int = -1
    """Its Retry-After, in seconds; -1: none."""
    slow: float = 0.0
    """Seconds before every answer."""
    accept_anyway: bool = False
    """Take the message all the same before going wrong."""
    lose_answer: bool = False
    """Never answer; the connection stays open."""
    reset: bool = False
    """Cut the connection instead of answering."""
    garbage: bool = False
    """Answer 201 and something that is not JSON."""
    redirect: bool = False
    """Answer 307 to ourselves."""
    flood: bool = False
    """Answer with a body without end."""
    trickle: bool = False
    """Answer one octet a second."""
    undelivered: float = 0.0
    """Chance that the handset never gets it: 30003."""
    stopped: list[str] = []
    """Numbers that said STOP: 21610."""
    calls: Literal["answered", "machine", "busy", "no-answer", "failed"] = "answered"
    """What becomes of calls."""
    key: str = "1"
    """What people press when a call asks for a key; "": nothing."""
    callbacks: bool = True
    doubled: int = 1
    """How often each callback is sent."""
    shuffled: bool = False
    forged: bool = False
    """Callbacks bear a wrong signature."""
    smtp: Literal["", "connect", "mail", "rcpt", "data"] = ""
    """Where the mail server answers `smtp_code`."""
    smtp_code: int = 451
    smtp_drop: bool = False
    """Take the mail, then hang up instead of answering the final dot."""
    smtp_slow: float = 0.0
    """Seconds before each answer of the mail server."""


class Text(Struct, kw_only=True):
    """One message at a phone, or on its way."""

    sid: str
    to: str
    sender: str
    body: str
    status: str
    at: Instant
    callback: str = ""
    validity: int = 0
    error_code: int | None = None
    # Which carrier took it.
    carrier: Literal["twilio", "vonage"] = "twilio"


class PhoneCall(Struct, kw_only=True):
    """One call to a phone."""

    sid: str
    to: str
    sender: str
    # What was said, sentence by sentence.
    said: list[str]
    # The language tags of those, in order.
    languages: list[str]
    status: str
    at: Instant
    callback: str = ""
    # Where a pressed key is told; "": none is asked for.
    key_to: str = ""
    ring: int = 0
    pressed: str = ""
    carrier: Literal["twilio", "vonage"] = "twilio"


class Posting(Struct, frozen=True, kw_only=True):
    """Something that a carrier tells the desk."""

    url: str
    body: bytes
    headers: dict[str, str]
    # The call that goes on with what this is answered.
    call: PhoneCall | None = None


class Mail(Struct, frozen=True, kw_only=True):
    """One mail in a mailbox."""

    to: str
    subject: str
    body: str
    message_id: str
    at: Instant
