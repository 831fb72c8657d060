"""What two authorisers agree to when they agree to a drill: its terms, held against the site package, and in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.errors import NotFound, NotPermitted

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from belltower.clock import Instant
    from belltower.incident.drill import DrillAuthorisation
    from gateway.site_package import SitePackage

_ACTIONS = ("hold", "secure", "lockdown", "evacuate", "shelter", "none")
_MOST_MINUTES = 480


def terms_options(function: click.decorators.FC) -> click.decorators.FC:
    """The options that say what is agreed to."""
    for option in reversed(
        (
            click.option(
                "--place",
                "places",
                multiple=True,
                metavar="PLACE",
                help="Where: a place, a building, or campus. May be repeated.",
            ),
            click.option(
                "--action", type=click.Choice(_ACTIONS), help="The only action told; none: a walk-test."
            ),
            click.option("--minutes", type=click.IntRange(1, _MOST_MINUTES), help="How long."),
            click.option(
                "--psap-accepted", is_flag=True, help="The centre has agreed to take the exercise then."
            ),
        )
    ):
        function = option(function)
    return function


def agreed_to(
    package: SitePackage,
    places: tuple[str, ...],
    action: str | None,
    minutes: int | None,
    at: str,
    authorisers: tuple[str, str],
    *,
    psap_accepted: bool,
) -> DrillAuthorisation:
    """What is agreed to, held against the site package."""
    from belltower.clock import SECOND, Instant, SystemClock
    from belltower.incident.drill import DrillAuthorisation
    from belltower.incident.facts import Action

    if not places or action is None or minutes is None:
        raise click.UsageError("say --place, --action and --minutes")
    where = tuple(package.id if place == "campus" else place for place in dict.fromkeys(places))
    known = {package.id, *package.places, *package.buildings}
    if unknown := [place for place in where if place not in known]:
        raise NotFound(f"the site package has no place or building {', '.join(unknown)}")
    for person in authorisers:
        if person not in package.authorisers:
            raise NotFound(
                f"drills.toml has no authoriser {person!r}; known: {', '.join(package.authorisers) or 'none'}"
            )
    if authorisers[0] == authorisers[1]:
        raise NotPermitted("a drill needs two different authorisers")
    begins = _instant(at) if at else SystemClock().now()
    return DrillAuthorisation(
        id=os.urandom(16).hex(),
        campus=package.id,
        places=where,
        action=Action(action) if action != "none" else None,
        begins=begins,
        until=Instant(begins + minutes * 60 * SECOND),
        authorisers=authorisers,
        psap_accepted=psap_accepted,
    )


def told(agreed: DrillAuthorisation) -> str:
    """A drill as people read it before they sign it."""
    action = agreed.action.value if agreed.action is not None else "no action"
    psap = "the PSAP takes part" if agreed.psap_accepted else "the PSAP is not part of it"
    return (
        f"{action}, at {', '.join(agreed.places)} of {agreed.campus}, from {written_time(agreed.begins)} to "
        f"{written_time(agreed.until)}; {psap}; agreed by {' and '.join(agreed.authorisers)}"
    )


def signer(package: SitePackage, file: Path) -> tuple[str, Ed25519PrivateKey]:
    """The authoriser whose key lies in the file."""
    from gateway.site_package.drills import private_key

    mine = private_key(file)
    public = mine.public_key().public_bytes_raw()
    for person, theirs in package.authorisers.items():
        if theirs.public_bytes_raw() == public:
            return person, mine
    raise NotPermitted(f"{file}: drills.toml of the site package names nobody with this key")


def written_time(at: Instant) -> str:
    """A time, to the second; "" for none."""
    from datetime import UTC

    from belltower.clock import aware

    return aware(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""


def _instant(text: str) -> Instant:
    from datetime import datetime

    from belltower.clock import SECOND, Instant

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.UsageError(f'--at "{text}" is no time; write one such as 2026-11-23T10:00-06:00')
    return Instant(int(at.timestamp()) * SECOND)
