"""Reads the files of a site package one by one, and then holds them against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace

from belltower.errors import SettingsError
from belltower.ids import PersonId, PlaceId
from belltower.incident.plan import ResponsePlan
from belltower.people import Person
from belltower.people.grant import SHIPPED, Role
from belltower.values import Reader
from gateway.site_package.checks import take_file
from gateway.site_package.devices import SiteDevices, load_devices
from gateway.site_package.drills import load_authorisers
from gateway.site_package.package import SitePackage
from gateway.site_package.people import take_people
from gateway.site_package.places import Site, places_of
from gateway.site_package.response import check_response, take_audiences
from gateway.site_package.roles import FILE as ROLES
from gateway.site_package.roles import load_roles
from gateway.site_package.units import take_units
from gateway.site_package.wording import judge, read_wording
from notify.quiet import quiet_of

_FILES = ("site.toml", "units.toml", "people.toml", "response.toml", "audiences.toml")
_DEVICES = "devices.toml"
_DRILLS = "drills.toml"
_MAY_LACK = (_DEVICES, _DRILLS, ROLES)


def load(folder: Path, *, linted: bool = True) -> SitePackage:
    """The site package in `folder`; SettingsError names every fault in it, one a line.

    `linted=False` lets its texts say what they say: for one that an earlier program found in order.
    """
    package = _Loader(folder=folder, linted=linted).load()
    if isinstance(package, SitePackage):
        return package
    raise SettingsError("\n".join(package))


def revision(folder: Path) -> str:
    """The hash of what a folder holds, whether or not it can be used."""
    digest = hashlib.sha256()
    for file in content(folder):
        body = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()[:12]


def content(folder: Path) -> list[Path]:
    """The files of a package, in order."""
    return sorted([*folder.glob("*.toml"), *folder.glob("wording/*.toml"), *folder.glob("profiles/*.toml")])


class _Loader:
    """Holds the reader of each file, and what is wrong with what no reader reads."""

    def __init__(self, *, folder: Path, linted: bool) -> None:
        self._folder = folder
        self._linted = linted
        self._readers = {file: Reader(file=folder / file, name=f"{folder.name}/{file}") for file in _FILES}
        self._others: list[str] = []

    def load(self) -> SitePackage | list[str]:
        """The package, or every fault in it."""
        if not self._folder.is_dir():
            return [f"{self._folder}: there is no such folder; name the site package with [site] folder"]
        self._strangers()
        readers = self._readers
        site = take_file(readers["site.toml"], Site)
        places = places_of(readers["site.toml"], site) if site is not None else None
        units = take_units(readers["units.toml"], places)
        staff = take_people(readers["people.toml"], places)
        response = take_file(readers["response.toml"], ResponsePlan)
        audiences = take_audiences(readers["audiences.toml"])
        wording, faults = read_wording(self._folder, linted=self._linted)
        self._others += faults
        foreign = self._foreign(places)
        authorisers = self._authorisers(staff)
        roles = self._roles()
        if site is not None and places is not None and wording is not None and self._linted:
            self._others += judge(
                wording,
                site.wording,
                reader=readers["site.toml"],
                folder=self._folder.name,
                school=site.name,
                phone=site.telephone,
                places=places,
            )
        if response is not None and wording is not None:
            check_response(
                readers["response.toml"], response, audiences=audiences, staff=staff or {}, wording=wording
            )
        faults = [fault for reader in readers.values() for fault in reader.faults] + self._others
        if faults or site is None or places is None or staff is None or response is None or wording is None:
            return faults
        return SitePackage(
            id=site.id,
            name=site.name,
            campus=site.campus,
            timezone=site.timezone,
            quiet=quiet_of(site.quiet) if site.quiet else None,
            schools=site.schools,
            on_earth=site.on_earth,
            revision=revision(self._folder),
            buildings={building.id: building for building in site.building},
            places=places,
            units=units,
            foreign=foreign,
            people={id_: replace(person, schools=site.schools) for id_, person in staff.items()},
            authorisers=authorisers,
            roles=roles,
            response=response,
            audiences=audiences,
            wording=wording,
            wants=site.wording,
        )

    def _strangers(self) -> None:
        """A file that is none of a package is a slip of somebody's hand."""
        for file in content(self._folder):
            name = file.relative_to(self._folder).as_posix()
            if name not in (*_FILES, *_MAY_LACK) and not name.startswith(("wording/", "profiles/")):
                known = ", ".join((*_FILES, *_MAY_LACK))
                self._others.append(
                    f"{self._folder.name}/{name}: not a file of a site package; known are {known}, wording/ and profiles/"
                )

    def _foreign(self, places: Mapping[PlaceId, object] | None) -> SiteDevices:
        """The foreign devices; a package without any needs no file of them."""
        if not (self._folder / _DEVICES).exists() and not (self._folder / "profiles").is_dir():
            return SiteDevices()
        foreign, faults = load_devices(self._folder, self._optional(_DEVICES), places)
        self._others += faults
        return foreign

    def _authorisers(self, staff: Mapping[PersonId, Person] | None) -> dict[str, Ed25519PublicKey]:
        if not (self._folder / _DRILLS).exists():
            return {}
        return load_authorisers(self._optional(_DRILLS), staff)

    def _roles(self) -> Mapping[str, Role]:
        if not (self._folder / ROLES).exists():
            return SHIPPED
        return load_roles(self._optional(ROLES))

    def _optional(self, file: str) -> Reader:
        """The reader of a file that a package may lack."""
        reader = self._readers[file] = Reader(file=self._folder / file, name=f"{self._folder.name}/{file}")
        return reader
