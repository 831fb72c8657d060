"""The explicit table of channels: from `[notify.channels.NAME]` to something that sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Clock
from belltower.errors import SettingsError
from belltower.ids import DeliveryId
from hardware.drivers.refused_pin import RefusedPIN
from hardware.transports import open_transport
from notify.channels.apprise_chat import AT_ONCE, AppriseChat
from notify.channels.console import Board, ConsoleChannel
from notify.channels.inbox import TwilioInbox
from notify.channels.modem import ModemSMS
from notify.channels.outputs import OutputChannel, Outputs
from notify.channels.push_web import WebPush
from notify.channels.reports import PATH
from notify.channels.smtp import FOR_EACH, SMTPChannel
from notify.channels.twilio_api import TwilioReports
from notify.channels.twilio_sms import STATUSES, TwilioSMS
from notify.channels.twilio_voice import TwilioVoice, TwilioVoiceReports
from notify.channels.vonage_api import Way
from notify.channels.vonage_sms import VonageInbox, VonageSMS, VonageSMSReports
from notify.channels.vonage_voice import VonageVoice, VonageVoiceReports
from notify.provider import Asking, Pace, Provider
from notify.settings import (
    AppriseSettings,
    ConsoleSettings,
    ModemSettings,
    PagingSettings,
    SignSettings,
    SMTPSettings,
    TwilioSettings,
    TwilioVoiceSettings,
    VonageSettings,
    VonageVoiceSettings,
    WebPushSettings,
    simulated,
)

# Seconds that an output is given for its receipt, which stands in our own journal.
_RECEIPT = 2.0


class _Ways(Struct, frozen=True, kw_only=True):
    """Where a provider reaches the desk; "": nowhere."""

    public_url: str
    # Under it: where reports go, up to the delivery's id.
    report_to: str


class BrowserWay(Struct, frozen=True, kw_only=True):
    """What browsers give back."""

    # What the tap on a notification proves itself with.
    proof: Callable[[DeliveryId], str] | None = None
    # Hears of subscriptions that are no more.
    gone: Callable[[str], Awaitable[None]] | None = None


def make_channels(
    settings: Mapping[str, Struct],
    *,
    public_url: str,
    board: Board,
    clock: Clock,
    state: Path | None = None,
    outputs: Outputs | None = None,
    browsers: BrowserWay | None = None,
) -> list[Provider]:
    """The providers of these settings. `public_url` is where carriers reach the desk; "": nowhere.

    Without `outputs` there is no way to loudspeakers and signs. `state` is a folder for small things that must survive a restart, such as a PIN that a SIM has refused. `browsers` makes the proofs of browsers on notifications, and hears of browsers that are gone.

    Raises:
        SettingsError: two of one kind of address have the same turn.
    """
    turns: dict[tuple[str, int], str] = {}
    made: list[Provider] = []
    for name, one in settings.items():
        public = (getattr(one, "callback_url", "") or public_url).rstrip("/")
        provider = _make(
            one,
            ways=_Ways(public_url=public, report_to=f"{public}{PATH}{name}/" if public else ""),
            board=board,
            clock=clock,
            pin=state / f"sms-pin-{name}" if state else None,
            outputs=outputs,
            browsers=browsers or BrowserWay(),
        )
        kind, order = provider.channel.name, getattr(one, "order", 1)
        other = turns.setdefault((kind, order), name)
        if other != name:
            raise SettingsError(
                f"[notify.channels.{name}] order: [notify.channels.{other}] serves {kind} in the same turn"
                f" ({order}); give one of them a later turn, or remove it"
            )
        made.append(replace(provider, given_name=name, order=order, simulated=simulated(one)))
    return made


def _make(
    settings: Struct,
    *,
    ways: _Ways,
    board: Board,
    clock: Clock,
    pin: Path | None,
    outputs: Outputs | None,
    browsers: BrowserWay,
) -> Provider:
    match settings:
        case TwilioSettings():
            return _twilio_sms(settings, ways)
        case TwilioVoiceSettings():
            return _twilio_voice(settings, ways)
        case VonageSettings():
            return _vonage_sms(settings, ways, clock)
        case VonageVoiceSettings():
            return _vonage_voice(settings, ways, clock)
        case SMTPSettings():
            pace = Pace(at_once=FOR_EACH * settings.connections)
            return Provider(channel=SMTPChannel(settings=settings), pace=pace)
        case AppriseSettings():
            return Provider(channel=AppriseChat(settings=settings), pace=Pace(at_once=AT_ONCE))
        case ModemSettings():
            modem = ModemSMS(
                settings=settings,
                make=partial(open_transport, settings.url),
                refused_pin=RefusedPIN(file=pin),
            )
            return Provider(channel=modem, pace=Pace(at_once=1, per_second=settings.rate))
        case WebPushSettings():
            pace = Pace(at_once=settings.in_flight)
            return Provider(
                channel=WebPush(settings=settings, clock=clock, proof=browsers.proof, gone=browsers.gone),
                pace=pace,
            )
        case PagingSettings() if outputs is not None:
            return _outputs(OutputChannel(name="paging", outputs=outputs))
        case SignSettings() if outputs is not None:
            return _outputs(OutputChannel(name="sign", outputs=outputs))
        case ConsoleSettings():
            return Provider(channel=ConsoleChannel(board=board, clock=clock), pace=Pace(at_once=1_000))
        case _:
            raise SettingsError(f"notify.channels: {type(settings).__name__} is not a channel")


def _outputs(channel: OutputChannel) -> Provider:
    return Provider(
        channel=channel, pace=Pace(at_once=20), asking=Asking(fetch=channel.fetch, after=_RECEIPT)
    )


def _twilio_sms(settings: TwilioSettings, ways: _Ways) -> Provider:
    token = settings.token.reveal()
    channel = TwilioSMS(settings=settings, callback_url=ways.report_to)
    return Provider(
        channel=channel,
        asking=Asking(fetch=channel.fetch, after=settings.report_within),
        pace=Pace(at_once=settings.in_flight, per_second=settings.rate, numbers=len(settings.numbers)),
        reports=TwilioReports(public_url=ways.public_url, token=token, statuses=STATUSES),
        inbox=TwilioInbox(public_url=ways.public_url, token=token),
    )


def _twilio_voice(settings: TwilioVoiceSettings, ways: _Ways) -> Provider:
    channel = TwilioVoice(settings=settings, callback_url=ways.report_to)
    return Provider(
        channel=channel,
        asking=Asking(fetch=channel.fetch, after=settings.report_within),
        pace=Pace(at_once=settings.in_flight, per_second=settings.rate, numbers=len(settings.numbers)),
        reports=TwilioVoiceReports(public_url=ways.public_url, token=settings.token.reveal()),
    )


def _vonage_sms(settings: VonageSettings, ways: _Ways, clock: Clock) -> Provider:
    secret = settings.signature_secret.reveal() if settings.signature_secret is not None else ""
    way = Way(report_to=ways.report_to, secret=secret, application=settings.application)
    return Provider(
        channel=VonageSMS(settings=settings, way=way, clock=clock),
        pace=Pace(at_once=settings.in_flight, per_second=settings.rate, numbers=len(settings.numbers)),
        reports=VonageSMSReports(way=way) if secret else None,
        inbox=VonageInbox(secret=secret, application=settings.application) if secret else None,
    )


def _vonage_voice(settings: VonageVoiceSettings, ways: _Ways, clock: Clock) -> Provider:
    secret = settings.signature_secret.reveal() if settings.signature_secret is not None else ""
    way = Way(report_to=ways.report_to, secret=secret, application=settings.application)
    channel = VonageVoice(settings=settings, way=way, clock=clock)
    return Provider(
        channel=channel,
        asking=Asking(fetch=channel.fetch, after=settings.report_within),
        pace=Pace(at_once=settings.in_flight, per_second=settings.rate, numbers=len(settings.numbers)),
        reports=VonageVoiceReports(way=way) if secret else None,
    )
