"""Finding people by name (P12), and near-identical names (P22)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from belltower.errors import Refused
from belltower.people.by_hand import HandField
from belltower.people.generator import generate
from belltower.people.reading.namesakes import close_names, is_close
from belltower.people.roster import HumanKind
from belltower.people.search import SHOWN, NameIndex, searched
from belltower.people.store import RosterStore
from belltower.people.vault import Vault
from belltower.store import open_database
from tests.belltower.people.test_by_hand import RUTH, editing
from tests.belltower.people.test_taking import DISTRICT, RING, memory, take  # noqa: F401 - a fixture


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("Núñez", "NUNEZ"),
        ("O’Malley", "o'malley"),
        ("Łukasz Øster", "lukasz oster"),
        ("Strauß", "STRAUSS"),
        ("Smith-Jones", "smith jones"),
        ("Nguyễn Thị Hồng", "nguyen thi hong"),
        ("مُحَمَّد", "محمد"),
        ("Ёлкина", "елкина"),
        ("N\u0303un\u0303ez", "ñuñez"),
    ],
)
def test_two_spellings_of_a_name_are_one(kept: str, asked: str) -> None:
    """P12: composed or not, with marks or without."""
    assert searched(asked) == searched(kept)


@given(st.text(max_size=60))
def test_a_folded_name_stays_as_it_is_folded(text: str) -> None:
    """Whatever a cell holds: what is indexed is what is asked for."""
    assert searched(text) == searched(searched(text))


@given(st.lists(st.text("ab", min_size=5, max_size=8), max_size=8, unique=True))
def test_two_names_are_close_wherever_many_are_compared_at_once(names: list[str]) -> None:
    """P22: the warning on a record and the one at import agree."""
    pairs = {
        (one, other)
        for one in range(len(names))
        for other in range(one + 1, len(names))
        if is_close(names[one], names[other])
    }
    assert close_names(names) == pairs


async def test_everybody_is_found_by_their_own_name(memory: RosterStore) -> None:  # noqa: F811
    """Each of a district, by the first letters of every word of it."""
    await take(memory, DISTRICT)
    index = NameIndex(store=memory)
    for human in DISTRICT.humans:
        words = " ".join(word[:5] for word in searched(f"{human.given} {human.family}").split())
        found = await index.search(words)
        keys = {one.human.key for one in await memory.known(found.people)}
        assert human.key in keys or found.more, words


async def test_an_answer_is_bounded_and_says_that_there_are_more(memory: RosterStore) -> None:  # noqa: F811
    """A person reads fifty names, not a thousand."""
    many = generate(seed=3, students=120)
    await take(memory, replace(many, humans=tuple(replace(one, family="Lee") for one in many.humans)))
    found = await NameIndex(store=memory).search("lee")

    assert (SHOWN, True) == (len(found.people), found.more)
    with pytest.raises(Refused):
        await NameIndex(store=memory).search(" -' l")


async def test_a_name_changed_by_hand_or_by_a_load_is_found_by_the_new_one(memory: RosterStore) -> None:  # noqa: F811
    """And no longer by the old one; back by hand, by the old one again."""
    await take(memory, DISTRICT)
    index, hands = NameIndex(store=memory), editing(memory)
    pupil = next(one for one in DISTRICT.humans if one.kind is HumanKind.STUDENT)
    (person,) = [one.id async for page in memory.humans() for one in page if one.human.key == pupil.key]
    await index.fresh()
    await hands.set("vrb_1", person, HandField.FAMILY, ["Quetzalcoatl"], by=RUTH)
    assert (person,) == (await index.search("quetzal")).people
    assert person not in (await index.search(f"{pupil.given} {pupil.family}")).people
    await hands.unset("vrb_2", person, HandField.FAMILY, by=RUTH)
    assert () == (await index.search("quetzal")).people

    humans = tuple(replace(one, family="Xochitl") if one.key == pupil.key else one for one in DISTRICT.humans)
    await take(memory, replace(DISTRICT, humans=humans))
    assert (person,) == (await index.search("xochitl")).people


async def test_nothing_that_is_searched_or_written_by_hand_stands_in_clear_on_the_disk(
    tmp_path: Path,
) -> None:
    """P8, P14: not in the database, and not in its log."""
    store = RosterStore(database=await open_database(f"sqlite://{tmp_path}/desk.db"), vault=Vault(ring=RING))
    await store.open()
    await take(store, DISTRICT)
    person = next(iter((await NameIndex(store=store).search(DISTRICT.humans[0].family)).people))
    await editing(store).set("vrb_1", person, HandField.EMAILS, ["quetzal@example.org"], by=RUTH)
    await editing(store).set("vrb_2", person, HandField.PHONES, ["202-456-1414"], by=RUTH)
    files = octets(tmp_path)
    await store.database.close()

    assert [] == [one for one in (b"quetzal", b"4561414", b"456-1414", *names(DISTRICT)) if one in files]


def octets(folder: Path) -> bytes:
    """All that lies there."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def names(roster) -> set[bytes]:
    """Family names that are no part of another word."""
    return {one.family.encode() for one in roster.humans if len(one.family) > 6}
