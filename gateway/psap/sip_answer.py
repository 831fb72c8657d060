"""What the centre says of a call by SIP: a MESSAGE with a CAP document that refers to ours (docs/psap-sip.md), pure.

msgType Ack, references our Alert, note "by T12"              a telecommunicator has the call
msgType Ack, references our Update or Cancel, note "by T12"   a telecommunicator has read it back
msgType Update, references our Alert, note "status enroute"   how far the responders are
"""

from __future__ import annotations

import re

from belltower.clock import Instant
from belltower.errors import Malformed
from belltower.incident.facts import ResponseStatus
from gateway.psap import cap
from gateway.psap.cap import Alert, MessageType, Reference, Scope, moment
from gateway.psap.link import PersonAnswered, ReadBack, ResponseSaid
from gateway.psap.sip_request import ANSWER_TYPE, Carried
from hardware.codecs.sip import Headers, Request

Answer = PersonAnswered | ReadBack | ResponseSaid

_OURS = re.compile(r"C([0-9]{1,19})-([0-9A-Z]{8})(-U([0-9]{1,9}))?")
_BY = re.compile(r"by ([A-Za-z0-9-]{1,16})")
_STATUS = re.compile(r"status ([a-z]{1,16})")


def answer(said: Carried, *, sender: str, prefix: str) -> Answer:
    """What a MESSAGE of the centre says; `sender` and `prefix` are what our own documents bear.

    Raises:
        Malformed: it refers to nothing of ours, or says nothing that we know.
    """
    alert = said.alert
    for reference in alert.references:
        found = _OURS.fullmatch(reference.identifier.removeprefix(f"{prefix}-"))
        if reference.sender != sender or not reference.identifier.startswith(f"{prefix}-") or not found:
            continue
        number, key, update = int(found[1]), found[2], found[3]
        match alert.type:
            case MessageType.ACK:
                by = _note(_BY, alert.note, "by CODE")
                kind = ReadBack if update else PersonAnswered
                return kind(number=number, key=key, by=by)
            case MessageType.UPDATE if not update:
                status = _note(_STATUS, alert.note, "status WORD")
                if status not in tuple(ResponseStatus):
                    raise Malformed(f"CAP: note: {status!r} is none of {', '.join(ResponseStatus)}")
                return ResponseSaid(number=number, key=key, status=ResponseStatus(status))
            case _:
                raise Malformed(f"CAP: msgType {alert.type} says nothing about a call; write Ack or Update")
    raise Malformed("CAP: references: none is of a call of ours")


def written(
    original: Alert, *, type_: MessageType, note: str, identifier: str, sender: str, at: Instant
) -> Alert:
    """The centre's document about one of ours; of the same status, so that an exercise stays one."""
    infos = original.infos[:1] if type_ is MessageType.UPDATE else ()
    return Alert(
        identifier=identifier,
        sender=sender,
        sent=moment(at),
        status=original.status,
        type=type_,
        scope=Scope.PRIVATE,
        addresses=(original.sender,),
        note=note,
        references=(Reference(sender=original.sender, identifier=original.identifier, sent=original.sent),),
        incidents=original.incidents,
        infos=infos,
    )


def request(alert: Alert, headers: Headers, uri: str) -> Request:
    """The MESSAGE that carries the centre's document, alone in its body."""
    about = (
        ("Content-Type", ANSWER_TYPE),
        ("Content-Disposition", "render;handling=optional"),
    )
    return Request(method="MESSAGE", uri=uri, headers=(*headers, *about), body=cap.build(alert))


def _note(pattern: re.Pattern[str], note: str, form: str) -> str:
    found = pattern.fullmatch(note.strip())
    if found is None:
        raise Malformed(f"CAP: note: expected {form!r}, found {note[:40]!r}")
    return found[1]
