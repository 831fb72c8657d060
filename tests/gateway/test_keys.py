"""The desk's keys: nothing sealed is forgotten when they are turned, and a ring that is lost stops no notice."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from belltower.clock import SECOND, Instant, SystemClock
from belltower.errors import NotFound, SettingsError, WrongState
from belltower.ids import NoticeId
from belltower.incident.facts import Reply
from belltower.people import disclosure_tables
from belltower.people.generator import generate
from belltower.people.resealing import Resealing
from belltower.people.store import RosterStore
from belltower.people.taking import Taking
from belltower.people.vault import Unreadable, Vault, new_ring, open_vault, read_ring
from belltower.store import Database, open_beside, open_database
from gateway import migration
from gateway.cli.commands import belltower
from gateway.keys import TABLES, KeyCount, Keys, lost_keys, open_keys, turned
from notify.addresses import Addresses
from notify.audience import AudienceRule
from notify.meant import Meant
from notify.meant import keep as keep_meant
from notify.reply_tables import ReplyTables
from notify.sealing import owed, seal_clear
from notify.store import DeliveryTables
from tests.gateway.cli.house import house
from tests.notify.test_sealing import SUBSCRIPTION
from tests.servers.postgres import postgres  # noqa: F401 - a fixture

CLEAR = frozenset(
    {
        # Digests, marks and remembered states: nothing of a person can be read from them.
        *(
            "journal_entry.body",
            "journal_entry.hash",
            "journal_checkpoint.hash",
            "journal_checkpoint.signature",
        ),
        *(
            "deadline.body",
            "notice_stop.mark",
            "notice_browser.mark",
            "disclosure_given.found_by",
            "people_doubt.mark",
        ),
        *("web_invitation.token_hash", "web_session.token_hash"),
        *(f"roster_{name}.content" for name in ("school", "class", "person", "address", "link", "enrolment")),
        "roster_address.found_by",
    }
)


STOPPED = "+14085550001"


def row(n: int) -> tuple:
    """A delivery as a snapshot has it."""
    return (
        f"dlv_{n:04}",
        "ntc_1",
        1,
        "inc_1",
        f"p{n}",
        "sms",
        f"+1408555{n:04}",
        "pending",
        "",
        0,
        "en",
        1,
        f"{n:032x}",
    )


async def filled(database: Database, vault: Vault, deliveries: int = 700) -> None:
    """Something of everything that is sealed."""
    await database.migrate(migration.DESK)
    tables = DeliveryTables(database=database, addresses=Addresses(vault=vault))
    store = RosterStore(database=database, vault=vault)
    taking = Taking(store=store, clock=SystemClock())
    ready = await taking.prepare(await taking.look(generate(seed=1, students=5)), incident_open=False)
    assert ready is not None
    async with database.begin() as tx:
        taking.settle(tx, ready, incident_open=False)
    mark = vault.mark("push.browser", "https://push.example/v1/of-rosalind")
    told = vault.seal("notice_browser", mark.hex(), "address", SUBSCRIPTION.encode())
    async with database.begin() as tx:
        rows = [row(n) for n in range(deliveries)]
        tables.add_rows(tx, [(*one[:-1], tables.addresses.mark("sms", one[6])) for one in rows], [])
        tx.add(
            "INSERT INTO notice_browser (mark, person, address, made_at) VALUES (:mark, 'p1', :told, 1)",
            mark=mark,
            told=told,
        )
        keep_meant(tx, vault, NoticeId("ntc_1"), 1, Meant(audience="staff", rule=AudienceRule()))
        ReplyTables(database=database, vault=vault).add(
            tx, "rpl_1", None, "sms", Reply.TEXT, "the gym", Instant(1)
        )
        ReplyTables(database=database, vault=vault).stop(tx, "sms", STOPPED, person="p1", at=Instant(1))
        tx.add(
            disclosure_tables.ADD_GIVEN,
            batch="dsb_1",
            number=0,
            found_by=vault.mark("disclosed", "per_1"),
            body=vault.seal("disclosure_given", "dsb_1|0", "body", b'{"student":"per_1"}'),
            sealed_with=vault.current,
        )


@pytest.fixture
async def database(tmp_path: Path, request: pytest.FixtureRequest):
    """The desk's own connection."""
    district = getattr(request, "param", "sqlite") == "postgres"
    url = request.getfixturevalue("postgres").database() if district else f"sqlite://{tmp_path}/desk.db"
    made = await open_database(url)
    yield made
    await made.close()


async def test_every_sealed_column_of_the_desk_is_turned(database: Database) -> None:
    """A table with a column of octets is in the list of what is sealed, or in that of what is not."""
    await database.migrate(migration.DESK)
    columns = await database.read(
        "SELECT t.name || '.' || c.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table' AND (c.type = 'BYTEA' OR c.name = 'sealed_with')"
    )
    assert len(TABLES) == len({table.name for table in TABLES})
    listed = {f"{table.name}.{name}" for table in TABLES for name in table.fields}
    named = {f"{table.name}.sealed_with" for table in TABLES if table.named}
    found = {str(name) for name, _ in columns}
    # Those of schools, classes and enrolments are "".
    more = {f"roster_{name}.sealed_with" for name in ("school", "class", "enrolment")}

    assert listed | named | CLEAR | more == found


async def test_turned_keys_seal_everything_anew_beside_a_lane_that_runs(
    database: Database, tmp_path: Path
) -> None:
    """The lane meets the new key and takes it; a second turn makes another; dropped, the old ones open nothing."""
    path = tmp_path / "people.keys"
    lane = await open_keys(database, path)
    await filled(database, lane)
    beside = open_beside(tmp_path / "desk.db")
    keys = Keys(database=beside, key_ring=path)
    seen: list[int] = []
    key, became = await turned(keys, settling=0.0, begun=seen.append, told=seen.append)
    counted = {one.key: one for one in await keys.counted()}
    opened = Addresses(vault=lane)
    rows = await database.read("SELECT id, sealed, sealed_with FROM notice_delivery ORDER BY id")
    said = [opened.open(id_, sealed) for id_, sealed, _ in rows]

    assert "k2" == key == lane.current
    assert {(700, 0), (1, 0)} <= set(became.values())
    assert seen[0] == sum(seen[1:])
    assert {} == counted["k1"].rows
    empty = ("people", disclosure_tables.OPENED)
    filled_ones = {table.name for table in TABLES if table.name == disclosure_tables.GIVEN}
    filled_ones |= {table.name for table in TABLES if not table.name.startswith(empty)}
    assert filled_ones == set(counted["k2"].rows)
    assert [f"+1408555{n:04}" for n in range(700)] == said
    assert {"k2"} == {with_ for _, _, with_ in rows}
    replies = ReplyTables(database=database, vault=lane)
    ((text,),) = await database.read("SELECT text FROM notice_reply")
    assert b"the gym" == lane.open("notice_reply", "rpl_1", "text", bytes(text))
    assert replies.name_of("a", "b") == ReplyTables(
        database=database, vault=Vault(ring=read_ring(path))
    ).name_of("a", "b")
    old = read_ring(path)
    with pytest.raises(WrongState, match="less than an hour"):
        await keys.drop(now=SystemClock().now())
    assert ["k1"] == await keys.drop(now=Instant(SystemClock().now() + 3_700 * SECOND))
    assert [] == await keys.drop(now=None)
    assert "k3" == (await turned(keys, settling=0.0, begun=seen.append, told=seen.append))[0]
    lane.refresh()
    assert "k3" == lane.current
    with pytest.raises(Unreadable, match="k3"):
        Vault(ring=old).open("notice_delivery", rows[0][0], "sealed", await _sealed(database, rows[0][0]))
    await beside.close()


def files_of(folder: Path, marks: set[bytes]) -> list[str]:
    """The files of the database that hold one of these."""
    files = {path.name: path.read_bytes() for path in folder.glob("desk.db*")}
    return [name for name, octets in files.items() if any(mark in octets for mark in marks)]


MARKS = """
SELECT found_by FROM roster_address UNION ALL SELECT content FROM roster_address UNION ALL
SELECT content FROM roster_person UNION ALL SELECT content FROM roster_link UNION ALL
SELECT found_by FROM disclosure_given UNION ALL SELECT mark FROM notice_stop
"""


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
async def test_turned_marks_find_everybody_meanwhile_and_none_of_the_old_is_left(
    database: Database, tmp_path: Path
) -> None:
    """Broken off, ended, dropped: the same people under the same ids, a load changes nothing, and the files hold no old mark."""
    path = tmp_path / "people.keys"
    lane = await open_keys(database, path)
    await filled(database, lane, 5)
    store, replies = RosterStore(database=database, vault=lane), ReplyTables(database=database, vault=lane)
    opened = Addresses(vault=lane)
    known = [one async for page in store.humans() for one in page]
    assert known
    found = {
        one.normalised: await store.reached_by("phone", one.normalised)
        for who in known
        for one in who.addresses
        if one.kind == "phone"
    }
    marks = {bytes(mark) for (mark,) in await database.read(MARKS)} - {b""}
    written = {opened.mark("sms", f"+1408555{n:04}").encode() for n in range(5)}
    to = "SELECT count(*) FROM notice_delivery WHERE address = :mark"
    disclosed = "SELECT count(*) FROM disclosure_given WHERE found_by = :mark"

    async def finds_everybody() -> None:
        assert found == {number: await store.reached_by("phone", number) for number in found}
        assert known == [one async for page in store.humans() for one in page]
        assert await replies.is_stopped("sms", STOPPED)
        assert (await replies.stops()).refuses("sms", STOPPED, urgency=1)
        given = [await database.read(disclosed, mark=mark) for mark in lane.marks("disclosed", "per_1")]
        assert 1 == sum(count for ((count,),) in given)
        for n in range(5):
            asked = [await database.read(to, mark=mark) for mark in opened.marks("sms", f"+1408555{n:04}")]
            assert 1 == sum(count for ((count,),) in asked)
        look = await Taking(store=store, clock=SystemClock()).look(generate(seed=1, students=5))
        assert {(0, 0, 0)} == set(look.diff.counts.values())

    class Killed(Exception):
        pass

    def kills(at: int) -> Callable[[int], None]:
        left = iter(range(at))

        def told(_count: int) -> None:
            if next(left, None) is None:
                raise Killed

        return told

    keys = Keys(database=database, key_ring=path)
    await finds_everybody()
    for at in (0, 1, 2):
        with suppress(Killed):
            await turned(keys, settling=0.0, begun=lambda _: None, told=kills(at))
        await finds_everybody()
    await turned(keys, settling=0.0, begun=lambda _: None, told=lambda _: None)
    await finds_everybody()
    assert lane.turning
    assert ["k1"] == await keys.drop(now=None)
    await finds_everybody()
    assert not lane.turning
    await seal_clear(database, opened)
    assert not marks & {bytes(mark) for (mark,) in await database.read(MARKS)}
    assert [] == files_of(tmp_path, marks | written)


async def test_an_address_that_an_older_program_stopped_stays_stopped(
    database: Database, tmp_path: Path
) -> None:
    """Its mark stood alone: it is found among those that something was sent to; of another the old key stays."""
    path = tmp_path / "people.keys"
    lane = await open_keys(database, path)
    await filled(database, lane, 3)
    replies, keys = ReplyTables(database=database, vault=lane), Keys(database=database, key_ring=path)
    async with database.begin() as tx:
        replies.stop(tx, "sms", "+14085559999", person="", at=Instant(2))
        tx.add("UPDATE notice_stop SET address = NULL, sealed_with = ''")
    await turned(keys, settling=0.0, begun=lambda _: None, told=lambda _: None)
    assert ["k1"] == await keys.drop(now=None)
    lane.refresh()

    assert await replies.is_stopped("sms", STOPPED)
    assert await replies.is_stopped("sms", "+14085559999")
    assert 1 == await replies.complete()
    assert lane.turning
    assert [] == await keys.drop(now=None)
    lane.refresh()
    assert lane.turning
    async with database.begin() as tx:
        tx.add("DELETE FROM notice_stop WHERE address IS NULL")
    assert [] == await keys.drop(now=None)
    lane.refresh()
    assert not lane.turning


async def test_keys_are_dropped_only_when_it_is_written_down_that_the_files_hold_old_marks(
    database: Database, tmp_path: Path
) -> None:
    """Broken off where the ring is written, the old keys stay; again, they go, and the files are still owed."""
    path = tmp_path / "people.keys"
    lane = await open_keys(database, path)
    await filled(database, lane, 3)
    keys = Keys(database=database, key_ring=path)
    await turned(keys, settling=0.0, begun=lambda _: None, told=lambda _: None)
    in_the_way = path.with_name("people.keys.new")
    in_the_way.mkdir()
    with pytest.raises(OSError, match=in_the_way.name):
        await keys.drop(now=None)

    assert {"k1", "k2"} == set(read_ring(path).keys)
    assert await owed(database)
    in_the_way.rmdir()
    assert ["k1"] == await keys.drop(now=None)
    assert {"k2"} == set(read_ring(path).keys)
    assert await owed(database)


async def _sealed(database: Database, delivery: str) -> bytes:
    return bytes(
        (await database.read("SELECT sealed FROM notice_delivery WHERE id = :id", id=delivery))[0][0]
    )


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
async def test_turning_that_is_broken_off_goes_on_and_makes_no_other_key(
    database: Database, tmp_path: Path
) -> None:
    """What was sealed anew stays so; nothing is dropped before all of it is."""
    path = tmp_path / "people.keys"
    await filled(database, await open_keys(database, path), 1_600)
    keys = Keys(database=database, key_ring=path)

    class Killed(Exception):
        pass

    def kills(_count: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await turned(keys, settling=0.0, begun=lambda _: None, told=kills)
    with pytest.raises(WrongState, match="older key: k1"):
        await keys.drop(now=None)
    key, _ = await turned(keys, settling=0.0, begun=lambda _: None, told=lambda _: None)

    assert "k2" == key
    assert ["k1", "k2"] == sorted(read_ring(path).keys)
    assert ["k1"] == await keys.drop(now=None)


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
async def test_whoever_changes_the_ring_while_another_does_is_refused_and_no_key_is_lost(
    database: Database, tmp_path: Path
) -> None:
    """Two who turn at once would write two keys under one name; one who drops would write back a ring without the new."""
    path = tmp_path / "people.keys"
    lane = await open_keys(database, path)
    await filled(database, lane, 3)
    counting, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Keys):
        async def counted(self) -> list[KeyCount]:
            found = await super().counted()
            counting.set()
            await go_on.wait()
            return found

    keys = Keys(database=database, key_ring=path)
    for begun in ("turn", "drop"):
        counting.clear()
        go_on.clear()
        slow = Slow(database=database, key_ring=path)
        first = asyncio.create_task(slow.turn() if begun == "turn" else slow.drop(now=None))  # noqa: TID251 - it ends here
        await counting.wait()
        for other in (keys.turn(), keys.drop(now=None)):
            with pytest.raises(WrongState, match="by another command"):
                await other
        go_on.set()
        assert {"turn": "k2", "drop": ["k1"]}[begun] == await first
        await turned(
            keys, settling=0.0, begun=lambda _: None, told=lambda _: None
        ) if begun == "turn" else None
    lane.refresh()
    opened = Addresses(vault=lane)
    rows = await database.read("SELECT id, sealed FROM notice_delivery ORDER BY id")

    assert [f"+1408555{n:04}" for n in range(3)] == [opened.open(id_, sealed) for id_, sealed in rows]
    assert 0o600 == path.with_name("people.keys.lock").stat().st_mode & 0o777


async def test_what_a_lane_writes_anew_meanwhile_is_not_overwritten(
    database: Database, tmp_path: Path
) -> None:
    """The row is sealed as the lane wrote it last."""
    path = tmp_path / "people.keys"
    vault = await open_keys(database, path)
    await filled(database, vault, 1)
    ring = read_ring(path).turned()
    turning = Resealing(database=database, vault=Vault(ring=ring), tables=TABLES)
    later = vault.seal("notice_delivery", "dlv_0000", "sealed", b"+14085559999")
    page = await database.read("SELECT id, sealed, channel, address FROM notice_delivery")
    async with database.begin() as tx:
        tx.add("UPDATE notice_delivery SET sealed = :later", later=later)
    table = next(one for one in TABLES if one.name == "notice_delivery")
    async with database.begin() as tx:
        tx.rows(table.write(), [turning._row(table, page[0])])

    assert later == await _sealed(database, "dlv_0000")
    assert 1 == (await turning.reseal())["notice_delivery"].sealed
    assert later != await _sealed(database, "dlv_0000")


@pytest.mark.parametrize("spoilt", [False, True])
async def test_a_lost_ring_is_made_anew_where_only_addresses_are_sealed(
    database: Database, tmp_path: Path, *, spoilt: bool
) -> None:
    """The fault is named as long as such addresses stand; put back from the backup, they open again."""
    path = tmp_path / "people.keys"
    vault = await open_keys(database, path)
    backup = path.read_bytes()
    tables = DeliveryTables(database=database, addresses=Addresses(vault=vault))
    await tables.migrate()
    async with database.begin() as tx:
        tables.add_rows(tx, [row(0)], [])
    path.write_bytes(b"{}") if spoilt else path.unlink()
    fresh = await open_keys(database, path)
    keys = Keys(database=database, key_ring=path)

    assert "k2" == fresh.current
    assert spoilt == path.with_name("people.keys.spoilt").exists()
    assert ["k1"] == await lost_keys(database, fresh) == await lost_keys(database, open_vault(path))
    assert "" == Addresses(vault=fresh).open("dlv_0000", await _sealed(database, "dlv_0000"))
    _, became = await turned(keys, settling=0.0, begun=lambda _: None, told=lambda _: None)
    assert (0, 1) == became["notice_delivery"]
    fresh_ring = path.read_bytes()
    path.write_bytes(backup)
    assert [] == await lost_keys(database, await open_keys(database, path))
    path.write_bytes(fresh_ring)
    assert {"k1": 1} == await keys.forget()
    assert [] == await lost_keys(database, open_vault(path))
    with pytest.raises(NotFound):
        await keys.forget()


async def test_a_ring_lost_before_anything_was_sent_is_made_anew_and_forgotten(
    database: Database, tmp_path: Path
) -> None:
    """For whom a notice was is sealed too: the new key bears another name, is turned and dropped, and the lost one goes."""
    path = tmp_path / "people.keys"
    vault = await open_keys(database, path)
    async with database.begin() as tx:
        keep_meant(tx, vault, NoticeId("ntc_1"), 1, Meant(audience="staff", rule=AudienceRule()))
    path.unlink()
    fresh = await open_keys(database, path)
    keys = Keys(database=database, key_ring=path)

    assert "k2" == fresh.current
    assert ["k1"] == await lost_keys(database, fresh)
    assert "k3" == await keys.turn()
    assert ["k2"] == await keys.drop(now=None)
    assert {"k1": 1} == await keys.forget()
    assert [] == await lost_keys(database, fresh)


async def test_a_lost_ring_is_asked_for_where_answers_are_sealed_too(
    database: Database, tmp_path: Path
) -> None:
    """Nothing is put aside, nothing made."""
    path = tmp_path / "people.keys"
    await filled(database, await open_keys(database, path), 1)
    path.write_bytes(b"{}")

    with pytest.raises(SettingsError, match="key ring"):
        await open_keys(database, path)
    assert b"{}" == path.read_bytes()
    path.unlink()
    with pytest.raises(SettingsError, match="backup"):
        await open_keys(database, path)


async def test_a_ring_of_other_marks_is_not_taken_while_the_lane_runs(tmp_path: Path) -> None:
    """Somebody put another campus's file there: what is open stays open."""
    path = tmp_path / "people.keys"
    vault = await open_keys_of(path)
    sealed = vault.seal("t", "r", "f", b"plain")
    from belltower.people.vault import write_ring

    write_ring(path, new_ring(number=5))
    vault.refresh()

    assert "k1" == vault.current
    assert b"plain" == vault.open("t", "r", "f", sealed)


async def open_keys_of(path: Path) -> Vault:
    from belltower.people.vault import write_ring

    write_ring(path, new_ring())
    return open_vault(path)


def test_the_commands_list_turn_drop_and_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people and for programs; no key is ever printed."""
    monkeypatch.setattr("gateway.cli.keys._SETTLING", 0.0)
    config = house(tmp_path)
    run = CliRunner().invoke
    state = tmp_path / "state"

    async def fill() -> None:
        state.mkdir(exist_ok=True)
        database = await open_database(f"sqlite://{desk}")
        await filled(database, await open_keys(database, ring), 3)
        await database.close()

    from gateway.settings import load

    settings = load(config, secrets=False)
    desk, ring = settings.state.desk_database, settings.people_keys
    assert isinstance(run(belltower, ["keys", "list", "-c", str(config)]).exception, NotFound)
    desk.parent.mkdir(exist_ok=True, parents=True)
    asyncio.run(fill())

    listed = run(belltower, ["keys", "list", "-c", str(config)], catch_exceptions=False).output
    fresh = run(belltower, ["keys", "drop", "-c", str(config)], catch_exceptions=False).output
    told = run(belltower, ["keys", "turn", "--json", "-c", str(config)], catch_exceptions=False).output
    shown = run(belltower, ["keys", "list", "--json", "-c", str(config)], catch_exceptions=False).output
    dropped = run(
        belltower, ["keys", "drop", "--now", "--json", "-c", str(config)], catch_exceptions=False
    ).output

    assert "There is only the current key.\n" == fresh
    assert re.search(r"(?s)k1 +seals .*notice_delivery 3", listed)
    assert {"sealed": 3, "unreadable": 0} == json.loads(told)["rows"]["notice_delivery"]
    assert [("k1", False), ("k2", True)] == [
        (one["key"], one["current"]) for one in map(json.loads, shown.splitlines())
    ]
    assert {"dropped": ["k1"]} == json.loads(dropped)
    everything = f"{listed}{told}{shown}{dropped}"
    assert not [key for key in json.loads(ring.read_text())["keys"].values() if key in everything]
