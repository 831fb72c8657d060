"""B17: from one commit that orders five hundred relays to each one's own answer in the journal, while ten of them hang.

The relays are one process that speaks Modbus TCP on an address of its own for each. The floor does the same on the bare
wire: all connections at once, each relay written and read back, nothing decided and nothing written down.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack

from belltower.clock import SystemClock
from belltower.ids import Ids, IncidentId, StreamName
from belltower.incident.encoding import FactEncoding
from belltower.incident.facts import Action, Fact, Mode, OutputFailed, OutputOrdered, OutputReceipt
from belltower.journal import Draft, Journal, SpoolFile
from belltower.store import Transaction, open_database
from belltower.tasks import Crew
from gateway.bench import rig
from gateway.bench.figure import Figure
from gateway.outputs.rules import Does, FailSafe
from gateway.outputs.switch_kinds import switches_from
from gateway.outputs.switch_settings import ModbusSettings
from gateway.outputs.switching import SwitchWorker

OUTPUTS = 500
HUNG = 10
ROUNDS = 5
P99 = 5.0
_INCIDENT = IncidentId("inc_01J9ZZZZZZZZZZZZZZZZZZZZZZ")


async def run() -> list[Figure]:
    """Rounds of product and floor alternate; what is told is the slowest round's."""
    with rig.folder("b17") as folder:
        log = folder / "far.log"
        async with rig.process(log, "-m", "gateway.bench.b17_outputs") as far:
            assert far.stdout is not None
            port = int(await asyncio.wait_for(far.stdout.readline(), rig.PATIENCE))
            async with AsyncExitStack() as stack:
                database = await open_database(f"sqlite://{folder}/alarm.db")
                stack.push_async_callback(database.close)
                journal: Journal[Fact] = Journal(
                    database=database,
                    stream=StreamName("alarm"),
                    codec=FactEncoding(),
                    spool=SpoolFile(path=folder / "spool"),
                )
                await journal.open()
                stack.push_async_callback(journal.close)
                times, floors = await _rounds(journal, port)
    p50, p99 = _of(times, 0.5), _of(times, 0.99)
    floor = _of(floors, 0.99)
    return [
        Figure(
            id="B17",
            name=f"{OUTPUTS} relays ordered, {HUNG} hang: p99 of the others' own answers in the journal",
            value=round(p99 * 1000),
            unit="ms",
            floor=round(floor * 1000),
            ratio=round(p99 / floor, 1),
            goal=f"<= {P99:g} s",
            met=p99 <= P99,
            extra={"p50_ms": round(p50 * 1000), "rounds": ROUNDS, "answers": len(times)},
        )
    ]


async def _rounds(journal: Journal[Fact], port: int) -> tuple[list[float], list[float]]:
    clock = SystemClock()
    ids = Ids(clock=clock)
    names = [f"relay-{n}" for n in range(OUTPUTS)]
    settings = {
        name: ModbusSettings(
            does=Does.RELAY, url=f"tcp://{_address(n)}:{port}", coil=0, fail_safe=FailSafe.HOLD
        )
        for n, name in enumerate(names)
    }
    worker = SwitchWorker(
        journal=journal,
        switches=switches_from(settings, clock, os.urandom),
        rules={name: each.rule() for name, each in settings.items()},
        ids=ids,
        clock=clock,
        random_bytes=os.urandom,
        after=journal.head,
    )
    times: list[float] = []
    floors: list[float] = []
    async with Crew() as crew:
        tasks = [crew.essential("journal", journal.run), crew.essential("switching", worker.run)]
        for number in range(1, ROUNDS + 1):
            head = journal.head
            orders = [
                OutputOrdered(
                    output=name,
                    incident=_INCIDENT,
                    mode=Mode.ACTUAL,
                    on=bool(number % 2),
                    action=Action.LOCKDOWN,
                    order=number,
                )
                for name in names
            ]
            drafts: list[Draft[Fact]] = [
                Draft(id=ids.fact(), at=clock.now(), subject=_INCIDENT, fact=each) for each in orders
            ]
            begun = time.perf_counter()
            await journal.commit(Transaction(), drafts)
            times += await _answers(journal, head, number, begun)
            floors += await asyncio.to_thread(asyncio.run, _bare(port))
        for task in tasks:
            task.cancel()
    return times, floors


async def _answers(journal: Journal[Fact], head: int, number: int, begun: float) -> list[float]:
    """Seconds to each receipt of the round; it is over when the hung ones have failed as well."""
    times: list[float] = []
    failed: set[str] = set()
    async with asyncio.timeout(rig.PATIENCE):
        async for entry in journal.follow(after=head, kinds=(OutputReceipt, OutputFailed)):
            match entry.fact:
                case OutputReceipt(order=order, confirmed=True) if order == number:
                    times.append(time.perf_counter() - begun)
                case OutputFailed(order=order, output=output) if order == number:
                    failed.add(output)
                case _:
                    pass
            if len(times) == OUTPUTS - HUNG and failed >= {f"relay-{n}" for n in range(HUNG)}:
                break
    return times


async def _bare(port: int) -> list[float]:
    begun = time.perf_counter()

    async def one(host: str) -> float:
        reader, writer = await asyncio.open_connection(host, port)
        for request, answer in ((_WRITE, 12), (_READ, 10)):
            writer.write(request)
            await reader.readexactly(answer)
        writer.close()
        return time.perf_counter() - begun

    return list(await asyncio.gather(*(one(_address(n)) for n in range(HUNG, OUTPUTS))))


_WRITE = bytes.fromhex("000100000006010500000000")
_READ = bytes.fromhex("000200000006010100000001")


def _address(number: int) -> str:
    """A loopback address for each relay; those of 127.9 hang."""
    return f"127.{9 if number < HUNG else 8}.{number // 250}.{number % 250 + 1}"


def _of(times: list[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


async def _serve() -> None:
    """The relays."""
    coils: dict[str, bool] = {}

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while True:
                request = await reader.readexactly(12)
                if host.startswith("127.9."):
                    continue
                if request[7] == 5:
                    coils[host] = request[10] == 0xFF
                    writer.write(request)
                else:
                    on = coils.get(host, False)
                    writer.write(request[:4] + b"\x00\x04" + request[6:8] + bytes((1, on)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(relay, "0.0.0.0", 0, backlog=1024)  # all of loopback
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(_serve()))
