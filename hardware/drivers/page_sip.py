"""A page by a SIP call that the far end answers by itself: INVITE, RTP, BYE. A `PageWire`.

Over UDP to one numeric address, as telephones and paging adapters take it from their own network (RFC 3261, an INVITE
client of one dialog; RFC 5373 and the usual headers ask for an answer without a person). That the far end answered
says that a machine took the call, not that anybody heard it.
"""

from __future__ import annotations

import asyncio
import re
import socket
from typing import cast

from belltower.errors import Malformed, Unreachable
from belltower.ids import RandomBytes
from hardware.codecs import sip
from hardware.codecs.rtp import Talk
from hardware.codecs.sip import Headers, Request, Response
from hardware.codecs.voice import PAYLOAD_TYPES, PayloadFormat

ANSWER = 5.0
"""Seconds within which the far end must have answered."""
_FIRST_REPEAT = 0.5
_BYE = 1.0
_NAMES = {PayloadFormat.PCMU: "PCMU", PayloadFormat.PCMA: "PCMA", PayloadFormat.G722: "G722"}
_CONNECTION = re.compile(r"^c=IN IP4 ([0-9.]{7,15})\s*$", re.MULTILINE)
_AUDIO = re.compile(r"^m=audio ([0-9]{1,5}) RTP/AVP ([0-9 ]{1,200})\s*$", re.MULTILINE)


class SIPPage:
    """Calls one address, which answers by itself, and speaks."""

    def __init__(
        self,
        *,
        user: str,
        host: str,
        port: int,
        us: str,
        random_bytes: RandomBytes,
        form: PayloadFormat = PayloadFormat.PCMU,
        answer: float = ANSWER,
    ) -> None:
        """`user` at a numeric address; `us` is the user part of who calls."""
        self._uri = f"sip:{user}@{host}:{port}" if user else f"sip:{host}:{port}"
        self._to = (host, port)
        self._us = us
        self._form = form
        self._answer = answer
        self._random = random_bytes
        self._call: _Call | None = None
        self._media: socket.socket | None = None
        self._talk: Talk | None = None
        self._media_to = ("", 0)

    @property
    def form(self) -> PayloadFormat:
        """How its frames are coded."""
        return self._form

    def fault(self) -> str:
        """Nothing is known before it is called."""
        return ""

    async def begin(self) -> None:
        """Call, and return once it has been answered; `Unreachable` says what the far end answered instead."""
        await self.end()
        loop = asyncio.get_running_loop()
        media = self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        media.setblocking(False)
        try:
            transport, self._call = await loop.create_datagram_endpoint(
                lambda: _Call(uri=self._uri, us=self._us, random_bytes=self._random), remote_addr=self._to
            )
            here = transport.get_extra_info("sockname")[0]
            media.bind((here, 0))
            offer = self._offer(here, media.getsockname()[1])
            answered = await self._call.invite(offer, within=self._answer)
            self._media_to = self._target(answered)
        except OSError as error:
            await self.end()
            raise Unreachable(f"{self._uri} cannot be called: {error.strerror}") from error
        except (Unreachable, asyncio.CancelledError):
            await self.end()
            raise
        self._talk = Talk(
            payload_type=PAYLOAD_TYPES[self._form], source=int.from_bytes(self._random(4), "big")
        )

    def send(self, frame: bytes, *, first: bool) -> None:
        """Send one frame."""
        if self._call is None or self._media is None or self._talk is None or self._call.gone:
            raise Unreachable(f"{self._uri} has hung up")
        try:
            self._media.sendto(self._talk.packet(frame, marker=first), self._media_to)
        except BlockingIOError:
            pass
        except OSError as error:
            raise Unreachable(f"{self._uri} takes no sound: {error.strerror}") from error

    async def end(self) -> None:
        """Hang up; the far end has a second to say that it heard it."""
        call, self._call = self._call, None
        media, self._media = self._media, None
        try:
            if call is not None:
                await call.hang_up()
        finally:
            if call is not None:
                call.close()
            if media is not None:
                media.close()

    def _offer(self, here: str, port: int) -> bytes:
        payload = PAYLOAD_TYPES[self._form]
        lines = (
            "v=0",
            f"o=- {int.from_bytes(self._random(4), 'big')} 1 IN IP4 {here}",
            "s=page",
            f"c=IN IP4 {here}",
            "t=0 0",
            f"m=audio {port} RTP/AVP {payload}",
            f"a=rtpmap:{payload} {_NAMES[self._form]}/8000",
            "a=ptime:20",
            "a=sendrecv",
        )
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _target(self, answered: Response) -> tuple[str, int]:
        body = answered.body.decode("utf-8", "replace").replace("\r", "")
        where, audio = _CONNECTION.search(body), _AUDIO.search(body)
        payload = str(PAYLOAD_TYPES[self._form])
        if where is None or audio is None or int(audio[1]) == 0 or payload not in audio[2].split():
            raise Unreachable(f"{self._uri} does not take {self._form.value}")
        return where[1], int(audio[1])


class _Call(asyncio.DatagramProtocol):
    """One INVITE and its dialog."""

    def __init__(self, *, uri: str, us: str, random_bytes: RandomBytes) -> None:
        self._uri = uri
        self._us = us
        self._random = random_bytes
        self._transport: asyncio.DatagramTransport | None = None
        self._heard = asyncio.Event()
        self._final: Response | None = None
        self._provisional = False
        self._bye_answered = asyncio.Event()
        self._broken = ""
        self._call_id = random_bytes(12).hex()
        self._tag = random_bytes(6).hex()
        self._branch = random_bytes(8).hex()
        self._remote = uri
        self._to = f"<{uri}>"
        self._invited = b""
        self._ack = b""
        self._answered = False
        self.gone = False
        """Whether the far end has hung up."""

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def error_received(self, error: Exception) -> None:
        self._broken = getattr(error, "strerror", "") or type(error).__name__
        self._heard.set()

    def datagram_received(self, octets: bytes, _: object) -> None:
        try:
            message = sip.decode(octets)
        except Malformed:
            return
        if sip.header(message, "Call-ID") != self._call_id:
            return
        if isinstance(message, Response):
            self._response(message)
        else:
            self._request(message)

    # ---- the dialog

    async def invite(self, offer: bytes, *, within: float) -> Response:
        """The 200 to our INVITE, acknowledged."""
        self._invited = self._written("INVITE", 1, self._branch, body=offer)
        repeat = _FIRST_REPEAT
        try:
            async with asyncio.timeout(within):
                self._send(self._invited)
                while self._final is None:
                    try:
                        async with asyncio.timeout(None if self._provisional else repeat):
                            await self._heard.wait()
                    except TimeoutError:
                        repeat *= 2
                        self._send(self._invited)
                    self._heard.clear()
                    if self._broken:
                        raise Unreachable(f"{self._uri} cannot be called: {self._broken}")
        except TimeoutError:
            raise Unreachable(f"{self._uri} does not answer") from None
        final = self._final
        if final.status >= 300:
            raise Unreachable(f"{self._uri} answered {final.status} {final.reason}"[:120])
        return final

    async def hang_up(self) -> None:
        """End what there is: BYE, or CANCEL while it has not been answered."""
        if self.gone or not self._invited:
            return
        if not self._answered:
            if self._final is None and self._provisional:
                self._send(self._written("CANCEL", 1, self._branch))
            return
        bye = self._written("BYE", 2, self._random(8).hex())
        try:
            async with asyncio.timeout(_BYE):
                while not self._bye_answered.is_set():
                    self._send(bye)
                    try:
                        async with asyncio.timeout(_FIRST_REPEAT):
                            await self._bye_answered.wait()
                    except TimeoutError:
                        continue
        except TimeoutError:
            pass

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    def _response(self, response: Response) -> None:
        method = sip.header(response, "CSeq").partition(" ")[2]
        if method == "BYE" and response.status >= 200:
            self._bye_answered.set()
        if method != "INVITE":
            return
        if response.status < 200:
            self._provisional = True
        elif self._final is None:
            self._final = response
            self._to = sip.header(response, "To") or self._to
            try:
                self._take(response)
            except ValueError:
                self._broken = "its answer cannot be acknowledged"
            else:
                self._send(self._ack)
        elif self._ack:  # it has not heard our ACK
            self._send(self._ack)
        self._heard.set()

    def _take(self, final: Response) -> None:
        if final.status >= 300:
            self._ack = self._written("ACK", 1, self._branch)
            return
        self._remote = sip.bracketed(sip.header(final, "Contact")) or self._uri
        branch = self._random(8).hex()
        try:
            self._ack = self._written("ACK", 1, branch)
        except ValueError:  # nothing can be sent to such a Contact; where it was called it answers as well
            self._remote = self._uri
            self._ack = self._written("ACK", 1, branch)
        self._answered = True

    def _request(self, request: Request) -> None:
        status, reason = (200, "OK") if request.method in {"BYE", "OPTIONS"} else (501, "Not Implemented")
        if request.method == "ACK":
            return
        if request.method == "BYE":
            self.gone = True
        answer = Response(status=status, reason=reason, headers=sip.answer_headers(request, tag=self._tag))
        self._send(sip.encode(answer))

    def _written(self, method: str, number: int, branch: str, *, body: bytes = b"") -> bytes:
        if self._transport is None:
            raise Unreachable(f"{self._uri} cannot be called")
        host, port = self._transport.get_extra_info("sockname")[:2]
        headers: Headers = (
            ("Via", f"SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{branch}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self._us}@{host}>;tag={self._tag}"),
            ("To", f"<{self._uri}>" if method == "CANCEL" else self._to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{number} {method}"),
            ("Contact", f"<sip:{self._us}@{host}:{port}>"),
        )
        if method == "INVITE":
            headers += (
                ("Call-Info", f"<sip:{host}>;answer-after=0"),
                ("Alert-Info", "<http://127.0.0.1>;info=alert-autoanswer"),
                ("Answer-Mode", "Auto"),
                ("Priority", "emergency"),
                ("Content-Type", "application/sdp"),
            )
        uri = self._remote if method in {"BYE", "ACK"} else self._uri
        return sip.encode(Request(method=method, uri=uri, headers=headers, body=body))

    def _send(self, octets: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(octets)
