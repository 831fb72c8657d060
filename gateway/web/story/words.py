"""Channels, carriers and templates as people call them."""

from __future__ import annotations

CHANNELS = {
    "sms": "Text messages",
    "voice": "Calls",
    "email": "E-mail",
    "push": "Push messages",
    "chat": "Chat messages",
    "console": "Consoles",
}
"""What people call a channel."""


def carrier(channel: str) -> str:
    """Who has a message of this channel once it was accepted."""
    return {"email": "the mail server", "console": "the console"}.get(channel, "the carrier")


def no_channel(channel: str) -> str:
    """That nothing is set up for addresses of this kind: nobody has failed, and nothing was written for them."""
    return f"{CHANNELS.get(channel, channel)}: no channel is set up"


def spoken_template(name: str) -> str:
    """A template's name as people read it: "Staff alarm"."""
    return name.replace("-", " ").capitalize()


def spoken(*parts: str) -> str:
    """Those of the parts that say something, in one line."""
    return "; ".join(filter(None, parts))
