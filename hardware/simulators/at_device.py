"""What simulated AT devices share: commands found in octets, bodies after a prompt, and answers with their times."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hardware.codecs import at

_MOST = 4_096


class ATDevice:
    """Octets in by `receive`, answers out through `say`; the kinds of device add their commands.

    Faults by name, set with `misbehave`:
        silent       it hears everything and says nothing
        late=5       it answers so many seconds late
        deaf-after=1 it says nothing more once so many bodies were taken
        garbage      it says nonsense between its answers
        no-prompt    it never asks for a body
        reset        it begins anew once it has taken a body, without an answer
    """

    def __init__(self, *, random: Random | None = None) -> None:
        self._random = random or Random(1)
        self._pending = bytearray()
        self._body: Callable[[str], None] | None = None
        self._out: list[tuple[float, bytes]] = []
        self._echo = True
        self.fault = ""
        self.measure = 0.0
        self.bodies = 0
        """Bodies taken."""
        self.commands: list[str] = []
        """The last commands heard."""
        self.aborted = 0
        """Bodies that were given up by ESC."""
        self.rung: Callable[[], None] = lambda: None
        """Called whenever there is something to send."""

    def misbehave(self, name: str, measure: float = 0.0) -> None:
        """Do this wrong from now on; "" for nothing."""
        self.fault, self.measure = name, measure

    def receive(self, octets: bytes) -> None:
        """Take what the computer wrote."""
        for octet in octets:
            if self._body is not None:
                self._in_body(octet)
            elif octet in b"\r\n":
                command = self._pending.decode("latin-1").strip()
                self._pending.clear()
                if command:
                    self._command(command)
            elif octet == at.ABORT[0]:
                self._pending.clear()
            elif len(self._pending) < _MOST:
                self._pending.append(octet)

    def outgoing(self) -> list[tuple[float, bytes]]:
        """What is to be sent, each with the seconds until then."""
        out, self._out = self._out, []
        return out

    def say(self, *lines: str, after: float = 0.0) -> None:
        """Say lines, each between line ends."""
        for line in lines:
            self._send(f"\r\n{line}\r\n".encode("latin-1"), after)

    def ask_body(self, taken: Callable[[str], None]) -> None:
        """Ask for a body; `taken` gets it as text."""
        if self.fault == "no-prompt":
            return
        self._body = taken
        self._send(b"\r\n> ", 0.0)

    def restarted(self) -> None:
        """Begin anew, as after a loss of power."""
        self._pending.clear()
        self._body = None
        self._echo = True

    def carry_out(self, command: str) -> None:
        """Do what a command says, in capitals."""
        raise NotImplementedError

    # ----

    def _in_body(self, octet: int) -> None:
        taken = self._body
        if octet == at.END_OF_BODY[0] and taken is not None:
            body = self._pending.decode("latin-1").strip()
            self._pending.clear()
            self._body = None
            self.bodies += 1
            taken(body)
        elif octet == at.ABORT[0]:
            self._pending.clear()
            self._body = None
            self.aborted += 1
            self.say("OK")
        elif len(self._pending) < _MOST:
            self._pending.append(octet)

    def _command(self, command: str) -> None:
        self.commands = [*self.commands[-99:], command]
        if self._echo:
            self._send(command.encode("latin-1") + b"\r", 0.0)
        if command.upper().startswith("ATE"):
            self._echo = command[3:4] == "1"
            self.say("OK")
        elif command.upper() == "AT":
            self.say("OK")
        else:
            self.carry_out(command)

    def _send(self, octets: bytes, after: float) -> None:
        if self.fault == "silent" or (self.fault == "deaf-after" and self.bodies >= max(self.measure, 1.0)):
            return
        delay = after + (self.measure or 5.0 if self.fault == "late" else 0.0)
        if self.fault == "garbage":
            self._out.append(
                (delay, b"\x00\xfe" + self._random.randbytes(8).replace(b"\x1a", b"?") + b"\r\n")
            )
            self._out.append((delay, b"\r\n^RSSI: 17\r\n+CREG: 1\r\nNONSENSE\r\n"))
        self._out.append((delay, octets))
        self.rung()
