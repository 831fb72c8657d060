"""A campus in a folder: read as a whole, refused as a whole."""

import random
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from belltower.errors import SettingsError
from belltower.ids import PersonId, PlaceId, UnitId
from belltower.people.grant import SHIPPED, Right, Role
from gateway.site_package import load, revision
from gateway.site_package.drills import public_text
from gateway.site_package.roles import roles_in
from hardware.unit_record import Bearer, UnitRecord

EXAMPLE = Path(__file__).parents[2] / "examples" / "site"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the example that a test may spoil."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "site"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def faults(site: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(site)
    return str(caught.value).splitlines()


def test_the_example_is_a_school(site: Path) -> None:
    """Three buildings, twenty units, twenty-five of staff, each of whom an address reaches."""
    package = load(site)

    assert ("lindenfield", "Lindenfield School") == (package.id, package.name)
    assert ["A", "B", "Gym"] == list(package.buildings)
    assert (20, 25) == (len(package.units), len(package.people))
    assert (
        UnitRecord(id=UnitId("u1"), number=1, place=PlaceId("a-office"), bearer=Bearer.BOTH)
        == package.units[UnitId("u1")]
    )
    assert all(person.contacts for person in package.people.values())
    assert all(place.box for place in package.places.values())


def test_nobody_in_the_example_can_be_rung_or_written_to() -> None:
    """Numbers are of the range kept for fiction, mailboxes of a domain kept for examples."""
    people = load(EXAMPLE).people.values()

    addresses = [contact.address for person in people for contact in person.contacts]
    assert [] == [a for a in addresses if not (a.startswith("+155555501") or a.endswith("@example.org"))]


def test_an_audience_of_everyone_that_seems_narrowed_is_refused(site: Path) -> None:
    """It would reach all, whatever its other keys say."""
    edit(site / "audiences.toml", "[families]\n", '[families]\neveryone = true\nclasses = ["7b"]\n')

    assert [
        "site/audiences.toml: families.everyone: with it nothing narrows whom is meant; remove it, or classes"
    ] == faults(site)


def test_the_revision_is_the_content(site: Path) -> None:
    """A copy has the same revision; one changed octet gives another."""
    before = load(site).revision

    assert revision(EXAMPLE) == before
    assert 12 == len(before)
    edit(site / "site.toml", "Front office", "Front offices")
    assert before != load(site).revision


def test_faults_in_every_file_are_reported_together(site: Path) -> None:
    """Each with its file, table, key and mend."""
    edit(site / "site.toml", 'timezone = "America/Chicago"', 'timezone = "Chicago"')
    edit(site / "site.toml", 'building = "A"', 'building = "AA"')
    edit(site / "units.toml", "number = 2\n", "number = 1\n")
    edit(site / "units.toml", 'place = "a-library"', 'place = "a-librarry"')
    edit(site / "people.toml", "+15555550101", "555-0101")
    edit(site / "people.toml", 'name = "Tom Birch"', 'nam = "Tom Birch"')
    edit(site / "response.toml", 'audience = "all-staff" }]', 'audience = "staff" }]')
    edit(site / "audiences.toml", 'within = "building"', 'within = "house"')

    assert [
        'site/site.toml: timezone: "Chicago" is not known; write one such as "America/Chicago"',
        'site/site.toml: place[1].building: there is no building "AA"; known: A, B, Gym',
        'site/units.toml: unit[3].place: site.toml has no place "a-librarry"',
        'site/units.toml: unit[2]: its number "1" is that of unit[1] too',
        'site/people.toml: person[2].nam: unknown key; did you mean "name"?',
        "site/people.toml: person[2].name: missing; it has no default",
        (
            'site/response.toml: action[1].audience: audiences.toml has no "staff"; known: administrators, all-staff,'
            " families, response-team, test-group"
        ),
        'site/audiences.toml: same-building.within: "house" is not known; one of: place, building, campus',
    ] == faults(site)


def test_a_wrong_address_is_named_and_not_repeated(site: Path) -> None:
    """What stands in people.toml is personal and stays out of messages."""
    edit(site / "people.toml", "+15555550101", "0900 12345")
    edit(site / "people.toml", "tom.birch@example.org", "tom.birch at home")

    assert [
        'site/people.toml: person[1].contact[1].address: no telephone number in E.164; write one such as "+15550100"',
        'site/people.toml: person[2].contact[2].address: no mailbox; write one such as "office@example.org"',
    ] == faults(site)


def test_a_panic_that_makes_no_call_is_refused(site: Path) -> None:
    """No response plan can empty the way to the PSAP."""
    edit(site / "response.toml", "[panic]", "[panic]\ncall = false")

    assert ["site/response.toml: panic.call: a panic alarm always calls the PSAP; remove the line"] == faults(
        site
    )


def test_a_notice_to_nobody_is_refused(site: Path) -> None:
    """An audience that comes to nobody would be a promise that no one hears."""
    edit(site / "audiences.toml", 'roles = ["response-team"]', 'roles = ["respond-team"]')

    assert all("comes to nobody" in fault for fault in faults(site))


@pytest.mark.parametrize(
    "file", ["site.toml", "units.toml", "people.toml", "response.toml", "audiences.toml"]
)
def test_every_file_is_needed(site: Path, file: str) -> None:
    """A missing file is named, and so is one that has no place there."""
    (site / file).unlink()
    (site / "sites.toml").touch()

    found = faults(site)
    assert f"site/{file}: cannot be read (No such file or directory); create it or give another path" in found
    assert any("site/sites.toml: not a file of a site package" in fault for fault in found)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says where the name stands."""
    assert ["nowhere: there is no such folder; name the site package with [site] folder"] == [
        fault.replace(f"{tmp_path}/", "") for fault in faults(tmp_path / "nowhere")
    ]


def test_wording_of_the_districts_own_is_taken_and_checked(site: Path) -> None:
    """A file of wording replaces some texts; a faulty one refuses the package."""
    (site / "wording").mkdir(exist_ok=True)
    own = site / "wording" / "en.toml"
    own.write_text('language = "en"\n[actions]\nhold = "STAY PUT"\n', encoding="utf-8")

    assert "STAY PUT" == load(site).wording.languages["en"].actions["hold"]
    own.write_text("language = \n", encoding="utf-8")
    assert any(fault.startswith("site/wording/en.toml") for fault in faults(site))


def test_the_people_of_a_package_are_known_by_id(site: Path) -> None:
    """Ids say nothing of the person."""
    assert PersonId("p01") in load(site).people


def refused_of(folder: Path, seeds: range) -> int:
    """How many mutations of the example are refused by a SettingsError; the panic of all others still calls."""
    refused = 0
    for seed in seeds:
        chance = random.Random(seed)
        site = folder / str(seed)
        shutil.copytree(EXAMPLE, site)
        file = chance.choice(sorted(site.glob("*.toml")))
        body = bytearray(file.read_bytes())
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(len(body))
            match chance.randrange(3):
                case 0:
                    body[at] = chance.randrange(256)
                case 1:
                    del body[at : at + chance.randint(1, 40)]
                case 2:
                    body[at:at] = bytes(chance.choices(b'[]="{}ab1\n', k=chance.randint(1, 6)))
        file.write_bytes(bytes(body))
        try:
            package = load(site)
        except SettingsError as error:
            assert str(error)
            refused += 1
        else:
            assert package.response.panic.call
    return refused


def test_mutated_packages_are_rejected_whole_or_usable(tmp_path: Path) -> None:
    """Fifty."""
    assert refused_of(tmp_path, range(50)) > 25


@pytest.mark.soak
def test_mutated_packages_are_rejected_whole_or_usable_in_the_long_run(tmp_path: Path) -> None:
    """The same, five hundred times."""
    assert refused_of(tmp_path, range(500)) > 250


def test_authorisers_are_people_with_a_key_each(site: Path) -> None:
    """A stranger, a second entry, a shared key, what is no key, and one alone: each is named."""
    keys = [public_text(Ed25519PrivateKey.generate().public_key()) for _ in range(2)]

    def write(*authorisers: tuple[str, str]) -> None:
        text = "".join(f'[[authoriser]]\nperson = "{p}"\nkey = "{k}"\n' for p, k in authorisers)
        (site / "drills.toml").write_text(text)

    write(("p01", keys[0]), ("p02", keys[1]))
    assert ["p01", "p02"] == list(load(site).authorisers)
    write(("p01", keys[0]), ("p02", keys[0]), ("p99", keys[1]), ("p01", "AAAA"))
    assert [
        'site/drills.toml: authoriser[2].key: is the key of "p01" too; two people have two keys',
        'site/drills.toml: authoriser[3].person: people.toml has no person "p99"',
        'site/drills.toml: authoriser[4].person: "p01" is named twice; each authoriser has one key',
        "site/drills.toml: authoriser[4].key: no Ed25519 public key; make one with: belltower drill key new",
    ] == faults(site)
    write(("p01", keys[0]))
    assert ["site/drills.toml: authoriser: a drill takes two authorisers; name another one"] == faults(site)
    write()
    assert {} == load(site).authorisers


def test_who_is_to_answer_and_who_is_told_are_named_rightly(site: Path) -> None:
    """The staff only, with texts and audiences that there are; no further way within seconds."""
    with (site / "response.toml").open("a") as file:
        file.write(
            '[escalation]\ntemplates = ["families.lockdown.now", "staff-alram"]\nchannels = ["voice"]\n'
            'channel_after = "1s"\naudience = "nobody"\n[families]\naudience = "parents"\nofficer = "all-staff"\n'
        )

    assert [
        'escalation.templates: "families.lockdown.now" is for families; only the staff is waited for: name staff templates',
        'escalation.templates: the wording has no template "staff-alram"',
        'escalation.audience: audiences.toml has no "nobody"',
        'escalation.channel_after: shorter than 5 s; write "15s"',
        'families.audience: audiences.toml has no "parents"',
    ] == [fault.removeprefix("site/response.toml: ").split("; known")[0] for fault in faults(site)]


def test_a_school_gives_its_functions_other_rights(site: Path) -> None:
    """A shipped role loses rights, another is added, the rest stay; without the file nothing changes."""
    plain = load(site)
    (site / "roles.toml").write_text(
        '[office]\nrights = ["people-see"]\n[front-desk]\nrights = []\n', encoding="utf-8"
    )
    package = load(site)

    assert SHIPPED == plain.roles
    assert plain.revision != package.revision
    assert {
        **SHIPPED,
        "office": Role(name="office", rights=frozenset({Right.PEOPLE_SEE})),
        "front-desk": Role(name="front-desk"),
    } == package.roles
    assert package.roles == roles_in(site)


def test_a_faulty_role_is_named_with_its_mend(site: Path) -> None:
    """The administrator cannot be made smaller; what is no right, no name, no list or no key is said."""
    (site / "roles.toml").write_text(
        "[administrator]\nrights = []\n"
        "[Office]\nrights = []\n"
        '[desk]\nrights = ["notice-sent", "fly"]\n'
        '[nurse]\nrights = "people-see"\n'
        '[coach]\nright = ["people-see"]\n',
        encoding="utf-8",
    )
    found = faults(site)

    assert all(line.startswith("site/roles.toml: ") for line in found)
    assert [
        "administrator: has every right and stays as it is; give another name to a smaller role",
        'Office: a role is written as "front-desk": small letters, digits and dashes',
        'desk.rights: there is no right "notice-sent"; did you mean "notice-send"?',
    ] == [line.removeprefix("site/roles.toml: ") for line in found[:3]]
    assert 'there is no right "fly"; known: notice-write, notice-send' in found[3]
    assert {"nurse", "coach"} == {line.removeprefix("site/roles.toml: ").split(".")[0] for line in found[4:]}
    with pytest.raises(SettingsError, match="has every right"):
        roles_in(site)


def test_its_own_people_bear_the_schools_of_the_campus(site: Path) -> None:
    """None where none is named; a key that is no key is a fault."""
    assert {frozenset()} == {one.schools for one in load(site).people.values()}

    edit(site / "site.toml", "telephone =", 'schools = ["east", "west"]\ntelephone =')
    package = load(site)
    assert {"east", "west"} == package.schools
    assert {package.schools} == {one.schools for one in package.people.values()}

    edit(site / "site.toml", '"west"', '" "')
    assert [
        "site/site.toml: schools: a key is empty or has blanks around it; write it as the roster does"
    ] == faults(site)
