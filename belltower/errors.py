"""What can go wrong, split by what the caller does about it.

BelltowerError
  SettingsError   at start; names the file and key; exit 78
  Refused         the rules say no; shown to a person, never retried:
                  NotPermitted WrongState NotVerified NotFound
  Malformed       outside bytes not understood; counted, kept as a sample, never a crash
  LinkError       Unreachable (try again; NotAsked: certainly not done) | Rejected (next link) | Uncertain (policy decides)
  StoreError      Conflict (reload, once)
"""

from __future__ import annotations


class BelltowerError(Exception):
    """Every error this house raises on purpose."""


class SettingsError(BelltowerError):
    """A settings file or site package cannot be used; the message names every file and key at fault."""


class Refused(BelltowerError):
    """The rules say no. The message is fit to be shown to a person; asking again will not help."""


class NotPermitted(Refused):
    """This person may not do this here."""


class WrongState(Refused):
    """It cannot be done to the thing as it stands, an incident already closed for instance."""


class NotVerified(Refused):
    """A proof is missing or false: a signature, a drill token, a password."""


class NotFound(Refused):
    """There is no such thing."""


class Malformed(BelltowerError):
    """Bytes from outside were not understood. The message says which byte or field, and what was expected."""


class LinkError(BelltowerError):
    """A connection to the outside did not do what was asked."""


class Unreachable(LinkError):
    """Nothing left the house: try again."""


class NotAsked(Unreachable):
    """Nobody was there to be asked: it is certain that it was not done."""


class Rejected(LinkError):
    """The other side understood and said no: take the next way."""


class Uncertain(LinkError):
    """It may or may not have arrived: policy decides."""


class StoreError(BelltowerError):
    """The database could not do it; nothing of the transaction was kept."""


class Conflict(StoreError):
    """Somebody else wrote first: reload and try once more."""
