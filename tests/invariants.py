"""What must hold, as pure functions over ledgers: shared by the simulator and the tests of real processes.

Each function returns what it found wrong, one sentence each; nothing means that the invariant held. The ledgers are
what an outsider saw (presses sent, acknowledgements heard, what the PSAP's screen shows, what providers took) and the journal, compared after faults
have healed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from belltower.clock import SECOND
from belltower.ids import CallId, IncidentId
from belltower.incident import facts
from belltower.incident.entry import Entry
from belltower.incident.facts import Mode, ReceiptLevel
from belltower.journal import GENESIS, RawEntry, entry_hash
from gateway.psap.radio_text import CallText, MoreText, Text, key_of
from gateway.psap.ranges import NONE, Ranges, union
from hardware.codecs.unit import Level


class Named(NamedTuple):
    """A press by its name on the wire."""

    unit: str
    epoch: int
    counter: int


class PressSent(Struct, frozen=True, kw_only=True):
    """A unit's wearer pressed, and the unit made this frame."""

    name: Named
    exercise: bool
    at: float
    # When its first acknowledgement was heard.
    until: float = float("inf")


class AckHeard(Struct, frozen=True, kw_only=True):
    """A unit heard an authentic acknowledgement."""

    name: Named
    level: Level
    at: float


class Shown(Struct, frozen=True, kw_only=True):
    """One call on the PSAP's screen."""

    number: int
    key: str | None
    exercise: bool
    presses: Ranges


class Reading(Struct, frozen=True, kw_only=True):
    """A measure taken of something that must stay bounded."""

    what: str
    value: float
    bound: float


def _raised(entries: Iterable[Entry]) -> list[tuple[Entry, facts.AlarmRaised]]:
    return [(entry, entry.fact) for entry in entries if isinstance(entry.fact, facts.AlarmRaised)]


def _name(fact: facts.AlarmRaised) -> Named:
    return Named(str(fact.unit), fact.epoch, fact.counter)


def i1_each_acked_press_is_journaled_once(
    presses: Iterable[PressSent],
    acks: Iterable[AckHeard],
    entries: Iterable[Entry],
    *,
    relayed: Container[Named] = frozenset(),
) -> list[str]:
    """I1: each acknowledged press is in the journal exactly once, and nothing else is.

    `relayed`: presses that were told they could not be written down.
    """
    pressed = {press.name for press in presses}
    journaled = Counter(_name(fact) for _, fact in _raised(entries) if fact.unit is not None)
    wrong: list[str] = []
    promised: dict[Named, set[Level]] = {}
    for ack in acks:
        promised.setdefault(ack.name, set()).add(ack.level)
    for name, levels in sorted(promised.items()):
        if name not in pressed:
            continue  # a heartbeat's
        if name not in journaled and (Level.RECORDED in levels or name not in relayed):
            wrong.append(f"I1: {name} was acknowledged and is not in the journal")
    wrong += [f"I1: {name} is in the journal {n} times" for name, n in sorted(journaled.items()) if n > 1]
    wrong += [
        f"I1: {name} is in the journal and was never pressed" for name in sorted(journaled.keys() - pressed)
    ]
    return wrong


def i2_each_live_press_reached_a_psap(
    entries: Sequence[Entry],
    screen: Sequence[Shown],
    *,
    given_up: Container[IncidentId] = frozenset(),
) -> list[str]:
    """I2: each journaled live press is covered by a frame that a PSAP has confirmed, and its screen shows it.

    `given_up`: incidents that people closed before a PSAP had confirmed everything.
    """
    orders: dict[tuple[IncidentId, str], facts.CallOrdered] = {}
    confirmed: dict[CallId, Ranges] = {}
    acknowledged: set[CallId] = set()
    for entry in entries:
        match entry.fact:
            case facts.CallOrdered() as fact:
                orders[fact.incident, fact.building] = fact
            case facts.CallReceipt(level=ReceiptLevel.SYSTEM) as fact:
                confirmed[fact.call] = union(confirmed.get(fact.call, NONE), fact.covers)
            case facts.TelecommunicatorAcknowledged(call=call):
                acknowledged.add(call)
            case _:
                pass
    shown = {(call.number, call.key): call for call in screen}
    wrong: list[str] = []
    for _, fact in _raised(entries):
        if fact.mode is not Mode.ACTUAL:
            continue
        order = orders.get((fact.incident, fact.building))
        if order is None:
            wrong.append(f"I2: no call was ordered for {fact.alarm} in {fact.building!r}")
            continue
        if fact.incident in given_up:
            continue
        if not _holds(confirmed.get(order.call, NONE), fact.number) and not (
            fact.number == 1 and order.call in acknowledged
        ):
            wrong.append(f"I2: no PSAP confirmed press {fact.number} of call {order.number} ({_name(fact)})")
            continue
        call = shown.get((order.number, key_of(order.call)))
        if call is None or not _holds(call.presses, fact.number):
            wrong.append(f"I2: press {fact.number} of call {order.number} is confirmed and on no screen")
        elif call.exercise:
            wrong.append(f"I2: live call {order.number} is shown as an exercise")
    return wrong


def _holds(ranges: Ranges, number: int) -> bool:
    return any(first <= number <= last for first, last in ranges)


def i3_no_exercise_leaves_as_live(
    presses: Iterable[PressSent],
    entries: Sequence[Entry],
    said: Iterable[Text],
    *,
    windows: Sequence[tuple[float, float]],
    authorised: Container[str],
) -> list[str]:
    """I3: no exercise leaves as live, no live press as an exercise, and none is an exercise without a token.

    `windows`: when a drill may have been open, begin and end; `authorised`: ids of the tokens that two people signed.
    """
    by_name = {press.name: press for press in presses}
    wrong: list[str] = []
    orders: dict[tuple[int, str], facts.CallOrdered] = {}
    by_incident: dict[tuple[int, str], facts.CallOrdered] = {}
    for entry in entries:
        match entry.fact:
            case facts.CallOrdered() as order:
                orders[order.number, key_of(order.call)] = order
                by_incident[order.number, key_of(order.incident)] = order
            case facts.DrillBegun(authorisation=authorisation) if authorisation not in authorised:
                wrong.append(f"I3: a drill began by {authorisation}, which nobody signed")
            case facts.AlarmRaised(mode=Mode.EXERCISE) as fact:
                press = by_name.get(_name(fact))
                if press is None or not press.exercise:
                    wrong.append(f"I3: the live press {_name(fact)} became an exercise")
                elif not any(begin <= press.until and press.at <= end for begin, end in windows):
                    wrong.append(f"I3: {_name(fact)} became an exercise outside of every drill")
            case _:
                pass
    for text in said:
        match text:
            case CallText(number=number, key=key):
                told = [orders.get((number, key))]
            case MoreText(items=items, key=key):
                told = [by_incident.get((number, key)) for _, number, _ in items]
            case _:
                continue
        for found in told:
            if found is None:
                if text.exercise:
                    wrong.append(f"I3: an exercise left which the journal does not know: {text}")
            elif text.exercise != (found.mode is Mode.EXERCISE):
                wrong.append(f"I3: call {found.number} is {found.mode} and left as exercise={text.exercise}")
            elif text.exercise and not found.exercise_accepted:
                wrong.append(f"I3: the exercise call {found.number} left although the centre had not agreed")
    return wrong


def i9_no_silence(
    entries: Sequence[Entry],
    *,
    unconfirmed_after: float = 12.0,
    excused: Container[CallId] = frozenset(),
    suspects: Iterable[Named] = (),
) -> list[str]:
    """I9: whatever stops a call is said in time.

    A live call that no PSAP's system has confirmed after `unconfirmed_after` seconds has a `CallUnanswered`, and each
    of `suspects`, frames challenged in vain, a `SignalSuspect`. `excused`: calls during which no lane ran or the wall
    clock was stepped.
    """
    ordered: dict[CallId, Entry] = {}
    confirmed: dict[CallId, int] = {}
    said: set[CallId] = set()
    suspected: set[Named] = set()
    for entry in entries:
        match entry.fact:
            case facts.CallOrdered(call=call, mode=Mode.ACTUAL):
                ordered[call] = entry
            case (
                facts.CallReceipt(call=call, level=ReceiptLevel.SYSTEM)
                | facts.TelecommunicatorAcknowledged(call=call)
            ):
                confirmed[call] = min(entry.at, confirmed.get(call, entry.at))
            case facts.CallUnanswered(call=call):
                said.add(call)
            case facts.SignalSuspect(unit=unit, epoch=epoch, counter=counter):
                suspected.add(Named(unit, epoch, counter))
            case _:
                pass
    wrong = [
        f"I9: call {call} was unconfirmed for more than {unconfirmed_after:g} s and nobody was told"
        for call, entry in ordered.items()
        if call not in said
        and call not in excused
        and confirmed.get(call, entry.at + 86_400 * SECOND) - entry.at > unconfirmed_after * SECOND
    ]
    wrong += [
        f"I9: {name} was challenged in vain and nobody was told" for name in suspects if name not in suspected
    ]
    return wrong


def i10_nothing_was_changed(rows: Iterable[RawEntry]) -> list[str]:
    """I10: each entry continues the chain of the one before, and no fact is there twice."""
    wrong: list[str] = []
    digest, ids = GENESIS, set()
    for position, row in enumerate(rows, start=1):
        digest = entry_hash(
            digest,
            stream=row.stream,
            position=row.position,
            fact_id=row.id,
            at=row.at,
            tag=row.tag,
            subject=row.subject,
            body=row.body,
        )
        if row.position != position or row.hash != digest:
            return [*wrong, f"I10: entry {row.position} does not continue the chain"]
        if row.id in ids:
            wrong.append(f"I10: fact {row.id} is in the journal twice")
        ids.add(row.id)
    return wrong


def numbers_are_given_once(entries: Iterable[Entry]) -> list[str]:
    """What people say on the telephone names one thing: incidents, calls, and each building's alarms."""
    given: Counter[tuple[object, ...]] = Counter()
    for entry in entries:
        match entry.fact:
            case facts.IncidentOpened(number=number):
                given["incident", number] += 1
            case facts.CallOrdered(number=number):
                given["call", number] += 1
            case facts.AlarmRaised(incident=incident, building=building, number=number):
                given["alarm", incident, building, number] += 1
            case _:
                pass
    return [f"the number {name} was given {times} times" for name, times in given.items() if times > 1]


def what_a_person_was_told_is_recorded(
    entries: Sequence[Entry], told: Iterable[tuple[int, str]]
) -> list[str]:
    """A telecommunicator whose acknowledgement we confirmed (call number, by) stands in the journal."""
    orders = {
        entry.fact.call: entry.fact.number for entry in entries if isinstance(entry.fact, facts.CallOrdered)
    }
    recorded = {
        (orders.get(entry.fact.call), entry.fact.by)
        for entry in entries
        if isinstance(entry.fact, facts.TelecommunicatorAcknowledged)
    }
    return [
        f"I1: {by} was told that call {number} is theirs, and the journal does not know"
        for number, by in told
        if (number, by) not in recorded
    ]


def i11_all_is_well(
    *, waiting: Iterable[str], ailing: Mapping[str, object], fell: Iterable[str]
) -> list[str]:
    """I11: once faults are over everything heals by itself.

    `waiting`: units whose press nobody acknowledged; `ailing`: what still says that it is in trouble, by name;
    `fell`: why a lane ended although nobody killed it.
    """
    return [
        *(f"I11: {unit} still waits for an acknowledgement" for unit in waiting),
        *(f"I11: {name} is still in trouble: {why}" for name, why in ailing.items() if why),
        *(f"I11: the lane fell: {why}" for why in fell),
    ]


def i12_bounded(readings: Iterable[Reading]) -> list[str]:
    """I12: memory, disk, tasks and timers stay within their bounds."""
    return [
        f"I12: {reading.what} reached {reading.value:g}, more than {reading.bound:g}"
        for reading in readings
        if reading.value > reading.bound
    ]


class DeliverySeen(NamedTuple):
    """A delivery's row after everything has healed."""

    id: str
    notice: str
    revision: int
    person: str
    channel: str
    address: str
    state: str
    reason: str


class Taken(NamedTuple):
    """A message that a provider accepted: from the provider's own log."""

    channel: str
    address: str
    delivery: str


_REACHED = {"accepted", "delivered"}
_FINAL = {"refused", "superseded", "uncertain"}


def i4(deliveries: Iterable[DeliverySeen], taken: Iterable[Taken]) -> list[str]:
    """Per (notice, revision, address, channel) at most one message accepted by a provider; and none unknown to us."""
    rows = {row.id: row for row in deliveries}
    keys: Counter[tuple[str, int, str, str]] = Counter()
    broken = []
    for one in taken:
        row = rows.get(one.delivery)
        if row is None or (row.address, row.channel) != (one.address, one.channel):
            broken.append(f"I4 {one.channel}: a message was taken that no delivery knows: {one.delivery}")
        else:
            keys[row.notice, row.revision, row.address, row.channel] += 1
    broken += [f"I4 {key[0]} by {key[3]}: taken {count} times" for key, count in keys.items() if count > 1]
    rows_per_key = Counter((row.notice, row.revision, row.address, row.channel) for row in rows.values())
    broken += [f"I4 {key[0]} by {key[3]}: {count} rows" for key, count in rows_per_key.items() if count > 1]
    return broken


def i5(
    people: Collection[str],
    deliveries: Iterable[DeliverySeen],
    others: Mapping[str, str],
) -> list[str]:
    """Each person is reached or has a recorded final reason; none is in limbo.

    `others`: person → the delivery they share, or the reason why there is none.
    """
    rows = list(deliveries)
    by_id = {row.id: row for row in rows}
    by_person: dict[str, list[DeliverySeen]] = {}
    for row in rows:
        by_person.setdefault(row.person, []).append(row)
    broken = [f"I5 {row.id} is {row.state}" for row in rows if row.state not in _REACHED | _FINAL]
    broken += [
        f"I5 {row.id} is {row.state} for no reason" for row in rows if row.state in _FINAL and not row.reason
    ]
    for person in people:
        told = by_person.get(person, [])
        other = others.get(person, "")
        if not told and not other:
            broken.append(f"I5 {person}: neither reached nor a reason")
        if not told and other.startswith("dlv_") and other not in by_id:
            broken.append(f"I5 {person}: shares a delivery that is not there")
    return broken


def i6(snapshot: Collection[str], later: Collection[str]) -> list[str]:
    """A correction or an all-clear goes to a superset of the alarm's recipients."""
    return [
        f"I6 {one}: had the first notice, not the later one" for one in sorted(set(snapshot) - set(later))
    ]


def settled_honestly(deliveries: Iterable[DeliverySeen], taken: Iterable[Taken]) -> list[str]:
    """Nothing is shown as more certain than it is: what we call accepted was taken, what we call refused was not."""
    had = {one.delivery for one in taken}
    rows = list(deliveries)
    broken = [
        f"{row.id} is {row.state}, and nobody took it"
        for row in rows
        if row.state in _REACHED and row.channel != "console" and row.id not in had
    ]
    broken += [
        f"{row.id} is {row.state} ({row.reason}), and the provider took it"
        for row in rows
        if row.state == "superseded" and row.id in had
    ]
    return broken
