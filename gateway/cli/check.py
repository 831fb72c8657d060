"""`belltower check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from belltower.errors import LinkError, SettingsError
from gateway.cli.output import config_option, emit, json_option, table

if TYPE_CHECKING:
    from belltower.incident.plan import ResponsePlan
    from gateway.settings import BrokerSettings, ListenerSettings, Settings, WebSettings
    from gateway.site_package import SitePackage


@click.command(short_help="Read settings and site package as the lanes do; list every fault.")
@config_option
@click.option("--site", type=click.Path(path_type=Path), help="Another site package than the settings name.")
@click.option(
    "--without-secrets", is_flag=True, help="Open no secret, key or certificate: for another machine."
)
@json_option
def command(config: Path, site: Path | None, *, without_secrets: bool, as_json: bool) -> None:
    """Read settings and site package as the lanes do, and list every fault there is.

    \b
    Examples:
      belltower check --config config.toml
      belltower check --config config.toml --site next-site --without-secrets

    Exits with 78 when there is a fault; with --json each is an object of file, key and message. Remarks are no faults: the lanes start all the same.
    """
    from gateway import settings as rooms
    from gateway import site_package
    from gateway.channel_proofs import misplaced_tests
    from gateway.device_wires import device_keys
    from gateway.intake.devices.wires import unwired
    from gateway.switch_wires import device_output_faults
    from notify.wording import address_fault, all_faults

    faults: list[str] = []
    settings: Settings | None = None
    package: SitePackage | None = None
    try:
        settings = rooms.load(config, secrets=not without_secrets)
    except SettingsError as error:
        faults += str(error).splitlines()
    paths = rooms.named_paths(config)
    folder = site or (paths[0] if paths else None)
    if folder is not None:
        try:
            package = site_package.load(folder)
        except SettingsError as error:
            faults += str(error).splitlines()
    if settings is not None and not without_secrets:
        faults += file_faults(settings)
    elif paths and not without_secrets:
        faults += _key_faults(config, paths[1])
    if package is not None:
        faults += [f"{folder}/{line}" for line in all_faults(package.wording)]
    if settings is not None and package is not None:
        if fault := address_fault(settings.desk.web.url, package.wants.domains):
            faults.append(f"{config}: desk.web.public_url: {fault}")
        foreign, ways = package.foreign, settings.alarm.devices
        keys, unread = (None, "") if without_secrets else device_keys(settings)
        faults += unread.splitlines()
        loose = unwired(foreign.devices.values(), profiles=foreign.profiles, ways=ways, keys=keys)
        faults += [f"{config}: {line}" for line in (*settings.unplaced(package.places), *loose)]
        faults += [f"{config}: {line}" for line in device_output_faults(settings, foreign)]
        faults += [f"{config}: {line}" for line in misplaced_tests(settings, package.people)]
        faults += [f"{folder}/devices.toml: {line}" for line in shared_users(settings, package)]
        faults += [f"{folder}/response.toml: {line}" for line in not_told_apart(settings, package.response)]
    if faults and as_json:
        for line in faults:
            emit(_fault(line))
        sys.exit(78)
    if faults:
        raise SettingsError("\n".join(faults))
    if settings is None or package is None:
        raise SettingsError(f"{config}: nothing to check")
    remarks = _remarks(settings, package, without_secrets=without_secrets)
    if as_json:
        emit({"settings": str(config), **_summary(settings, package), "remarks": remarks})
        return
    table(
        f"{config}: in order",
        ("", ""),
        [(name, value) for name, value in _summary(settings, package).items()],
    )
    for remark in remarks:
        click.echo(f"remark: {remark}")


def _summary(settings: Settings, package: SitePackage) -> dict[str, str]:
    from gateway.site_package.wording import languages

    alarm = settings.alarm
    listener = alarm.mqtt_listener
    return {
        "site": f"{package.name} ({package.id}), revision {package.revision}",
        "buildings": ", ".join(package.buildings) or "none",
        "places": str(len(package.places)),
        "units": str(len(package.units)),
        "devices": str(len(package.foreign.devices)),
        "own profiles": ", ".join(
            f"{name} ({package.foreign.profiles[name].hash})" for name in package.foreign.own
        )
        or "none",
        "people": str(len(package.people)),
        "roles": ", ".join(package.roles),
        "drill authorisers": ", ".join(package.authorisers) or "none",
        "languages": ", ".join(languages(package.wording)),
        "mqtt listener": f"{listener.bind}:{listener.tcp_port}{'' if listener.certificate else ', no TLS'}"
        if listener
        else "off",
        "mqtt brokers": ", ".join(alarm.mqtt_broker) or "none",
        "unit radios": ", ".join(alarm.radio) or "none",
        "ways of devices": ", ".join(_hearing(settings)) or "none",
        "psap links": ", ".join(settings.psap_links),
        "channels": ", ".join(settings.channels) or "none",
        "outputs": ", ".join(settings.outputs) or "none",
        "page": settings.desk.web.url,
    }


def _hearing(settings: Settings) -> list[str]:
    """The ways of devices that are ways in."""
    from gateway.device_wires import kind_of

    return [name for name, way in settings.alarm.devices.items() if kind_of(way)]


def shared_users(settings: Settings, package: SitePackage) -> list[str]:
    """Why two would be one user of a broker that devices speak through; empty: there is none, or no such broker."""
    from gateway.broker_config import BrokerPlan
    from gateway.broker_users import shared_names
    from gateway.intake.devices.settings import MQTTDeviceSettings

    ways = [way for way in settings.alarm.devices.values() if isinstance(way, MQTTDeviceSettings)]
    if not ways:
        return []
    usual = BrokerPlan()
    ours = [usual.username, usual.devices_username, *(way.username for way in ways)]
    ours += [broker.username for broker in settings.alarm.mqtt_broker.values()]
    taken = {str(name): f"the unit {name}" for name in package.units}
    return shared_names(package.foreign, {**taken, **dict.fromkeys(ours, "us")})


def untried_links(settings: Settings) -> list[str]:
    """The links whose kind was never on the air here: vector-tested."""
    return [name for name, link in settings.psap_links.items() if getattr(link, "VECTOR_TESTED", False)]


def file_faults(settings: Settings) -> list[str]:
    """What is wrong with the files that the settings name: not there, not readable, not fitting each other."""
    named: dict[str, ListenerSettings | BrokerSettings | WebSettings] = {
        "desk.web": settings.desk.web,
        **{f"alarm.mqtt_broker.{n}": b for n, b in settings.alarm.mqtt_broker.items()},
    }
    missing_of_ways = [
        f"{settings.file}: alarm.devices.{name}.{key}: there is no file {path}"
        for name, way in settings.alarm.devices.items()
        for key in ("ca", "certificate", "private_key")
        if (path := getattr(way, key, None)) is not None and not path.is_file()
    ]
    if settings.alarm.mqtt_listener is not None:
        named["alarm.mqtt_listener"] = settings.alarm.mqtt_listener
    faults = []
    for at, record in named.items():
        missing = [
            f"{settings.file}: {at}.{key}: there is no file {path}"
            for key in ("ca", "certificate", "private_key")
            if (path := getattr(record, key, None)) is not None and not path.is_file()
        ]
        faults += missing
        if not missing and record.tls is not None:
            try:
                record.tls()
            except LinkError as error:
                faults.append(f"{settings.file}: {at}: {error}")
    if unwritable := settings.state.unwritable():
        faults.append(f"{settings.file}: state.folder: {unwritable}")
    return faults + missing_of_ways + _key_faults(settings.file, settings.unit_keys)


def not_told_apart(settings: Settings, response: ResponsePlan) -> list[str]:
    """The sirens and strobes that would be the same for a lockdown and for an action that is less than one."""
    from belltower.incident.facts import Action
    from gateway.outputs.rules import Does

    both = set(response.outputs.get(Action.SECURE, ())) & set(response.outputs.get(Action.LOCKDOWN, ()))
    same = {name: getattr(settings.outputs.get(name), "does", None) for name in sorted(both)}
    return [
        f"outputs: {name} is a {does} for secure and for lockdown: nobody could tell which; take it from one of them, or"
        " give each its own"
        for name, does in same.items()
        if does in (Does.SIREN, Does.STROBE)
    ]


def _key_faults(file: Path, keys: Path) -> list[str]:
    """What is wrong with the file of unit keys."""
    from hardware.unit_keys import read_keys

    if not keys.is_file():
        return [
            f"{file}: alarm.unit_keys: there is no file {keys}; make it with: belltower units keys",
        ]
    try:
        read_keys(keys)
    except SettingsError as error:
        return str(error).splitlines()
    return []


def _fault(line: str) -> dict[str, str]:
    """The parts of `FILE: table.key: message`; where no key is at fault, `key` is empty."""
    file, _, rest = line.partition(": ")
    key, _, message = rest.partition(": ")
    if not message or " " in key:
        key, message = "", rest
    return {"file": file, "key": key, "message": message}


def _unheard(package: SitePackage) -> str:
    """Whether nobody in particular hears of a notice that one person let go; "": somebody does."""
    from notify.audience import resolve
    from notify.draft import ADMINISTERING, ADMINISTRATORS

    rule = package.audiences.get(ADMINISTRATORS, ADMINISTERING)
    if resolve(rule, package.people.values(), at=None, places={}).recipients:
        return ""
    return (
        f"nobody of the audience {ADMINISTRATORS} has an address; a notice that one person sends alone is told to all "
        "staff"
    )


def _own_schools(settings: Settings, package: SitePackage) -> str:
    """Whether the campus's schools are not the roster's; "" too where that cannot be seen from here: the desk says it."""
    import asyncio

    from belltower.errors import StoreError
    from gateway.own_schools import seen

    if settings.desk.database or not settings.state.desk_database.is_file():
        return ""
    try:
        return asyncio.run(seen(settings.desk_url, package.schools))
    except StoreError:
        return ""


def _remarks(settings: Settings, package: SitePackage, *, without_secrets: bool) -> list[str]:
    from msgspec.structs import replace

    from gateway.site_package.wording import void_approvals
    from hardware.unit_record import Bearer
    from notify.wording import unread

    remarks = []
    alarm = settings.alarm
    if not alarm.radio and any(unit.bearer is not Bearer.MQTT for unit in package.units.values()):
        remarks.append("some units travel by radio, and the settings have no [alarm.radio.NAME]")
    if alarm.mqtt_listener is None and not alarm.mqtt_broker:
        remarks.append("units over MQTT reach nobody: there is neither a listener nor a broker")
    if package.foreign.devices and not _hearing(settings):
        remarks.append("foreign devices reach nobody: there is no [alarm.devices.NAME] that hears")
    unbound_devices = [name for name, device in package.foreign.devices.items() if device.place is None]
    if unbound_devices:
        remarks.append(f"devices without a place alarm with the place unknown: {', '.join(unbound_devices)}")
    if untried := untried_links(settings):
        remarks.append(
            f"links tested against published octets only: {', '.join(untried)}; prove them with: belltower psap test"
        )
    if not settings.channels:
        remarks.append("notices go nowhere: there is no [notify.channels.NAME]")
    texts = replace(package.wording, rehearsal=settings.notices.rehearsal)
    remarks += [f"texts in {language}: {why}" for language, why in unread(texts).items()]
    if gone := void_approvals(package.wording):
        remarks.append(
            f"approvals that hold no more, for their texts have changed: {', '.join(gone[:5])}"
            f"{f' and {len(gone) - 5} more' if gone[5:] else ''}; people read English until somebody approves them again"
        )
    if unheard := _unheard(package):
        remarks.append(unheard)
    if unlike := _own_schools(settings, package):
        remarks.append(unlike)
    response = package.response
    named = {*response.panic.outputs, *response.medical.outputs}
    named.update(*response.outputs.values())
    if missing := sorted(named - set(settings.outputs)):
        remarks.append(f"response.toml names outputs that the settings have not: {', '.join(missing)}")
    zones = {place.paging for place in package.places.values() if place.paging}
    if silent := sorted(zones - set(settings.outputs)):
        remarks.append(f"site.toml names paging that the settings have no output for: {', '.join(silent)}")
    if settings.outputs and (mute := settings.speech.speaker().fault()):
        remarks.append(mute)
    unbound = [unit.id for unit in package.units.values() if unit.place is None]
    if unbound:
        remarks.append(f"units without a place alarm with the place unknown: {', '.join(unbound)}")
    if not without_secrets:
        from hardware.unit_keys import read_keys

        keys = read_keys(settings.unit_keys)
        keyless = [unit.id for unit in package.units.values() if unit.number not in keys]
        if keyless:
            remarks.append(
                f"units without a key cannot be heard: {', '.join(keyless)}; run belltower units keys"
            )
    return remarks
