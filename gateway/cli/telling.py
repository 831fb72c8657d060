"""A fact in plain words, and how certain it makes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from belltower.ids import PlaceId
from belltower.incident import facts
from belltower.incident.facts import Fact, ReceiptLevel
from floorplans.place import Place, spoken
from gateway.web.story import disclosed

_LEVELS = {
    ReceiptLevel.RADIO: "the far radio",
    ReceiptLevel.STATION: "a monitoring station",
    ReceiptLevel.SYSTEM: "the PSAP's system",
}
_SENT = "sent"
_MACHINE = "received by a machine"
_PERSON = "acknowledged by a person"


def tell(fact: Fact, places: Mapping[PlaceId, Place]) -> tuple[str, str]:
    """What happened, and its standing: sent, received by a machine, acknowledged by a person, or nothing to say."""
    match fact:
        case facts.AlarmRaised():
            who = fact.unit or fact.person or fact.device or "somebody"
            return (
                f"{fact.kind} alarm {fact.number} at {_place(fact.place, places)} by {who}, {fact.mode}",
                "",
            )
        case facts.IncidentOpened():
            return f"incident {fact.number} opened, {fact.mode}", ""
        case facts.AlarmJoined():
            return f"one more alarm in building {fact.building or 'unknown'}: {fact.number} by now", ""
        case facts.IncidentClosed():
            return f"closed by {fact.by}" + (f": {fact.reason}" if fact.reason else ""), ""
        case facts.ActionOrdered():
            where = ", ".join(sorted(_place(place, places) for place in fact.places)) or "the whole campus"
            return f"{fact.action} ordered for {where}" + (f" by {fact.by}" if fact.by else ""), ""
        case facts.CallOrdered():
            return f"call {fact.number} to the PSAP ordered, {_place(fact.place, places)}", ""
        case facts.NoticeOrdered():
            return f"notice {fact.template} to {fact.audience} ordered", ""
        case facts.OutputOrdered():
            return f"output {fact.output} ordered {'on' if fact.on else 'off'}", ""
        case facts.OutputReceipt():
            sure = "confirmed" if fact.confirmed else "not confirmed"
            return f"output {fact.output} switched {'on' if fact.on else 'off'}, {sure}", (
                _MACHINE if fact.confirmed else _SENT
            )
        case facts.OutputFailed():
            return f"output {fact.output} FAILED: {fact.reason}", ""
        case facts.UpdateOrdered(kind=facts.UpdateKind.CANCEL):
            return f"cancellation of the call ordered{f' by {fact.by}' if fact.by else ''}", ""
        case facts.UpdateOrdered():
            return f"correction ordered: {_place(fact.place, places)}", ""
        case facts.StatusReported():
            count = f" {fact.count}" if fact.count else ""
            return f"{_place(fact.place, places)} says: {fact.status.replace('_', ' ')}{count}", ""
        case facts.OrderShown():
            return f"unit {fact.unit} shows {fact.action}, over {fact.path}", _MACHINE
        case facts.RoomNotReached():
            return f"{_place(fact.place, places)} NOT REACHED: nothing there confirms {fact.action}", ""
        case facts.TextHeard():
            return f"unit {fact.unit} sent a text", ""
        case facts.TextOrdered():
            return f"a text to unit {fact.unit} ordered", ""
        case facts.TextShown():
            return f"unit {fact.unit} shows a text", _MACHINE
        case facts.DeviceTrouble():
            return f"device {fact.device}: {fact.kind}{f', {fact.why}' if fact.why else ''}", ""
        case facts.DeviceTroubleOver():
            return f"device {fact.device}: no more {fact.kind}", ""
        case facts.DevicesUnknown():
            return f"{len(fact.devices)} devices are not known, because of {fact.because}", ""
        case facts.DeviceLost():
            why = f", because of {fact.parent}" if fact.parent else ""
            return f"device {fact.device} is not heard{why}", ""
        case facts.JamSuspected():
            noise = f", with noise ({fact.noise})" if fact.noise else ""
            return f"{len(fact.devices)} devices fell silent together on {fact.path}{noise}: jammed?", ""
        case facts.WalkTested():
            return f"device {fact.device} proven at {_place(fact.place, places)}", ""
        case facts.CallSent(update=update) if update:
            return f"update {update} of the call sent on {fact.link}", _SENT
        case facts.CallReceipt(update=update) if update:
            return f"{_LEVELS[fact.level]} confirms update {update} on {fact.link}", _MACHINE
        case facts.CallRejected(update=update) if update:
            return f"{fact.link} rejects update {update}: {fact.reason or 'no reason given'}", ""
        case facts.UpdateReadBack():
            who = f"telecommunicator {fact.by}" if fact.by else "the telecommunicator"
            return f"{who} has read update {fact.update} back, on {fact.link}", _PERSON
        case facts.ResponseSeen():
            return f"responders {fact.status}, says the PSAP's system on {fact.link}", _MACHINE
        case facts.LinkTestOrdered():
            return f"test {fact.test} of every link ordered{f' by {fact.by}' if fact.by else ''}", ""
        case facts.LinkTestSent():
            return f"test {fact.test} sent on {fact.link}", _SENT
        case facts.LinkProven():
            return (
                f"test {fact.test} on {fact.link}: {_LEVELS[fact.level]} confirms, {fact.after:g} s",
                _MACHINE,
            )
        case facts.LinkUnproven():
            return f"test {fact.test} on {fact.link} NOT proven: {fact.reason}", ""
        case facts.AlertSeen():
            what = "cancelled" if fact.cancelled else fact.status
            return f"{fact.feed} says: {fact.headline or fact.event} ({what})", ""
        case facts.CallSent():
            return f"call sent on {fact.link}, alarms {_ranges(fact.covers)}", _SENT
        case facts.CallReceipt():
            standing = _MACHINE if fact.level is ReceiptLevel.SYSTEM else f"{_MACHINE}, not the PSAP's"
            return f"{_LEVELS[fact.level]} confirms on {fact.link}, alarms {_ranges(fact.covers)}", standing
        case facts.CallRejected():
            return f"{fact.link} rejects the call: {fact.reason or 'no reason given'}", ""
        case facts.CallWithheld():
            return f"call withheld on {fact.link}: {fact.reason}", ""
        case facts.CallUnanswered():
            return f"NOT ACKNOWLEDGED after {fact.after:g} s, CALL 911", ""
        case facts.TelecommunicatorAcknowledged():
            return f"telecommunicator {fact.by} acknowledges on {fact.link}", _PERSON
        case facts.NoticePlanned():
            return (
                f"notice planned: {fact.deliveries - fact.unsendable} deliveries to {fact.people} people",
                "",
            )
        case facts.DeliverySettled():
            return f"{fact.channel} to {fact.person}: {fact.outcome}" + (
                f" ({fact.reason})" if fact.reason else ""
            ), ""
        case facts.NoticeApproved():
            how = f"confirmed by {fact.second}" if fact.second else "sent without a second person"
            return f"notice {fact.notice} of {fact.by} {how}", ""
        case facts.HeldDecided():
            what = "sent after all" if fact.sent else "left unsent"
            return f"{fact.deliveries} late deliveries of notice {fact.notice} {what} by {fact.by}", ""
        case facts.DeliveryEscalated():
            whom = f" {fact.next_person}" if fact.next_person else ""
            return f"{fact.person} has not acknowledged: {fact.to}{whom}", ""
        case facts.ReplyHeard():
            return f"{fact.person} answered by {fact.channel}: {fact.reply.replace('_', ' ')}", ""
        case facts.ChannelTested():
            why = f" ({fact.reason})" if fact.reason else ""
            return f"test of {fact.provider}: {fact.outcome}{why}, {fact.after:.1f} s", ""
        case facts.RosterTaken():
            held = ", ".join(f"{count} {name}" for name, count in fact.counts.items() if count)
            return f"roster {fact.revision} of {fact.source} is in force: {held}", ""
        case facts.GrantGiven():
            where = f" for {', '.join(fact.schools)}" if fact.schools else ""
            return f"{fact.person} is {fact.role} from now on{where}", ""
        case facts.GrantTaken():
            return f"{fact.person} is {fact.role} no more", ""
        case facts.AccountClosed() | facts.AccountReopened():
            again = "again" if isinstance(fact, facts.AccountReopened) else "no more"
            return f"{fact.person} may sign in {again}", ""
        case facts.DisclosureOpened() | facts.DisclosureGiven() | facts.DisclosureClosed():
            return f"{disclosed(fact)}{f', by {fact.by}' if fact.by else ''}", ""
        case facts.PersonChanged():
            of = ", ".join(fact.fields) or fact.record
            return f"{fact.by}, by hand, of {fact.person}: {fact.what} {of}", ""
        case (
            facts.LinkLost()
            | facts.LinkRestored()
            | facts.SignalSuspect()
            | facts.UnitRestored()
            | facts.TamperSeen()
            | facts.DeviceRestored()
            | facts.PanelTrouble()
            | facts.DrillBegun()
            | facts.DrillEnded()
            | facts.LaneStarted()
            | facts.RecordingFailed()
            | facts.RecordingRestored()
        ):
            return str(type(fact).__struct_config__.tag).replace(".", " "), ""
        case facts.UnitLost():
            since = (
                "never heard since the lane started"
                if fact.silent_for < 0
                else f"silent for {fact.silent_for:g} s"
            )
            return f"unit {fact.unit} lost, {since}", ""
        case facts.UnknownFact():
            return f"{fact.unknown_tag}, written by a newer version", ""
        case other:
            assert_never(other)


def _place(place: PlaceId | None, places: Mapping[PlaceId, Place]) -> str:
    if place is None:
        return spoken(None)
    return spoken(places[place]) if place in places else place


def _ranges(covers: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in covers)
