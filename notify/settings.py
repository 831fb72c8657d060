"""What a settings file says about the channels that notices go out on."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from belltower.values import Seconds, Secret


class SMTPSettings(Struct, frozen=True, kw_only=True):
    """Mail through the district's own server: `[notify.channels.NAME]` with `kind = "smtp"`."""

    host: str
    # The sender's mailbox.
    from_: str = field(name="from")
    port: int = 587
    # "starttls", "tls" (from the first octet) or "none".
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Secret | None = None
    # Connections kept open at once.
    connections: int = 4
    # One message has this long to be taken.
    timeout: Seconds = 30.0


class TwilioSettings(Struct, frozen=True, kw_only=True):
    """Text messages through Twilio's REST API: `[notify.channels.NAME]` with `kind = "twilio"`."""

    # The account's SID, "AC.." and 32 hex digits.
    account: str
    token: Secret
    # The sending number in E.164.
    from_: str = field(name="from")
    # Another address for the API, the carrier simulator's for instance.
    base_url: str = "https://api.twilio.com"
    # Messages a second the number may send; 1 is what a US long code has.
    rate: float = 1.0
    # Requests under way at once.
    in_flight: int = 20
    # One request has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0
    # Where Twilio reports what became of a message; "" for desk.web.public_url.
    callback_url: str = ""


class ConsoleSettings(Struct, frozen=True, kw_only=True):
    """Desktop consoles that show a notice on the live page: `[notify.channels.NAME]` with `kind = "console"`."""


CHANNELS: dict[str, type[Struct]] = {
    "smtp": SMTPSettings,
    "twilio": TwilioSettings,
    "console": ConsoleSettings,
}
"""The record of each `kind` of channel."""
