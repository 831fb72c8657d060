"""Readers on an OSDP line, and the contacts wired to their inputs: what they say becomes messages of the wire `osdp`.

`osdp-reader/LINE/ADDRESS` says `{"channel": "secure"}` or `"lost"`, `{"tamper": true}`, `{"power_lost": true}`, `{"used": "keys"}`
and `{"duress": true}`; `osdp-input/LINE/ADDRESS/INPUT` says `{"active": true}` and `{"channel": "lost"}`. Cards and keys are people's
secrets: that a card was read is told, its number is not, and what was typed is compared with the duress code and forgotten.

An input is reported when it changes. What is reported within `SETTLE` after the channel opened was found so; what is not
reported by then is at rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from hmac import compare_digest
from typing import Any

import msgspec

from belltower.tasks import together
from gateway.intake.devices.contacts import BEAT, Teller
from gateway.intake.devices.registry import KnownDevice
from hardware.drivers.osdp import OSDPLine, Reader, ReaderSaid

SETTLE = 2.0
"""Seconds after its channel opened within which a reader says how its inputs are."""
TYPED_WITHIN = 5.0
"""Seconds between two keys of one code."""
PAUSE = 2.0
"""Seconds without a key after which a code without an end key is whole: what goes on is another, longer code."""
LONGEST_CODE = 16
_ENDS = frozenset("\r\n#")
_CLEARS = frozenset("\x7f*")


class Duress:
    """Compares what is typed with the duress code. Nothing that was typed is kept for longer than a code takes.

    It is decided at an end key, or after a pause; what was typed before a pause may belong to it, or be a stray key.
    """

    def __init__(self, code: str) -> None:
        """`code` is of digits; "" is never typed."""
        self._code = code
        # By reader: all that was typed, what of it since the last pause, and when.
        self._typed: dict[int, tuple[str, str, float]] = {}

    def typed(self, address: int, keys: str, now: float) -> bool:
        """Whether the duress code was just ended, whole and by itself, at this reader."""
        typed, since, at = self._typed.pop(address, ("", "", now))
        if now - at > TYPED_WITHIN:
            typed = ""
        if now - at > PAUSE:
            since = ""
        for key in keys:
            if key in _ENDS and (self._is_it(typed) or self._is_it(since)):
                return True
            if key in _CLEARS or key in _ENDS:
                typed = since = ""
            else:
                typed, since = (typed + key)[: LONGEST_CODE + 1], (since + key)[: LONGEST_CODE + 1]
        if typed:
            self._typed[address] = typed, since, now
        return False

    def paused(self, address: int) -> bool:
        """No key came for `PAUSE`: whether the duress code stands there. Then it is forgotten."""
        typed, since, _ = self._typed.get(address, ("", "", 0.0))
        found = self._is_it(typed) or self._is_it(since)
        if found:
            del self._typed[address]
        return found

    def _is_it(self, typed: str) -> bool:
        return bool(self._code) and compare_digest(typed.encode(), self._code.encode())

    def forget(self, now: float) -> None:
        """Drop what nobody finished typing."""
        for address in [address for address, (*_, at) in self._typed.items() if now - at > TYPED_WITHIN]:
            del self._typed[address]


def readers_of(line: str, devices: Iterable[KnownDevice]) -> dict[int, KnownDevice]:
    """The readers of `line`, by their address on it."""
    found = {}
    for device in devices:
        match device.record.address.split("/"):
            case [name, address] if device.profile.wire == "osdp" and name == line and address.isdecimal():
                found[int(address)] = device
            case _:
                pass
    return found


def inputs_of(line: str, devices: Iterable[KnownDevice]) -> dict[int, dict[int, list[KnownDevice]]]:
    """What is wired to inputs of readers, by address and input."""
    found: dict[int, dict[int, list[KnownDevice]]] = {}
    for device in devices:
        match device.record.address.split("/"):
            case [name, address, number] if (
                device.profile.wire == "osdp" and name == line and address.isdecimal() and number.isdecimal()
            ):
                found.setdefault(int(address), {}).setdefault(int(number), []).append(device)
            case _:
                pass
    return found


class Readers:
    """All readers of one line. `run` it; mendable. What it raises is `Unreachable`: the line is gone."""

    def __init__(
        self,
        *,
        line: OSDPLine,
        label: str,
        readers: Iterable[int],
        inputs: Mapping[int, Mapping[int, Iterable[KnownDevice]]],
        teller: Teller,
        duress: Duress,
        beat: float = BEAT,
    ) -> None:
        """Serve the readers at these addresses; `label` is the line's name in `devices.toml`."""
        self._line = line
        self._label = label
        self._readers = frozenset(readers)
        self._inputs = inputs
        self._teller = teller
        self._duress = duress
        self._beat = beat
        # The level of each input, by reader and input; None: not known since the channel opened.
        self._levels: dict[tuple[int, int], bool | None] = {}
        self._settling: dict[int, asyncio.TimerHandle] = {}
        self._pausing: dict[int, asyncio.TimerHandle] = {}
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve the line until it is lost."""
        self._line.listen(self._said)
        self._line.on_open(self.ready.set)
        try:
            await together(line=self._line.run(), beat=self._beats())
        finally:
            self.ready.clear()
            for timer in (*self._settling.values(), *self._pausing.values()):
                timer.cancel()
            self._settling.clear()
            self._pausing.clear()

    async def _beats(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._beat)
            self._duress.forget(loop.time())
            for address in sorted(self._readers):
                if self._line.secure(address):
                    self._of_reader(address, channel="secure")
                    for number in self._inputs.get(address, ()):
                        self._of_input(address, number)

    def _said(self, said: ReaderSaid) -> None:
        if said.address not in self._readers:
            return  # it has outputs only
        match said.what:
            case Reader.SECURE:
                self._channel(said.address, secure=said.on)
            case Reader.TAMPER:
                self._of_reader(said.address, tamper=said.on)
            case Reader.POWER:
                self._of_reader(said.address, power_lost=said.on)
            case Reader.CARD:
                self._of_reader(said.address, used="card")
            case Reader.KEYS:
                self._keys(said.address, said.keys)
            case Reader.INPUTS:
                for number, active in enumerate(said.inputs):
                    if number in self._inputs.get(said.address, ()):
                        self._levels[said.address, number] = active
                        self._of_input(said.address, number)

    def _keys(self, address: int, keys: str) -> None:
        loop = asyncio.get_running_loop()
        if (timer := self._pausing.pop(address, None)) is not None:
            timer.cancel()
        if self._duress.typed(address, keys, loop.time()):
            self._of_reader(address, duress=True)
        else:
            self._of_reader(address, used="keys")
            self._pausing[address] = loop.call_later(PAUSE, self._paused, address)

    def _paused(self, address: int) -> None:
        self._pausing.pop(address, None)
        if self._duress.paused(address):
            self._of_reader(address, duress=True)

    def _channel(self, address: int, *, secure: bool) -> None:
        self._of_reader(address, channel="secure" if secure else "lost")
        if (timer := self._settling.pop(address, None)) is not None:
            timer.cancel()
        for number, devices in self._inputs.get(address, {}).items():
            self._levels[address, number] = None
            for device in devices:
                if secure:
                    self._teller.found(device.profile.id, device.record.address)
                else:
                    self._tell(f"osdp-input/{device.record.address}", channel="lost")
        if secure and address in self._inputs:
            later = partial(self._settled, address)
            self._settling[address] = asyncio.get_running_loop().call_later(SETTLE, later)

    def _settled(self, address: int) -> None:
        """What was not reported by now is at rest: whatever comes next is a change."""
        self._settling.pop(address, None)
        for number in self._inputs[address]:
            if self._levels.get((address, number)) is None:
                self._levels[address, number] = False
                self._of_input(address, number)

    def _of_input(self, address: int, number: int) -> None:
        active = self._levels.get((address, number))
        if active is not None:
            for device in self._inputs[address][number]:
                self._tell(f"osdp-input/{device.record.address}", active=active)

    def _of_reader(self, address: int, **what: Any) -> None:
        self._tell(f"osdp-reader/{self._label}/{address}", **what)

    def _tell(self, topic: str, **what: Any) -> None:
        self._teller.tell(topic, msgspec.json.encode(what))
