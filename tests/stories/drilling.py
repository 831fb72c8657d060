"""A drill as the principal and the officer open it, with keys of their own."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.clock import SECOND, Instant, SystemClock
from belltower.incident import drill
from belltower.incident.drill import DrillAuthorisation
from belltower.incident.facts import Action
from gateway.site_package.drills import new_private_key, public_text
from tests.stories import harm
from tests.stories.house import House

AUTHORISERS = ("p01", "p02")


class Drill:
    """The command line as the principal and the officer use it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keys = [house.folder / f"{person}.key" for person in AUTHORISERS]

    def authorised(self) -> list[Ed25519PrivateKey]:
        """Make both keys, and write them down in the site package."""
        keys = [new_private_key(file) for file in self.keys]
        with (self.house.folder / "site" / "drills.toml").open("w") as file:
            for person, key in zip(AUTHORISERS, keys, strict=True):
                file.write(f'[[authoriser]]\nperson = "{person}"\nkey = "{public_text(key.public_key())}"\n')
        return keys

    async def begin(self, *words: object) -> tuple[int, str]:
        """Both agree."""
        keys = [word for key in self.keys for word in ("--key", key)]
        return await harm.command("drill", "begin", *words, *keys, "-c", self.house.config)

    async def press(self, unit: str, *more: str) -> tuple[int, str]:
        """Somebody practises a press."""
        return await harm.command("press", "-u", unit, "--exercise", *more, "-c", self.house.config)

    def token(self, keys: list[Ed25519PrivateKey], *, ago: int = 0) -> str:
        """A token by hand, of a minute that began so many seconds ago."""
        now = SystemClock().now() - ago * SECOND
        agreed = DrillAuthorisation(
            id=f"by-hand-{ago}",
            campus="lindenfield",
            places=("lindenfield",),
            action=Action.LOCKDOWN,
            begins=Instant(now - SECOND),
            until=Instant(now + 60 * SECOND),
            authorisers=AUTHORISERS,
            psap_accepted=True,
        )
        return drill.sign(agreed, (keys[0], keys[1]))
