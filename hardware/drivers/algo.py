"""Speakers, strobes, displays and door controllers of Algo, by their REST API.

Standard authentication of the maker's guide: HMAC-SHA256 under the API password over
`METHOD:URI:CONTENT-MD5:CONTENT-TYPE:TIMESTAMP:NONCE`, without the two middle parts where there is no body. The device
takes requests whose clock is at most 30 s off. A 200 says that the request was understood, never that anything sounds.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from functools import partial

import msgspec

from belltower.clock import SECOND, Clock
from belltower.errors import Rejected
from belltower.ids import RandomBytes
from hardware.drivers.http_answer import Answer, asked
from hardware.drivers.switch import Ask, Reach, Reached

DEFAULT_PASSWORD = "algo"  # noqa: S105 - the one that is refused
SKEW = 30
"""Seconds by which the clocks may differ."""
TYPE = "application/json"
USER = "admin"


def signature(
    password: str, *, method: str, uri: str, body: bytes, timestamp: int, nonce: str, kind: str = TYPE
) -> str:
    """The HMAC of a request, in hex."""
    parts = [method, uri, *([hashlib.md5(body).hexdigest(), kind] if body else []), str(timestamp), nonce]  # noqa: S324 - the maker's API wants MD5
    return hmac.new(password.encode(), ":".join(parts).encode(), hashlib.sha256).hexdigest()


def signed_headers(password: str, *, uri: str, body: bytes, timestamp: int, nonce: str) -> dict[str, str]:
    """The headers of a signed POST."""
    digest = signature(password, method="POST", uri=uri, body=body, timestamp=timestamp, nonce=nonce)
    content = {"Content-Type": TYPE, "Content-MD5": hashlib.md5(body).hexdigest()} if body else {}  # noqa: S324 - as above
    return {
        **content,
        "Date": formatdate(timestamp, usegmt=True),
        "Authorization": f"hmac {USER}:{nonce}:{digest}",
    }


class AlgoControl:
    """One control of one device, a `Switch`: a tone, a strobe, a screen or a relay."""

    def __init__(
        self,
        *,
        url: str,
        password: str,
        control: str,
        start: Mapping[str, object],
        clock: Clock,
        random_bytes: RandomBytes,
        fingerprint: str = "",
    ) -> None:
        """Start `control` ("tone", "strobe", "screen" or "relay") with `start`; `{text}` in it is what a sign shows.

        ValueError: the password is the one that every such device is delivered with.
        """
        if password == DEFAULT_PASSWORD:
            raise ValueError("this is the password every such device is delivered with; give it its own")
        self._url = url.rstrip("/")
        self._password = password
        self._control = control
        self._start = start
        self._clock = clock
        self._random_bytes = random_bytes
        self._fingerprint = fingerprint

    @property
    def confirms(self) -> bool:
        """It says only that it has understood."""
        return False

    async def switch(self, ask: Ask, reach: Reach) -> None:
        """Start or stop the control."""
        relay = self._control == "relay"
        verb = ("enable" if ask.on else "disable") if relay else ("start" if ask.on else "stop")
        body = self._body(ask) if ask.on and self._start else b""
        answer = await self.asked(f"/api/controls/{self._control}/{verb}", body, reach)
        if answer.status != 200:
            raise self._refusal(answer)

    async def asked(self, uri: str, body: bytes, reach: Reach) -> Answer:
        """One signed request."""
        now = self._clock.now() // SECOND
        nonce = str(int.from_bytes(self._random_bytes(6)))
        headers = signed_headers(self._password, uri=uri, body=body, timestamp=now, nonce=nonce)
        reach(Reached.QUEUED)
        return await asked(
            self._url + uri,
            body=body,
            headers=headers,
            left=partial(reach, Reached.SENT),
            fingerprint=self._fingerprint,
        )

    def _body(self, ask: Ask) -> bytes:
        return msgspec.json.encode(
            {key: ask.text if value == "{text}" else value for key, value in self._start.items()}
        )

    def _refusal(self, answer: Answer) -> Rejected:
        if answer.status not in {401, 403}:
            return Rejected(f"the device says no: HTTP {answer.status}")
        if answer.clock is not None:
            ahead = answer.clock - self._clock.now() / SECOND
            if abs(ahead) > SKEW - 2:
                way = "ahead of" if ahead > 0 else "behind"
                return Rejected(
                    f"the device's clock is {abs(ahead):.0f} s {way} ours and it takes {SKEW} s at most; "
                    "give both the same time server"
                )
        return Rejected(f"the device says no: HTTP {answer.status}; its RESTful API password is another")
