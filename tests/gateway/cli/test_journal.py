"""What the journal holds, told and verified from outside."""

import asyncio
import json
from pathlib import Path

import apsw

from belltower.clock import Instant, SystemClock
from belltower.ids import Ids, IncidentId, LinkName, StreamName, UnitId
from belltower.incident import facts
from belltower.incident.encoding import FactEncoding
from belltower.incident.entry import Draft
from belltower.incident.facts import Fact
from belltower.journal import Journal, SpoolFile
from belltower.journal.checkpoint import checkpoint_key
from belltower.store import Transaction, open_database
from gateway import settings as rooms
from gateway import site_package
from gateway.web import store as web_store
from tests.gateway.cli.house import belltower, house
from tests.peers.waiting import PATIENCE

INCIDENT = IncidentId("inc_01")
START = 1_700_000_000_000_000


def written(config: Path) -> Path:
    """A journal with one small incident; returns its file."""
    ids = Ids(clock=SystemClock())
    alarm, call = ids.alarm(), ids.call()
    story: list[tuple[float, Fact]] = [
        (
            0.0,
            facts.AlarmRaised(
                alarm=alarm,
                incident=INCIDENT,
                kind=facts.AlarmKind.PANIC,
                mode=facts.Mode.ACTUAL,
                place=None,
                building="",
                number=1,
                unit=UnitId("u7"),
            ),
        ),
        (0.0, facts.IncidentOpened(incident=INCIDENT, alarm=alarm, mode=facts.Mode.ACTUAL, number=12)),
        (0.25, facts.CallSent(call=call, link=LinkName("county"), frame="1", covers=((1, 1),))),
        (
            2.5,
            facts.TelecommunicatorAcknowledged(
                call=call, incident=INCIDENT, link=LinkName("county"), by="T4"
            ),
        ),
    ]
    path = config.parent / "var" / "alarm.db"
    path.parent.mkdir()

    async def write() -> None:
        database = await open_database(f"sqlite://{path}")
        journal = Journal(
            database=database,
            stream=StreamName("alarm"),
            codec=FactEncoding(),
            spool=SpoolFile(path=path.with_name("spool")),
            spool_after=PATIENCE,
        )
        await journal.open()
        for seconds, fact in story:
            at = Instant(START + int(seconds * 1e6))
            await journal.commit(Transaction(), [Draft(id=ids.fact(), at=at, subject=INCIDENT, fact=fact)])
        await database.close()

    asyncio.run(write())
    checkpoint_key(path.with_name("signing.key"))
    return path


def test_somebody_is_invited_while_the_desk_runs(tmp_path: Path) -> None:
    """The link is good, and the desk, which holds its database open, writes on."""
    config = house(tmp_path)
    assert 77 == belltower("invite", "-c", config).returncode

    async def run() -> tuple[bool, bool]:
        path = rooms.load(config, secrets=False).state.desk_database
        path.parent.mkdir(parents=True, exist_ok=True)
        database = await open_database(f"sqlite://{path}")
        await database.migrate(web_store.STEPS)
        links = [
            json.loads((await asyncio.to_thread(belltower, "invite", "-c", config, "--json")).stdout)["link"]
            for _ in range(2)
        ]
        now = SystemClock().now()
        good = [await web_store.invited(database, link.rpartition("/")[2], now) for link in links]
        tx = Transaction()
        web_store.use_invitation(tx, links[1].rpartition("/")[2], now)
        await database.submit(tx)
        await database.close()
        return good[0] is not None, good[1] is not None

    assert (False, True) == asyncio.run(run())


def test_an_incident_is_told_again_with_seconds_and_standing(tmp_path: Path) -> None:
    """By its number, by its id, or the last one."""
    config = house(tmp_path)
    written(config)

    for named in ("12", INCIDENT, "last"):
        lines = [
            json.loads(line)
            for line in belltower("replay", named, "-c", config, "--json").stdout.splitlines()
        ]
        assert [0.0, 0.0, 0.25, 2.5] == [line["seconds"] for line in lines]
        assert ["", "", "sent", "acknowledged by a person"] == [line["standing"] for line in lines]
    assert "telecommunicator T4 acknowledges on county" in belltower("replay", "-c", config).stdout
    missing = belltower("replay", "13", "-c", config)
    assert (77, True) == (missing.returncode, "no incident 13; it holds 1: 12" in missing.stderr)
    zone = site_package.load(config.parent / "site").timezone
    assert f" {zone}" in belltower("replay", "-c", config).stdout.partition("first press")[2].splitlines()[0]


def test_verify_finds_the_first_altered_entry(tmp_path: Path) -> None:
    """A sound journal exits with 0; after one octet was changed, with 1, and the position."""
    config = house(tmp_path)
    path = written(config)
    assert "sound, 4 entries" in belltower("verify", "-c", config).stdout

    connection = apsw.Connection(str(path))
    connection.execute("UPDATE journal_entry SET body = replace(body, 'county', 'countx') WHERE position = 3")
    connection.close()
    done = belltower("verify", "-c", config)

    assert 1 == done.returncode
    assert "ALTERED at entry 3" in done.stdout
    found = json.loads(belltower("verify", "-c", config, "--json").stdout)
    assert (False, 3) == (found["sound"], found["verdict"]["first_bad"])
