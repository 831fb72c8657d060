"""What a settings file says about a GSM or LTE modem that texts the PSAP."""

from __future__ import annotations

from msgspec import Struct

from belltower.errors import Malformed, SettingsError
from belltower.values import Seconds, Secret
from hardware.codecs import sms_pdu
from hardware.transports import open_transport

_LEAST_DIGITS = 7
"""Digits of a number that may take tests and exercises."""


class ModemLinkSettings(Struct, frozen=True, kw_only=True):
    """Text messages to the PSAP: `[psap.links.NAME]` with `kind = "modem"`. Without this table no text ever leaves."""

    # The modem: "serial:///dev/ttyUSB2?baud=115200". It is ours alone: messages it has stored are read and deleted.
    url: str
    # The number the PSAP takes texts at, as agreed with it. There is no default, and nothing is guessed.
    number: str
    # Who takes the marked test of `belltower psap test`; never the PSAP's number. "": the link cannot be proven.
    test_number: str = ""
    # Who takes exercises; never the PSAP's number. "": exercises are withheld from this link.
    exercise_number: str = ""
    # The SIM's PIN. It is tried once; a wrong one is not tried again.
    pin: Secret | None = None
    # Ask the network whether the message reached the PSAP's telephone.
    status_reports: bool = True
    # How often registration and signal are looked at.
    heartbeat: Seconds = 30.0
    # Links of lower priority are shown first. All links are called at once.
    priority: int = 10

    def __post_init__(self) -> None:
        """Refuse a modem that cannot be opened, numbers that are none, and tests or exercises at the PSAP's number."""
        faults = []
        try:
            open_transport(self.url)
        except SettingsError as error:
            faults.append(f"url: {error}")
        for name in ("number", "test_number", "exercise_number"):
            text = getattr(self, name)
            if not text and name != "number":
                continue
            try:
                sms_pdu.number(text)
            except Malformed:
                digits = False
            else:
                digits = text.removeprefix("+").isdecimal()
            if not digits:
                faults.append(f'{name}: write digits only, perhaps after a +: "+12065550100"')
            elif name != "number" and len(text.removeprefix("+")) < _LEAST_DIGITS:
                # 911, 112, 999 and their like, with or without a prefix.
                faults.append(f"{name}: emergency and short numbers take neither tests nor exercises")
            if name != "number" and text.lstrip("+") == self.number.lstrip("+"):
                faults.append(f"{name}: it is the PSAP's number; only real calls go there")
        if not 1 <= self.heartbeat <= 60:
            faults.append('heartbeat: "1s" to "60s"; "30s" is usual')
        if faults:
            raise SettingsError("\n".join(faults))
