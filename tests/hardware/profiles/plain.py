"""A profile read plainly, rule by rule as its file stands: nothing prepared, passed by or remembered."""

from __future__ import annotations

import re
from typing import Any

from belltower.errors import Malformed
from hardware.profiles import document
from hardware.profiles.compiled import Profile
from hardware.profiles.message import Message
from hardware.profiles.path import MISSING, _walk, parse
from hardware.profiles.profile import CALLS, RuleTable
from hardware.profiles.rule import MOST_ITEMS, MOST_KEYS, QUIET, Rule
from hardware.profiles.signal import Signal, SignalKind
from hardware.profiles.taking import instant_of, number_of, taker

NUMBERS = (int, float)
OF = {"text": str, "int": lambda text: int(text, 0), "bool": {"true": True, "false": False}.get}


def read(profile: Profile, message: Message) -> list[Signal] | None:
    """The signals of a message that is no frame; None where no rule is about it, or it is not understood."""
    out: list[Signal] = []
    spoke = False
    for rule in profile.rules:
        captures = _captures(rule, message.topic, bool(profile.layouts))
        if captures is None:
            continue
        try:
            whole = document.FORMS[rule.form](message.payload)
            if rule.table.line is not None and (whole := rule.document(whole)) is None:
                continue
            fired = _fire(profile, rule, whole, captures, message, out)
        except Malformed:
            continue
        spoke = spoke or fired
        if fired and rule.table.stop:
            break
    return out if spoke else None


def _captures(rule: Rule, topic: str | None, framed: bool) -> dict[str, str] | None:
    if topic is None:
        return {}
    if rule.pattern is None:
        return None if topic and framed else {}
    found = rule.pattern.fullmatch(topic)
    return None if found is None else found.groupdict()


def _find(path: str, item: Any, whole: Any) -> Any:
    of_whole, steps = parse(path)
    return _walk(whole if of_whole else item, steps)


def _fire(
    profile: Profile, rule: Rule, whole: Any, captures: dict[str, str], message: Message, out: list[Signal]
) -> bool:
    table = rule.table
    if table.each is None:
        return _item(profile, rule, whole, whole, dict(captures), message, out)
    captures = dict(captures)
    whole_asked = {path: wanted for path, wanted in table.when.items() if path.startswith("$")}
    if not _hold(whole_asked, whole, whole, captures):
        return False
    items = _find(table.each, whole, whole)
    if type(items) is dict and table.keys is not None:
        if len(items) > MOST_KEYS:
            raise Malformed("too many keys")
        items = [
            {"key": name, "value": value}
            for name, value in items.items()
            if len(name) <= 128 and re.search(table.keys, name)
        ]
    if type(items) is not list:
        return False
    if len(items) > MOST_ITEMS:
        raise Malformed("too many items")
    fired = [_item(profile, rule, one, whole, dict(captures), message, out) for one in items]
    return True in fired


def _item(
    profile: Profile,
    rule: Rule,
    item: Any,
    whole: Any,
    captures: dict[str, str],
    message: Message,
    out: list[Signal],
) -> bool:
    table = rule.table
    if not _hold(table.when, item, whole, captures):
        return False
    value: Any = MISSING
    kind, why = table.kind, table.why
    asked = bool(table.when) or table.line is not None or message.topic is not None
    if table.path is not None or kind is None:
        value = item if table.path is None else _find(table.path, item, whole)
        if value is MISSING or value is None:
            return False
    if kind is None:
        if table.mask is not None and type(value) is int:
            value &= table.mask
        listed = [one for text, one in table.map.items() if _same(OF[table.of](text), value)]
        if not listed and not asked:
            return False
        loud = SignalKind.TROUBLE if profile.cls in CALLS else SignalKind.IGNORE
        kind = listed[0] if listed else table.else_ or loud
        if not listed and kind is SignalKind.TROUBLE and not why:
            why = f"{table.path or 'the text'}: {repr(value)[:120]} is not listed"
    elif not asked and table.path is None:
        return False
    out.append(_signal(profile, rule, kind, why, value, item, whole, captures, message))
    return True


def _signal(
    profile: Profile,
    rule: Rule,
    kind: SignalKind,
    why: str,
    value: Any,
    item: Any,
    whole: Any,
    captures: dict[str, str],
    message: Message,
) -> Signal:
    table = rule.table

    def taken(spec: Any) -> Any:
        return MISSING if spec is None else taker(spec)(item, whole, captures)

    named, channel = taken(table.device), taken(table.channel)
    device = captures.get("device") or message.device
    device = device if named is MISSING or named is None else _text(named)
    where = captures.get("channel", "") if table.channel is None else _text(channel)
    flags = {"retained"} if message.retained else set()
    level, epoch = None, table.epoch or kind is SignalKind.JOIN
    if table.edge is not None and value is not MISSING:
        if kind is SignalKind.TROUBLE:
            return Signal(kind=kind, device=device, channel=where, why=why, flags=frozenset(flags))
        level, kind = kind not in QUIET, SignalKind.STATE
    if table.level is not None:
        found = _find(table.level, item, whole)
        level = bool(found) if type(found) in (bool, int) else None
    battery = number_of(taken(table.battery))
    battery = battery if battery is not None and 0 <= battery <= 100 else None
    for flag, when in [*profile.tables.flags.items(), *table.flags.items()]:
        if _hold(when, item, whole, {}):
            flags.add(flag)
    if battery == 0:
        flags.add("suspect")
    counter = taken(table.counter)
    own = taken(table.value)
    shown = own if own is not MISSING else value
    data = {name: taken(spec) for name, spec in table.data.items()}
    return Signal(
        kind=kind,
        device=device,
        channel=where,
        value=_scalar(shown),
        flags=frozenset(flags),  # type: ignore[arg-type] # a flag equals its word
        battery=battery,
        volts=number_of(taken(table.volts)),
        at=instant_of(taken(table.at)),
        why=why,
        counter=counter if type(counter) is int and abs(counter) < 1 << 53 else message.counter,
        data={name: _scalar(found) for name, found in data.items() if found is not MISSING},
        level=level,
        rises=_rises(table) if level is not None else None,
        falls=_falls(table) if level is not None else None,
        epoch=epoch,
    )


def _rises(table: RuleTable) -> SignalKind | None:
    if table.edge is not None:
        return next(kind for kind in table.map.values() if kind not in QUIET)
    return table.rises or SignalKind.PRESS


def _falls(table: RuleTable) -> SignalKind | None:
    if table.edge is not None:
        quiet = [kind for kind in table.map.values() if kind in QUIET and kind is not SignalKind.IGNORE]
        return quiet[0] if quiet else SignalKind.CLEAR
    return table.falls or SignalKind.CLEAR


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)[:256] if isinstance(value, str | int | float) else ""


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return value[:512]
    return value if isinstance(value, bool | int | float) else None


def _same(one: Any, other: Any) -> bool:
    if type(one) in NUMBERS and type(other) in NUMBERS:
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


def _hold(when: dict[str, Any], item: Any, whole: Any, captures: dict[str, str]) -> bool:
    return all(_asks(wanted, _find(path, item, whole), captures) for path, wanted in when.items())


def _asks(wanted: Any, found: Any, captures: dict[str, str]) -> bool:
    if not isinstance(wanted, dict):
        return _same(wanted, found)
    if "mask" in wanted:
        bits = found & wanted["mask"] if type(found) is int else None
        asked = wanted.get("equal")
        wanted = {name: value for name, value in wanted.items() if name not in ("mask", "equal")}
        if bits is None or (bits == 0 if asked is None else bits != asked):
            return False
    return all(_operator(name, value, found, captures) for name, value in wanted.items())


def _operator(name: str, wanted: Any, found: Any, captures: dict[str, str]) -> bool:
    number = type(found) in NUMBERS
    match name:
        case "equal":
            return _same(wanted, found)
        case "in":
            return any(_same(one, found) for one in wanted)
        case "exists":
            return (found is not MISSING and found is not None) is wanted
        case "is":
            types = {"text": (str,), "number": NUMBERS, "bool": (bool,), "list": (list,), "table": (dict,)}
            return type(found) in types.get(wanted, (type(None),))
        case "lt":
            return number and found < wanted
        case "gt":
            return number and found > wanted
        case "not":
            return found is not MISSING and not _asks(wanted, found, {})
    hit = re.search(wanted, found) if type(found) is str and len(found) <= 4096 else None
    captures.update({key: text for key, text in (hit.groupdict() if hit else {}).items() if text is not None})
    return hit is not None
