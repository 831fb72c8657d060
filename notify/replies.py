"""What a person's answer to a notice means. Pure.

Help is heard wherever it is said; that somebody is safe is believed only where nothing else is said. Whatever is
neither is a text for a person to read.
"""

from __future__ import annotations

from unicodedata import category, normalize

from belltower.incident.facts import Reply
from notify.stops import START, START_IF_STOPPED, STOP

_MOST = 1_600

_SAFE = frozenset(
    {
        # English
        *(
            "1",
            "safe",
            "1 safe",
            "safe 1",
            "i am safe",
            "im safe",
            "we are safe",
            "all safe",
            "i am ok",
            "im ok",
        ),
        *("we are ok", "i am fine", "im fine", "we are fine"),
        # Spanish
        *("a salvo", "1 a salvo", "estoy a salvo", "estamos a salvo", "seguro", "segura", "estoy bien"),
        *("estamos bien", "todo bien"),
    }
)

_HELP = frozenset(
    {
        *("help", "sos", "911", "mayday"),
        *("ayuda", "ayudame", "ayudenme", "ayudenos", "auxilio", "socorro"),
    }
)
"""Each of them anywhere in an answer."""

_NOT_SAFE = (
    "not safe",
    "unsafe",
    "not ok",
    "no a salvo",
    "no estoy a salvo",
    "no estamos a salvo",
    "no estoy bien",
)
"""So is each of these: "safe" in them means its opposite."""

_NEED_HELP = "2"
"""As the first word of an answer."""

_ACKNOWLEDGED = frozenset(
    {
        *("ok", "okay", "got it", "copy", "received", "understood", "roger", "ack"),
        *("entendido", "recibido", "enterado", "enterada", "de acuerdo"),
    }
)

_ASKS_ABOUT_US = frozenset({"help", "info", "ayuda", "informacion"})
"""What a carrier's customers send to learn who writes to them: no call for help where nothing urgent was sent."""


def plain(text: str) -> str:
    """The words of `text` in small letters, without accents, marks and signs: "  ¡Ayúdame!" is "ayudame"."""
    kept = []
    for letter in normalize("NFKD", text[:_MOST]).casefold():
        kind = category(letter)
        if kind[0] == "M" or kind == "Cf" or letter in "'’":  # accents, keycaps, joiners; "I'm" is one word
            continue
        kept.append(letter if kind[0] in "LN" else " ")
    return " ".join("".join(kept).split())


def understood(text: str, *, urgent: bool, stopped: bool = False) -> Reply:
    """What `text` means, as the answer to a notice.

    `urgent`: somebody may be in danger, by what was sent to this address last. `stopped`: it gets no routine notices.
    """
    words = plain(text)
    if words in STOP:
        return Reply.STOP
    if words in START or (stopped and words in START_IF_STOPPED):
        return Reply.START
    if words in _ASKS_ABOUT_US and not urgent:
        return Reply.TEXT
    said = words.split()
    if said[:1] == [_NEED_HELP] or not _HELP.isdisjoint(said) or _denies(words):
        return Reply.NEED_HELP
    if words in _SAFE:
        return Reply.SAFE
    if words in _ACKNOWLEDGED:
        return Reply.ACKNOWLEDGED
    return Reply.TEXT


def _denies(words: str) -> bool:
    """Whether the words say that somebody is not safe."""
    padded = f" {words} "
    return any(f" {phrase} " in padded for phrase in _NOT_SAFE)


def says_more(text: str, reply: Reply) -> bool:
    """Whether `text` says anything that `reply` does not, so that a person should read it."""
    return reply in {Reply.TEXT, Reply.NEED_HELP} and plain(text) not in {_NEED_HELP, *_HELP}
