"""A dialogue with a modem never takes one answer for another."""

import asyncio

import pytest

from belltower.errors import Uncertain, Unreachable
from hardware.codecs.at import Verdict
from hardware.drivers.at_dialogue import Dialogue, NoPromptError
from hardware.transports.memory import Cable
from tests.peers.virtual_time import in_virtual_time


class Line:
    """A dialogue on a cable whose far end the test plays."""

    def __init__(self) -> None:
        self.cable = Cable()
        self.unasked = []
        self.dialogue = Dialogue(
            transport=self.cable.near,
            unasked=lambda header, body: self.unasked.append((header, body)),
            announced=("+CMTI",),
            with_body=("+CDS",),
            restarted=frozenset({"RDY"}),
        )

    async def __aenter__(self):
        await self.cable.near.open()
        await self.cable.far.open()
        loop = asyncio.get_running_loop()
        self.listening = loop.create_task(self.dialogue.listen())
        return self

    async def __aexit__(self, *details):
        self.listening.cancel()
        await asyncio.wait([self.listening])

    def later(self, work):
        """Work beside the test."""
        return asyncio.get_running_loop().create_task(work)

    async def hears(self, octets):
        """The far end reads exactly that."""
        assert octets == await self.cable.far.read()

    async def says(self, text):
        """The far end says it."""
        await self.cable.far.write(text.encode())


def on_a_line(story):
    """Run a story on a line, in virtual time."""

    async def told():
        async with Line() as line:
            await story(line)

    in_virtual_time(told())


def test_lines_before_the_end_are_the_answer_and_announcements_are_not():
    """Echo, an announcement and a report in the middle of it."""

    async def story(line):
        asking = line.later(line.dialogue.ask("AT+CSQ"))
        await line.hears(b"AT+CSQ\r")
        await line.says('AT+CSQ\r\r\n+CMTI: "SM",3\r\n+CSQ: 20,99\r\n+CDS: 2\r\nOKAB\r\nOK\r\n')
        answer = await asking
        assert (("+CSQ: 20,99",), Verdict.DONE) == (answer.lines, answer.final.verdict)
        assert [('+CMTI: "SM",3', ""), ("+CDS: 2", "OKAB")] == line.unasked

    on_a_line(story)


def test_a_late_answer_is_let_pass_before_the_next_question():
    """After a silence the line is woken first, and what is still owed is waited out."""

    async def story(line):
        with pytest.raises(Unreachable, match=r"no answer to AT\+CPIN\? within 5 s"):
            await line.dialogue.ask("AT+CPIN?")
        await line.hears(b"AT+CPIN?\r")
        waking = line.later(line.dialogue.wake())
        await line.hears(b"\x1b\r")
        await line.says("\r\n+CPIN: READY\r\n\r\nOK\r\n")  # the old answer, taken for that of AT
        await line.hears(b"AT\r")
        await line.says("\r\nOK\r\n")  # that of AT itself: nobody may take it for anything
        await waking
        asking = line.later(line.dialogue.ask("AT+CSQ"))
        await line.hears(b"AT+CSQ\r")
        await line.says("\r\n+CSQ: 9,9\r\n\r\nOK\r\n")
        assert ("+CSQ: 9,9",) == (await asking).lines

    on_a_line(story)


def test_no_prompt_no_body():
    """ESC instead, and it is certain that nothing left."""

    async def story(line):
        with pytest.raises(NoPromptError, match="no prompt within 5 s"):
            await line.dialogue.submit("AT+CMGS=33", "0791")
        await line.hears(b"AT+CMGS=33\r")
        await line.hears(b"\x1b")

    on_a_line(story)


@pytest.mark.parametrize("end", ["", "\r\nRDY\r\n", "hang up"])
def test_a_body_without_an_answer_is_uncertain(end):
    """Silence, a modem that begins anew, a line that goes."""

    async def story(line):
        sending = line.later(line.dialogue.submit("AT+CMGS=33", "0791", within=30))
        await line.hears(b"AT+CMGS=33\r")
        await line.says("\r\n> ")
        await line.hears(b"0791\x1a")
        if end == "hang up":
            line.cable.pull()
        elif end:
            await line.says(end)
        with pytest.raises(Uncertain):
            await sending

    on_a_line(story)


def test_a_refusal_instead_of_a_prompt_is_the_answer():
    """+CMS ERROR at once."""

    async def story(line):
        sending = line.later(line.dialogue.submit("AT+CMGS=33", "0791"))
        await line.hears(b"AT+CMGS=33\r")
        await line.says("\r\n+CMS ERROR: 331\r\n")
        assert 331 == (await sending).final.code

    on_a_line(story)
