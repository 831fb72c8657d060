"""One rule, ready to fire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from belltower.errors import Malformed
from hardware.profiles import document, match
from hardware.profiles.path import MISSING, Finder, finder
from hardware.profiles.pattern import MOST_LETTERS, compiled
from hardware.profiles.profile import ProfileClass, RuleTable
from hardware.profiles.signal import NO_FLAGS, Flag, Signal, SignalKind, scalar
from hardware.profiles.taking import Taker, instant_of, number_of, taker, text_of
from hardware.profiles.topic import pattern, weight

T = TypeVar("T")

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
        "_channel",
        "_counter",
        "_data",
        "_device",
        "_each",
        "_else",
        "_falls",
        "_flags",
        "_keys",
        "_level",
        "_line",
        "_map",
        "_path",
        "_plain",
        "_rises",
        "_value",
        "_volts",
        "_when",
        "form",
        "pattern",
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
        self._keys = None if table.keys is None else _named("keys", lambda: compiled(table.keys or ""))
        self._when = _named("when", lambda: match.Conditions(table.when))
        self._path: Finder | None = (
            None if table.path is None else _named("path", lambda: finder(table.path or ""))
        )
        self._map = _named("map", lambda: _mapping(table))
        self._flags = (*flags, *flag_conditions(table.flags))
        self._else = table.else_ or (SignalKind.TROUBLE if cls is ProfileClass.PANIC else SignalKind.IGNORE)
        self._means(cls)
        self._device = _taken("device", table.device)
        self._channel = _taken("channel", table.channel)
        self._value = _taken("value", table.value)
        self._battery = _taken("battery", table.battery)
        self._volts = _taken("volts", table.volts)
        self._at = _taken("at", table.at)
        self._counter = _taken("counter", table.counter)
        self._data = tuple((name, _taken(f"data.{name}", spec)) for name, spec in table.data.items())
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
        if cls is ProfileClass.PANIC and table.else_ is SignalKind.IGNORE and not listed:
            raise ValueError(
                'else: class panic may not ignore what it does not know; list those values as "ignore"'
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
        *,
        known: bool,
        flags: frozenset[Flag],
    ) -> int:
        """Add what `whole` means to `out`; how much spoke for it, 0 being that the rule is not about this message.

        With `known` false nobody knows the topic: then a rule needs something in the message that speaks for it.
        """
        if self._each is None:
            return self._one(whole, whole, captures, device, out, known=known, flags=flags)
        items: Any = self._each(whole, whole)
        if type(items) is dict and self._keys is not None:
            keys = self._keys
            items = [
                {"key": name, "value": value}
                for name, value in items.items()
                if len(name) <= MOST_LETTERS and keys.search(name)
            ]
        if type(items) is not list:
            return 0
        if len(items) > MOST_ITEMS:
            raise Malformed(f"{len(items)} items; at most {MOST_ITEMS} are read")
        most = 0
        for item in items:
            most = max(most, self._one(item, whole, captures, device, out, known=known, flags=flags))
        return most

    def _one(
        self,
        item: Any,
        whole: Any,
        captures: dict[str, str],
        device: str,
        out: list[Signal],
        *,
        known: bool,
        flags: frozenset[Flag],
    ) -> int:
        table, when = self.table, self._when
        if when.count:
            captures = dict(captures)
            if not when.hold(item, whole, captures):
                return 0
        spoken = when.count + (2 if self._line is not None else 0)
        kind, why = table.kind, table.why
        value: Any = MISSING
        if kind is None:
            value = item if self._path is None else self._path(item, whole)
            if value is MISSING or value is None:
                return 0
            if table.mask is not None:
                value = value & table.mask if type(value) is int else value
            mapped = self._map.get(match.key(value)) if isinstance(value, str | int | float) else None
            if mapped is None:
                if not known and not spoken:
                    return 0
                kind = self._else
                if kind is SignalKind.TROUBLE and not why:
                    why = f"{table.path or 'the text'}: {repr(value)[:120]} is not listed"
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
        table = self.table
        named = self._device(item, whole, captures) if self._device else MISSING
        who = device if named is MISSING or named is None else text_of(named)
        channel = self._channel(item, whole, captures) if self._channel else captures.get("channel", "")
        where = "" if channel is MISSING else text_of(channel)
        level = None
        if table.edge is not None and value is not MISSING:
            if kind is SignalKind.TROUBLE:  # a level nobody listed
                return Signal(kind=kind, device=who, channel=where, why=why, flags=flags)
            level = kind not in QUIET
            kind = SignalKind.STATE
        if self._plain and level is None:
            return Signal(
                kind=kind,
                device=who,
                channel=where,
                value=None if value is MISSING else scalar(value),
                flags=flags,
                why=why,
                epoch=table.epoch or kind is SignalKind.JOIN,
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
        def take(take: Taker | None) -> Any:
            return take(item, whole, captures) if take else MISSING

        battery = number_of(take(self._battery))
        if battery is not None and not 0 <= battery <= 100:
            battery = None
        counter = take(self._counter)
        more = {flag for flag, conditions in self._flags if conditions.hold(item, whole, {})}
        if battery == 0:
            more.add(Flag.SUSPECT)
        data = {name: scalar(found) for name, each in self._data if (found := take(each)) is not MISSING}
        own = take(self._value)
        shown = own if own is not MISSING else value
        return Signal(
            kind=kind,
            device=who,
            channel=where,
            value=None if shown is MISSING else scalar(shown),
            flags=flags | more if more else flags,
            battery=battery,
            volts=number_of(take(self._volts)),
            at=instant_of(take(self._at)),
            why=why,
            counter=counter if type(counter) is int and abs(counter) < 1 << 53 else None,
            data=data,
            level=level,
            rises=self._rises if level is not None else None,
            falls=self._falls if level is not None else None,
            epoch=self.table.epoch or kind is SignalKind.JOIN,
        )


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
