"""Work done while the disk syncs."""

from __future__ import annotations

import asyncio
import threading

from belltower.store import Transaction, open_database
from gateway.meanwhile import Meanwhile


async def test_work_is_done_on_the_loop_during_the_commit(tmp_path) -> None:
    """Its turn comes before the commit's own end is told, and on the loop's thread."""
    meanwhile = Meanwhile(loop=asyncio.get_running_loop())
    done = asyncio.Event()
    syncing = threading.Event()

    def before_commit() -> None:
        meanwhile.begin()
        syncing.wait(5)

    database = await open_database(f"sqlite://{tmp_path}/a.db", before_commit=before_commit)
    order: list[object] = []
    meanwhile.add(lambda: (order.append(threading.current_thread()), done.set(), syncing.set()))
    landed = database.submit(Transaction())
    landed.add_done_callback(lambda _: order.append("landed"))
    await asyncio.gather(landed, done.wait())
    await asyncio.sleep(0)
    await database.close()

    assert [threading.current_thread(), "landed"] == order


async def test_mistaken_work_harms_nobody() -> None:
    """The next piece is done all the same, and each only once."""
    meanwhile = Meanwhile(loop=asyncio.get_running_loop())
    done: list[int] = []
    meanwhile.add(lambda: done[7])
    meanwhile.add(lambda: done.append(1))
    meanwhile.begin()
    meanwhile.begin()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert [1] == done


async def test_only_so_much_is_taken() -> None:
    """Ten thousand presses at once do not fill memory with kindnesses."""
    meanwhile = Meanwhile(loop=asyncio.get_running_loop())
    done: list[int] = []
    for number in range(10_000):
        meanwhile.add(lambda number=number: done.append(number))
    meanwhile.begin()
    await asyncio.sleep(0)

    assert 256 == len(done)
