"""CAP 1.2, the Common Alerting Protocol: records, building, reading and the rules that its schema leaves out.

    model      Alert, Info, Area, Resource: the whole of CAP, in its own words
    rules      check(alert): what is wrong beyond the schema, each fault with its mend
    writing    build(alert): the document; an alert with a fault is not built
    reading    parse(octets): the record; 1.2, and 1.1 as weather services still send it
    lexical    times, numbers and lists
    calls      our calls, their updates and the link's test as alerts, and read back from them
    atom       an index of alerts as an Atom feed, out and in

Pure: octets in, records out. `parse(build(alert)) == alert`.
"""

from gateway.psap.cap.calls import Told, for_call, for_test, for_update, told
from gateway.psap.cap.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MessageType,
    Named,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Time,
    Urgency,
    moment,
)
from gateway.psap.cap.reading import parse
from gateway.psap.cap.rules import check
from gateway.psap.cap.writing import build

__all__ = [
    "Alert",
    "Area",
    "Category",
    "Certainty",
    "Circle",
    "Info",
    "MessageType",
    "Named",
    "Reference",
    "Resource",
    "ResponseType",
    "Scope",
    "Severity",
    "Status",
    "Time",
    "Told",
    "Urgency",
    "build",
    "check",
    "for_call",
    "for_test",
    "for_update",
    "moment",
    "parse",
    "told",
]
