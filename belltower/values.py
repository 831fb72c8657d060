"""How TOML files become records: every fault is named, none hides another.

A room writes its settings as a frozen `Struct`; `Reader.take` fills it from a table, one key at a time, and collects
what is wrong as lines `FILE: table.key: fault; mend`. Durations are written with their unit (`"90s"`, `"250ms"`,
`"2h"`), sizes too (`"64KiB"`), paths are relative to the file they stand in, and a secret is never written down but
named: `{ file = "key" }` or `{ env = "KEY" }`.
"""

from __future__ import annotations

import hmac
import os
import re
import types
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from belltower.errors import SettingsError

S = TypeVar("S", bound=Struct)

Seconds = Annotated[float, Meta(ge=0, extra={"written": "duration"})]
"""A duration: seconds in code, `"90s"` in files."""

Octets = Annotated[int, Meta(ge=0, extra={"written": "size"})]
"""A size: octets in code, `"64KiB"` in files."""

Port = Annotated[int, Meta(ge=1, le=65_535, extra={"expected": "a port, 1 to 65535"})]
"""A port of TCP."""

Count = Annotated[int, Meta(ge=1, extra={"expected": "a whole number, 1 or more"})]
"""How many at once, where none at all would do nothing."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|kB|MB|GB)?")
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


_FOUND: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    dict: "a table",
    list: "a list",
}
_LONGEST_SHOWN = 40
_LIST = 'a list, ["a", "b"] for instance'
_EXPECTED: dict[type, str] = {
    str: 'text in quotes, "abc" for instance',
    bool: "true or false, without quotes",
    int: "a whole number, 5 for instance",
    float: "a number, 1.5 for instance",
    dict: "a table",
    list: _LIST,
    tuple: _LIST,
    frozenset: _LIST,
    set: _LIST,
}


class Secret:
    """A password or key that does not print itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)


def duration(text: str) -> float:
    """Seconds of `"90s"`, `"250ms"`, `"5min"`, `"2h"`; ValueError says how to write it."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f'"{text}" is no duration; write a number and a unit, such as "90s", "250ms" or "5min"'
        )
    return float(found[1]) * _UNITS[found[2]]


def size(text: str) -> int:
    """Octets of `"64KiB"`, `"1MB"`, `"512"`; ValueError says how to write it."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is no size; write a number and a unit, such as "64KiB" or "1MiB"')
    return int(found[1]) * _SIZES[found[2] or "B"]


_KNOWN: dict[type[Any], tuple[msgspec.structs.FieldInfo, ...]] = {}


def _fields(kind: type[Any]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a record, worked out once: a site may have ten thousand of a kind."""
    known = _KNOWN.get(kind)
    if known is None:
        known = _KNOWN[kind] = msgspec.structs.fields(kind)
    return known


class Reader:
    """Turns the tables of one file into records and gathers what is wrong with them."""

    def __init__(
        self,
        *,
        file: Path,
        environ: Mapping[str, str] | None = None,
        name: str = "",
        secrets: bool | Collection[str] = True,
    ) -> None:
        """Read `file`, called `name` in messages.

        With `secrets=False` secrets are named but not opened; with names of tables, those of these tables only are.
        """
        self.file = file
        self.name = name or str(file)
        self.faults: list[str] = []
        self.secrets = secrets
        self.environ = os.environ if environ is None else environ

    def fault(self, at: str, text: str) -> None:
        """Note that the value at `at` (`table.key`) cannot be used; `text` says why and how to mend it."""
        self.faults.append(f"{self.name}: {at}: {text}" if at else f"{self.name}: {text}")

    def raise_if_faulty(self) -> None:
        """Raise SettingsError with every fault found so far, one a line."""
        if self.faults:
            raise SettingsError("\n".join(self.faults))

    def load(self) -> dict[str, Any]:
        """The file's tables; `{}` and a fault where it cannot be read or is not TOML."""
        try:
            tables: dict[str, Any] = msgspec.toml.decode(self.file.read_bytes())
        except OSError as error:
            self.fault("", f"cannot be read ({error.strerror}); create it or give another path")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self.fault(
                "",
                f"octet {error.start} (0x{error.object[error.start]:02x}, line {line}) is not UTF-8; "
                "save the file in UTF-8",
            )
        except (msgspec.DecodeError, ValueError) as error:
            self.fault("", f"is not valid TOML: {error}")
        else:
            return tables
        return {}

    def unknown(self, table: Mapping[str, Any], known: frozenset[str] | set[str], at: str) -> None:
        """Note every key of `table` that is not `known`, with the nearest one that is."""
        for key in table:
            if key not in known:
                near = get_close_matches(key, sorted(known), n=1)
                mend = f'did you mean "{near[0]}"?' if near else "known here: " + ", ".join(sorted(known))
                self.fault(_join(at, key), f"unknown key; {mend}")

    def take(self, kind: type[S], table: Any, at: str) -> S | None:
        """A `kind` filled from `table`; None when something in it is at fault."""
        if not isinstance(table, dict):
            self.fault(at, f"expected a table, found {_found(table)}")
            return None
        before = len(self.faults)
        fields = _fields(kind)
        self.unknown(table, {field.encode_name for field in fields}, at)
        misspelt = len(self.faults)
        values: dict[str, Any] = {}
        for field in fields:
            where = _join(at, field.encode_name)
            if field.encode_name in table:
                values[field.name] = self._value(field.type, table[field.encode_name], where)
            elif field.required:
                self.fault(where, "missing; it has no default")
            elif isinstance(field.default, Path):
                values[field.name] = self.file.parent / field.default
        if len(self.faults) > misspelt:
            return None
        try:
            record = kind(**values)
        except (ValueError, TypeError, SettingsError) as error:  # said by the record's __post_init__
            known = {field.encode_name for field in fields}
            for line in str(error).splitlines():
                key, colon, text = line.partition(": ")
                named = colon and key in known
                self.fault(_join(at, key) if named else at, text if named else line)
            return None
        return None if len(self.faults) > before else record

    def take_kind(self, kinds: Mapping[str, type[Any]], table: Any, at: str) -> Any:
        """The record whose class the table's `kind` picks; None when something in it is at fault."""
        if not isinstance(table, dict):
            self.fault(at, f"expected a table, found {_found(table)}")
            return None
        name = table.get("kind", next(iter(kinds)) if len(kinds) == 1 else None)
        if not isinstance(name, str) or name not in kinds:
            what = "missing" if name is None else f'"{name}" is not known'
            self.fault(_join(at, "kind"), f"{what}; one of: {', '.join(sorted(kinds))}")
            return None
        kind = kinds[name]
        if "kind" not in {field.encode_name for field in _fields(kind)}:
            table = {key: value for key, value in table.items() if key != "kind"}
        return self.take(kind, table, at)

    def _value(self, kind: Any, raw: Any, at: str) -> Any:
        bare, written = _bare(kind)
        origin = get_origin(bare)
        if bare is Secret:
            return self._secret(raw, at)
        if bare is Path:
            return self._path(raw, at)
        if isinstance(bare, type) and issubclass(bare, Struct):
            return self.take(bare, raw, at)
        if origin is dict and isinstance(raw, dict) and _is_struct(get_args(bare)[1]):
            return {
                key: self.take(_bare(get_args(bare)[1])[0], table, _join(at, key))
                for key, table in raw.items()
            }
        if origin in (tuple, list) and isinstance(raw, list) and _is_struct(get_args(bare)[0]):
            inner = _bare(get_args(bare)[0])[0]
            return origin(self.take(inner, table, f"{at}[{n}]") for n, table in enumerate(raw, start=1))
        try:
            if written == "duration" and not isinstance(raw, str):
                self.fault(at, f'a duration needs its unit; write "{raw}s" for instance')
                return None
            if bare is float and isinstance(raw, str) and written == "duration":
                raw = duration(raw)
            elif bare is int and isinstance(raw, str) and written == "size":
                raw = size(raw)
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self.fault(at, _mismatch(kind, raw) or str(error).removesuffix(" - at `$`"))
        except ValueError as error:
            self.fault(at, str(error))
        return None

    def _path(self, raw: Any, at: str) -> Path | None:
        if not isinstance(raw, str) or not raw:
            self.fault(at, f"expected a path as text, found {_found(raw)}")
            return None
        return self.file.parent / Path(raw).expanduser()

    def _opens(self, at: str) -> bool:
        return self.secrets if isinstance(self.secrets, bool) else at.split(".", 1)[0] in self.secrets

    def _secret(self, raw: Any, at: str) -> Secret | None:
        if isinstance(raw, dict) and len(raw) == 1 and (near := _near(raw, ("file", "env"))):
            self.fault(_join(at, next(iter(raw))), f'unknown key; did you mean "{near}"?')
            return None
        if not isinstance(raw, dict) or len(raw) != 1 or next(iter(raw)) not in ("file", "env"):
            # What stands there may be the secret itself, so it is not repeated.
            self.fault(at, 'a secret is not written here; name it: { file = "path" } or { env = "NAME" }')
            return None
        way, name = next(iter(raw.items()))
        if not isinstance(name, str) or not name:
            self.fault(_join(at, way), f"expected text, found {_found(name)}")
            return None
        if not self._opens(at):
            return Secret("")
        if way == "env":
            value = self.environ.get(name, "")
            if not value:
                self.fault(_join(at, way), f"the environment has no {name}; set it before the start")
                return None
            return Secret(value)
        path = self.file.parent / Path(name).expanduser()
        try:
            mode = path.stat().st_mode & 0o777
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
            self.fault(_join(at, way), f"{path} cannot be read ({reason}); create it with mode 0600")
            return None
        if not value:
            self.fault(_join(at, way), f"{path} is empty; write the secret into it")
            return None
        if mode & 0o077:
            self.fault(
                _join(at, way), f"{path} may be read by others (mode {mode:04o}); run: chmod 600 {path}"
            )
            return None
        return Secret(value)


def _join(at: str, key: str) -> str:
    part = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
    return f"{at}.{part}" if at else part


def _found(raw: Any) -> str:
    return _FOUND.get(type(raw), type(raw).__name__)


def _shown(raw: Any, wanted: Any) -> str:
    """The value itself, where it is of the right kind and only its form is wrong."""
    if isinstance(raw, str) and str in (wanted, get_origin(wanted)):
        return f'"{raw if len(raw) <= _LONGEST_SHOWN else raw[:_LONGEST_SHOWN] + ".."}"'
    return str(raw) if isinstance(raw, int | float) else _found(raw)


def _near(table: Mapping[str, Any], known: tuple[str, ...]) -> str:
    """The known key that the only one of `table` was meant for; "" where it is one of them, or none is near."""
    key = next(iter(table))
    return "" if key in known else next(iter(get_close_matches(key, known, n=1)), "")


def _mismatch(kind: Any, raw: Any) -> str:
    """What would have been right in place of `raw`, in words of the file; "" where we have none."""
    bare, _ = _bare(kind)
    if expected := _extra(kind, "expected"):
        return f"expected {expected}, found {_shown(raw, bare)}"
    choices: tuple[Any, ...] = ()
    if get_origin(bare) is Literal:
        choices = get_args(bare)
    elif isinstance(bare, type) and issubclass(bare, Enum):
        choices = tuple(member.value for member in bare)
    if choices:
        what = f'"{raw}" is not known' if isinstance(raw, str) else f"expected text, found {_found(raw)}"
        return f"{what}; one of: {', '.join(map(str, choices))}"
    origin = get_origin(bare) or bare
    expected = _EXPECTED.get(origin, "") if isinstance(origin, type) else ""
    if not expected or _found(raw) == _FOUND.get(origin):  # what is wrong lies deeper
        return ""
    return f"expected {expected}, found {_found(raw)}"


def _extra(kind: Any, name: str) -> str:
    """What a `Meta` of `kind` says under `name`."""
    if get_origin(kind) in (Union, types.UnionType):
        return next((said for part in get_args(kind) if (said := _extra(part, name))), "")
    metas = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((str(meta.extra[name]) for meta in metas if meta.extra and name in meta.extra), "")


def _bare(kind: Any) -> tuple[Any, str]:
    """The type without `Annotated` and `| None`, and how it is written in files."""
    written = ""
    if get_origin(kind) is Annotated:
        kind, *metas = get_args(kind)
        for meta in metas:
            if isinstance(meta, Meta) and meta.extra:
                written = meta.extra.get("written", written)
    if get_origin(kind) in (Union, types.UnionType):
        rest = [part for part in get_args(kind) if part is not types.NoneType]
        if len(rest) == 1:
            bare, inner = _bare(rest[0])
            return bare, written or inner
    return kind, written


def _is_struct(kind: Any) -> bool:
    bare = _bare(kind)[0]
    return isinstance(bare, type) and issubclass(bare, Struct)
