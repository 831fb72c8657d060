"""What a settings file says about the channels that notices go out on."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from belltower.errors import SettingsError
from belltower.values import Count, Port, Seconds, Secret
from hardware.transports import open_transport
from notify.stops import StopCovers

_Host = Annotated[
    str,
    Meta(pattern=r"\A[^\s/@]+\Z", extra={"expected": 'a host, "mail.school.example" for instance'}),
]
_Mailbox = Annotated[
    str,
    Meta(
        pattern=r"\A[^@\s<>]+@[^@\s<>]+\Z",
        extra={"expected": 'a mailbox, "alerts@school.example" for instance'},
    ),
]
_Account = Annotated[
    str,
    Meta(
        pattern=r"\AAC[0-9a-fA-F]{32}\Z",
        extra={"expected": 'the SID of the account, "AC" and 32 hex digits, as Twilio\'s console shows it'},
    ),
]
_Sender = Annotated[
    str,
    Meta(
        pattern=r"\A(\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32}|(?=.*[A-Za-z])[A-Za-z0-9 &_-]{1,11})\Z",
        extra={
            "expected": 'a number with + and country, such as "+15550100199", the "MG.." of a messaging service, or a name of at'
            " most 11 letters and digits"
        },
    ),
]
_Number = Annotated[
    str,
    Meta(
        pattern=r"\A\+[1-9][0-9]{6,14}\Z",
        extra={"expected": 'a number with + and country, such as "+15550100199"'},
    ),
]
_Application = Annotated[
    str,
    Meta(
        pattern=r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z",
        extra={
            "expected": "the id of an application, 36 characters such as 00000000-0000-4000-8000-000000000000"
        },
    ),
]
_Rate = Annotated[float, Meta(gt=0, extra={"expected": "messages a second, more than 0; 1.0 for instance"})]

_CallRate = Annotated[float, Meta(gt=0, extra={"expected": "calls a second, more than 0; 1.0 for instance"})]


class NoticeSettings(Struct, frozen=True, kw_only=True):
    """What holds for all channels: `[notify]`."""

    # What an answer of STOP keeps away from that address: "routine" notices and exercises, or "all".
    stop_covers: StopCovers = "routine"
    # Where tests of channels go: one address of the school's own, or the id of a person who has one, by a channel's name
    # or by the kind of address (sms, voice, email, push, chat, console).
    test_to: dict[str, Annotated[str, Meta(min_length=1, max_length=320)]] = {}
    # Every far end is a simulator, so that translations which are approved as an example only are said to it.
    rehearsal: bool = False


MOST_ROOMS = 50
"""Rooms of one Apprise channel."""

ROOM_SERVICES = frozenset(
    {
        *("slack", "msteams", "workflows", "gchat", "discord", "zulip", "wxteams", "tgram", "json", "jsons"),
        *("mmost", "mmosts", "rocket", "rockets", "matrix", "matrixs", "ntfy", "ntfys", "gotify", "gotifys"),
    }
)
"""The schemas of Apprise that may be used: chats and group pushes that take a message over the network, and no more."""

PUSH_SERVICES = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
    ".notify.windows.com",
)
"""Those of the browsers that most people have."""


class SMTPSettings(Struct, frozen=True, kw_only=True):
    """Mail through the district's own server: `[notify.channels.NAME]` with `kind = "smtp"`."""

    host: _Host
    # The sender's mailbox.
    from_: _Mailbox = field(name="from")
    port: Port = 587
    # "starttls", "tls" (from the first octet) or "none".
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Secret | None = None
    # The turn of this server among several: the lowest is asked first.
    order: Count = 1
    # Connections kept open at once.
    connections: Count = 4
    # One message has this long to be taken.
    timeout: Seconds = 30.0

    def __post_init__(self) -> None:
        """Refuse a time in which nothing can be sent."""
        _check_timeout(self.timeout)


class TwilioSettings(Struct, frozen=True, kw_only=True):
    """Text messages through Twilio's REST API: `[notify.channels.NAME]` with `kind = "twilio"`."""

    # The account's SID, "AC.." and 32 hex digits.
    account: _Account
    token: Secret
    # The sending number in E.164, the SID of a messaging service, "MG.." and 32 hex digits, or a name where the country
    # lets one send; nobody can answer a name.
    from_: _Sender = field(name="from")
    # Another address for the API, the carrier simulator's for instance.
    base_url: str = "https://api.twilio.com"
    # More numbers, which take turns with that one.
    also_from: tuple[_Sender, ...] = ()
    # Parts of messages a second that each number may send; 1 is what a US long code has.
    rate: _Rate = 1.0
    # The turn of this provider among those for text messages: the lowest is asked first.
    order: Count = 1
    # Requests under way at once.
    in_flight: Count = 20
    # One request has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0
    # A message of which no report came for so long is asked about; 0: never.
    report_within: Seconds = 900.0
    # Where Twilio reports what became of a message; "" for desk.web.public_url.
    callback_url: str = ""

    def __post_init__(self) -> None:
        """Refuse a time in which nothing can be sent."""
        _check_timeout(self.timeout)

    @property
    def numbers(self) -> tuple[str, ...]:
        """All senders."""
        return (self.from_, *self.also_from)


class TwilioVoiceSettings(Struct, frozen=True, kw_only=True):
    """Calls through Twilio's REST API: `[notify.channels.NAME]` with `kind = "twilio-voice"`."""

    # The account's SID, "AC.." and 32 hex digits.
    account: _Account
    token: Secret
    # The number that people see calling, in E.164.
    from_: _Number = field(name="from")
    # Another address for the API, the carrier simulator's for instance.
    base_url: str = "https://api.twilio.com"
    # More numbers, which take turns with that one.
    also_from: tuple[_Number, ...] = ()
    # Calls a second that each number may begin; 1 is what a new account has in all.
    rate: _CallRate = 1.0
    # The turn of this provider among those for calls: the lowest is asked first.
    order: Count = 1
    # Requests under way at once.
    in_flight: Count = 20
    # One request has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0
    # How long it rings before nobody answers; much longer, and an answering machine takes it.
    ring: Seconds = 25.0
    # A call of which no report came for so long is asked about; 0: never.
    report_within: Seconds = 900.0
    # Where Twilio reports what became of a call, and which key was pressed; "" for desk.web.public_url.
    callback_url: str = ""

    def __post_init__(self) -> None:
        """Refuse a time in which nothing can be sent."""
        _check_timeout(self.timeout)

    @property
    def numbers(self) -> tuple[str, ...]:
        """All numbers."""
        return (self.from_, *self.also_from)


class VonageSettings(Struct, frozen=True, kw_only=True):
    """Text messages through Vonage's Messages API: `[notify.channels.NAME]` with `kind = "vonage"`."""

    # The application's id, as the dashboard shows it.
    application: _Application
    # The application's private key, PEM.
    private_key: Secret
    # The account's signature secret, for HS256; without it no report is asked for, and none believed.
    signature_secret: Secret | None = None
    # The sending number in E.164, or a name where the country lets one send; nobody can answer a name.
    from_: _Sender = field(name="from")
    # Another address for the API: of a region, or the carrier simulator's.
    base_url: str = "https://api.nexmo.com"
    # More numbers, which take turns with that one.
    also_from: tuple[_Sender, ...] = ()
    # Parts of messages a second that each number may send.
    rate: _Rate = 1.0
    # The turn of this provider among those for text messages: the lowest is asked first.
    order: Count = 1
    # Requests under way at once.
    in_flight: Count = 20
    # One request has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0
    # Where Vonage reports what became of a message; "" for desk.web.public_url.
    callback_url: str = ""

    def __post_init__(self) -> None:
        """Refuse a time in which nothing can be sent."""
        _check_timeout(self.timeout)

    @property
    def numbers(self) -> tuple[str, ...]:
        """All senders."""
        return (self.from_, *self.also_from)


class VonageVoiceSettings(Struct, frozen=True, kw_only=True):
    """Calls through Vonage's Voice API: `[notify.channels.NAME]` with `kind = "vonage-voice"`."""

    # The application's id, as the dashboard shows it.
    application: _Application
    # The application's private key, PEM.
    private_key: Secret
    # The account's signature secret, for HS256; without it no key is asked for, and no report believed.
    signature_secret: Secret | None = None
    # The number that people see calling, in E.164.
    from_: _Number = field(name="from")
    # Another address for the API: of a region, or the carrier simulator's.
    base_url: str = "https://api.nexmo.com"
    # More numbers, which take turns with that one.
    also_from: tuple[_Number, ...] = ()
    # Calls a second that each number may begin.
    rate: _CallRate = 1.0
    # The turn of this provider among those for calls: the lowest is asked first.
    order: Count = 1
    # Requests under way at once.
    in_flight: Count = 20
    # One request has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0
    # How long it rings before nobody answers; much longer, and an answering machine takes it.
    ring: Seconds = 25.0
    # A call of which no report came for so long is asked about; 0: never.
    report_within: Seconds = 900.0
    # Where Vonage reports what became of a call, and which key was pressed; "" for desk.web.public_url.
    callback_url: str = ""

    def __post_init__(self) -> None:
        """Refuse a time in which nothing can be sent."""
        _check_timeout(self.timeout)

    @property
    def numbers(self) -> tuple[str, ...]:
        """All numbers."""
        return (self.from_, *self.also_from)


class ModemSettings(Struct, frozen=True, kw_only=True):
    """Text messages by a modem of our own: `[notify.channels.NAME]` with `kind = "modem"`."""

    # The modem, and not the one of a PSAP link: "serial:///dev/ttyUSB6?baud=115200".
    url: str
    # The SIM's PIN. A wrong one is not tried again.
    pin: Secret | None = None
    # Parts of messages a second it is asked for; a modem takes about one in four seconds.
    rate: _Rate = 0.25
    # As for a provider on the network; a modem of our own is a good second.
    order: Count = 1
    # One message, opening included, has this long; what is not answered by then is uncertain.
    timeout: Seconds = 60.0

    def __post_init__(self) -> None:
        """Refuse a modem that cannot be opened, and a time in which nothing can be sent."""
        try:
            open_transport(self.url)
        except SettingsError as error:
            raise SettingsError(f"url: {error}") from None
        _check_timeout(self.timeout)


class RoomSettings(Struct, frozen=True, kw_only=True):
    """A chat room or group: `[notify.channels.NAME.rooms.ROOM]`; ROOM is its address in the site package."""

    # As Apprise writes it, "slack://..": it holds what lets one write there, so it is a secret.
    url: Secret


class AppriseSettings(Struct, frozen=True, kw_only=True):
    """Chat rooms and group pushes through Apprise: `[notify.channels.NAME]` with `kind = "apprise"`."""

    # By the names under which people, or rather rooms, have them as an address of kind "chat".
    rooms: dict[str, RoomSettings]
    # One message has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0

    def __post_init__(self) -> None:
        """Refuse services that are no rooms, and a time in which nothing can be sent."""
        _check_timeout(self.timeout)
        if not 0 < len(self.rooms) <= MOST_ROOMS:
            raise SettingsError(f"rooms: 1 to {MOST_ROOMS} rooms; people are told by ways of their own")
        for name, room in self.rooms.items():
            url = room.url.reveal() if room is not None else ""  # a faulty one is None until all are reported
            if url and url.partition("://")[0].lower() not in ROOM_SERVICES:
                raise SettingsError(
                    f"rooms: the url of {name} is of no service that is a room; those are"
                    f" {', '.join(sorted(ROOM_SERVICES))}"
                )


class WebPushSettings(Struct, frozen=True, kw_only=True):
    """Browsers that asked to be told: `[notify.channels.NAME]` with `kind = "web-push"`."""

    # The key that says who sends, P-256, PEM. Browsers subscribe to it: with another one they must subscribe anew.
    private_key: Secret
    # Whom a push service may write to, "mailto:.." or "https:..".
    contact: Annotated[
        str,
        Meta(
            pattern=r"\A(mailto:[^@\s<>]+@[^@\s<>]+|https://\S+)\Z",
            extra={"expected": 'an address, "mailto:it@school.example" for instance'},
        ),
    ]
    # Hosts of push services, ".example" for all below it. No other one is ever spoken to.
    services: tuple[str, ...] = PUSH_SERVICES
    # Requests under way at once.
    in_flight: Count = 50
    # One request has this long; what is not answered by then is uncertain, not refused.
    timeout: Seconds = 10.0

    def __post_init__(self) -> None:
        """Refuse a time in which nothing can be sent."""
        _check_timeout(self.timeout)


class PagingSettings(Struct, frozen=True, kw_only=True):
    """Loudspeaker zones as addresses: `[notify.channels.NAME]` with `kind = "paging"`; each is a name in `[outputs]`."""


class SignSettings(Struct, frozen=True, kw_only=True):
    """Signs as addresses: `[notify.channels.NAME]` with `kind = "sign"`; each is a name in `[outputs]`."""


class ConsoleSettings(Struct, frozen=True, kw_only=True):
    """Desktop consoles that show a notice on the live page: `[notify.channels.NAME]` with `kind = "console"`."""


CHANNELS: dict[str, type[Struct]] = {
    "smtp": SMTPSettings,
    "twilio": TwilioSettings,
    "twilio-voice": TwilioVoiceSettings,
    "vonage": VonageSettings,
    "vonage-voice": VonageVoiceSettings,
    "apprise": AppriseSettings,
    "modem": ModemSettings,
    "paging": PagingSettings,
    "sign": SignSettings,
    "web-push": WebPushSettings,
    "console": ConsoleSettings,
}
"""The record of each `kind` of channel."""


def simulated(settings: Struct) -> bool:
    """Whether what this channel says proves nothing: the far end is not the provider's own, or is on this machine."""
    match settings:
        case ConsoleSettings():
            return True
        case TwilioSettings() | TwilioVoiceSettings() | VonageSettings() | VonageVoiceSettings():
            host = urlsplit(settings.base_url).hostname or ""
            return not f".{host}".endswith((".twilio.com", ".nexmo.com", ".vonage.com"))
        case SMTPSettings():
            return _is_here(settings.host)
        case ModemSettings():
            return _is_here(urlsplit(settings.url).hostname or "")
        case AppriseSettings():
            return any(
                _is_here(urlsplit(room.url.reveal()).hostname or "") for room in settings.rooms.values()
            )
        case WebPushSettings():
            return any(_is_here(service.partition(":")[0]) for service in settings.services)
        case _:
            return False


def _is_here(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host in {"::1", "[::1]"}


def _check_timeout(timeout: float) -> None:
    if timeout <= 0:
        raise SettingsError('timeout: nothing is sent in no time; "10s" is usual')
