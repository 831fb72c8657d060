"""The mail session of our own: replies in any pieces, pipelining, STARTTLS, signing in, and who knows what."""

import asyncio
import ssl
import time
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st

from belltower.errors import Malformed, Uncertain, Unreachable
from belltower.ids import DeliveryId, NoticeId
from notify.channels.channel import Message, Settled
from notify.channels.smtp import SMTPChannel
from notify.channels.smtp_replies import Replies, Reply
from notify.channels.smtp_session import Letter, SMTPSession, Taken
from notify.settings import SMTPSettings
from tests.hardware.mqtt.certificate import write_certificate
from tests.peers.waiting import PATIENCE
from tests.servers.smtp import mail_server, peer

FROM, TO, MAIL = b"bell@school.example", b"a@b.example", b"Subject: x\r\n\r\nhello\r\n"


def letter(data: bytes = MAIL) -> Letter:
    return Letter(sender=FROM, recipient=TO, data=data)


def mail(n: int = 1) -> Message:
    return Message(
        delivery=DeliveryId(f"dlv_{n}"),
        notice=NoticeId("ntc_1"),
        revision=1,
        address=f"p{n}@school.example",
        body="Help has been asked for.\n",
    )


@given(
    replies=st.lists(
        st.tuples(
            st.integers(200, 599),
            st.lists(
                st.binary(max_size=20).map(lambda b: b.translate(None, b"\r\n")), min_size=1, max_size=4
            ),
        ),
        max_size=5,
    ),
    cut=st.integers(1, 7),
)
def test_replies_are_read_in_any_pieces(replies: list[tuple[int, list[bytes]]], cut: int) -> None:
    """Many lines, many replies, cut anywhere."""
    octets = b"".join(
        b"%d%b%b\r\n" % (code, b"-" if n < len(lines) - 1 else b" ", line)
        for code, lines in replies
        for n, line in enumerate(lines)
    )
    reader = Replies()
    heard = [reply for at in range(0, len(octets), cut) for reply in reader.feed(octets[at : at + cut])]

    assert [Reply(code, tuple(lines)) for code, lines in replies] == heard
    assert not reader.pending


@given(octets=st.binary(max_size=200))
def test_anything_else_is_malformed_and_nothing_worse(octets: bytes) -> None:
    """Whatever comes, a reply, a wait or `Malformed`."""
    with suppress(Malformed):
        Replies().feed(octets)


@pytest.mark.parametrize("endless", [b"2" * 70_000, b"250-more\r\n" * 200])
def test_an_answer_without_an_end_is_given_up(endless: bytes) -> None:
    """Memory stays bounded."""
    with pytest.raises(Malformed):
        Replies().feed(endless)


@asynccontextmanager
async def session(port: int, **how: object) -> AsyncIterator[SMTPSession]:
    made = SMTPSession(name="school.example")
    try:
        async with asyncio.timeout(PATIENCE):
            await made.open("localhost", port, **{"tls": None, "starttls": False, **how})
            yield made
    finally:
        made.close()


class Script:
    """A server that answers each of our lines as it is told to, and keeps what came."""

    def __init__(self, **answers: bytes) -> None:
        self._answers = {
            "greeting": b"220 mail\r\n",
            "ehlo": b"250-mail\r\n250-PIPELINING\r\n250 SIZE 1000\r\n",
            "data": b"354 go on\r\n",
            **answers,
        }
        self.lines: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._answers["greeting"])
        body = False
        while line := await reader.readline():
            self.lines.append(line)
            if body and line != b".\r\n":
                continue
            verb = "end" if body else line[:4].strip().decode().lower()
            answer = self._answers.get(verb, b"250 fine\r\n")
            body = verb == "data" and answer.startswith(b"354")
            if not answer:
                writer.transport.abort()
                return
            writer.write(answer)


async def test_a_message_costs_two_round_trips_where_the_server_pipelines() -> None:
    """Three commands in one write, and the body in another; the same without pipelining, one by one."""
    for ehlo in (b"250-mail\r\n250 PIPELINING\r\n", b"250 mail\r\n"):
        script = Script(ehlo=ehlo)
        async with peer(script) as port, session(port) as open_session:
            assert Taken("end", 250) == await open_session.hand_over(letter())
            assert Taken("end", 250) == await open_session.hand_over(letter())
        assert [b"MAIL", b"RCPT", b"DATA", b"Subj"] == [line[:4] for line in script.lines[1:5]]
        assert b"RSET\r\n" not in script.lines


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"mail": b"550 not you\r\n", "rcpt": b"503 no\r\n", "data": b"503 no\r\n"}, Taken("mail", 550)),
        ({"rcpt": b"550 nobody\r\n", "data": b"554 none\r\n"}, Taken("rcpt", 550)),
        ({"rcpt": b"450 later\r\n"}, Taken("rcpt", 450)),
        ({"data": b"451 later\r\n"}, Taken("data", 451)),
        ({"end": b"552 too big\r\n"}, Taken("end", 552)),
        ({"end": b"421 going down\r\n"}, Taken("end", 421)),
    ],
)
async def test_the_first_no_is_the_one_that_counts(answers: dict, expected: Taken) -> None:
    """And the next message begins with a clean sheet; a server that waits for a body gets an empty one."""
    script = Script(**answers)
    async with peer(script) as port, session(port) as open_session:
        assert expected == await open_session.hand_over(letter())
        if open_session.usable:
            assert expected == await open_session.hand_over(letter())
            assert b"RSET\r\n" in script.lines
        assert (MAIL.splitlines()[-1] + b"\r\n" in script.lines) == (expected.stage == "end")


SAID = b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (FROM, TO)


@pytest.mark.parametrize(
    ("answer", "first", "second"),
    [
        (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", Taken("end", 250), Taken("end", 250)),
        (b"552 too big\r\n250 ok\r\n250 ok\r\n354 go\r\n", Taken("end", 552), Taken("end", 250)),
        (b"250 ok\r\n250 ok\r\n550 nobody\r\n503 no\r\n", Taken("end", 250), Taken("rcpt", 550)),
        (b"250 ok\r\n", Taken("end", 250), Unreachable),
        (b"", Uncertain, Unreachable),
    ],
)
async def test_behind_the_final_dot_goes_the_envelope_of_the_next(
    answer: bytes, first: object, second: object
) -> None:
    """The server sees both before it answers (RFC 2920, 3.1); of a cut, each knows what it means for itself."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await reader.readline()
        writer.write(b"250-mail\r\n250 PIPELINING\r\n")
        assert SAID == await reader.readexactly(len(SAID))
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        both = MAIL + b".\r\n" + SAID
        assert both == await reader.readexactly(len(both))
        writer.write(answer)
        if answer.endswith(b"354 go\r\n"):
            await reader.readexactly(len(MAIL) + 3)
            writer.write(b"250 ok\r\n")
        await writer.drain()
        writer.close()

    waiting = [letter()]
    async with peer(behave) as port, asyncio.timeout(PATIENCE):
        made = SMTPSession(name="school.example", following=lambda _: waiting.pop() if waiting else None)
        await made.open("localhost", port, tls=None, starttls=False)
        letters = [letter(), *waiting]
        made.hand_over(letters[0])
        outcomes = await asyncio.gather(*(one.taken for one in letters), return_exceptions=True)
        made.close()

    assert [first, second] == [
        outcome if isinstance(outcome, Taken) else type(outcome) for outcome in outcomes
    ]


async def test_an_answer_that_nobody_waits_for_ends_the_session() -> None:
    """It would be taken for the answer to what is said next."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await reader.readline()
        writer.write(b"250 mail\r\n250 and more\r\n")

    async with peer(behave) as port, session(port) as open_session:
        assert not open_session.usable
        with pytest.raises(Unreachable):
            await open_session.hand_over(letter())


async def test_of_many_mails_over_connections_that_break_each_is_sent_once_or_uncertain() -> None:
    """Every seventh is cut off behind its final dot: that one alone is uncertain, and none is there twice."""
    taken: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            if line[:4] == b"EHLO":
                writer.write(b"250-mail\r\n250 PIPELINING\r\n")
            elif line != b"DATA\r\n":
                writer.write(b"250 fine\r\n")
            else:
                writer.write(b"354 go on\r\n")
                mail = await reader.readuntil(b"\r\n.\r\n")
                taken.append(mail.split(b"\r\n", 1)[0])
                if len(taken) % 7 == 0:
                    writer.transport.abort()
                    return
                writer.write(b"250 fine\r\n")

    async with peer(behave) as port, asyncio.timeout(PATIENCE):
        settings = SMTPSettings(
            host="localhost", port=port, from_="bell@school.example", security="none", connections=2
        )
        channel = SMTPChannel(settings=settings)
        await channel.open()
        answers = await asyncio.gather(*(channel.send(mail(n)) for n in range(60)))
        await channel.close()

    assert 60 == len(set(taken)) == len(taken)
    assert Counter({"Settled": 60 - 8, "Uncertain": 8}) == Counter(type(one).__name__ for one in answers)


async def test_an_answer_in_the_turn_in_which_the_time_is_up_is_an_answer() -> None:
    """A loop that was held up finds both at once. A mail that was taken must not be tried again."""
    limit = 0.3

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await reader.readline()
        writer.write(b"250-mail\r\n250 PIPELINING\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 fine\r\n250 fine\r\n354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")
        time.sleep(limit)  # noqa: ASYNC251 - the loop is held up
        await reader.read()

    async with peer(behave) as port:
        settings = SMTPSettings(
            host="localhost", port=port, from_="bell@school.example", security="none", timeout=limit
        )
        channel = SMTPChannel(settings=settings)
        await channel.open()
        answer = await channel.send(mail())
        await channel.close()

    assert Settled(reason="smtp:250") == answer


async def test_only_after_the_final_dot_does_nobody_know() -> None:
    """A cut before it is certain."""
    for answers, raised in (
        ({"end": b""}, Uncertain),
        ({"data": b""}, Unreachable),
        ({"ehlo": b""}, Unreachable),
    ):
        async with peer(Script(**answers)) as port:
            with pytest.raises(raised):
                async with session(port) as open_session:
                    await open_session.hand_over(letter())


@pytest.mark.parametrize(
    "answers",
    [
        {"greeting": b"554 go away\r\n"},
        {"ehlo": b"502 what\r\n"},
        {"greeting": b"hello there\r\n"},
    ],
)
async def test_a_server_that_will_not_talk_is_unreachable(answers: dict) -> None:
    """Nothing left the house."""
    async with peer(Script(**answers)) as port:
        with pytest.raises(Unreachable):
            async with session(port):
                pass


async def test_a_server_without_starttls_gets_nothing_where_we_insist() -> None:
    """Not a word of the message, and no password."""
    script = Script()
    async with peer(script) as port:
        with pytest.raises(Unreachable, match="no_starttls"):
            async with session(port, tls=ssl.create_default_context(), starttls=True):
                pass
    assert [b"EHLO school.example\r\n"] == script.lines


async def test_what_was_said_before_tls_is_not_believed_after_it() -> None:
    """A reply smuggled in behind the answer to STARTTLS (CVE-2011-0411)."""
    script = Script(ehlo=b"250-mail\r\n250 STARTTLS\r\n", star=b"220 go\r\n250 AUTH PLAIN\r\n")
    async with peer(script) as port:
        with pytest.raises(Unreachable, match="starttls_injection"):
            async with session(port, tls=ssl.create_default_context(), starttls=True):
                pass


async def test_mail_goes_through_starttls_to_a_real_server_that_asks_who_we_are(tmp_path: Path) -> None:
    """Aiosmtpd with a certificate and accounts; a false password is said, and a false name of the server refused."""
    certificate = write_certificate(tmp_path, "localhost")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, tmp_path / "key.pem")
    ours = ssl.create_default_context(cafile=str(certificate))
    seen: list[tuple[bytes, bytes]] = []
    mails: list[bytes] = []

    class Mailbox:
        async def handle_DATA(self, server: SMTP, session: object, envelope) -> str:  # noqa: N802
            mails.append(envelope.content)
            return "250 OK"

    def accounts(server: SMTP, session: object, envelope: object, mechanism: str, data) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            Mailbox(),
            hostname="localhost",
            loop=loop,
            tls_context=theirs,
            require_starttls=True,
            auth_required=True,
            authenticator=accounts,
        ),
        "localhost",
        0,
    )
    port = server.sockets[0].getsockname()[1]
    try:
        async with session(port, tls=ours, starttls=True) as open_session:
            await open_session.sign_in("bell", "right")
            assert Taken("end", 250) == await open_session.hand_over(letter())
        with pytest.raises(Unreachable, match="auth:535"):
            async with session(port, tls=ours, starttls=True) as open_session:
                await open_session.sign_in("bell", "wrong")
        with pytest.raises(ssl.SSLError):
            async with session(port, tls=ssl.create_default_context(), starttls=True):
                pass
    finally:
        server.close()
    assert [(b"bell", b"right"), (b"bell", b"wrong")] == seen
    assert [MAIL] == mails


async def test_login_is_spoken_where_plain_is_not_offered() -> None:
    """Name and password as two answers, in Base64."""
    said: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        for answer in (
            b"250-mail\r\n250 AUTH LOGIN XOAUTH2\r\n",
            b"334 VXNlcm5hbWU6\r\n",
            b"334 UGFzc3dvcmQ6\r\n",
        ):
            said.append(await reader.readline())
            writer.write(answer)
        said.append(await reader.readline())
        writer.write(b"235 welcome\r\n")

    async with peer(behave) as port, session(port) as open_session:
        await open_session.sign_in("bell", "secret")

    assert [b"bell", b"secret"] == [b64decode(line) for line in said[2:]]


async def test_a_line_that_begins_with_a_dot_arrives_as_it_was(tmp_path: Path) -> None:
    """The caller doubles dots, the server undoes it."""
    async with mail_server() as (mailbox, port), session(port) as open_session:
        await open_session.hand_over(letter(b"Subject: x\r\n\r\n..dotted\r\n"))

    assert b"Subject: x\r\n\r\n.dotted\r\n" == mailbox.mails[0][1]
