"""A profile, ready to read: pure, bounded, and never raising, whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from belltower.errors import Malformed
from hardware.profiles import document
from hardware.profiles.bearer import Bearer
from hardware.profiles.binary import Layout
from hardware.profiles.message import Message
from hardware.profiles.narrowing import Matched, Topical, Topics
from hardware.profiles.profile import (
    Authenticity,
    DedupeTable,
    Document,
    OutputTable,
    ProfileClass,
    Retained,
    RuleTable,
    SupervisionTable,
)
from hardware.profiles.rule import Rule, flag_conditions
from hardware.profiles.signal import NO_FLAGS, Flag, Signal, SignalKind
from hardware.profiles.topic import MOST_LETTERS as LONGEST_TOPIC

_RETAINED = frozenset({Flag.RETAINED})
_KEPT_TOPICS = 4096
_KEPT_LETTERS = 256
_KEPT_RAW = 256


class Reading(Struct, frozen=True, kw_only=True):
    """What a message means."""

    signals: tuple[Signal, ...] = ()
    # A rule of the profile was about it.
    matched: bool = False
    # Why nothing matched, or what was not understood.
    why: str = ""
    # Which profile says so.
    profile: str = ""
    # The bearer that carried it.
    bearer: str = ""
    # Other profiles that might be meant, where nobody said which.
    candidates: tuple[str, ...] = ()
    # How much spoke for it.
    evidence: int = 0


class Profile:
    """One model of device. `read` is the whole of it; the rest is what the file says."""

    def __init__(self, tables: Document, *, digest: str, file: str) -> None:
        """Compile; ValueError has one line for each fault, `table.key: what and how to mend it`."""
        self.tables = tables
        self.hash = digest
        self.file = file
        self._topics: dict[str, Topical] = {}
        faults: list[str] = []

        def built(at: str, make: Any) -> Any:
            try:
                return make()
            except ValueError as error:
                faults.append(f"{at}.{error}")
                return None

        flags = built("flags", lambda: flag_conditions(tables.flags, "")) or ()
        every = [*_online(tables.supervision), *enumerate(tables.rule, start=1)]
        self.rules: tuple[Rule, ...] = tuple(
            built(
                f"rule[{number}]" if number else "supervision.online",
                lambda table=table: Rule(table, cls=self.cls, settings=tables.settings, flags=flags),
            )
            for number, table in every
        )
        self.layouts = tuple(Layout(table) for table in tables.decode)
        self.bearer: Bearer | None = (
            None if tables.bearer is None else built("bearer", lambda: Bearer(tables.bearer, tables.settings))
        )
        if not every and tables.bearer is None and not tables.output:
            faults.append("rule: missing; at least one [[rule]] says what a message means")
        names = {layout.name for layout in self.layouts}
        faults += [
            f'rule[{number}].layout: "{table.layout}" is the name of no [[decode]]'
            for number, table in every
            if table.layout is not None and table.layout not in names
        ]
        if faults:
            raise ValueError("\n".join(faults))
        self._shapes = Topics()
        self._topicless = self._shapes.topical(
            tuple((rule, {}) for rule in self.rules if rule.pattern is None)
        )
        self._strange = self._shapes.topical(())
        self._all = self._shapes.topical(tuple((rule, {}) for rule in self.rules))
        self._leveled = any(rule.table.edge or rule.table.level for rule in self.rules)

    @property
    def id(self) -> str:
        """Its name."""
        return self.tables.profile.id

    @property
    def cls(self) -> ProfileClass:
        """What the device is for."""
        return self.tables.profile.cls

    @property
    def version(self) -> int:
        """As its file says."""
        return self.tables.profile.version

    @property
    def authenticity(self) -> Authenticity:
        """How sure it is that the device itself spoke."""
        return self.tables.profile.authenticity

    @property
    def wire(self) -> str:
        """The driver that alone brings its messages; "" where any way in may."""
        return self.tables.profile.wire

    @property
    def retained(self) -> Retained:
        """What a retained message is good for."""
        return self.tables.profile.retained

    @property
    def dedupe(self) -> DedupeTable:
        """What makes two signals the same."""
        return self.tables.dedupe

    @property
    def supervision(self) -> SupervisionTable:
        """How often it is heard."""
        return self.tables.supervision

    @property
    def outputs(self) -> tuple[OutputTable, ...]:
        """What it can be told to do."""
        return self.tables.output

    @property
    def leveled(self) -> bool:
        """Some of what it says is a level, of which only the edge is news."""
        return self._leveled

    def rules_of(self, topic: str | None) -> Matched:
        """The rules about `topic`; None is a topic that nobody wrote down."""
        return self._topical(topic).matched

    def _topical(self, topic: str | None) -> Topical:
        if topic is None:
            return self._all
        if not topic:
            return self._topicless
        known = self._topics.get(topic)
        if known is None:
            matching = self._matching(topic)
            known = self._shapes.topical(matching) if matching else self._strange
            if len(topic) > _KEPT_LETTERS:
                return known
            if len(self._topics) >= _KEPT_TOPICS:
                self._topics.clear()
            self._topics[topic] = known
        return known

    def _matching(self, topic: str) -> Matched:
        if len(topic) > LONGEST_TOPIC:
            return ()
        found = []
        for rule in self.rules:
            if rule.pattern is None:
                if not self.layouts:
                    found.append((rule, dict[str, str]()))
            elif (hit := rule.pattern.fullmatch(topic)) is not None:
                found.append((rule, hit.groupdict()))
        return tuple(found)

    def read(self, message: Message, *, forms: dict[str, Any] | None = None) -> Reading:
        """What `message` means to this model. Never raises; at most 64 KiB are looked at.

        `forms` keeps the payload as it was parsed, for the next profile that reads the same message.
        """
        about = self._topical(message.topic)
        rules = about.matched
        if not rules:
            why = f'no rule of {self.id} is about the topic "{(message.topic or "")[:120]}"'
            return Reading(why=why, profile=self.id)
        if len(message.payload) > document.MOST_OCTETS:
            why = f"{len(message.payload)} octets; at most {document.MOST_OCTETS} are read"
            return self._not_understood(message, rules, why)
        framed = message.ingress == "frame"
        if framed != bool(self.layouts) and not message.topic:
            wanted = "messages" if framed else "bytes, written in hexadecimal digits; say that they are: hex"
            return Reading(why=f"{self.id} reads {wanted}", profile=self.id)
        out: list[Signal] = []
        evidence, why = (
            self._framed(message, rules, out)
            if framed
            else self._told(message, about, out, {} if forms is None else forms)
        )
        if not evidence:
            return self._not_understood(message, rules, why or "no rule is about what it says")
        if message.counter is not None:
            out = [_counted(signal, message.counter) for signal in out]
        return Reading(signals=tuple(out), matched=True, profile=self.id, evidence=evidence)

    def _told(
        self, message: Message, about: Topical, out: list[Signal], forms: dict[str, Any]
    ) -> tuple[int, str]:
        """Add what a message says to `out`; how much spoke for it, and what was not understood."""
        flags = _RETAINED if message.retained else NO_FLAGS
        known = message.topic is not None
        rules, evidence, why = about.matched, 0, ""
        numbers: Sequence[int] = range(len(rules))
        table = None
        if about.form is not None:
            whole = _parsed(message, about.form, forms)
            if type(whole) is _Fault:
                return 0, whole.text
            if type(whole) is dict:
                table, numbers = whole, about.about(whole)
        for number in numbers:
            rule, captures = rules[number]
            if table is None:
                whole = _parsed(message, rule.form, forms)
                if type(whole) is _Fault:
                    why = why or whole.text
                    continue
            device = captures.get("device") or message.device
            said = whole
            try:
                if rule.lined and (said := rule.document(whole)) is None:
                    continue
                spoken = rule.fire(said, captures, device, out, known, flags)
            except Malformed as error:
                why = why or str(error)
                continue
            if spoken:
                evidence = max(evidence, spoken)
                if rule.stop:
                    break
        return evidence, why

    def _framed(self, message: Message, rules: Matched, out: list[Signal]) -> tuple[int, str]:
        """As `_told`, of bytes that a bearer carried."""
        fields, why = self._fields(message)
        if fields is None:
            return 0, why
        flags = _RETAINED if message.retained else NO_FLAGS
        weight = fields.pop("_weight")
        evidence = 0
        for rule, captures in rules:
            table = rule.table
            if rule.pattern is not None or (table.port is not None and table.port != message.port):
                continue
            if table.layout is not None and table.layout != fields["_layout"]:
                continue
            try:
                spoken = rule.fire(fields, captures, message.device, out, True, flags)
            except Malformed as error:
                why = why or str(error)
                continue
            if spoken:
                evidence = max(evidence, spoken + weight)
                if table.stop:
                    break
        if not evidence and not why:
            why = f"no rule is about {', '.join(f'{name} = {value}' for name, value in fields.items())}"[:300]
        return evidence, why

    def fields(self, message: Message) -> dict[str, Any] | None:
        """What octets that a bearer carried say, by name; None: no layout fits."""
        return self._fields(message)[0]

    def _fields(self, message: Message) -> tuple[dict[str, Any] | None, str]:
        """The fields of the first layout that fits, or why there is none."""
        why = ""
        for layout in self.layouts:
            if not layout.fits(message.payload, message.port):
                continue
            try:
                fields = layout.read(message.payload)
            except Malformed as error:
                why = why or (f"{layout.name}: {error}" if layout.name else str(error))
                continue
            if message.port is not None and layout.table.ports:
                fields["_weight"] += 3
            fields["_layout"] = layout.name
            fields["_port"] = message.port
            fields["_length"] = len(message.payload)
            return fields, ""
        return (
            None,
            why or f"no layout for port {message.port} and {message.payload[:4].hex() or 'no octets'}",
        )

    def _not_understood(self, message: Message, rules: Matched, why: str) -> Reading:
        """Class panic: trouble, with the raw bytes. Else nothing, and why."""
        if self.cls not in {ProfileClass.PANIC, ProfileClass.BADGE} or message.topic is None:
            return Reading(matched=message.topic is not None, why=why, profile=self.id)
        device = next((found for _, names in rules if (found := names.get("device"))), message.device)
        signal = Signal(
            kind=SignalKind.TROUBLE,
            device=device,
            why=why,
            flags=_RETAINED if message.retained else NO_FLAGS,
            counter=message.counter,
            data={"raw": message.payload[:_KEPT_RAW].hex(), "octets": len(message.payload)},
        )
        return Reading(signals=(signal,), matched=True, why=why, profile=self.id)


class _Fault(Struct, frozen=True):
    text: str


def _parsed(message: Message, form: str, forms: dict[str, Any]) -> Any:
    """The payload in one of its forms, or the fault in it."""
    whole = forms.get(form)
    if whole is None:
        try:
            whole = document.FORMS[form](message.payload)
        except Malformed as error:
            whole = _Fault(str(error))
        forms[form] = whole
    return whole


def _counted(signal: Signal, counter: int) -> Signal:
    """The signal with the bearer's counter where the device gave none."""
    if signal.counter is not None:
        return signal
    values = {name: getattr(signal, name) for name in signal.__struct_fields__}
    return Signal(**{**values, "counter": counter})


def _online(supervision: SupervisionTable) -> list[tuple[int, RuleTable]]:
    online = supervision.online
    if online is None:
        return []
    form = online.as_ or ("text" if online.path is None else "auto")
    return [
        (
            0,
            RuleTable(
                topic=online.topic,
                as_=form,
                path=online.path,
                map=online.map,
                of=online.of,
                else_=SignalKind.TROUBLE,
                stop=True,
            ),
        )
    ]
