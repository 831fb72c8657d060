"""What was heard of each device, in memory to judge by and in the database so that a restart forgets nothing.

What makes a press known (its key, the level of an input, the message that bore it) lands in the press's own commit.
The rest, counters and clocks, is written in turns; a device whose press is not safely written down is left out of
these, lest the disk vouch for a press that is not there yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from belltower import log
from belltower.clock import SECOND, Clock, Instant
from belltower.errors import StoreError
from belltower.store import CHUNK, Database, Priority, SQLValue, Step, Transaction
from gateway.intake.devices.registry import KnownDevice
from hardware.profiles.memory import Judged, Remembered, after_gap, judge
from hardware.profiles.signal import Signal

_log = log.get("devices")

STEPS = [
    Step(
        room="device_memory",
        number=1,
        sql="""
        CREATE TABLE device_memory (
            device TEXT PRIMARY KEY, remembered BYTEA NOT NULL, digest TEXT NOT NULL, pressed_at BIGINT NOT NULL
        );
        """,
    )
]

SAME_WITHIN = 600 * SECOND
"""For how long a message that a broker sends again is known for the one that alarmed."""

_KEEP = (
    "INSERT INTO device_memory (device, remembered, digest, pressed_at)"
    " VALUES (:device, :remembered, :digest, :pressed_at)"
    " ON CONFLICT (device) DO UPDATE SET remembered = excluded.remembered, digest = excluded.digest,"
    " pressed_at = excluded.pressed_at"
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remembered).decode


def digest_of(topic: str, payload: bytes) -> str:
    """What names a message that may come again."""
    return sha256(topic.encode("utf-8", "surrogateescape") + b"\0" + payload).hexdigest()[:32]


class DeviceMemory:
    """The memories of all devices of the site package."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._memories: dict[str, Remembered] = {}
        # The last message that alarmed, and when.
        self._pressed: dict[str, tuple[str, Instant]] = {}
        self._changed: set[str] = set()
        self.unwritten: Counter[str] = Counter()
        """By device: its presses that are not safely written down, as far as is known."""

    async def open(self, devices: Iterable[str]) -> None:
        """Load what an earlier process knew. A row that cannot be read is as good as none."""
        await self._database.migrate(STEPS)
        mine = set(devices)
        rows = await self._database.read("SELECT device, remembered, digest, pressed_at FROM device_memory")
        for device, remembered, digest, pressed_at in rows:
            if device not in mine:
                continue
            try:
                self._memories[device] = _decode(bytes(remembered))
            except (msgspec.DecodeError, msgspec.ValidationError):
                _log.warning("memory_not_read", device=device)
            if digest:
                self._pressed[device] = (digest, pressed_at)

    def judge(self, device: KnownDevice, signals: Iterable[Signal]) -> Judged:
        """What the signals are worth; the memory moves at once, its row is the caller's to write."""
        before = self._memories.get(device.id)
        judged = judge(before, signals, self._clock.now(), profile=device.profile)
        if judged.changed:
            self._memories[device.id] = judged.memory
        return judged

    def after_gap(self, device: str) -> None:
        """It was away: the levels of its inputs as they are found now are no edges."""
        before = self._memories.get(device)
        if before is not None:
            self._memories[device] = after_gap(before)

    def counter_under(self, device: str, key: str) -> int | None:
        """The last counter under the key of this name; under another key than before nothing was counted yet."""
        before = self._memories.get(device) or Remembered()
        if before.sealed != key:
            self._memories[device] = before = replace(before, counter=None, sealed=key)
        return before.counter

    def tells_presses(self, device: str, before: Remembered | None) -> bool:
        """Whether what changed since `before` tells a press from its repetition: that cannot wait for its turn."""
        now = self._memories.get(device)
        old = before or Remembered()
        return now is not None and (now.levels != old.levels or now.seen != old.seen)

    def of(self, device: str) -> Remembered | None:
        """What is remembered now."""
        return self._memories.get(device)

    def alarmed_by(self, device: str, digest: str) -> bool:
        """Whether this very message raised the device's last alarm, lately."""
        last = self._pressed.get(device)
        return last is not None and last[0] == digest and self._clock.now() - last[1] <= SAME_WITHIN

    def pressed(self, tx: Transaction, device: str, digest: str) -> None:
        """The message raises an alarm: remember it, now here and in `tx` on disk."""
        self._pressed[device] = (digest, self._clock.now())
        tx.rows(_KEEP, [self._row(device)])
        self._changed.discard(device)

    def keep(self, tx: Transaction, device: str) -> None:
        """Write the device's memory with `tx`."""
        tx.rows(_KEEP, [self._row(device)])
        self._changed.discard(device)

    def later(self, device: str) -> None:
        """Write the device's memory in the next turn."""
        self._changed.add(device)

    async def write_once(self) -> None:
        """Write what has changed; what the database refuses is tried again in the next turn."""
        ready = sorted(device for device in self._changed if not self.unwritten[device])
        self._changed.difference_update(ready)
        try:
            for begin in range(0, len(ready), CHUNK):
                chunk = [device for device in ready[begin : begin + CHUNK] if not self.unwritten[device]]
                self._changed.update(set(ready[begin : begin + CHUNK]).difference(chunk))
                tx = Transaction()
                tx.rows(_KEEP, [self._row(device) for device in chunk])
                # In the queue of presses, though it may wait: a press would overtake it, and these rows undo its own.
                await self._database.submit(tx, priority=Priority.ALARM)
        except StoreError:
            self._changed.update(ready)

    def _row(self, device: str) -> dict[str, SQLValue]:
        digest, at = self._pressed.get(device, ("", Instant(0)))
        return {
            "device": device,
            "remembered": _encode(self._memories.get(device, Remembered())),
            "digest": digest,
            "pressed_at": at,
        }
