"""What a settings file says about a monitoring station that takes SIA DC-09."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from belltower.errors import SettingsError
from belltower.values import Seconds, Secret
from hardware.codecs import dc09_events
from hardware.codecs.dc09 import Kind
from hardware.codecs.dc09_crypto import key_of
from hardware.codecs.dc09_events import Event, Meaning

_ACCOUNT = re.compile(r"[0-9A-Fa-f]{3,16}")
_NUMBER = re.compile(r"[0-9A-Fa-f]{1,6}")
_DEFAULTS = {"sia-dcs": ("PA", "MA", "RX", "OC"), "adm-cid": ("120", "100", "601", "406")}
_KINDS = {"sia-dcs": Kind.SIA, "adm-cid": Kind.CID}
MAX_ZONE = 999

Area = Annotated[int, Meta(ge=0, le=99, extra={"expected": "an area, 0 to 99"})]


class Receiver(Struct, frozen=True, kw_only=True):
    """Where a station's receiver listens."""

    udp: bool
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Receiver:
        """The receiver of `tcp://host:port` or `udp://host:port`; SettingsError for anything else."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        bare = not (parts.path or parts.query or parts.fragment or parts.username is not None)
        if parts.scheme not in {"tcp", "udp"} or not host or not port or not bare:
            raise SettingsError(f'"{url}": expected tcp://HOST:PORT or udp://HOST:PORT')
        return cls(udp=parts.scheme == "udp", host=host, port=port)


class Codes(Struct, frozen=True, kw_only=True):
    """The event codes that one link uses."""

    panic: str
    medical: str
    test: str
    cancel: str


class DC09LinkSettings(Struct, frozen=True, kw_only=True):
    """Alarm reports to a monitoring station: `[psap.links.NAME]` with `kind = "dc09"`."""

    # The station's receivers, primary first: "tcp://192.0.2.7:7700" or "udp://receiver.example:7700".
    receivers: tuple[str, ...]
    # Our account with the station, 3 to 16 hex digits.
    account: str
    # The AES key that the station has for the account: 16, 24 or 32 characters, or 32, 48 or 64 hex digits. Without
    # it reports go in clear, and anybody on the way can make up the station's answers.
    key: Secret | None = None
    # "sia-dcs": SIA DC-03 codes; "adm-cid": Contact ID codes.
    format: Literal["sia-dcs", "adm-cid"] = "sia-dcs"
    # The codes of a silent panic alarm and of a medical one; "" for PA and MA, or 120 and 100. HA, 121, 122 are usual too.
    panic: str = ""
    medical: str = ""
    # The station's numbers for the receiver and the line, hex digits.
    receiver: str = "0"
    line: str = "0"
    # The area, or partition, that events are reported of.
    area: Area = 1
    # The zone number that the station knows a place by; others are reported as zone 0, with their text.
    zones: dict[str, int] = {}
    # How often the line is tested; any other message counts as a test.
    heartbeat: Seconds = 30.0
    # How long a receiver may take to answer. After three tries the next receiver's turn comes.
    timeout: Seconds = 5.0
    # The station's receipt counts as the PSAP's: it ends NOT ACKNOWLEDGED, CALL 911. Only where the law lets a
    # monitoring station stand between a school and its PSAP.
    station_counts: bool = False
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 1

    def __post_init__(self) -> None:
        """Refuse receivers that cannot be reached, and accounts, keys, codes and zones that cannot be written."""
        faults = []
        if not self.receivers:
            faults.append('receivers: none; write for instance ["tcp://192.0.2.7:7700"]')
        for url in self.receivers:
            try:
                Receiver.parse(url)
            except SettingsError as error:
                faults.append(f"receivers: {error}")
        if not _ACCOUNT.fullmatch(self.account):
            faults.append(f'account: "{self.account}" is not 3 to 16 hex digits')
        if (
            self.key is not None and self.key.reveal()
        ):  # empty while settings are checked without opening secrets
            try:
                key_of(self.key.reveal().strip())
            except SettingsError as error:
                faults.append(f"key: {error}")
        for name, number in (("receiver", self.receiver), ("line", self.line)):
            if not _NUMBER.fullmatch(number):
                faults.append(f'{name}: "{number}" is not 1 to 6 hex digits')
        codes = self.codes
        for name, code, meaning in (
            ("panic", codes.panic, Meaning.PANIC),
            ("medical", codes.medical, Meaning.MEDICAL),
        ):
            if dc09_events.meaning_of(self.report, Event(code=code)) is not meaning:
                faults.append(f'{name}: "{code}" is no code of {self.format} for a {meaning} alarm')
        faults += [
            f"zones.{place}: {zone} is no zone number, 0 to {MAX_ZONE}"
            for place, zone in self.zones.items()
            if not 0 <= zone <= MAX_ZONE
        ]
        if self.timeout < 0.1:
            faults.append('timeout: it is at least "100ms"; "5s" is usual')
        if self.heartbeat < 1:
            faults.append('heartbeat: it is at least "1s"; "30s" is usual')
        if faults:
            raise SettingsError("\n".join(faults))

    @property
    def report(self) -> Kind:
        """What reports are."""
        return _KINDS[self.format]

    @property
    def codes(self) -> Codes:
        """The codes in force."""
        panic, medical, test, cancel = _DEFAULTS[self.format]
        return Codes(panic=self.panic or panic, medical=self.medical or medical, test=test, cancel=cancel)

    def key_in_force(self) -> bytes | None:
        """The AES key; None: reports go in clear."""
        return key_of(self.key.reveal().strip()) if self.key is not None else None
