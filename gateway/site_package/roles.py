"""What the functions of this school may do: `roles.toml` of the site package.

    [office]
    rights = ["notice-write", "notice-send", "people-see"]

A table gives a shipped role other rights, or adds a role. The administrator has every right, whatever a school writes:
somebody must be able to mend the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from belltower.people.grant import ADMINISTRATOR, SHIPPED, Right, Role
from belltower.values import Reader

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class _Role(Struct, frozen=True, kw_only=True):
    rights: tuple[str, ...]


FILE = "roles.toml"
"""Where a site package has them."""


def roles_in(folder: Path) -> Mapping[str, Role]:
    """The roles of a site package, of which nothing else is read. Raises `SettingsError`."""
    if not (folder / FILE).exists():
        return SHIPPED
    reader = Reader(file=folder / FILE)
    roles = load_roles(reader)
    reader.raise_if_faulty()
    return roles


def load_roles(reader: Reader) -> dict[str, Role]:
    """The shipped roles, and what the file says; faults go to the reader."""
    roles = dict(SHIPPED)
    for name, table in reader.load().items():
        if name == ADMINISTRATOR:
            reader.fault(name, "has every right and stays as it is; give another name to a smaller role")
        elif not _NAME.fullmatch(name):
            reader.fault(name, 'a role is written as "front-desk": small letters, digits and dashes')
        elif not _has_form(table):
            reader.fault(
                name, 'a role is a table: [front-desk], and in it rights = ["notice-write", "people-see"]'
            )
        elif (taken := reader.take(_Role, table, name)) is not None:
            roles[name] = Role(name=name, rights=_rights(reader, name, taken.rights))
    return roles


def _has_form(table: object) -> bool:
    if not isinstance(table, dict):
        return False
    rights = table.get("rights")
    return not isinstance(rights, list) or all(isinstance(right, str) for right in rights)


def _rights(reader: Reader, name: str, written: tuple[str, ...]) -> frozenset[Right]:
    known = [right.value for right in Right]
    for right in written:
        if right not in known:
            near = get_close_matches(right, known, n=1)
            meant = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
            reader.fault(f"{name}.rights", f'there is no right "{right}"; {meant}')
    return frozenset(Right(right) for right in written if right in known)
