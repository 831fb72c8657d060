"""The receiver of alarm panels: joined and split frames, wrong sums, stale times, replays, keys, floods, slow clients."""

import asyncio
import contextlib
import socket
from random import Random

import pytest

from belltower.clock import SECOND, Instant, SystemClock
from hardware.codecs import dc09, dc09_events
from hardware.codecs.dc09 import Content, Decoder, Frame, Kind
from hardware.codecs.dc09_crypto import open_sealed, random_pad, seal
from hardware.drivers import dc09_judge
from hardware.drivers.dc09_judge import Answer, Judge
from hardware.drivers.dc09_receiver import DC09Receiver, Limits, _Session
from tests.hardware.test_dc09 import mutated
from tests.peers.waiting import PATIENCE, until

KEY = b"ABCDEF0123456789"
NOW = Instant(1_795_307_554 * SECOND)
ACCOUNTS = {"1234": None, "abcd": KEY}


class StillClock:
    """A wall clock that stands."""

    def now(self):
        return NOW

    def monotonic(self):
        return asyncio.get_running_loop().time()


def report(sequence=1, *, account="1234", data="NPA013", age=0, kind=Kind.SIA, stamped=True):
    """A report so many seconds old."""
    stamp = Instant(NOW - age * SECOND) if stamped else None
    content = Content(data=f"#{account}|{data}" if data else "", stamp=stamp)
    return Frame(kind=kind, sequence=sequence, account=account, content=content)


def octets(frame, key=None):
    """As it goes out."""
    return dc09.encode(seal(frame, key, random_pad(Random(1).randbytes)) if key else frame)


class Station:
    """A receiver that runs, on free ports, and acknowledges."""

    def __init__(self, *, decide=None, **more) -> None:
        self.taken = []
        self.decide = decide or (lambda received: Answer.ACK)
        self.receiver = DC09Receiver(accounts=ACCOUNTS, on_report=self._take, clock=StillClock(), **more)

    def _take(self, received):
        self.taken.append(received.frame)
        return self.decide(received)

    async def __aenter__(self):
        self._task = asyncio.get_running_loop().create_task(self.receiver.run())
        await self.receiver.ready.wait()
        return self

    async def __aexit__(self, *details):
        self._task.cancel()
        await asyncio.wait([self._task])
        await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def panel(self):
        """A connection to it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.receiver.port)
        try:
            yield Panel(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    @property
    def counts(self):
        """What was counted, without zeros."""
        return {what: n for what, n in self.receiver.counts.items() if n}


class Panel:
    """The other end of one connection."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer

    def say(self, raw):
        """Some octets."""
        self.writer.write(raw)

    async def answer(self):
        """The next answer."""
        async with asyncio.timeout(PATIENCE):
            (frame,) = Decoder().feed(await self.reader.readuntil(b"\r"))
        return frame

    async def ask(self, raw):
        """Say it, and hear the answer."""
        self.say(raw)
        return await self.answer()


async def test_joined_and_split_frames():
    """Three in one write, one in single octets; each answered."""
    async with Station() as station, station.panel() as panel:
        panel.say(b"".join(octets(report(n)) for n in (1, 2, 3)))
        assert [1, 2, 3] == [(await panel.answer()).sequence for _ in range(3)]
        for octet in octets(report(4)):
            panel.say(bytes([octet]))
            await asyncio.sleep(0)
        assert 4 == (await panel.answer()).sequence

    assert [1, 2, 3, 4] == [frame.sequence for frame in station.taken]


@pytest.mark.parametrize(("account", "key"), [("1234", None), ("ABCD", KEY)])
async def test_what_is_right_is_answered_in_its_own_way(account, key):
    """Sealed where the report was sealed; the link test with number 0."""
    async with Station() as station, station.panel() as panel:
        for frame in (report(7, account=account), report(0, account=account, kind=Kind.NULL, data="")):
            answer = await panel.ask(octets(frame, key))
            assert (answer.content is None) == (key is not None)
            opened = open_sealed(answer, key) if key else answer
            assert (Kind.ACK, frame.sequence, account) == (opened.kind, opened.sequence, opened.account)
            assert (NOW if key else None) == opened.content.stamp


async def test_wrong_length_wrong_crc_and_garbage_are_passed_over():
    """No answer, and the next frame is heard."""
    right = octets(report(5))
    wrong = [
        right.replace(b"NPA013", b"NPA014"),
        right.replace(b"0038", b"0039"),
        b"\n\r",
        b"GET / HTTP/1.1\r\n\r\n",
    ]
    async with Station() as station, station.panel() as panel:
        answer = await panel.ask(b"".join(wrong) + right)

    assert (5, 1) == (answer.sequence, len(station.taken))
    assert station.counts["garbled"] >= 3


@pytest.mark.parametrize(("age", "kind"), [(-20, Kind.ACK), (40, Kind.ACK), (-21, Kind.NAK), (41, Kind.NAK)])
@pytest.mark.parametrize(("account", "key"), [("1234", None), ("ABCD", KEY)])
async def test_a_time_out_of_the_window_is_answered_with_ours(age, kind, account, key):
    """+20 and -40 seconds."""
    async with Station() as station, station.panel() as panel:
        answer = await panel.ask(octets(report(account=account, age=age), key))

    assert kind is answer.kind
    assert len(station.taken) == (kind is Kind.ACK)
    if kind is Kind.NAK:
        assert NOW == answer.content.stamp


async def test_a_replay_within_the_window_is_answered_and_taken_once():
    """The very same octets, and the same report under its number with a new time."""
    async with Station() as station, station.panel() as panel:
        for age in (5, 5, 3, 0):
            assert Kind.ACK is (await panel.ask(octets(report(account="ABCD", age=age), KEY))).kind

    assert 1 == len(station.taken)
    assert 3 == station.counts["repeated"]


def test_the_same_number_is_used_again_after_a_minute():
    """A panel that began anew, or 9,999 reports later: it is another report."""
    judge = Judge(accounts=ACCOUNTS, pad=random_pad(bytes))
    fresh = [
        judge.judge(report(age=-(at // 10)), now=NOW, at=at).fresh
        for at in (0.0, 10.0, dc09_judge.SAME_WITHIN + 1)
    ]

    assert [True, False, True] == fresh


@pytest.mark.parametrize("account", ["1234", "12AB"])
def test_a_report_without_a_time_is_another_one_after_a_minute(account):
    """A panel that was restarted counts from 0001 again: the same words under the same number are a new press."""
    judge = Judge(accounts={"*": None}, pad=random_pad(bytes))
    fresh = [
        judge.judge(report(account=account, stamped=False), now=NOW, at=at).fresh
        for at in (0.0, 59.0, dc09_judge.SAME_WITHIN + 1, dc09_judge.SAME_WITHIN + 2, 86_400.0)
    ]

    assert [True, False, True, False, True] == fresh


def test_what_is_remembered_is_bounded():
    """Whatever a panel sends."""
    judge = Judge(accounts=ACCOUNTS, pad=random_pad(bytes))
    for n in range(1, 2_000):
        judge.judge(report(n), now=NOW, at=0.0)

    assert dc09_judge.REMEMBERED == len(judge._accounts["1234"].memory)


@pytest.mark.parametrize(
    ("frame", "key", "why", "said"),
    [
        (report(account="9999"), None, "stranger", None),
        (report(account="ABCD"), None, "clear", None),
        (report(account="1234"), KEY, "sealed", Kind.DUH),
        (report(account="ABCD"), b"x" * 16, "wrong_key", Kind.DUH),
        (report(account="ABCD", stamped=False), KEY, "stale", Kind.NAK),
        (report(kind=Kind.ACK), None, "foreign", None),
    ],
)
async def test_who_may_report(frame, key, why, said):
    """A known account, sealed with its key where it has one; everything else is counted."""
    async with Station() as station, station.panel() as panel:
        panel.say(octets(frame, key))
        answers = [await panel.ask(octets(report(99)))]
        if said is not None:
            answers.append(await panel.answer())

    assert 1 == station.counts[why]
    assert [99] == [taken.sequence for taken in station.taken]
    assert [said or Kind.ACK] == [answers[0].kind]


async def test_the_answer_leaves_after_the_decision():
    """A repetition meanwhile is answered with it; one that failed is fresh again."""
    decisions = []

    def decide(_):
        decisions.append(asyncio.get_running_loop().create_future())
        return decisions[-1]

    async with Station(decide=decide) as station, station.panel() as panel:
        panel.say(octets(report(1)) + octets(report(1)) + octets(report(2)))
        await until(lambda: len(decisions) == 2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await panel.reader.readuntil(b"\r")
        decisions[0].set_result(Answer.ACK)
        assert [1, 1] == [(await panel.answer()).sequence for _ in range(2)]
        decisions[1].cancel()
        await asyncio.sleep(0)
        panel.say(octets(report(2)))
        await until(lambda: len(decisions) == 3)
        decisions[2].set_result(Answer.DUH)
        assert (Kind.DUH, 2) == ((answer := await panel.answer()).kind, answer.sequence)


async def test_by_datagrams():
    """One report in each; the answer goes to where it came from."""
    async with Station() as station:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as panel:
            panel.setblocking(False)
            panel.connect(("127.0.0.1", station.receiver.port))
            for n in (1, 2):
                panel.send(octets(report(n)))
                async with asyncio.timeout(PATIENCE):
                    assert n == dc09.decode(await loop.sock_recv(panel, 1000)).sequence
            panel.send(b"\n" + b"x" * 1000)
            panel.send(octets(report(3)))
            async with asyncio.timeout(PATIENCE):
                assert 3 == dc09.decode(await loop.sock_recv(panel, 1000)).sequence


async def test_connections_are_bounded_the_one_silent_longest_goes():
    """A panel that speaks stays."""
    async with Station(limits=Limits(connections=3)) as station, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(station.panel())
        await first.ask(octets(report(1)))
        others = [await stack.enter_async_context(station.panel()) for _ in range(2)]
        for other in others:
            await other.ask(octets(report(1)))
        await first.ask(octets(report(1)))
        await stack.enter_async_context(station.panel())
        async with asyncio.timeout(PATIENCE):
            assert b"" == await others[0].reader.read()
        assert 1 == (await first.ask(octets(report(1)))).sequence

    assert 1 == station.counts["evicted"]


async def test_undecided_reports_are_bounded():
    """What is too much is dropped, and fresh when it comes again."""
    async with (
        Station(
            decide=lambda _: asyncio.get_running_loop().create_future(), limits=Limits(waiting=4)
        ) as station,
        station.panel() as panel,
    ):
        panel.say(b"".join(octets(report(n)) for n in range(1, 9)))
        await until(lambda: station.counts.get("crowded") == 4)
        assert 4 == len(station.taken)


class Stuffed(asyncio.Transport):
    """A connection whose other end reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        self.aborted = False

    def write(self, data):
        self.unsent += len(data)

    def get_write_buffer_size(self):
        return self.unsent

    def is_closing(self):
        return self.aborted

    def abort(self):
        self.aborted = True


async def test_a_client_that_does_not_read_is_let_go():
    """Its answers never fill the memory."""
    async with Station() as station:
        session, line = _Session(station.receiver), Stuffed()
        session.connection_made(line)
        session.data_received(octets(report(1)) * 5_000)

    assert line.aborted
    assert line.unsent < 70_000
    assert 1 == station.counts["slow"]


async def test_a_port_that_is_taken_is_said():
    """Unreachable, with the address."""
    from belltower.errors import Unreachable

    async with Station() as station:
        second = DC09Receiver(
            accounts={}, on_report=lambda _: Answer.ACK, clock=StillClock(), port=station.receiver.port
        )
        with pytest.raises(Unreachable, match=str(station.receiver.port)):
            await second.run()


def presses_of(count, seed):
    """How many mutated reports were taken for fresh ones; each must be what its right CRC says."""
    random = Random(seed)
    judge = Judge(accounts=ACCOUNTS, pad=random_pad(random.randbytes))
    raws = [octets(report(n)) for n in (1, 2)] + [octets(report(n, account="ABCD"), KEY) for n in (3, 4)]
    for raw in raws:
        assert judge.judge(dc09.decode(raw), now=NOW, at=0.0).fresh
    fresh = 0
    for _ in range(count):
        for item in Decoder().feed(mutated(random.choice(raws), random)):
            if isinstance(item, Frame):
                fresh += judge.judge(item, now=NOW, at=0.0).fresh
    return fresh


def test_no_mutated_report_is_a_press():
    """20,000 of them; the soak does a million."""
    assert presses_of(20_000, seed=3) <= 2


@pytest.mark.soak
def test_no_mutated_report_of_a_million_is_a_press():
    """One random change in 65,536 has the right CRC by chance, and few of those are still reports in time."""
    assert presses_of(1_000_000, seed=4) <= 20


class NowClock(StillClock):
    """The machine's clock: dc09_spt takes no other."""

    def now(self):
        return SystemClock().now()


@pytest.mark.parametrize(
    ("kind", "params", "event"),
    [
        ("SIA-DCS", {"code": "PA", "zone": 13}, ("PA", "13")),
        ("SIA-DCS", {"code": "PA", "zone": 13, "text": "ROOM 204"}, ("PA", "13")),
        ("SIA-DCS", {"code": "HA", "zone": 7, "area": 2, "time": "now"}, ("HA", "7")),
        ("ADM-CID", {"code": 120, "q": 1, "zone": 13}, ("120", "013")),
        ("NULL", None, None),
    ],
)
async def test_dc09_spt_reports_to_us(kind, params, event):
    """A transmitter that nobody here wrote: its reports are understood, and it understands the answers."""
    from dc09_spt.msg.dc03_msg import dc03_msg
    from dc09_spt.msg.dc05_msg import dc05_msg
    from dc09_spt.msg.dc09_msg import dc09_msg

    sender = dc09_msg("1234", receiver=0, line=0)
    made = {"SIA-DCS": dc03_msg.dc03event, "ADM-CID": dc05_msg.dc05event}.get(kind)
    number = 0 if made is None else 7
    block = sender.dc09poll() if made is None else sender.dc09block(number, kind, made("1234", params))
    async with Station() as station, station.panel() as panel:
        station.receiver._clock = NowClock()
        panel.say(block.encode())
        answer = (await asyncio.wait_for(panel.reader.readuntil(b"\r"), PATIENCE)).decode()

    assert "ACK" == sender.dc09answer(number, answer)[0]
    events = [(each.code, each.zone) for each in dc09_events.events_of(station.taken[0])]
    assert ([] if event is None else [event]) == events
