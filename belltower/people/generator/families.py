"""A district that nobody lives in: schools, classes, families and staff, all drawn from one seed.

The same seed and sizes give the same district for ever, on any machine. Families have one to four children, who may
go to different schools; parents who share a surname or do not, live apart, or share one telephone; grandparents and
aunts beside or instead of them; some have no address at all; and one in a hundred of the staff has a child here.
Numbers are of the range 555-0100 to 555-0199, which belongs to nobody; with more than 30,000 households they repeat.
Mailboxes are in example domains.
"""

from __future__ import annotations

import tomllib
import unicodedata
from datetime import date
from itertools import accumulate
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct, structs

from belltower.people.roster import (
    ClassKey,
    Enrolment,
    Human,
    HumanKey,
    HumanKind,
    Link,
    LinkSource,
    Phone,
    Relation,
    Roster,
    School,
    SchoolClass,
    SchoolKey,
    Side,
)

GRADES = ("KG", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12")
YEAR_BEGINS, YEAR_ENDS = date(2026, 8, 17), date(2027, 6, 4)
DISTRICT = SchoolKey("D1")
SUBJECTS = ("Mathematics", "English", "Science", "Social Studies", "Spanish", "Music")

_FIRST_ID = 100_001
_CLASS_SIZE = 24
_NAMES = Path(__file__).with_name("names.toml")
_SCHOOL_NAMES = (
    "Maple",
    "Cedar",
    "Harbor",
    "Prairie",
    "Summit",
    "Lincoln",
    "Rosa Parks",
    "Lakeview",
    "Orchard",
)
_AREAS = Path(__file__).with_name("areas.toml")


class _Tongue(Struct, frozen=True, kw_only=True):
    share: int
    female: list[str]
    male: list[str]
    family: list[str]
    surnames: str = "one"


def generate(*, seed: int, students: int, schools: int = 0) -> Roster:
    """The district of this seed: about twice as many humans as `students`. `schools` 0: one for each 700 students."""
    return _District(seed, students, schools or max(1, students // 700)).roster()


class _District:
    """The draws, in a fixed order: whoever adds one adds it behind the others, or changes every district."""

    def __init__(self, seed: int, students: int, schools: int) -> None:
        self._random = Random(f"belltower people {seed}")  # noqa: S311 - to be repeated, not to be secret
        self._wanted = students
        self._tongues = msgspec.convert(tomllib.loads(_NAMES.read_text("utf-8")), dict[str, _Tongue])
        self._areas: list[int] = tomllib.loads(_AREAS.read_text("utf-8"))["codes"]
        self._languages = list(self._tongues)
        self._shares = list(accumulate(one.share for one in self._tongues.values()))
        self._next_id = _FIRST_ID
        self._households = 0
        self._humans: list[Human] = []
        self._links: list[Link] = []
        self._enrolments: list[Enrolment] = []
        self._classes: list[SchoolClass] = []
        self._schools = [
            School(key=DISTRICT, name="Prairie Unified School District", kind="district", number="0100000")
        ]
        for number in range(schools):
            name = (
                f"{_SCHOOL_NAMES[number % len(_SCHOOL_NAMES)]} {('Elementary', 'Middle', 'High')[number % 3]}"
            )
            again = number // len(_SCHOOL_NAMES)
            self._schools.append(
                School(
                    key=SchoolKey(f"S{number + 1:03}"),
                    name=f"{name} {again + 1}" if again else name,
                    number=f"{100_001 + number}",
                    parent=DISTRICT,
                )
            )

    def roster(self) -> Roster:
        """Families first, then what the schools need for them."""
        pupils: dict[tuple[SchoolKey, str], list[HumanKey]] = {}
        while self._wanted > 0:
            for child in self._family():
                pupils.setdefault((child.schools[0], child.grade), []).append(child.key)
        parents = [one for one in self._humans if one.kind is HumanKind.GUARDIAN]
        for school in self._schools[1:]:
            self._school(
                school,
                [(grade, pupils[school.key, grade]) for grade in GRADES if (school.key, grade) in pupils],
            )
        self._employ(self._random.sample(parents, len(parents) // 200))
        return Roster(
            format="generated",
            version="1",
            schools=tuple(self._schools),
            classes=tuple(self._classes),
            humans=tuple(self._humans),
            links=tuple(self._links),
            enrolments=tuple(self._enrolments),
        )

    # -- families

    def _family(self) -> list[Human]:
        random = self._random
        language = random.choices(self._languages, cum_weights=self._shares)[0]
        tongue = self._tongues[language]
        spoken = language.split("-")[0]
        one, other = random.choice(tongue.family), random.choice(tongue.family)
        draw = random.random()
        apart = 0.62 <= draw < 0.72
        adults: list[tuple[Human, Relation, str, bool]] = []
        home = self._phone()
        shared = random.random() < 0.15
        mother = self._adult(tongue, spoken, other if random.random() < 0.3 else one, "female", home)
        father = self._adult(
            tongue, spoken, one, "male", self._phone() if apart or not shared else home, landline=home
        )
        if draw < 0.72:
            adults += [
                (mother, Relation.PARENT, "Mother", True),
                (father, Relation.PARENT, "Father", not apart),
            ]
        elif draw < 0.88:
            adults.append((mother, Relation.PARENT, "Mother", True))
        elif draw < 0.95:
            adults.append((father, Relation.PARENT, "Father", True))
        else:
            guardian = self._adult(tongue, spoken, other, "female", home)
            adults.append((guardian, Relation.GUARDIAN, "Legal Guardian", True))
        if random.random() < 0.08:
            elder = self._adult(tongue, spoken, other, random.choice(("female", "male")), self._phone())
            word = random.choice(("Grandparent", "Aunt", "Uncle"))
            adults.append((elder, Relation.RELATIVE, word, False))
        count = min(self._wanted, random.choices((1, 2, 3, 4), (38, 40, 17, 5))[0])
        self._wanted -= count
        children: list[Human] = []
        while len(children) < count:  # no two of a family with one name
            child = self._child(tongue, spoken, one, other)
            if child.given not in {sibling.given for sibling in children}:
                children.append(child)
        taught = tuple(dict.fromkeys(child.schools[0] for child in children))
        self._humans += children
        self._humans += [structs.replace(adult, schools=taught) for adult, *_ in adults]
        for child in children:
            for priority, (adult, relation, word, lives) in enumerate(adults, start=1):
                self._links.append(
                    Link(
                        student=child.key,
                        adult=adult.key,
                        relation=relation,
                        written=word,
                        source=LinkSource.SIS,
                        priority=priority,
                        lives_with=lives,
                        stated_by=frozenset({Side.STUDENT}),
                    )
                )
        return children

    def _child(self, tongue: _Tongue, language: str, one: str, other: str) -> Human:
        random = self._random
        grade = random.randrange(len(GRADES))
        # A sister may go to another school: elementary, middle and high take turns in the list.
        level = 0 if grade < 6 else 1 if grade < 9 else 2
        own = [school for number, school in enumerate(self._schools[1:]) if number % 3 == level]
        school = random.choice(own or self._schools[1:])
        given = random.choice(getattr(tongue, random.choice(("female", "male"))))
        family = {"two": f"{one} {other}", "father": random.choice(tongue.male)}.get(tongue.surnames, one)
        preferred = given.split()[0] if " " in given and random.random() < 0.5 else ""
        key = self._key()
        return Human(
            key=key,
            kind=HumanKind.STUDENT,
            given=given,
            family=family,
            middle=random.choice(tongue.family)[:1] if random.random() < 0.3 else "",
            preferred_given=preferred,
            birth_date=date(2021 - grade, 9, 1).replace(
                month=random.randint(1, 12), day=random.randint(1, 28)
            ),
            grade=GRADES[grade],
            language=language,
            schools=(school.key,),
            emails=(f"{key.partition('/')[2]}@students.district.example",),
            roles=frozenset({"student"}),
            number=f"{800_000 + self._next_id}",
        )

    def _adult(
        self,
        tongue: _Tongue,
        language: str,
        family: str,
        sex: str,
        mobile: Phone,
        *,
        landline: Phone | None = None,
    ) -> Human:
        random = self._random
        given = random.choice(getattr(tongue, sex))
        draw = random.random()
        phones: tuple[Phone, ...] = (
            (mobile,) if landline is None or landline == mobile or draw < 0.8 else (mobile, landline)
        )
        key = self._key()
        number = key.partition("/")[2]
        emails = () if random.random() < 0.12 else (f"{_plain(given)}.{number}@family.example",)
        if random.random() < 0.02:
            phones, emails = (), ()
        return Human(
            key=key,
            kind=HumanKind.GUARDIAN,
            given=given,
            family=family,
            language=language,
            phones=phones,
            emails=emails,
        )

    def _phone(self) -> Phone:
        area, line = self._areas[self._households // 100 % len(self._areas)], self._households % 100
        self._households += 1
        written = self._random.choice(
            ("({a}) 555-01{n:02}", "{a}-555-01{n:02}", "+1{a}55501{n:02}", "{a}.555.01{n:02}")
        )
        return Phone(written=written.format(a=area, n=line), e164=f"+1{area}55501{line:02}", sms=True)

    def _key(self) -> HumanKey:
        self._next_id += 1
        return HumanKey(f"user/{self._next_id - 1}")

    # -- schools

    def _school(self, school: School, grades: list[tuple[str, list[HumanKey]]]) -> None:
        # One teacher to a room: a small child's all day, an older one's for up to six periods.
        taught = len(SUBJECTS)
        teacher = HumanKey("")
        room = 100
        for grade, pupils in grades:
            periods = ("HR",) if GRADES.index(grade) < 6 else tuple(str(n + 1) for n in range(len(SUBJECTS)))
            for group in range(0, len(pupils), _CLASS_SIZE):
                for slot, period in enumerate(periods):
                    if period == "HR" or taught == len(SUBJECTS):
                        teacher, taught, room = self._staff(school, "teacher"), 0, room + 1
                    taught += 1
                    key = ClassKey(f"C{len(self._classes) + 1:06}")
                    title = f"Homeroom {grade}" if period == "HR" else f"{SUBJECTS[slot]} {grade}"
                    self._classes.append(
                        SchoolClass(
                            key=key,
                            school=school.key,
                            title=f"{title} {chr(65 + group // _CLASS_SIZE % 26)}",
                            course=title,
                            periods=(period,),
                            location=f"{room}",
                            grades=(grade,),
                            begins=YEAR_BEGINS,
                            ends=YEAR_ENDS,
                        )
                    )
                    self._enrol(key, teacher, "teacher", primary=True)
                    for pupil in pupils[group : group + _CLASS_SIZE]:
                        self._enrol(key, pupil, "student")
        for role in ("principal", "counselor", "aide"):
            self._staff(school, role)

    def _enrol(self, school_class: ClassKey, human: HumanKey, role: str, *, primary: bool = False) -> None:
        self._enrolments.append(
            Enrolment(
                school_class=school_class,
                human=human,
                role=role,
                key=f"E{len(self._enrolments) + 1:07}",
                primary=primary,
                begins=YEAR_BEGINS,
                ends=YEAR_ENDS,
            )
        )

    def _staff(self, school: School, role: str) -> HumanKey:
        random = self._random
        tongue = self._tongues[random.choices(self._languages, cum_weights=self._shares)[0]]
        given = random.choice(tongue.female + tongue.male)
        key = self._key()
        self._humans.append(
            Human(
                key=key,
                kind=HumanKind.STAFF,
                given=given,
                family=random.choice(tongue.family),
                schools=(school.key,),
                phones=(self._phone(),),
                emails=(f"{_plain(given)}.{key.partition('/')[2]}@district.example",),
                roles=frozenset({role}),
                number=f"{700_000 + self._next_id}",
            )
        )
        return key

    def _employ(self, parents: list[Human]) -> None:
        """Give some parents a post: one human, staff first of all, with a child here."""
        found = {parent.key for parent in parents}
        for at, human in enumerate(self._humans):
            if human.key in found:
                school = self._random.choice(self._schools[1:])
                self._humans[at] = structs.replace(
                    human,
                    kind=HumanKind.STAFF,
                    roles=frozenset({"aide"}),
                    schools=(school.key, *(one for one in human.schools if one != school.key)),
                )


def _plain(name: str) -> str:
    """ASCII letters for a mailbox; "family" where none are left."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in letters if letter.isalpha()) or "family"
