"""What is switched, made from settings and site package: every output has its switch, or the reason why it has none.

An output that cannot be used keeps nobody else from working: its orders fail with the reason, and the status names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from belltower.clock import Clock
from belltower.errors import SettingsError
from belltower.ids import RandomBytes
from gateway.intake.devices.settings import MQTTDeviceSettings
from gateway.intake.devices.topics import ANSWERS
from gateway.outputs.rules import Does, DrillVariant, Rule
from gateway.outputs.switch_settings import LONGEST_WITHIN, DeviceSettings, SwitchSettings
from gateway.settings import Settings
from gateway.site_package.devices import SiteDevices
from hardware.drivers.device_switch import DeviceLine, DeviceSwitch, Told
from hardware.drivers.switch import Ask, Switch, Switches, Unusable
from hardware.profiles import ordering
from hardware.profiles.compiled import Profile
from hardware.profiles.profile import OutputTable

OpenSwitches = Callable[[Mapping[str, Any], Clock, RandomBytes], Switches]
LineOf = Callable[[str], DeviceLine]
"""The broker of a way in, by its name in the settings."""

USUAL_WITHIN = 2.0
CARRIED_WITHIN = 10.0
"""Seconds for an answer where neither settings nor profile say: of what hears the broker itself, and of the others."""
CARRIED_SLOWEST = 60.0
"""A network server queues what is sent again."""

_MOST_SAID = 8
_NAMES = {
    Does.SIREN: ("siren_on", "siren_off"),
    Does.STROBE: ("strobe_on", "strobe_off"),
    Does.RELAY: ("relay_on", "relay_off"),
    Does.SIGN: ("show_text", "clear_text"),
}


class DeviceOutput(Struct, frozen=True, kw_only=True):
    """An output that is a device: what it is told, by which way, and its rule."""

    told: Told
    way: str
    rule: Rule


def device_output(settings: DeviceSettings, foreign: SiteDevices, ways: Mapping[str, Any]) -> DeviceOutput:
    """The device that an output's settings mean. `SettingsError`: `key: what is wrong`, one a line."""
    way = _way(settings, ways)
    record = foreign.devices.get(settings.device)
    if record is None:
        raise SettingsError(f'device: devices.toml has no device "{settings.device}"')
    profile = foreign.profiles[record.profile]
    usual = _NAMES[settings.does]
    told = Told(
        profile=profile,
        on=_output(profile, "on", settings.on or usual[0]),
        off=_output(profile, "off", settings.off or usual[1]),
        values={},
    )
    carried = told.on.octets is not None or told.off.octets is not None
    bearer = _bearer(record.bearer, foreign) if carried else None
    address = record.address.lower() if carried else record.address
    values = {
        **(bearer.tables.settings if bearer is not None else {}),
        **profile.tables.settings,
        **settings.values,
        "device": address,
    }
    told = replace(told, bearer=bearer, values=values)
    rule = _rule(settings, told)
    _try(told, rule)
    return DeviceOutput(told=told, way=way, rule=rule)


def open_switching(
    settings: Settings,
    foreign: SiteDevices,
    *,
    open_switches: OpenSwitches,
    line: LineOf,
    clock: Clock,
    random_bytes: RandomBytes,
) -> tuple[Switches, dict[str, Rule]]:
    """Every output that is switched, with its rule."""
    wanted = {name: each for name, each in settings.outputs.items() if isinstance(each, SwitchSettings)}
    rules = {name: each.rule() for name, each in wanted.items()}
    made: dict[str, Switch] = {}
    known: dict[str, SwitchSettings] = {}
    for name, each in wanted.items():
        if name in settings.output_faults:
            made[name] = Unusable(settings.output_faults[name])
        elif isinstance(each, DeviceSettings):
            made[name], rules[name] = _device_switch(each, foreign, settings.alarm.devices, line)
        else:
            known[name] = each
    opened = open_switches(known, clock, random_bytes)
    return replace(opened, switches={**opened.switches, **made}), rules


def device_output_faults(settings: Settings, foreign: SiteDevices) -> list[str]:
    """What is wrong with outputs that are devices, `outputs.NAME.key: message` each."""
    found = []
    for name, each in settings.outputs.items():
        if isinstance(each, DeviceSettings):
            try:
                device_output(each, foreign, settings.alarm.devices)
            except SettingsError as error:
                found += [f"outputs.{name}.{line}" for line in str(error).splitlines()]
    return found


def answer_topics(settings: Settings, foreign: SiteDevices, way: str, reply: str) -> tuple[str, ...]:
    """Where devices on that way answer to what they were told."""
    topics: set[str] = set()
    for each in settings.outputs.values():
        if not isinstance(each, DeviceSettings):
            continue
        try:
            made = device_output(each, foreign, settings.alarm.devices)
        except SettingsError:
            continue
        if made.way == way:
            for on in (True, False):
                topics |= made.told.topics(Ask(on=on, request="+"), reply)
    return tuple(sorted(topics))


def output_remarks(faults: Mapping[str, str]) -> list[str]:
    """What the status says of outputs that cannot be relied upon; of many only the first are named."""
    said = [f"outputs.{name}: {fault}" for name, fault in sorted(faults.items())]
    more = len(said) - _MOST_SAID
    return said if more <= 0 else [*said[:_MOST_SAID], f"outputs: {more} more cannot be relied upon"]


def reply_of(client_id: str) -> str:
    """The topic under which answers come to who asked, by the client's name at the broker."""
    return f"{ANSWERS}/{client_id}"


def _device_switch(
    settings: DeviceSettings, foreign: SiteDevices, ways: Mapping[str, Any], line: LineOf
) -> tuple[Switch, Rule]:
    try:
        made = device_output(settings, foreign, ways)
    except SettingsError as error:
        rule = settings.rule()
        return Unusable(str(error).replace("\n", "; ")), replace(rule, within=USUAL_WITHIN)
    switch = DeviceSwitch(told=made.told, line=line(made.way), answered=settings.receipt == "device")
    return switch, made.rule


def _way(settings: DeviceSettings, ways: Mapping[str, Any]) -> str:
    known = [name for name, way in ways.items() if isinstance(way, MQTTDeviceSettings)]
    if settings.way in known:
        return settings.way
    if settings.way or len(known) != 1:
        told = ", ".join(known) or "none"
        raise SettingsError(
            f'way: write the name of one [alarm.devices.NAME] of kind "mqtt"; there is: {told}'
        )
    return known[0]


def _output(profile: Profile, key: str, name: str) -> OutputTable:
    for output in profile.outputs:
        if output.does == name:
            return output
    known = ", ".join(output.does for output in profile.outputs) or "none"
    raise SettingsError(f'{key}: the profile "{profile.id}" has no output "{name}"; there is: {known}')


def _bearer(name: str, foreign: SiteDevices) -> Profile:
    bearer = foreign.profiles.get(name)
    if bearer is None or bearer.tables.bearer is None:
        raise SettingsError("device: devices.toml does not say what carries it; add bearer")
    if bearer.tables.bearer.down is None:
        raise SettingsError(f'device: "{name}" has no [bearer.down]: nothing behind it can be told anything')
    return bearer


def _rule(settings: DeviceSettings, told: Told) -> Rule:
    receipts = [ordering.receipt_of(output) for output in (told.on, told.off)]
    within = max((each.within for each in receipts if each is not None), default=0.0)
    if told.bearer is not None:
        within = max(within, CARRIED_WITHIN)
    pulse = settings.pulse or told.on.pulse or 0.0
    idempotent = settings.idempotent and told.on.idempotent and told.off.idempotent
    named = ordering.names_of(told.on.payload, told.on.octets, told.on.topic)
    exercise = settings.exercise
    if exercise is None and settings.does is Does.SIGN and "text" not in named:
        exercise = DrillVariant.WITHHELD  # without a text nobody could tell it from what is real
    rule = settings.rule()
    if rule.exercise is DrillVariant.CHIRP and not idempotent:
        raise SettingsError('exercise: what must not be switched twice cannot chirp; write "withheld"')
    said = {**told.on.defaults, **told.values}.get("seconds", 0) if "seconds" in named else 0
    seconds = said if isinstance(said, int | float) else 0
    return replace(
        rule,
        within=settings.within or min(within or USUAL_WITHIN, LONGEST_WITHIN),
        pulse=pulse,
        idempotent=idempotent,
        exercise=exercise or rule.exercise,
        refresh=max(seconds * 2 / 3, 1.0) if seconds and not pulse and idempotent else 0.0,
        slowest=CARRIED_SLOWEST if told.bearer is not None else rule.slowest,
    )


def _try(told: Told, rule: Rule) -> None:
    """Write an order of every kind, so that what is missing is said before it is needed."""
    asks = [_ask(on=True, seconds=rule.pulse), _ask(on=True, exercise=True), _ask(on=False)]
    for ask in asks:
        try:
            told.sending(ask, told.values_of(ask, "belltower"))
            told.topics(ask, "belltower")
        except ValueError as error:
            raise SettingsError(f"values: {error}") from None


def _ask(*, on: bool, seconds: float = 0.0, exercise: bool = False) -> Ask:
    return Ask(on=on, request="0" * 16, seconds=seconds, exercise=exercise)
