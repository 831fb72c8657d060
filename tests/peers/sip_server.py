"""The far end of a SIP line as a script: it keeps what it is asked, and answers what a test tells it to."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random

from belltower.clock import Instant
from belltower.errors import Unreachable
from floorplans.campus import Campus, Civic
from gateway.psap.link import Spot
from gateway.psap.sip_alert import LiveService, School
from gateway.psap.sip_line import Login, SIPLine
from gateway.psap.sip_link import SIPLink
from gateway.psap.sip_settings import SIPTarget
from hardware.codecs import sip
from hardware.codecs.sip import Decoder, Request, Response
from hardware.transports.memory import Cable

DOMAIN = "lincoln.example"
CAMPUS = Campus(
    id="lincoln",
    name="Lincoln High School",
    address=Civic(
        state="IL", county="Kane", city="Aurora", road="East New York Street", number="2106", postcode="60502"
    ),
    position=(41.772035, -88.473291),
    telephone="+16305550100",
)
SPOT = Spot(spoken="B 204", building="B", building_name="Building B", level="2", room="204")
SCHOOL = School(campus=CAMPUS, sender=f"school@{DOMAIN}")
AT = Instant(1_795_307_554_000_000)
PASSWORD = "open sesame please"


def line(number=1, *, tls=True, cable=None, login=None, seed=0, heartbeat=30.0, by_options=True):
    """A line on one end of a cable."""
    return SIPLine(
        link="esrp",
        target=SIPTarget(host=f"esrp{number}.example", port=5061, tls=tls),
        connect=lambda: cable.near,
        domain=DOMAIN,
        random_bytes=Random(seed + number).randbytes,
        login=login,
        heartbeat=heartbeat,
        by_options=by_options,
    )


def link(*cables, login=False, service=LiveService.SOS, heartbeat=30.0, by_options=True):
    """A link with a server at the far end of each cable."""
    who = Login(username="school", password=PASSWORD) if login else None
    return SIPLink(
        name="esrp",
        school=School(campus=CAMPUS, sender=SCHOOL.sender, service=service),
        domain=DOMAIN,
        lines=[
            line(number, cable=cable, login=who, heartbeat=heartbeat, by_options=by_options)
            for number, cable in enumerate(cables, start=1)
        ],
        heartbeat=heartbeat,
    )


def response(request, status, reason="", extra=(), body=b""):
    """A response to a request."""
    headers = (*sip.answer_headers(request, tag="far"), *extra)
    return Response(status=status, reason=reason, headers=headers, body=body)


class SIPServer:
    """Answers each MESSAGE with the next of `script`, a status or a function; OPTIONS with 200 unless it is deaf."""

    def __init__(self, script=(), *, deaf=False, then=200):
        self.cable = Cable()
        self.script = deque(script)
        self.then = then
        self.deaf = deaf
        self.messages: list[Request] = []
        self.options: list[Request] = []
        self.responses: list[Response] = []
        self.times: list[float] = []
        self.octets = b""

    async def run(self):
        """Listen for ever, opening again when the cable is mended."""
        while True:
            try:
                await self.cable.far.open()
                decoder = Decoder()
                while True:
                    data = await self.cable.far.read()
                    self.octets += data
                    for each in decoder.feed(data):
                        await self._take(each)
            except Unreachable:
                await asyncio.sleep(0.05)

    async def say(self, message):
        """Send a message."""
        await self.cable.far.write(sip.encode(message))

    async def _take(self, each):
        if isinstance(each, Response):
            self.responses.append(each)
        elif isinstance(each, Request) and each.method == "OPTIONS":
            self.options.append(each)
            if not self.deaf:
                await self.say(response(each, 200, "OK"))
        elif isinstance(each, Request):
            self.messages.append(each)
            self.times.append(round(asyncio.get_running_loop().time(), 3))
            step = self.script.popleft() if self.script else self.then
            if step is None:
                return
            answers = step(each) if callable(step) else response(each, step, "said")
            for answer in answers if isinstance(answers, list) else [answers]:
                await self.say(answer)


def branch(request):
    """The branch of the topmost Via."""
    return sip.parameters(sip.header(request, "Via"))[1]["branch"]
