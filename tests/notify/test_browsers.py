"""Browsers in which people asked to be told: whose they are, how they are kept, and when they are forgotten."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from belltower.clock import SystemClock
from belltower.errors import Refused
from belltower.ids import DeliveryId, NoticeId, PersonId
from belltower.people.person import Contact, ContactKind, Person
from belltower.people.vault import Vault, new_ring
from belltower.store import Database, open_database
from belltower.values import Secret
from notify.browsers import MOST, Browsers
from notify.channels.channel import Message
from notify.channels.channel import Refused as NotTaken
from notify.channels.push_web import WebPush, public_key
from notify.settings import WebPushSettings
from tests.peers.push import browser, push_service, sender_key

ADA, MEI = PersonId("per_1"), PersonId("per_3")
RING = new_ring(Random(3).randbytes)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path}/desk.db")
    yield database
    await database.close()


async def opened(database: Database, *, ring=RING) -> Browsers:
    browsers = Browsers(
        database=database,
        vault=Vault(ring=ring),
        services=("127.0.0.1", "push.example"),
        clock=SystemClock(),
        plain=True,
    )
    await browsers.open()
    return browsers


def address(number: int = 1, host: str = "push.example") -> str:
    return browser().address(f"https://{host}/b{number}")


def named(person: PersonId) -> str:
    return f"Name of {person}"


async def test_a_browser_becomes_a_contact_of_who_asked(database: Database) -> None:
    """Beside the person's others; an account that stands in no package is one of the staff. Also after a restart."""
    phone = Contact(kind=ContactKind.SMS, address="+15550100")
    people = {ADA: Person(id=ADA, name="Ada Okafor", contacts=(phone,))}
    mine, hers = address(1), address(2)
    browsers = await opened(database)
    assert people is browsers.told(people, named)
    await browsers.subscribe(ADA, mine)
    await browsers.subscribe(ADA, mine)
    await browsers.subscribe(MEI, hers)

    for one in (browsers, await opened(database)):
        told = one.told(people, named)
        assert (phone, Contact(kind=ContactKind.PUSH, address=mine)) == told[ADA].contacts
        assert (Contact(kind=ContactKind.PUSH, address=hers),) == told[MEI].contacts
        assert (frozenset({"staff"}), "Name of per_3") == (told[MEI].roles, told[MEI].name)


async def test_it_lies_sealed_and_the_keys_can_be_turned(database: Database) -> None:
    """Nothing of it can be read in the database; under a new key it is sealed anew, and the old one can go."""
    browsers = await opened(database)
    await browsers.subscribe(ADA, address())
    turned = RING.turned(Random(4).randbytes)

    rows = await database.read("SELECT mark, address FROM notice_browser")
    assert b"push.example" not in b"".join(bytes(cell) for row in rows for cell in row)
    await opened(database, ring=turned)
    assert ["https://push.example/b1"] == (await opened(database, ring=turned.reduced())).endpoints(ADA)


async def test_one_person_has_few_and_a_browser_one_owner(database: Database) -> None:
    """Who asked in it last is told there; what one person ends, ends for nobody else."""
    browsers = await opened(database)
    for number in range(MOST):
        await browsers.subscribe(ADA, address(number))
    with pytest.raises(Refused, match="5 devices"):
        await browsers.subscribe(ADA, address(MOST))
    await browsers.subscribe(MEI, address(0))

    assert (MOST - 1, 1) == (len(browsers.endpoints(ADA)), len(browsers.endpoints(MEI)))
    await browsers.unsubscribe(ADA, "https://push.example/b0")
    await browsers.unsubscribe(ADA, "https://push.example/b1")
    assert (MOST - 2, 1) == (len(browsers.endpoints(ADA)), len(browsers.endpoints(MEI)))
    await browsers.unsubscribe(ADA)
    again = await opened(database)
    assert (0, 1) == (len(again.endpoints(ADA)), len(again.endpoints(MEI)))


@pytest.mark.parametrize(
    "text",
    ["", "x" * 3_000, "{}", address(host="evil.example"), browser().address("ftp://push.example/1")],
)
async def test_no_other_push_service_and_no_nonsense_is_kept(database: Database, text: str) -> None:
    """Whatever a page sends."""
    browsers = await opened(database)
    with pytest.raises(Refused):
        await browsers.subscribe(ADA, text)

    assert [] == browsers.endpoints(ADA)


@pytest.mark.parametrize(("status", "left"), [(404, 0), (410, 0), (403, 1), (500, 1)])
async def test_a_browser_that_is_gone_is_forgotten(database: Database, status: int, left: int) -> None:
    """Once its push service says so, and for nothing else."""
    browsers = await opened(database)
    settings = WebPushSettings(
        private_key=Secret(sender_key()), contact="mailto:it@school.example", services=("127.0.0.1",)
    )
    channel = WebPush(settings=settings, clock=SystemClock(), plain=True, gone=browsers.gone)
    await channel.open()
    to = browser()
    async with push_service(to, status=status) as endpoint:
        await browsers.subscribe(ADA, to.address(endpoint))
        answer = await channel.send(
            Message(
                delivery=DeliveryId("dlv_1"),
                notice=NoticeId("ntc_1"),
                revision=1,
                address=to.address(endpoint),
                subject="Jefferson",
                body="x",
                language="en",
                ttl=42.0,
            )
        )
    await channel.close()

    assert left == len(browsers.endpoints(ADA)) == len((await opened(database)).endpoints(ADA))
    assert (left == 0) == (answer == NotTaken(reason="gone"))


async def test_one_made_anew_under_the_same_address_stays(database: Database) -> None:
    """What is gone is the subscription with the old keys."""
    old, new = address(1), address(1)
    browsers = await opened(database)
    await browsers.subscribe(ADA, old)
    await browsers.subscribe(ADA, new)
    await browsers.gone(old)

    assert new == json.loads(json.dumps(browsers.told({}, named)[ADA].contacts[0].address))


def test_browsers_subscribe_to_our_public_key() -> None:
    """65 octets, as they want them; none where the settings hold no key."""
    settings = WebPushSettings(private_key=Secret(sender_key()), contact="mailto:it@school.example")

    assert (87, "B") == (len(public_key(settings)), public_key(settings)[0])
    assert public_key(WebPushSettings(private_key=Secret("none"), contact="mailto:it@school.example")) == ""
