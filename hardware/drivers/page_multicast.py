"""Sound as plain RTP to a multicast group, or to one address: paging horns, telephones, gateways to radios.

Nothing confirms it and nobody is asked: whoever listens hears it. Receivers take payload type 0 or 9, an even port,
the marker on the first packet; the time to live is 1 unless the group is routed.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from belltower.errors import Unreachable
from belltower.ids import RandomBytes
from hardware.codecs.rtp import Talk
from hardware.codecs.voice import PAYLOAD_TYPES, PayloadFormat


class Datagrams:
    """A socket that only sends, to one numeric address."""

    def __init__(self, *, host: str, port: int, ttl: int = 1, interface: str = "") -> None:
        """`interface` is the numeric address of the network card that multicast leaves by; "": the route's."""
        self._to = (host, port)
        self._ttl = ttl
        self._interface = interface
        self._socket: socket.socket | None = None

    def fault(self) -> str:
        """Why nothing can leave now, as far as this machine knows; "" when nothing is known against it."""
        probe = Datagrams(host=self._to[0], port=self._to[1], ttl=self._ttl, interface=self._interface)
        try:
            probe.open()
            if probe._socket is not None and not self._interface:
                probe._socket.connect(self._to)
        except Unreachable as error:
            return str(error)
        except OSError as error:
            return f"there is no way to {self._to[0]}: {error.strerror}"
        finally:
            probe.close()
        return ""

    def open(self) -> None:
        """Open it; `Unreachable` when the interface is none of ours."""
        self.close()
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            if ip_address(self._to[0]).is_multicast:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._ttl)
                if self._interface:
                    made.setsockopt(
                        socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self._interface)
                    )
            # RFC 4594: expedited forwarding, as for any voice.
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8)
        except OSError as error:
            made.close()
            raise Unreachable(f"the page cannot leave by {self._interface}: {error.strerror}") from error
        self._socket = made

    def send(self, octets: bytes) -> None:
        """Send one packet; `Unreachable` when the system does not take it."""
        if self._socket is None:
            raise Unreachable("the page is not open")
        try:
            self._socket.sendto(octets, self._to)
        except BlockingIOError:  # the card is behind by a buffer: this frame is lost, as on any network
            pass
        except OSError as error:
            raise Unreachable(f"the page cannot be sent: {error.strerror}") from error

    def close(self) -> None:
        """Close it; again does nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class MulticastPage:
    """RTP to one group and port: a `PageWire`."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        random_bytes: RandomBytes,
        form: PayloadFormat = PayloadFormat.PCMU,
        ttl: int = 1,
        interface: str = "",
    ) -> None:
        """Sound of `form` to a numeric address."""
        self._form = form
        self._out = Datagrams(host=host, port=port, ttl=ttl, interface=interface)
        self._talk = Talk(
            payload_type=PAYLOAD_TYPES[form],
            source=int.from_bytes(random_bytes(4), "big"),
            sequence=int.from_bytes(random_bytes(2), "big"),
            timestamp=int.from_bytes(random_bytes(4), "big"),
        )

    @property
    def form(self) -> PayloadFormat:
        """How its frames are coded."""
        return self._form

    def fault(self) -> str:
        """Whether there is a way there."""
        return self._out.fault()

    async def begin(self) -> None:
        """Open the socket; there is nothing to announce."""
        self._out.open()

    def send(self, frame: bytes, *, first: bool) -> None:
        """Send one frame."""
        self._out.send(self._talk.packet(frame, marker=first))

    async def end(self) -> None:
        """Close the socket; receivers notice the silence."""
        self._out.close()
