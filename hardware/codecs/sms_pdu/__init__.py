"""Short messages as a modem in PDU mode gives and takes them (3GPP TS 23.040, 9.2; TS 27.005, 3.1).

    SMSC length | SMSC type, digits | first octet | .. the TPDU of 23.040

What goes out is a `Submit`; what comes in is a `Deliver` or a `StatusReport`. The parameter of `AT+CMGS` counts the
TPDU alone: `tpdu_length`. Texts are GSM 7-bit where that can write them, else UCS-2; 8-bit data reads as ISO 8859-1.

    message.py   Submit, Deliver, StatusReport, and what they are made of
    texts.py     alphabets, and how a text is cut
    writing.py   encode, submits
    reading.py   decode_submit, decode_incoming
"""

from hardware.codecs.sms_pdu.message import (
    ALPHANUMERIC,
    INTERNATIONAL,
    NATIONAL,
    USER_DATA,
    Deliver,
    Incoming,
    Message,
    Number,
    Outcome,
    Part,
    Stamp,
    StatusReport,
    Submit,
    number,
)
from hardware.codecs.sms_pdu.reading import MAX_PDU, decode_incoming, decode_submit
from hardware.codecs.sms_pdu.texts import (
    PART_SEPTETS,
    PART_UNITS,
    SEPTETS,
    UNITS,
    Alphabet,
    alphabet_of,
    coding_of,
    fits,
    pieces,
)
from hardware.codecs.sms_pdu.writing import encode, submits, tpdu_length, validity_of

__all__ = [
    "ALPHANUMERIC",
    "INTERNATIONAL",
    "MAX_PDU",
    "NATIONAL",
    "PART_SEPTETS",
    "PART_UNITS",
    "SEPTETS",
    "UNITS",
    "USER_DATA",
    "Alphabet",
    "Deliver",
    "Incoming",
    "Message",
    "Number",
    "Outcome",
    "Part",
    "Stamp",
    "StatusReport",
    "Submit",
    "alphabet_of",
    "coding_of",
    "decode_incoming",
    "decode_submit",
    "encode",
    "fits",
    "number",
    "pieces",
    "submits",
    "tpdu_length",
    "validity_of",
]
