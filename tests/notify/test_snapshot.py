"""A snapshot: what two ways to write it have in common, and in which language somebody reads what takes a text back."""

from belltower.clock import Instant
from belltower.ids import DeliveryId, IncidentId, NoticeId, PersonId
from belltower.incident.facts import Mode
from belltower.people.person import Contact, ContactKind, Person
from notify.addresses import same
from notify.audience import AudienceRule
from notify.snapshot import Snapshot
from notify.store import Attempted, Ordered, Words


def snapshot(asked: list[str]) -> Snapshot:
    """Of a notice to guardians; `asked` hears of every language in which its text is wanted."""

    def render(kind: ContactKind, language: str) -> Words:
        asked.append(language)
        return Words(channel=kind.value, language=language, body="Jefferson: lock down.")

    ids = iter(range(1_000))
    return Snapshot(
        ordered=Ordered(
            notice=NoticeId("ntc_1"),
            revision=1,
            incident=IncidentId("inc_1"),
            template="families-correction",
            place="",
            mode=Mode.ACTUAL,
            urgency=0,
            ordered_at=Instant(1),
        ),
        rule=AudienceRule(roles=frozenset({"guardian"})),
        at=None,
        places={},
        served=frozenset({"sms", "email"}),
        language="en",
        render=render,
        new_id=lambda _channel, _mark: DeliveryId(f"dlv_{next(ids)}"),
        mark=same,
    )


def guardian(n: int, address: str) -> Person:
    contact = Contact(kind=ContactKind.EMAIL, address=address)
    return Person(
        id=PersonId(f"g{n}"), name="G", roles=frozenset({"guardian"}), language="es", contacts=(contact,)
    )


def test_a_mailbox_written_in_two_ways_gets_one_message() -> None:
    """As it was written first; whose it is besides is written down."""
    batch = snapshot([]).add([guardian(1, "Mom@Home.example"), guardian(2, "mom@home.example")])

    assert ["Mom@Home.example"] == [row[6] for row in batch.rows]
    assert [("g2", "dlv_0", "shared")] == [row[2:] for row in batch.others]


def test_what_an_earlier_life_planned_is_known_however_its_mailbox_is_written() -> None:
    """Planning anew adds no second message."""
    snap = snapshot([])
    snap.recall("email", "mom@home.example", DeliveryId("dlv_old"), PersonId("g1"))

    assert [] == snap.add([guardian(1, "mom@home.example")]).rows


def test_a_correction_is_wanted_in_the_readers_language_and_not_in_the_one_that_stood_in() -> None:
    """The first text had none in Vietnamese and was said in English; the correction may have one."""
    asked: list[str] = []
    told = [
        Attempted(channel="sms", address=f"+155501{n:02}", person=PersonId(f"g{n}"), language=language)
        for n, language in enumerate(("en-x-vi", "es"))
    ]

    snapshot(asked).add_attempted(told)

    assert ["vi", "es"] == asked


def test_who_was_told_at_three_addresses_is_one_of_the_people_meant() -> None:
    """A draft that names three times the people it goes to asks for a second person where none is needed."""
    told = [
        Attempted(channel=channel, address=address, person=PersonId("g1"), language="es")
        for channel, address in (("sms", "+15550101"), ("sms", "+15550102"), ("email", "mom@home.example"))
    ]
    snap = snapshot([])

    snap.add_attempted(told)
    snap.add([guardian(1, "mom@home.example"), guardian(2, "mom@home.example")])

    assert (2, 3, 0) == (snap.people, snap.deliveries, snap.unreachable)


def test_who_was_told_at_somebody_elses_address_is_one_of_the_people_meant() -> None:
    """Two people who share a telephone are two; who has one address that cannot be read is reached by another."""
    told = [
        Attempted(channel="sms", address=address, person=PersonId(person), language="es")
        for person, address in (
            ("g1", "+15550101"),
            ("g2", "+15550101"),
            ("g3", ""),
            ("g4", ""),
            ("g4", "+15550104"),
        )
    ]
    snap = snapshot([])

    snap.add_attempted(told)

    assert (4, 2, 1) == (snap.people, snap.deliveries, snap.unreachable)
