"""The lines of an AT dialogue in plain words; what is a body is left to the format that knows it."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from gateway.psap.explain import Explanation
from gateway.psap.explain._building import Lines, printable
from hardware.codecs import at

_PIECE = re.compile(rb"> |[^\r\n\x1a]+|\x1a")
_HEX = re.compile(r"[0-9A-Fa-f]{4,}")
_COMMAND = re.compile(r"AT([+^$&]?[A-Za-z]+)?(=\?|\?|=.*|[0-9]*)", re.IGNORECASE)

_COMMANDS = {
    "": "are you there?",
    "E": "echo what I write: 0 no, 1 yes",
    "Z": "go back to your settings",
    "&F": "go back to the maker's settings",
    "+CMEE": "say errors as numbers, 1, or words, 2",
    "+CPIN": "the SIM's PIN, or whether it is wanted",
    "+CREG": "registration with the network",
    "+CEREG": "registration with the LTE network",
    "+CSQ": "signal strength",
    "+CSMS": "the message service, 1 with confirmation of what comes in",
    "+CMGF": "message format: 0 PDU, 1 text",
    "+CNMI": "tell me of new messages and reports unasked",
    "+CNMA": "I have what came in",
    "+CPMS": "where messages are stored",
    "+CMGL": "list stored messages",
    "+CMGR": "read a stored message",
    "+CMGD": "delete a stored message",
    "+CMGS": "send a message; a body follows",
    "+CSCA": "the number of the message centre",
    "+CSCS": "the character set of texts",
    "+CGMI": "who made you?",
    "+CGMM": "which model are you?",
    "+CGMR": "which firmware have you?",
    "+CGSN": "your serial number",
    "+CIMI": "the SIM's identity",
    "+CTSP": "give me this kind of short data",
    "+CTSDS": "which short data the next AT+CMGS sends",
}
_ANSWERS = {
    "+CMGS": "the network took the message under this reference: sent, no more",
    "+CMTI": "a message came in and is stored there",
    "+CMT": "a message came in; its PDU follows",
    "+CDSI": "a status report came in and is stored there",
    "+CDS": "a status report came in; its PDU follows",
    "+CMGR": "the stored message; its PDU follows",
    "+CMGL": "a stored message; its PDU follows",
    "+CPIN": "the state of the SIM",
    "+CREG": "registration: 1 at home, 5 roaming, 2 searching, 3 refused",
    "+CEREG": "LTE registration: 1 at home, 5 roaming, 2 searching, 3 refused",
    "+CSQ": "signal strength 0 to 31, 99 unknown",
    "+CTSDSR": "short data came in; its octets follow",
    "+CPMS": "the message stores",
    "+CSMS": "what the message service can do",
    "+CSCS": "the character set",
    "+CSCA": "the number of the message centre",
    "+CMGF": "the message format",
    "+CNMI": "what is told unasked",
}
_CMS = {
    1: "unassigned number",
    8: "barred by the operator",
    10: "barred",
    21: "the network rejects it",
    27: "the other side is out of order",
    28: "unknown subscriber",
    38: "the network is out of order",
    41: "a temporary failure",
    42: "congestion",
    50: "not subscribed",
    300: "the modem failed",
    304: "the PDU is not as it should be",
    310: "there is no SIM",
    311: "the SIM wants its PIN",
    321: "there is no such stored message",
    330: "the number of the message centre is not known",
    331: "no network",
    332: "the network did not answer",
    500: "an unknown error",
}
_CME = {
    3: "not allowed",
    4: "not supported",
    10: "there is no SIM",
    11: "the SIM wants its PIN",
    16: "wrong PIN",
    30: "no network",
    35: "the radio does not understand; clear the line and try again",
}


class Piece(Struct, frozen=True, kw_only=True):
    """One line, prompt or end of a body."""

    at: int
    text: str

    @property
    def end(self) -> int:
        """Just after it."""
        return self.at + len(self.text)


Body = Callable[[Lines, Piece, str], str]
"""Explain a line of hex that follows the line given last; returns what it says in one sentence."""


def pieces(octets: bytes) -> list[Piece]:
    """What stands between line ends."""
    return [Piece(at=found.start(), text=found[0].decode("latin-1")) for found in _PIECE.finditer(octets)]


def dialogue(octets: bytes, name: str, body: Body | None) -> Explanation:
    """Each line of it. Without `body` a line of hex is only named."""
    lines = Lines(octets)
    summary: list[str] = []
    before = ""
    for piece in pieces(octets):
        text = piece.text
        if text == "> ":
            lines.add(piece.at, piece.end, "the modem waits for the body")
        elif text == "\x1a":
            lines.add(piece.at, piece.end, "the end of the body: send it")
        elif text == "\x1b":
            lines.add(piece.at, piece.end, "the body is given up")
        elif _HEX.fullmatch(text.strip()) and body is not None:
            summary.append(body(lines, piece, before))
        elif _HEX.fullmatch(text.strip()):
            lines.add(piece.at, piece.end, f"{len(text.strip()) // 2} octets in hex")
        else:
            said = _line(lines, piece)
            if said:
                summary.append(said)
            before = text
    if not lines.found and not lines.faults:
        lines.fault("octet 0: nothing but line ends; expected a command or an answer")
    return Explanation(
        format=name,
        summary="; ".join(one for one in summary if one) or "A modem's line.",
        lines=tuple(lines.found),
        faults=tuple(lines.faults),
    )


def _line(lines: Lines, piece: Piece) -> str:
    text = piece.text.strip()
    if match := _COMMAND.fullmatch(text):
        return _command(lines, piece, (match[1] or "").upper(), match[2])
    end = at.final(text)
    if end is not None:
        said = _final(end)
        lines.add(piece.at, piece.end, said)
        return said
    name = text.partition(":")[0]
    if ":" in text and name in _ANSWERS:
        lines.add(
            piece.at, piece.end, f"{_ANSWERS[name]}: {printable(text[len(name) + 1 :].strip().encode())}"
        )
        return _ANSWERS[name]
    lines.add(piece.at, piece.end, "not understood")
    lines.fault(
        f"octet {piece.at}: {printable(text.encode('latin-1', 'replace'), most=40)!r} is no command, answer or hex"
        " that is known"
    )
    return ""


def _command(lines: Lines, piece: Piece, name: str, value: str) -> str:
    known = _COMMANDS.get(name)
    lines.add(piece.at, piece.end, known or "a command of the modem's own")
    parameters = value.removeprefix("=")
    if name in {"+CTSDS", "+CTSP", "+CNMI", "+CMGS"} and value.startswith("=") and parameters != "?":
        bad = re.search(r"[^0-9,]", parameters)
        if bad:
            where = piece.at + piece.text.index("=") + 1 + bad.start()
            lines.fault(f"octet {where}: expected numbers and commas after AT{name}=, found {bad[0]!r}")
    return f"AT{name}: {known}" if known else ""


def _final(end: at.Final) -> str:
    if end.verdict is at.Verdict.DONE:
        return "done"
    meaning = (_CMS if end.family == "CMS" else _CME).get(end.code or -1)
    if end.family and end.code is not None:
        return f"refused, +{end.family} ERROR {end.code}: {meaning or 'see the modem'}"
    return "refused"


def looks(octets: bytes) -> tuple[int, str]:
    """How much it looks like an AT dialogue, 0 to 100, and the text of its head."""
    head = octets[:4096].lstrip(b"\r\n")
    if not head or re.search(rb"[^\t\r\n\x1a\x1b -~]", head):
        return 0, ""
    text = head.decode("ascii", "replace")
    if re.match(r"AT[+^$&]?[A-Z0-9]*[=?\r\n]?", text, re.IGNORECASE) and text[:2].upper() == "AT":
        return (80 if re.match(r"AT(\+|E[01]|\s*[\r\n]|\s*$)", text, re.IGNORECASE) else 30), text
    if re.match(r"(OK|ERROR|\+CM[ES] ERROR)\b", text) or text.startswith("> "):
        return 60, text
    if (match := re.match(r"(\+[A-Z]{2,8}):", text)) and match[1] in _ANSWERS:
        return 80, text
    return 0, text
