"""The devices of a site package: `devices.toml`, and the site's own profiles in `profiles/`.

A profile of the site stands in for a shipped one of the same id. A faulty profile refuses the package whole, with
every fault of it named; so does a device whose profile, place or parent is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.ids import PlaceId
from belltower.values import Reader, Seconds
from gateway.site_package.checks import ID, check_id, check_place, check_unique, numbered, take_file
from hardware.device_record import DeviceRecord
from hardware.profiles.compiled import Profile
from hardware.profiles.loading import load, load_all, shipped

_LONGEST_ADDRESS = 256
_LEAST_HEARTBEAT = 5.0


class _Variant(Struct, frozen=True, kw_only=True):
    """A profile under another name, with words of the site's own: a second bridge with a base topic of its own."""

    id: str
    profile: str
    settings: dict[str, str] = {}


class _Device(Struct, frozen=True, kw_only=True):
    id: str
    profile: str
    address: str
    bearer: str = ""
    place: PlaceId | None = None
    parent: str = ""
    heartbeat: Seconds = 0.0
    unattended_call: bool = False


class _Devices(Struct, frozen=True, kw_only=True):
    variant: tuple[_Variant, ...] = ()
    device: tuple[_Device, ...] = ()


class SiteDevices(Struct, frozen=True, kw_only=True):
    """What the package says of foreign devices, checked."""

    # By id; the shipped ones, the site's own, and the variants.
    profiles: dict[str, Profile] = {}
    devices: dict[str, DeviceRecord] = {}
    # The ids of the site's own profiles and variants.
    own: tuple[str, ...] = ()


def load_devices(
    folder: Path, reader: Reader, places: Mapping[PlaceId, object] | None
) -> tuple[SiteDevices, list[str]]:
    """The devices of the package in `folder`; faults of profiles are returned, all others noted in `reader`."""
    profiles, own, faults = _profiles(folder)
    taken = take_file(reader, _Devices)
    if taken is None:
        return SiteDevices(profiles=profiles, own=own), faults
    made = _variants(taken.variant, reader, profiles)
    own = (*own, *made)
    profiles = {**profiles, **made}
    _check(taken.device, reader, profiles, places, sure=not faults)
    return (
        SiteDevices(
            profiles=profiles,
            own=own,
            devices={
                each.id: DeviceRecord(
                    id=each.id,
                    profile=each.profile,
                    address=each.address,
                    bearer=each.bearer,
                    place=each.place,
                    parent=each.parent,
                    heartbeat=each.heartbeat,
                    unattended_call=each.unattended_call,
                )
                for each in taken.device
            },
        ),
        faults,
    )


def _profiles(folder: Path) -> tuple[dict[str, Profile], tuple[str, ...], list[str]]:
    own: dict[str, Profile] = {}
    faults: list[str] = []
    if (folder / "profiles").is_dir():
        try:
            own = load_all([folder / "profiles"])
        except SettingsError as error:
            name = f"{folder.name}/profiles"
            faults = [line.replace(str(folder / "profiles"), name) for line in str(error).splitlines()]
    return {**shipped(), **own}, tuple(own), faults


def _variants(
    variants: Iterable[_Variant], reader: Reader, profiles: Mapping[str, Profile]
) -> dict[str, Profile]:
    made: dict[str, Profile] = {}
    for at, variant in numbered("variant", variants):
        base = profiles.get(variant.profile)
        if not ID.fullmatch(variant.id) or variant.id in profiles or variant.id in made:
            reader.fault(
                f"{at}.id", f'"{variant.id[:60]}" is no id of its own; use small letters, digits, hyphens'
            )
            continue
        if base is None:
            reader.fault(f"{at}.profile", _unknown(variant.profile, profiles))
            continue
        known = base.tables.settings
        strange = [name for name in variant.settings if name not in known]
        if strange:
            reader.fault(
                f"{at}.settings.{strange[0]}",
                f'the profile "{base.id}" has no such setting; known: {", ".join(sorted(known)) or "none"}',
            )
            continue
        made[variant.id] = renamed(base, variant.id, variant.settings)
    return made


def renamed(base: Profile, name: str, settings: Mapping[str, str]) -> Profile:
    """The same profile with the site's words, under a name of its own. Its hash is that of its file."""
    again = load(Path(base.file), settings=settings)
    tables = again.tables
    values = {field: getattr(tables, field) for field in tables.__struct_fields__}
    head = {field: getattr(tables.profile, field) for field in tables.profile.__struct_fields__}
    values["profile"] = type(tables.profile)(**{**head, "id": name})
    return Profile(type(tables)(**values), digest=again.hash, file=again.file)


def _check(
    devices: tuple[_Device, ...],
    reader: Reader,
    profiles: Mapping[str, Profile],
    places: Mapping[PlaceId, object] | None,
    *,
    sure: bool,
) -> None:
    names = {each.id for each in devices}
    check_unique(reader, "device", [each.id for each in devices], "id")
    addresses: dict[tuple[str, str], int] = {}
    for number, each in enumerate(devices, start=1):
        at = f"device[{number}]"
        check_id(reader, f"{at}.id", each.id)
        profile = profiles.get(each.profile)
        if profile is None and sure:
            reader.fault(f"{at}.profile", _unknown(each.profile, profiles))
        if not 0 < len(each.address) <= _LONGEST_ADDRESS:
            reader.fault(f"{at}.address", "write what the wire calls it: a topic's part, an EUI, a loop")
        carried = profile is not None and bool(profile.layouts)
        key = ("", each.address.lower()) if carried else (each.profile, each.address)
        if (first := addresses.setdefault(key, number)) != number:
            reader.fault(f"{at}.address", f'its address "{each.address}" is that of device[{first}] too')
        if each.bearer and sure and (bearer := profiles.get(each.bearer)) is None:
            reader.fault(f"{at}.bearer", _unknown(each.bearer, profiles))
        elif each.bearer and sure and bearer is not None and bearer.bearer is None:
            reader.fault(f"{at}.bearer", f'"{each.bearer}" carries no other devices; leave it out')
        check_place(reader, f"{at}.place", each.place, places)
        if each.heartbeat and each.heartbeat < _LEAST_HEARTBEAT:
            reader.fault(f"{at}.heartbeat", f'shorter than {_LEAST_HEARTBEAT:g} s; write "30s" for instance')
        if each.parent and each.parent not in names:
            reader.fault(
                f"{at}.parent", f'there is no device "{each.parent}"; give the gateway a [[device]] too'
            )
    parents = {each.id: each.parent for each in devices}
    for number, each in enumerate(devices, start=1):
        above, seen = each.parent, {each.id}
        while above and above not in seen:
            seen.add(above)
            above = parents.get(above, "")
        if above == each.id:
            reader.fault(
                f"device[{number}].parent", "it is its own parent; a gateway hangs on nothing of its own"
            )


def _unknown(name: str, profiles: Mapping[str, Profile]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a fault

    near = get_close_matches(name, profiles, n=1)
    mend = f'did you mean "{near[0]}"?' if near else "belltower profile check lists what there is"
    return f'there is no profile "{name}"; {mend}'
