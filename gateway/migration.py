"""Every table of both lanes, in one list each; a test finds a room's steps that are missing here."""

from __future__ import annotations

from collections.abc import Sequence

from belltower import journal
from belltower.incident import store as incident_store
from belltower.people import disclosure_tables, hand_tables
from belltower.people import tables as people_tables
from belltower.store import Database, Step, open_database
from gateway import alarm_follower, alert_store
from gateway.intake import panel_path, windows
from gateway.intake.devices import memory, states, troubles
from gateway.keys import open_keys
from gateway.settings import Settings
from gateway.web import store as web_store
from notify import (
    browsers,
    draft_tables,
    escalation_store,
    family_sites,
    meant,
    order_store,
    promises,
    proof_tables,
    reply_tables,
)
from notify import store as notify_store
from notify.addresses import Addresses
from notify.sealing import Progress, owed, seal_clear, silent

ALARM: Sequence[Step] = (
    *journal.STEPS,
    *incident_store.STEPS,
    *windows.STEPS,
    *panel_path.STEPS,
    *memory.STEPS,
    *states.STEPS,
    *troubles.STEPS,
)
DESK: Sequence[Step] = (
    *journal.STEPS,
    *alarm_follower.STEPS,
    *notify_store.STEPS,
    *order_store.STEPS,
    *meant.STEPS,
    *reply_tables.STEPS,
    *draft_tables.STEPS,
    *family_sites.STEPS,
    *escalation_store.STEPS,
    *promises.STEPS,
    *proof_tables.STEPS,
    *browsers.STEPS,
    *people_tables.STEPS,
    *disclosure_tables.STEPS,
    *hand_tables.STEPS,
    *alert_store.STEPS,
    *web_store.STEPS,
)

_TAKEN = "SELECT count(*) FROM store_step"


async def migrate(settings: Settings, *, told: Progress = silent) -> dict[str, int]:
    """Take the outstanding steps of both databases; how many, by lane. Raises `SettingsError` for a newer database.

    Addresses that an older program left in clear are sealed; `told` hears how far that is.
    """
    settings.state.make()
    taken = {
        "alarm": await _bring_up(await open_database(settings.alarm_url), ALARM),
        "desk": await _bring_up(await open_database(settings.desk_url), DESK),
    }
    database = await open_database(settings.desk_url)
    try:
        if await owed(database):
            addresses = Addresses(vault=await open_keys(database, settings.people_keys))
            await seal_clear(database, addresses, told=told)
    finally:
        await database.close()
    return taken


async def _bring_up(database: Database, steps: Sequence[Step]) -> int:
    try:
        await database.migrate([])
        before = (await database.read(_TAKEN))[0][0]
        await database.migrate(steps)
        return int((await database.read(_TAKEN))[0][0] - before)
    finally:
        await database.close()
