"""SIP messages as octets, and the messages in a stream (RFC 3261, sections 7, 18.3 and 20).

    METHOD URI SIP/2.0          or   SIP/2.0 CODE REASON
    Name: value                 names in any case, short ones too; a line that begins with a blank goes on
    (an empty line)
    body                        so many octets as Content-Length says

Messages here bear their headers in the order and with the names of the registry, unfolded, and without
Content-Length: it is written and checked, never kept. CR LF ends every line that is written; on a stream it must.

    message.py   Request, Response, and what else a stream may hold
    headers.py   header, values, parameters, replaced ..
    whole.py     encode, decode
    stream.py    Decoder
"""

from hardware.codecs.sip.headers import (
    answer_headers,
    bracketed,
    header,
    parameters,
    read_headers,
    replaced,
    spelt,
    split,
    unquoted,
    values,
    written,
)
from hardware.codecs.sip.message import (
    MAX_BODY,
    MAX_HEAD,
    MAX_HEADERS,
    SAMPLE,
    Blank,
    Garbled,
    Headers,
    Message,
    Request,
    Response,
)
from hardware.codecs.sip.stream import Decoder
from hardware.codecs.sip.whole import decode, encode

__all__ = [
    "MAX_BODY",
    "MAX_HEAD",
    "MAX_HEADERS",
    "SAMPLE",
    "Blank",
    "Decoder",
    "Garbled",
    "Headers",
    "Message",
    "Request",
    "Response",
    "answer_headers",
    "bracketed",
    "decode",
    "encode",
    "header",
    "parameters",
    "read_headers",
    "replaced",
    "spelt",
    "split",
    "unquoted",
    "values",
    "written",
]
