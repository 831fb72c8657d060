"""One rule, ready to fire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from belltower.errors import Malformed
from hardware.profiles import document, match
from hardware.profiles.needs import key_of, needed
from hardware.profiles.path import MISSING, Finder, finder
from hardware.profiles.pattern import MOST_LETTERS, compiled
from hardware.profiles.profile import CALLS, ProfileClass, RuleTable
from hardware.profiles.signal import NO_FLAGS, Flag, Scalar, Signal, SignalKind, scalar
from hardware.profiles.taking import Taker, instant_of, number_of, taker, text_of
from hardware.profiles.topic import pattern, weight

T = TypeVar("T")

_SCALARS = frozenset({str, int, float, bool})
_TROUBLE, _STATE, _JOIN = SignalKind.TROUBLE, SignalKind.STATE, SignalKind.JOIN

MOST_KEYS = 1024
MOST_ITEMS = 256
"""Of `each`."""

QUIET = frozenset(
    {
        SignalKind.CLEAR,
        SignalKind.RELEASE,
        SignalKind.CONTACT_CLOSED,
        SignalKind.TAMPER_CLEAR,
        SignalKind.STATE,
        SignalKind.ONLINE,
        SignalKind.HEARTBEAT,
        SignalKind.IGNORE,
    }
)
"""What an input says when nothing is the matter."""

_KEYS = {"text": str, "int": lambda text: int(text, 0), "bool": {"true": True, "false": False}.__getitem__}


def flag_conditions(
    table: Mapping[str, Any], settings_of: str = "flags"
) -> tuple[tuple[Flag, match.Conditions], ...]:
    """`{ historic = { buffered = true } }`, ready; ValueError names what is wrong."""
    made = []
    for name, when in table.items():
        if name not in {"historic", "suspect", "test", "duplicate"}:
            raise ValueError(
                f'{settings_of}: "{name}" is no flag; one of: duplicate, historic, suspect, test'
            )
        if not isinstance(when, dict) or not when:
            raise ValueError(
                f"{settings_of}.{name}: write what must hold, {{ buffered = true }} for instance"
            )
        made.append((Flag(name), match.Conditions(when)))
    return tuple(made)


class Rule:
    """A rule of a profile; `fire` adds the signals that a document means."""

    __slots__ = (
        "_at",
        "_battery",
        "_before",
        "_captures",
        "_channel",
        "_counter",
        "_data",
        "_device",
        "_each",
        "_edge",
        "_else",
        "_epoch",
        "_falls",
        "_flags",
        "_guard",
        "_holds",
        "_keys",
        "_kind",
        "_level",
        "_line",
        "_map",
        "_mask",
        "_path",
        "_plain",
        "_rises",
        "_value",
        "_volts",
        "_weight",
        "_when",
        "_why",
        "form",
        "gates",
        "keyed",
        "lined",
        "listed",
        "needs",
        "pattern",
        "stop",
        "table",
        "topic_weight",
    )

    def __init__(
        self,
        table: RuleTable,
        *,
        cls: ProfileClass,
        settings: Mapping[str, str],
        flags: tuple[tuple[Flag, match.Conditions], ...],
    ) -> None:
        """ValueError begins with the key at fault and a colon."""
        self.table = table
        self.pattern = (
            None if table.topic is None else _named("topic", lambda: pattern(table.topic or "", settings))
        )
        self.topic_weight = weight(table.topic)
        self.form = "text" if table.line is not None else table.as_
        if self.form not in document.FORMS:
            raise ValueError(f'as: "{self.form}" is not known; one of: {", ".join(document.FORMS)}')
        self._line = None if table.line is None else _named("line", lambda: compiled(table.line or ""))
        groups = set(self._line.groupindex) if self._line else set[str]()
        for name in table.numbers:
            if name not in groups:
                raise ValueError(f'numbers: "{name}" is no group of line')
        self._each = None if table.each is None else _named("each", lambda: finder(table.each or ""))
        if table.keys is not None and table.each is None:
            raise ValueError("keys: needs `each`, the table whose keys are meant")
        self._keys = None if table.keys is None else _named("keys", lambda: key_of(table.keys or ""))
        self._before, self._when = _named("when", lambda: _conditions(table))
        self._captures = self._when.captures
        self._guard = self._before.hold if self._before.count else None
        self._holds = self._when.hold if self._when.count else None
        # How much speaks for it where it fires.
        self._weight = self._before.count + self._when.count + (2 if table.line is not None else 0)
        self._kind, self._why, self._mask = table.kind, table.why, table.mask
        self._edge, self._epoch = table.edge is not None, table.epoch
        self._path: Finder | None = (
            None if table.path is None else _named("path", lambda: finder(table.path or ""))
        )
        self._map = _named("map", lambda: _mapping(table))
        self._flags = (*flags, *flag_conditions(table.flags))
        self._else = table.else_ or (SignalKind.TROUBLE if cls in CALLS else SignalKind.IGNORE)
        self._means(cls)
        self.stop = table.stop
        self.lined = self._line is not None
        self.needs, self.gates, self.listed = _named("when", lambda: needed(table))
        self.keyed = self._keys if table.each == "$" else None
        self._device = _taken("device", table.device)
        self._channel = _taken("channel", table.channel)
        self._value = _taken("value", table.value)
        self._battery = _taken("battery", table.battery)
        self._volts = _taken("volts", table.volts)
        self._at = _taken("at", table.at)
        self._counter = _taken("counter", table.counter)
        self._data = tuple(
            (name, _named(f"data.{name}", partial(taker, spec))) for name, spec in table.data.items()
        )
        more = (self._battery, self._volts, self._at, self._counter, self._value, self._level)
        self._plain = not self._data and not self._flags and all(each is None for each in more)

    def _means(self, cls: ProfileClass) -> None:
        """Check that it says what it means, and find out what its level means."""
        table = self.table
        if table.map and table.kind is not None:
            raise ValueError("kind: either kind or map, one of the two")
        if not table.map and table.kind is None:
            raise ValueError("kind: missing; say what the message means, by kind or by path and map")
        if table.map and table.path is None and table.line is None and self.form != "text":
            raise ValueError('path: missing; the value that map translates ("$" is all of it)')
        if table.else_ is not None and not table.map:
            raise ValueError("else: stands beside map only")
        listed = SignalKind.IGNORE in table.map.values()
        if cls in CALLS and table.else_ is SignalKind.IGNORE and not listed:
            raise ValueError(
                f'else: class {cls} may not ignore what it does not know; list those values as "ignore"'
            )
        self._level, self._rises, self._falls = None, table.rises, table.falls
        if table.level is not None:
            path = table.level
            self._level = _named("level", lambda: finder(path))
            self._rises, self._falls = table.rises or SignalKind.PRESS, table.falls or SignalKind.CLEAR
        if table.edge is not None:
            if table.edge not in {"rising", "falling", "change"}:
                raise ValueError('edge: "rising", "falling" or "change"')
            loud = {kind for kind in table.map.values() if kind not in QUIET}
            quiet = {kind for kind in table.map.values() if kind in QUIET} - {SignalKind.IGNORE}
            if len(loud) != 1 or len(quiet) > 1:
                raise ValueError(
                    'edge: map must say what both levels mean, { true = "press", false = "clear" }'
                )
            self._rises, self._falls = loud.pop(), quiet.pop() if quiet else SignalKind.CLEAR

    @property
    def kinds(self) -> set[SignalKind]:
        """What it may mean."""
        kinds = set(self.table.map.values()) | ({self.table.kind} if self.table.kind else set())
        kinds |= {kind for kind in (self._rises, self._falls) if kind}
        return kinds | ({self._else} if self.table.map else set())

    def document(self, text: str) -> Any:
        """The groups of `line` in `text`, or None when it is another line."""
        if self._line is None or len(text) > MOST_LETTERS:
            return None
        found = self._line.search(text)
        if found is None:
            return None
        groups: dict[str, Any] = {
            name: value for name, value in found.groupdict().items() if value is not None
        }
        for name, base in self.table.numbers.items():
            if name in groups:
                try:
                    groups[name] = int(groups[name], base)
                except ValueError:
                    raise Malformed(f'"{groups[name][:20]}" is no number to base {base}') from None
        return groups

    def fire(
        self,
        whole: Any,
        captures: dict[str, str],
        device: str,
        out: list[Signal],
        known: bool,
        flags: frozenset[Flag],
    ) -> int:
        """Add what `whole` means to `out`; how much spoke for it, 0 being that the rule is not about this message.

        With `known` false nobody knows the topic: then a rule needs something in the message that speaks for it.
        """
        if self._each is None:
            return self._one(whole, whole, captures, device, out, known, flags)
        if self._guard is not None:
            if self._before.captures:
                captures = dict(captures)
            if not self._guard(whole, whole, captures):
                return 0
        items: Any = self._each(whole, whole)
        if type(items) is not list:
            if type(items) is not dict or self._keys is None:
                return 0
            items = self._entries(items)
        if len(items) > MOST_ITEMS:
            raise Malformed(f"{len(items)} items; at most {MOST_ITEMS} are read")
        most = 0
        for item in items:
            spoken = self._one(item, whole, captures, device, out, known, flags)
            if spoken > most:  # noqa: PLR1730 - a call costs more than the test
                most = spoken
        return most

    def _entries(self, table: dict[str, Any]) -> list[dict[str, Any]]:
        """The items of a table whose keys are meant."""
        if len(table) > MOST_KEYS:
            raise Malformed(f"{len(table)} keys; at most {MOST_KEYS} are looked at")
        return [
            {"key": name, "value": value}
            for name, value in table.items()
            if self._keys is None or self._keys(name)
        ]

    def _one(
        self,
        item: Any,
        whole: Any,
        captures: dict[str, str],
        device: str,
        out: list[Signal],
        known: bool,
        flags: frozenset[Flag],
    ) -> int:
        if self._captures:
            captures = dict(captures)
        if self._holds is not None and not self._holds(item, whole, captures):
            return 0
        spoken, kind, why = self._weight, self._kind, self._why
        value: Any = MISSING
        if kind is None:
            value = item if self._path is None else self._path(item, whole)
            if value is MISSING or value is None:
                return 0
            if self._mask is not None and type(value) is int:
                value &= self._mask
            mapped = None
            if type(value) is str:
                mapped = self._map.get(("str", value))
            elif type(value) in _SCALARS:
                mapped = self._map.get(match.key(value))
            if mapped is None:
                if not known and not spoken:
                    return 0
                kind = self._else
                if kind is _TROUBLE and not why:
                    why = f"{self.table.path or 'the text'}: {repr(value)[:120]} is not listed"
            else:
                kind = mapped
                spoken += 2
        elif self._path is not None:
            value = self._path(item, whole)
            if value is MISSING or value is None:
                return 0
            spoken += 1
        if not known and not spoken:
            return 0
        out.append(self._signal(kind, why, value, item, whole, captures, device, flags))
        return spoken + 1

    def _signal(
        self,
        kind: SignalKind,
        why: str,
        value: Any,
        item: Any,
        whole: Any,
        captures: dict[str, str],
        device: str,
        flags: frozenset[Flag],
    ) -> Signal:
        who, where = device, captures.get("channel", "")
        if self._device is not None:
            named = self._device(item, whole, captures)
            if named is not MISSING and named is not None:
                who = text_of(named)
        if self._channel is not None:
            channel = self._channel(item, whole, captures)
            where = "" if channel is MISSING else text_of(channel)
        level = None
        if self._edge and value is not MISSING:
            if kind is _TROUBLE:  # a level nobody listed
                return Signal(kind=kind, device=who, channel=where, why=why, flags=flags)
            level = kind not in QUIET
            kind = _STATE
        if self._plain and level is None:
            return Signal(
                kind=kind,
                device=who,
                channel=where,
                value=None if value is MISSING else scalar(value),
                flags=flags,
                why=why,
                epoch=self._epoch or kind is _JOIN,
            )
        if self._level is not None:
            found = self._level(item, whole)
            level = bool(found) if type(found) in (bool, int) else None
        return self._full(kind, why, value, item, whole, captures, who, where, level, flags)

    def _full(
        self,
        kind: SignalKind,
        why: str,
        value: Any,
        item: Any,
        whole: Any,
        captures: dict[str, str],
        who: str,
        where: str,
        level: bool | None,
        flags: frozenset[Flag],
    ) -> Signal:
        battery = number_of(self._battery(item, whole, captures)) if self._battery else None
        if battery is not None and not 0 <= battery <= 100:
            battery = None
        if self._flags or battery == 0:
            more = {flag for flag, conditions in self._flags if conditions.hold(item, whole, {})}
            if more or battery == 0:
                flags = flags | more | ({Flag.SUSPECT} if battery == 0 else set())
        data: dict[str, Scalar] = {}
        for name, each in self._data:
            if (found := each(item, whole, captures)) is not MISSING:
                data[name] = scalar(found)
        counter = self._counter(item, whole, captures) if self._counter else None
        own = self._value(item, whole, captures) if self._value else MISSING
        shown = own if own is not MISSING else value
        return Signal(
            kind=kind,
            device=who,
            channel=where,
            value=None if shown is MISSING else scalar(shown),
            flags=flags,
            battery=battery,
            volts=number_of(self._volts(item, whole, captures)) if self._volts else None,
            at=instant_of(self._at(item, whole, captures)) if self._at else None,
            why=why,
            counter=counter if type(counter) is int and abs(counter) < 1 << 53 else None,
            data=data,
            level=level,
            rises=self._rises if level is not None else None,
            falls=self._falls if level is not None else None,
            epoch=self._epoch or kind is _JOIN,
        )


def _conditions(table: RuleTable) -> tuple[match.Conditions, match.Conditions]:
    """What `each` asks of the whole message, before any item is looked at; and what is asked of an item."""
    before = {path: wanted for path, wanted in table.when.items() if table.each and path.startswith("$")}
    after = {path: wanted for path, wanted in table.when.items() if path not in before}
    return match.Conditions(before), match.Conditions(after)


def _mapping(table: RuleTable) -> dict[tuple[str, Any], SignalKind]:
    if table.of not in _KEYS:
        raise ValueError(f'of: "{table.of}" is not known; one of: {", ".join(_KEYS)}')
    made: dict[tuple[str, Any], SignalKind] = {}
    for text, kind in table.map.items():
        try:
            value = _KEYS[table.of](text)  # type: ignore[operator] # each of them takes a text
        except (ValueError, KeyError):
            raise ValueError(f'"{text}" stands for no {table.of}') from None
        if match.key(value) in made:
            raise ValueError(f'"{text}" is listed twice')
        made[match.key(value)] = kind
    return made


def _taken(key: str, spec: Any) -> Taker | None:
    return None if spec is None else _named(key, lambda: taker(spec))


def _named(key: str, make: Callable[[], T]) -> T:
    """What `make` makes; its ValueError with the key before it."""
    try:
        return make()
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith("of: ") else f"{key}: {text}") from None


__all__ = ["MOST_ITEMS", "NO_FLAGS", "QUIET", "Rule", "flag_conditions"]
