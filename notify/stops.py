"""Who asked for no more notices, and what is sent to them all the same. Pure.

A stop is a state of one address, never of a person: it stops no other address. It is about routine notices; what warns
of danger needs no consent (47 U.S.C. 227(b)(1)(A), "emergency purposes") and goes on, unless `stop_covers` says
"all". A carrier may refuse what goes on (Twilio's 21610): then the delivery is refused, shown, and other addresses
carry the notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct

from belltower.people.vault import Vault

STOP = frozenset(
    {
        # 47 CFR 64.1200(a)(10)(i), and what carriers hear
        *(
            "stop",
            "quit",
            "end",
            "revoke",
            "opt out",
            "optout",
            "cancel",
            "unsubscribe",
            "stopall",
            "stop all",
        ),
        *("stop please", "please stop", "stop texting me", "no more texts", "remove me"),
        # Spanish
        *(
            "alto",
            "parar",
            "pare",
            "para",
            "basta",
            "cancelar",
            "baja",
            "dar de baja",
            "darme de baja",
            "detener",
        ),
        *("terminar", "fin", "salir", "no mas", "no mas mensajes", "eliminar"),
    }
)
"""An answer that is one of these and nothing else: "please stop the bus" is no stop."""

START = frozenset(
    {
        *("start", "unstop", "subscribe", "resume", "opt in", "optin"),
        *("iniciar", "empezar", "comenzar", "reanudar", "alta", "suscribir"),
    }
)

START_IF_STOPPED = frozenset({"yes", "si"})
"""A yes asks for notices only where they were stopped; elsewhere it answers something."""

StopCovers = Literal["routine", "all"]
"""What a stop keeps away: routine notices and exercises, or everything."""

STOPPED = 3
"""The urgency of a delivery whose address was stopped after it was planned: nobody leases it, and it is dropped."""

CARRIER_STOPS = frozenset({"provider:21610", "opted_out"})
"""Reasons of a refusal by which a carrier says that the address stopped its sender number."""


class Stops(Struct, frozen=True, kw_only=True):
    """The stopped addresses, as marks from which nobody can read them."""

    marks: frozenset[bytes] = frozenset()
    found_by: Callable[[str, str], Iterable[bytes]] = lambda _channel, _address: ()
    covers: StopCovers = "routine"

    def refuses(self, channel: str, address: str, *, urgency: int) -> bool:
        """Whether nothing of this urgency (0: somebody may be in danger) is sent to the address."""
        if not self.marks or (urgency == 0 and self.covers == "routine"):
            return False
        return any(mark in self.marks for mark in self.found_by(channel, address))


NOBODY = Stops()
"""No address is stopped."""


def stop_marks(vault: Vault, channel: str, address: str) -> list[bytes]:
    """The address's mark, and while keys are turned the one before. A number's calls and texts are stopped apart."""
    return vault.marks(f"stop.{channel}", address.strip().casefold())
