"""For whom a notice was, in the names that places and classes had when it was planned: no later roster changes that.

It lies sealed beside the notice.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from belltower import log
from belltower.errors import StoreError
from belltower.ids import NoticeId, PersonId, PlaceId
from belltower.people.vault import Unreadable, Vault
from belltower.store import Database, Step, Transaction
from floorplans.place import Place, spoken
from notify.audience import AudienceRule
from notify.site import NoticeSite

_log = log.get("notify")

TABLE, FIELD = "notice_meant", "meant"

STEPS = (
    Step(
        room="notify.meant",
        number=1,
        sql="""
        CREATE TABLE notice_meant (
            notice TEXT NOT NULL, revision BIGINT NOT NULL, meant BYTEA NOT NULL, sealed_with TEXT NOT NULL,
            PRIMARY KEY (notice, revision)
        );
        """,
    ),
)

_KEEP = """
INSERT INTO notice_meant (notice, revision, meant, sealed_with) VALUES (:notice, :revision, :meant, :sealed_with)
ON CONFLICT DO NOTHING
"""
_OF = "SELECT meant FROM notice_meant WHERE notice = :notice AND revision = :revision"


class Meant(Struct, frozen=True, kw_only=True):
    """A rule, with what was called how."""

    # Its name in the site package; "": somebody chose it for this notice alone.
    audience: str
    rule: AudienceRule
    places: dict[str, str] = {}
    classes: dict[str, str] = {}
    schools: dict[str, str] = {}
    persons: dict[str, str] = {}
    # Everybody who was told before, too.
    told_before: bool = False
    people: int = 0
    unreachable: int = 0


_decoder = msgspec.json.Decoder(Meant)


def named(
    rule: AudienceRule,
    audience: str,
    *,
    places: Mapping[PlaceId, Place],
    schools: Mapping[str, str],
    classes: Mapping[str, str],
    people: Mapping[PersonId, str] = {},
    told_before: bool = False,
) -> Meant:
    """The rule in the names that there are now; what has none keeps its key. Pure."""
    return Meant(
        audience=audience,
        rule=rule,
        places={place: spoken(places[place]) for place in rule.places if place in places},
        classes={one: classes[one] for one in rule.classes if one in classes},
        schools={one: schools[one] for one in rule.schools if one in schools},
        persons={one: people[one] for one in rule.people if one in people},
        told_before=told_before,
    )


async def meant_now(rule: AudienceRule, audience: str, site: NoticeSite, *, told_before: bool) -> Meant:
    """The rule in the names of this site and its roster; where that cannot be read, in its keys."""
    schools: Mapping[str, str] = {}
    classes: Mapping[str, str] = {}
    people = {one: site.people[one].name for one in rule.people if one in site.people}
    if site.roster is not None and (rule.classes or rule.schools or rule.people):
        try:
            schools, classes = await site.roster.called_of(rule.schools, rule.classes)
            people |= await site.roster.names(rule.people - people.keys())
        except StoreError:
            _log.warning("audience_not_named")
    return named(
        rule,
        audience,
        places=site.places,
        schools=schools,
        classes=classes,
        people=people,
        told_before=told_before,
    )


def keep(tx: Transaction, vault: Vault, notice: NoticeId, revision: int, said: Meant) -> None:
    """Keep for whom the notice was; the first time counts."""
    sealed = vault.seal(TABLE, _row(notice, revision), FIELD, msgspec.json.encode(said))
    tx.add(_KEEP, notice=notice, revision=revision, meant=sealed, sealed_with=vault.current)


async def kept(database: Database, vault: Vault, notice: NoticeId, revision: int) -> Meant | None:
    """For whom it was; None: an older program planned it, or the key is lost. Raises `StoreError`."""
    for (sealed,) in await database.read(_OF, notice=notice, revision=revision):
        try:
            return _decoder.decode(vault.open(TABLE, _row(notice, revision), FIELD, bytes(sealed)))
        except Unreadable:
            return None
    return None


def _row(notice: NoticeId, revision: int) -> str:
    return f"{notice}|{revision}"
