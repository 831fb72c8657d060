"""The explicit table of channels: from `[notify.channels.NAME]` to something that sends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from belltower.clock import Clock
from belltower.errors import SettingsError
from hardware.drivers.refused_pin import RefusedPIN
from hardware.transports import open_transport
from notify.channels.channel import Channel
from notify.channels.console import Board, ConsoleChannel
from notify.channels.modem import ModemSMS
from notify.channels.reports import PATH, Reports
from notify.channels.smtp import SMTPChannel
from notify.channels.twilio_api import TwilioReports
from notify.channels.twilio_sms import STATUSES, TwilioSMS
from notify.channels.twilio_voice import TwilioVoice, TwilioVoiceReports
from notify.provider import Pace, Provider
from notify.settings import (
    ConsoleSettings,
    ModemSettings,
    SMTPSettings,
    TwilioSettings,
    TwilioVoiceSettings,
)

_Made: TypeAlias = tuple[Channel, Pace, Reports | None]


def make_channels(
    settings: Mapping[str, Struct],
    *,
    public_url: str,
    board: Board,
    clock: Clock,
    state: Path | None = None,
) -> list[Provider]:
    """The providers of these settings. `public_url` is where carriers reach the desk; "": nowhere.

    `state` is a folder for small things that must survive a restart, such as a PIN that a SIM has refused.

    Raises:
        SettingsError: two of one kind of address have the same turn.
    """
    turns: dict[tuple[str, int], str] = {}
    made: list[Provider] = []
    for name, one in settings.items():
        public = (getattr(one, "callback_url", "") or public_url).rstrip("/")
        channel, pace, reports = _make(
            one,
            public_url=public,
            report_to=f"{public}{PATH}{name}/" if public else "",
            board=board,
            clock=clock,
            pin=state / f"sms-pin-{name}" if state else None,
        )
        order = getattr(one, "order", 1)
        other = turns.setdefault((channel.name, order), name)
        if other != name:
            raise SettingsError(
                f"[notify.channels.{name}] order: [notify.channels.{other}] serves {channel.name} in the same turn"
                f" ({order}); give one of them a later turn, or remove it"
            )
        made.append(Provider(channel=channel, pace=pace, given_name=name, order=order, reports=reports))
    return made


def _make(
    settings: Struct, *, public_url: str, report_to: str, board: Board, clock: Clock, pin: Path | None
) -> _Made:
    match settings:
        case TwilioSettings():
            pace = Pace(at_once=settings.in_flight, per_second=settings.rate, numbers=len(settings.numbers))
            reports = TwilioReports(public_url=public_url, token=settings.token.reveal(), statuses=STATUSES)
            return TwilioSMS(settings=settings, callback_url=report_to), pace, reports
        case TwilioVoiceSettings():
            pace = Pace(at_once=settings.in_flight, per_second=settings.rate, numbers=len(settings.numbers))
            spoken = TwilioVoiceReports(public_url=public_url, token=settings.token.reveal())
            return TwilioVoice(settings=settings, callback_url=report_to), pace, spoken
        case SMTPSettings():
            return SMTPChannel(settings=settings), Pace(at_once=settings.connections), None
        case ModemSettings():
            modem = ModemSMS(
                settings=settings,
                make=partial(open_transport, settings.url),
                refused_pin=RefusedPIN(file=pin),
            )
            return modem, Pace(at_once=1, per_second=settings.rate), None
        case ConsoleSettings():
            return ConsoleChannel(board=board, clock=clock), Pace(at_once=1_000), None
        case _:
            raise SettingsError(f"notify.channels: {type(settings).__name__} is not a channel")
