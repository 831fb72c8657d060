"""Forms as Twilio reads them: what it refuses, in its codes and words, and TwiML that it understands."""

from __future__ import annotations

import re
from collections.abc import Collection

from aiohttp import web
from lxml import etree

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")

# Twilio's error codes and their messages.
_NO_TO = (21604, "A 'To' phone number is required.")
_NO_FROM = (21603, "A 'From' phone number is required.")
_NO_CALLER = (21213, "A 'From' phone number is required.")
_NO_BODY = (21619, "A text message body or media urls must be specified.")
_BAD_TO = (21211, "Invalid 'To' Phone Number")
_BAD_CALLBACK = (21609, "The StatusCallback URL is not a valid URL.")
_TOO_LONG = (21617, "The concatenated message body exceeds the 1600 character limit.")
_STOPPED = (21610, "Attempt to send to unsubscribed recipient")
_NO_WORDS = (21205, "Url is not a valid URL")
_LONG_WORDS = (21205, "Twiml is longer than 4000 characters")
_BAD_WORDS = (12100, "Document parse failure")

_MOST_WORDS = 4_000
_PARSER = {"resolve_entities": False, "no_network": True, "load_dtd": False}


def bad_text(form: dict[str, str], stopped: Collection[str]) -> web.Response | None:
    """What is wrong with a request for a text message; None: nothing. `stopped` are numbers that said STOP."""
    return _bad_numbers(form, _NO_FROM) or _first(
        (not form.get("Body"), _NO_BODY),
        (len(form.get("Body", "")) > 1600, _TOO_LONG),
        (form.get("To") in stopped, _STOPPED),
    )


def bad_call(form: dict[str, str]) -> web.Response | None:
    """What is wrong with a request for a call; None: nothing."""
    words = form.get("Twiml", "")
    return _bad_numbers(form, _NO_CALLER) or _first(
        (not words, _NO_WORDS),
        (len(words) > _MOST_WORDS, _LONG_WORDS),
        (read_twiml(words) is None, _BAD_WORDS),
    )


def read_twiml(words: str) -> tuple[list[str], list[str], str] | None:
    """What TwiML says, in which languages, and where a pressed key is told; None where it is no TwiML."""
    try:
        root = etree.fromstring(words.encode(), etree.XMLParser(**_PARSER))
    except etree.XMLSyntaxError:
        return None
    if root.tag != "Response":
        return None
    said = list(root.iter("Say"))
    gather = root.find("Gather")
    return (
        ["".join(one.itertext()) for one in said],
        [one.get("language", "") for one in said],
        gather.get("action", "") if gather is not None else "",
    )


def _bad_numbers(form: dict[str, str], no_from: tuple[int, str]) -> web.Response | None:
    """What is wrong with the numbers of a request, and with where it wants to be told; `no_from` says the code."""
    return _first(
        (not form.get("To"), _NO_TO),
        (not _NUMBER.fullmatch(form.get("To", "")), _BAD_TO),
        (not (form.get("From") or form.get("MessagingServiceSid")), no_from),
        (not form.get("StatusCallback", "http://").startswith(("http://", "https://")), _BAD_CALLBACK),
    )


def _first(*faults: tuple[bool, tuple[int, str]]) -> web.Response | None:
    for wrong, (code, message) in faults:
        if wrong:
            return refusal(400, code, message)
    return None


def refusal(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error as Twilio words it."""
    return web.json_response(
        {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
        status=status,
        headers=headers,
    )
