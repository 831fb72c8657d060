"""`[decode]`: bytes of a LoRaWAN model, a radio or a serial line into named fields.

Three means suffice for what is met in the field: fields at fixed places, tag-length-value, and a flag that shifts what
comes after it. Everything must be accounted for: bytes left over, or too few, are not understood.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from belltower.errors import Malformed

MOST_OCTETS = 512


def check_mask(mask: int | None) -> None:
    """ValueError where the mask leaves nothing to look at."""
    if mask is not None and mask <= 0:
        raise ValueError("mask: a whole number above 0, 0x02 for instance")


class FieldTable(Struct, frozen=True, kw_only=True):
    """`field = [{ name = "low", at = 3, mask = 0x80 }]`."""

    name: str
    # From 0; negative ones count from the end.
    at: int
    len: int = 1
    mask: int | None = None
    # To the right, after the mask: `mask = 0xF0, shift = 4`.
    shift: int = 0
    scale: float | None = None
    add: float | None = None
    signed: bool = False
    endian: str = "big"
    # "number", "hex" or "text".
    form: str = "number"
    # May be missing at the end.
    optional: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.len <= 64 or (self.form == "number" and self.len > 8):
            raise ValueError("len: a field has 1 to 64 octets, a number 1 to 8")
        if self.endian not in {"big", "little"}:
            raise ValueError('endian: "big" or "little"')
        if self.form not in {"number", "hex", "text"}:
            raise ValueError('form: "number", "hex" or "text"')
        check_mask(self.mask)


class TLVTable(Struct, frozen=True, kw_only=True):
    """`tlv = [{ tag = "0175", len = 1, name = "battery" }]`."""

    tag: str
    # Octets after the tag; "rest" takes all that follow, "next" reads the length from the next octet.
    len: int | str
    name: str
    mask: int | None = None
    shift: int = 0
    scale: float | None = None
    add: float | None = None
    signed: bool = False
    endian: str = "big"
    form: str = "number"
    # Comes several times: a list.
    many: bool = False
    # Parts of the value, by their places in it; then the value is a table.
    field: tuple[FieldTable, ...] = ()

    def __post_init__(self) -> None:
        try:
            tag = bytes.fromhex(self.tag)
        except ValueError:
            tag = b""
        if not 1 <= len(tag) <= 4:
            raise ValueError('tag: 1 to 4 octets in hexadecimal digits, "0175" for instance')
        if isinstance(self.len, str) and self.len not in {"rest", "next"}:
            raise ValueError('len: a number of octets, "next" or "rest"')
        if isinstance(self.len, int) and not 0 <= self.len <= 255:
            raise ValueError("len: 0 to 255 octets")
        if self.endian not in {"big", "little"}:
            raise ValueError('endian: "big" or "little"')
        if self.form not in {"number", "hex", "text"}:
            raise ValueError('form: "number", "hex" or "text"')
        check_mask(self.mask)


class ShiftTable(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """`shift_if = { at = 1, mask = 0x80, from = 4, by = 4, name = "buffered" }`."""

    at: int
    mask: int
    from_: int
    by: int
    name: str = ""

    def __post_init__(self) -> None:
        check_mask(self.mask)


class DecodeTable(Struct, frozen=True, kw_only=True):
    """One layout; several are tried in order, the first that fits by port, beginning and length is taken."""

    name: str = ""
    ports: tuple[int, ...] = ()
    # In hexadecimal digits: how the bytes begin.
    starts: str = ""
    length: int | tuple[int, ...] = ()
    # What may follow the last field: "none", "zero" or "any".
    rest: str = "none"
    field: tuple[FieldTable, ...] = ()
    tlv: tuple[TLVTable, ...] = ()
    # Where the first tag stands.
    tlv_from: int = 0
    shift_if: ShiftTable | None = None

    def __post_init__(self) -> None:
        try:
            bytes.fromhex(self.starts)
        except ValueError:
            raise ValueError("starts: octets in hexadecimal digits") from None
        if self.rest not in {"none", "zero", "any"}:
            raise ValueError('rest: "none", "zero" or "any"')
        if not self.field and not self.tlv and not self.starts:
            raise ValueError("field: at least one field or tlv, or how the bytes start")

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths that are right; none: by the fields."""
        return (self.length,) if isinstance(self.length, int) else self.length


def _number(octets: bytes, table: FieldTable | TLVTable) -> Any:
    if table.form == "hex" or len(octets) > 8:
        return octets.hex()
    if table.form == "text":
        return octets.rstrip(b"\0").decode("latin-1")
    value: int | float = int.from_bytes(
        octets, "little" if table.endian == "little" else "big", signed=table.signed
    )
    if table.mask is not None:
        value = int(value) & table.mask
    if table.shift:
        value = int(value) >> table.shift
    if table.scale is not None:
        value = round(value * table.scale, 9)
    return value if table.add is None else value + table.add


class Layout:
    """A layout, ready to read."""

    __slots__ = ("_starts", "_tags", "name", "table")

    def __init__(self, table: DecodeTable) -> None:
        self.table = table
        self.name = table.name
        self._starts = bytes.fromhex(table.starts)
        self._tags = sorted(
            ((bytes.fromhex(each.tag), each) for each in table.tlv), key=lambda one: -len(one[0])
        )

    def fits(self, octets: bytes, port: int | None) -> bool:
        """Whether these bytes are of this layout at all."""
        table = self.table
        if table.ports and port is not None and port not in table.ports:
            return False
        return octets.startswith(self._starts)

    def read(self, octets: bytes) -> dict[str, Any]:
        """The fields; Malformed says which octet is wrong.

        `_weight` says how much of the bytes was checked rather than taken as it came.
        """
        table = self.table
        if len(octets) > MOST_OCTETS:
            raise Malformed(f"{len(octets)} octets; at most {MOST_OCTETS} are decoded")
        if table.lengths and len(octets) not in table.lengths:
            wanted = " or ".join(map(str, table.lengths))
            raise Malformed(f"{len(octets)} octets; expected {wanted}")
        fields: dict[str, Any] = {"_weight": 2 * len(self._starts) + (1 if len(table.lengths) == 1 else 0)}
        shift = self._shift(octets, fields)
        end = len(self._starts)
        for field in table.field:
            at = field.at
            if at < 0:
                at += len(octets)
            elif shift is not None and at >= shift.from_:
                at += shift.by
            if at < 0 or at + field.len > len(octets):
                if field.optional:
                    continue
                raise Malformed(f"{len(octets)} octets; {field.name} needs octet {at + field.len - 1}")
            fields[field.name] = _number(octets[at : at + field.len], field)
            end = max(end, at + field.len)
        if table.tlv:
            self._tlv(octets, max(table.tlv_from, 0), fields)
        elif not table.lengths or table.rest == "zero":
            self._rest(octets[end:], end)
        return fields

    def _shift(self, octets: bytes, fields: dict[str, Any]) -> ShiftTable | None:
        shift = self.table.shift_if
        if shift is None:
            return None
        on = shift.at < len(octets) and octets[shift.at] & shift.mask != 0
        if shift.name:
            fields[shift.name] = on
        return shift if on else None

    def _rest(self, rest: bytes, end: int) -> None:
        if not rest or self.table.rest == "any":
            return
        if self.table.rest == "none" or any(rest):
            raise Malformed(f"{len(rest)} octets left over from octet {end}: {rest[:16].hex()}")

    def _tlv(self, octets: bytes, at: int, fields: dict[str, Any]) -> None:
        whole = self.table
        while at < len(octets):
            found = next(((tag, table) for tag, table in self._tags if octets.startswith(tag, at)), None)
            if found is None:
                if self.table.rest == "any":
                    return
                raise Malformed(f"octet {at}: no known tag begins with {octets[at : at + 4].hex()}")
            tag, table = found
            at += len(tag)
            if whole.rest != "any":
                fields["_weight"] += 2 * len(tag) - 1
            size = self._size(octets, at, table)
            if table.len == "next":
                at += 1
            if at + size > len(octets):
                raise Malformed(f"octet {at}: {table.name} needs {size} octets, {len(octets) - at} are there")
            value = self._value(octets[at : at + size], table)
            if table.many:
                fields.setdefault(table.name, []).append(value)
            elif table.name in fields:
                raise Malformed(f"octet {at}: {table.name} comes twice")
            else:
                fields[table.name] = value
            at += size

    @staticmethod
    def _size(octets: bytes, at: int, table: TLVTable) -> int:
        if isinstance(table.len, int):
            return table.len
        if table.len == "rest":
            return len(octets) - at
        if at >= len(octets):
            raise Malformed(f"octet {at}: the length of {table.name} is missing")
        return octets[at]

    @staticmethod
    def _value(octets: bytes, table: TLVTable) -> Any:
        if not table.field:
            return _number(octets, table)
        made = {}
        for field in table.field:
            at = field.at + len(octets) if field.at < 0 else field.at
            if at < 0 or at + field.len > len(octets):
                if field.optional:
                    continue
                raise Malformed(
                    f"{table.name}.{field.name} needs octet {at + field.len - 1} of {len(octets)}"
                )
            made[field.name] = _number(octets[at : at + field.len], field)
        return made
