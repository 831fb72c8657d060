"""Texts and calls as Twilio shows and tells them. Pure."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

from belltower.clock import aware
from gateway.carrier.records import PhoneCall, Text

_VERSION = "2010-04-01"

ROOT = f"/{_VERSION}/Accounts"
"""Where all its resources stand, each under its account."""


def text_resource(text: Text, account: str) -> dict[str, Any]:
    """The text as the API shows it."""
    path = f"{ROOT}/{account}/Messages/{text.sid}"
    created = format_datetime(aware(text.at))
    return {
        "account_sid": account,
        "api_version": _VERSION,
        "body": text.body,
        "date_created": created,
        "date_sent": None if text.status == "queued" else created,
        "date_updated": created,
        "direction": "outbound-api",
        "error_code": text.error_code,
        "error_message": None,
        "from": text.sender,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": text.sid,
        "status": text.status,
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": text.to,
        "uri": f"{path}.json",
    }


def call_resource(call: PhoneCall, account: str) -> dict[str, Any]:
    """The call as the API shows it."""
    created = format_datetime(aware(call.at))
    return {
        "account_sid": account,
        "answered_by": None,
        "api_version": _VERSION,
        "date_created": created,
        "date_updated": created,
        "direction": "outbound-api",
        "duration": None,
        "from": call.sender,
        "price": None,
        "price_unit": "USD",
        "sid": call.sid,
        "start_time": None,
        "status": call.status,
        "subresource_uris": {},
        "to": call.to,
        "uri": f"{ROOT}/{account}/Calls/{call.sid}.json",
    }


def text_report(text: Text, status: str, account: str) -> dict[str, str]:
    """What a callback says of a text."""
    fields = {
        "AccountSid": account,
        "ApiVersion": _VERSION,
        "From": text.sender,
        "MessageSid": text.sid,
        "MessageStatus": status,
        "SmsSid": text.sid,
        "SmsStatus": status,
        "To": text.to,
    }
    return {**fields, "ErrorCode": "30003"} if status == "undelivered" else fields


def call_report(call: PhoneCall, account: str, key: str = "") -> dict[str, str]:
    """What a callback says of a call; with a `key`, that it was pressed."""
    fields = {
        "AccountSid": account,
        "ApiVersion": _VERSION,
        "CallSid": call.sid,
        "CallStatus": call.status,
        "Direction": "outbound-api",
        "From": call.sender,
        "To": call.to,
    }
    return {**fields, "Digits": key} if key else fields


def reply(text: Text, message: str, said: str, account: str) -> dict[str, str]:
    """What a callback brings of an answer to a text, under the answer's own id."""
    return {
        "AccountSid": account,
        "ApiVersion": _VERSION,
        "Body": said,
        "From": text.to,
        "MessageSid": message,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "To": text.sender,
    }
