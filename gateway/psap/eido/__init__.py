"""EIDO 1.0, the JSON by which NG9-1-1 systems tell each other of an incident, and how it is conveyed; pure.

    document.py                 the records of our subset and `parse`: NENA-STA-021.1
    core-subset.schema.json     the same as a JSON schema, for whoever has to judge us
    writing.py                  a call, its further presses and its updates as documents
    standing.py                 every call as it stands, and the frames and documents that say so
    reading.py                  what another system's document says of one of our calls
    conveyance.py               subscribe, event, terminate .. as records: NENA-STA-024.1
    notifier.py subscriber.py   both roles of the conveyance as state machines, without I/O and with the time given

The WebSockets are in gateway.psap.eido_sockets, the link in gateway.psap.eido_link.
"""
