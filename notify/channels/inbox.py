"""What people write to the numbers and mailboxes that notices come from, once a provider's word for it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from belltower.errors import Malformed
from belltower.incident.facts import Reply
from notify.signature import signed_form

PATH = "/notices/replies/"
"""Under the public address: the provider's name in the settings follows."""


class Incoming(Struct, frozen=True, kw_only=True):
    """One message from outside."""

    # The provider's own id of the message.
    message: str
    # sms, and from which number.
    channel: str
    address: str
    text: str
    # STOP or START where the provider has taken it for that itself.
    meant: Reply | None = None


class Inbox(Protocol):
    """How the messages that one provider brings are read."""

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Incoming:
        """The message that came to `path`, the query included.

        Raises:
            Malformed: it is not a message.
            NotVerified: the provider has not signed it.
        """
        ...

    @property
    def answer(self) -> tuple[str, bytes]:
        """What the provider is told once the message is written down: media type and body; no body is a 204."""
        ...


class TwilioInbox:
    """Messages to a number or messaging service at Twilio. Satisfies `Inbox`."""

    def __init__(self, *, public_url: str, token: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._token = token

    def read(self, path: str, headers: Mapping[str, str], body: bytes) -> Incoming:
        """See `Inbox`."""
        form = signed_form(self._public_url, path, headers, body, self._token)
        message, sender = form.get("MessageSid", ""), form.get("From", "")
        if not message or not sender:
            raise Malformed("MessageSid or From is missing")
        return Incoming(
            message=message[:64],
            channel="sms",
            address=sender[:64],
            text=form.get("Body", ""),
            meant=_OPT_OUT.get(form.get("OptOutType", "")),
        )

    @property
    def answer(self) -> tuple[str, bytes]:
        """No message back: the carrier answers STOP and HELP itself."""
        return "text/xml", b"<Response/>"


# Twilio's "Advanced Opt-Out": what its messaging service has taken the message for, in whatever words.
_OPT_OUT = {"STOP": Reply.STOP, "START": Reply.START}
