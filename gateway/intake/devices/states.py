"""What is known of each device beside its presses: heard when, how, its battery; kept so that a restart forgets nothing.

Signs of life are many and none matters alone, so they are written in turns. Silence is counted while we run: the time
for which the lane itself was down makes no device late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from msgspec import Struct

from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.ids import PersonId, PlaceId
from belltower.incident import facts
from belltower.store import CHUNK, Database, Priority, SQLValue, Step, Transaction
from gateway.intake.devices.supervision import DeviceSupervision

WRITTEN_EVERY = 15.0
"""Seconds between two turns of writing."""

STEPS = [
    Step(
        room="devices",
        number=1,
        sql="""
        CREATE TABLE device_state (
            device TEXT PRIMARY KEY, heard BIGINT NOT NULL, path TEXT NOT NULL, lost BIGINT NOT NULL,
            because TEXT NOT NULL, battery BIGINT NOT NULL, low BIGINT NOT NULL, tampered BIGINT NOT NULL,
            trouble TEXT NOT NULL, trouble_at BIGINT NOT NULL,
            tested_at BIGINT NOT NULL, tested_place TEXT NOT NULL, tested_by TEXT NOT NULL
        );
        CREATE TABLE device_clock (id BIGINT PRIMARY KEY, at BIGINT NOT NULL);
        """,
    )
]

_KEEP = (
    "INSERT INTO device_state (device, heard, path, lost, because, battery, low, tampered, trouble, trouble_at,"
    " tested_at, tested_place, tested_by) VALUES (:device, :heard, :path, :lost, :because, :battery, :low,"
    " :tampered, :trouble, :trouble_at, :tested_at, :tested_place, :tested_by)"
    " ON CONFLICT (device) DO UPDATE SET heard = excluded.heard, path = excluded.path, lost = excluded.lost,"
    " because = excluded.because, battery = excluded.battery, low = excluded.low, tampered = excluded.tampered,"
    " trouble = excluded.trouble, trouble_at = excluded.trouble_at, tested_at = excluded.tested_at,"
    " tested_place = excluded.tested_place, tested_by = excluded.tested_by"
)
_TICK = "INSERT INTO device_clock (id, at) VALUES (1, :at) ON CONFLICT (id) DO UPDATE SET at = excluded.at"


class State(Struct):
    """One device, as rows and screens have it. An instant of 0: never."""

    heard: Instant = Instant(0)
    # Percent; -1: not known.
    battery: int = -1
    # How many reports running said that it is low.
    low: int = 0
    tampered: bool = False
    # The last trouble, and when.
    trouble: str = ""
    trouble_at: Instant = Instant(0)
    tested_at: Instant = Instant(0)
    tested_place: str = ""
    tested_by: str = ""


class States:
    """The states of all devices of the site package."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._states: dict[str, State] = {}
        self._changed: set[str] = set()
        self.silent_units: set[str] = set()
        """Our own units that are lost, of the process before until this one has found out."""

    async def open(
        self, devices: Iterable[str], supervision: DeviceSupervision, *, units: Collection[str] = ()
    ) -> None:
        """Load what an earlier process knew, and let supervision go on from there."""
        await self._database.migrate(STEPS)
        rows = await self._database.read("SELECT at FROM device_clock WHERE id = 1")
        ended = rows[0][0] if rows else self._clock.now()
        mine = {*devices, *units}
        for row in await self._database.read(
            "SELECT device, heard, path, lost, because, battery, low, tampered, trouble, trouble_at, tested_at,"
            " tested_place, tested_by FROM device_state"
        ):
            device, heard, path, lost, because, *rest = row
            if device not in mine:
                continue
            battery, low, tampered, trouble, trouble_at, tested_at, tested_place, tested_by = rest
            self._states[device] = State(
                heard=heard,
                battery=battery,
                low=low,
                tampered=bool(tampered),
                trouble=trouble,
                trouble_at=trouble_at,
                tested_at=tested_at,
                tested_place=tested_place,
                tested_by=tested_by,
            )
            if lost and device in units:
                self.silent_units.add(device)
            silent = max(0, ended - heard) / SECOND if heard else None
            supervision.resume(device, silent=silent, path=path, lost=bool(lost), because=because)

    def of(self, device: str) -> State:
        """The device's state; whoever changes it says so by `changed`."""
        return self._states.setdefault(device, State())

    def proven(self, device: str, place: PlaceId, by: PersonId) -> facts.WalkTested:
        """Somebody pressed the device at its place, and it was heard: keep it, and return the fact."""
        state = self.of(device)
        state.tested_at, state.tested_place, state.tested_by = self._clock.now(), place, by
        self.changed(device)
        return facts.WalkTested(device=device, place=place, by=by)

    def silent(self, unit: str, *, lost: bool) -> None:
        """One of our own units is lost, or heard again."""
        (self.silent_units.add if lost else self.silent_units.discard)(unit)
        self.changed(unit)

    def changed(self, device: str) -> None:
        """It is to be written in the next turn."""
        self._changed.add(device)

    async def write(self, supervision: DeviceSupervision) -> None:
        """Write what has changed, for ever."""
        while True:
            await asyncio.sleep(WRITTEN_EVERY)
            await self.write_once(supervision)

    async def write_once(self, supervision: DeviceSupervision) -> None:
        """Write what has changed; what the database refuses is tried again in the next turn."""
        written, self._changed = sorted(self._changed), set()
        try:
            for begin in range(0, len(written), CHUNK):
                tx = Transaction()
                tx.rows(_KEEP, [self._row(device, supervision) for device in written[begin : begin + CHUNK]])
                await self._database.submit(tx, priority=Priority.BULK)
            tx = Transaction()
            tx.add(_TICK, at=self._clock.now())
            await self._database.submit(tx, priority=Priority.BULK)
        except StoreError:
            self._changed.update(written)

    def _row(self, device: str, supervision: DeviceSupervision) -> dict[str, SQLValue]:
        state, heard = self.of(device), supervision.of(device)
        return {
            "device": device,
            "heard": state.heard,
            "path": heard.path,
            "lost": int(heard.lost or device in self.silent_units),
            "because": heard.because,
            "battery": state.battery,
            "low": state.low,
            "tampered": int(state.tampered),
            "trouble": state.trouble,
            "trouble_at": state.trouble_at,
            "tested_at": state.tested_at,
            "tested_place": state.tested_place,
            "tested_by": state.tested_by,
        }
