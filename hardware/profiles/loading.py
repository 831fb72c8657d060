"""TOML files into profiles. Every fault is named by file, table and key, with how to mend it; none hides another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from belltower.errors import SettingsError
from belltower.values import Reader
from hardware.profiles import examples
from hardware.profiles.compiled import Profile
from hardware.profiles.match import Conditions
from hardware.profiles.profile import Document, OutputTable, ReceiptTable

SHIPPED = Path(__file__).parent / "shipped"
"""The profiles that come with Belltower."""

_TOGGLE = re.compile(r"(?<![A-Za-z0-9])toggle(?![A-Za-z0-9_])|_toggle\b", re.IGNORECASE)


def load(file: Path, *, settings: Mapping[str, str] | None = None) -> Profile:
    """The profile of one file, its examples run.

    `settings` are the site's own words for the names under [settings], the base topic of a bridge for instance.

    Raises:
        SettingsError: every fault, one a line.
    """
    reader = Reader(file=file)
    tables = reader.load()
    if isinstance(tables.get("decode"), dict):
        tables["decode"] = [tables["decode"]]
    if tables and "profile" not in tables:
        reader.fault("profile", 'missing; begin with [profile], id = ".." and class = ".."')
    taken = reader.take(Document, tables, "") if tables and not reader.faults else None
    if not tables and not reader.faults:
        reader.fault("", "is empty; `belltower profile new ID` writes one to begin with")
    reader.raise_if_faulty()
    if taken is None:
        raise SettingsError(f"{file}: cannot be used")
    if settings:
        known = {name: settings.get(name, value) for name, value in taken.settings.items()}
        taken = _with_settings(taken, known)
    outputs: list[str] = []
    for number, output in enumerate(taken.output, start=1):
        outputs += [f"output[{number}].{fault}" for fault in _output_faults(output)]
    for line in outputs:
        reader.fault(*line.split(": ", 1))
    try:
        made = Profile(taken, digest=hashlib.sha256(file.read_bytes()).hexdigest()[:12], file=str(file))
    except ValueError as error:
        for line in str(error).splitlines():
            at, _, text = line.partition(": ")
            reader.fault(at, text)
        reader.raise_if_faulty()
        raise SettingsError(str(error)) from None
    reader.raise_if_faulty()
    if not settings:
        for line in examples.faults(made):
            at, _, text = line.partition(": ")
            reader.fault(at, text)
    reader.raise_if_faulty()
    return made


def load_all(folders: Iterable[Path]) -> dict[str, Profile]:
    """Every profile of these folders and files, by id; of two with one id the later folder's is taken.

    Raises:
        SettingsError: the faults of all of them, one a line: one refused profile refuses them all.
    """
    made: dict[str, Profile] = {}
    faults: list[str] = []
    for folder in folders:
        here: dict[str, str] = {}
        for file in files_of(folder):
            try:
                profile = load(file)
            except SettingsError as error:
                faults.append(str(error))
                continue
            if profile.id in here:
                faults.append(
                    f'{file}: profile.id: "{profile.id}" stands in {here[profile.id]} too; give it another'
                )
            here[profile.id] = str(file)
            made[profile.id] = profile
    if faults:
        raise SettingsError("\n".join(faults))
    return made


@cache
def shipped() -> Mapping[str, Profile]:
    """The profiles that come with Belltower, by id; they are read once in a process."""
    return MappingProxyType(load_all([SHIPPED]))


def files_of(folder: Path) -> list[Path]:
    """The profiles of a folder in order, or the one file.

    Raises:
        SettingsError: there is no such file or folder, or what is called like a profile is no file.
    """
    if folder.is_dir():
        found = sorted(folder.glob("*.toml"))
        if odd := next((each for each in found if not each.is_file()), None):
            raise SettingsError(f"{odd}: is no file that can be read; take it away")
        return found
    if not folder.is_file():
        raise SettingsError(f"{folder}: there is no such file or folder")
    return [folder]


def _with_settings(tables: Document, settings: dict[str, str]) -> Document:
    values = {name: getattr(tables, name) for name in tables.__struct_fields__}
    return Document(**{**values, "settings": settings})


def _output_faults(output: OutputTable) -> list[str]:
    """What is wrong with an output; each begins with its key."""
    found = []
    said = json.dumps([output.topic, output.payload, output.exercise, output.does])
    if _TOGGLE.search(said):
        found.append(
            "payload: TOGGLE does something else each time it is repeated; send the state that is wanted"
        )
    if output.octets is not None and output.port is None:
        found.append("port: missing; bytes go to a port of the device")
    if output.payload is not None and not output.topic:
        found.append("topic: missing; where the payload goes")
    if output.receipt == "none":
        return found
    if not isinstance(output.receipt, dict):
        found.append('receipt: write what proves it, { match = { .. } }, or "none": shown as "not confirmed"')
        return found
    inner = Reader(file=Path("receipt"), name="")
    receipt = inner.take(ReceiptTable, output.receipt, "receipt")
    if receipt is None:
        return [*found, *(fault.removeprefix(": ") for fault in inner.faults)]
    if not receipt.match:
        found.append("receipt.match: missing; what the answer must say, the request's id for instance")
    for name, table in (("match", receipt.match), ("fail", receipt.fail)):
        try:
            Conditions(table)
        except ValueError as error:
            found.append(f"receipt.{name}: {error}")
    return found
