"""A roster as OneRoster 1.2 files, bulk. Columns that must not be kept are there, as specified, and empty."""

from __future__ import annotations

from belltower.people.generator.sheets import (
    Sheet,
    Sheets,
    day,
    enrolments,
    id_of,
    term,
    terms,
)
from belltower.people.roster import Human, HumanKey, Relation, Roster

_ONEROSTER_FILES = [
    "academicSessions",
    "categories",
    "classes",
    "classResources",
    "courses",
    "courseResources",
    "demographics",
    "enrollments",
    "lineItemLearningObjectiveIds",
    "lineItems",
    "lineItemScoreScales",
    "orgs",
    "resources",
    "resultLearningObjectiveIds",
    "results",
    "resultScoreScales",
    "roles",
    "scoreScales",
    "userProfiles",
    "userResources",
    "users",
]
_COMMON = ["sourcedId", "status", "dateLastModified"]
_NO_RACE = [""] * 12


def oneroster(roster: Roster) -> Sheets:
    """The files, the manifest first."""
    people = {human.key: human for human in roster.humans}
    agents: dict[HumanKey, list[str]] = {}
    for link in roster.links:
        agents.setdefault(link.student, []).append(id_of(link.adult))
    parental = {link.adult: link.relation for link in roster.links}
    courses = {
        (one.school, one.course): f"{one.school}-{one.course}".replace(" ", "_") for one in roster.classes
    }
    blank = ["", ""]
    found: Sheets = {
        "orgs.csv": Sheet(
            [*_COMMON, "name", "type", "identifier", "parentSourcedId"],
            [[one.key, *blank, one.name, one.kind, one.number, one.parent or ""] for one in roster.schools],
        ),
        "academicSessions.csv": Sheet(
            [*_COMMON, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"],
            [
                [
                    term(*dates),
                    *blank,
                    term(*dates),
                    "schoolYear",
                    day(dates[0]),
                    day(dates[1]),
                    "",
                    str(dates[1].year),
                ]
                for dates in terms(roster)
            ],
        ),
        "courses.csv": Sheet(
            [
                *_COMMON,
                "schoolYearSourcedId",
                "title",
                "courseCode",
                "grades",
                "orgSourcedId",
                "subjects",
                "subjectCodes",
            ],
            [[key, *blank, "", title, key, "", school, "", ""] for (school, title), key in courses.items()],
        ),
        "classes.csv": Sheet(
            [
                *(*_COMMON, "title", "grades", "courseSourcedId", "classCode", "classType", "location"),
                *("schoolSourcedId", "termSourcedIds", "subjects", "subjectCodes", "periods"),
            ],
            [
                [
                    *(
                        one.key,
                        *blank,
                        one.title,
                        ",".join(one.grades),
                        courses[one.school, one.course],
                        one.key,
                    ),
                    *("homeroom" if one.periods == ("HR",) else "scheduled", one.location, one.school),
                    *(term(one.begins, one.ends), "", "", ",".join(one.periods)),
                ]
                for one in roster.classes
            ],
        ),
        "users.csv": Sheet(
            [
                *(*_COMMON, "enabledUser", "username", "userIds", "givenName", "familyName", "middleName"),
                *("identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password"),
                *("userMasterIdentifier", "preferredGivenName", "preferredMiddleName", "preferredFamilyName"),
                *("primaryOrgSourcedId", "pronouns", "metadata.homeLanguage"),
            ],
            [_user(human, agents.get(human.key, [])) for human in roster.humans],
        ),
        "roles.csv": Sheet(
            [
                *(*_COMMON, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId"),
                "userProfileSourcedId",
            ],
            [row for human in roster.humans for row in _roles(human, parental.get(human.key))],
        ),
        "enrollments.csv": Sheet(
            [
                *(
                    *_COMMON,
                    "classSourcedId",
                    "schoolSourcedId",
                    "userSourcedId",
                    "role",
                    "primary",
                    "beginDate",
                ),
                "endDate",
            ],
            enrolments(roster),
        ),
        "demographics.csv": Sheet(
            [
                *(
                    *_COMMON,
                    "birthDate",
                    "sex",
                    "americanIndianOrAlaskaNative",
                    "asian",
                    "blackOrAfricanAmerican",
                ),
                *("nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces"),
                *(
                    "hispanicOrLatinoEthnicity",
                    "countryOfBirthCode",
                    "stateOfBirthAbbreviation",
                    "cityOfBirth",
                ),
                "publicSchoolResidenceStatus",
            ],
            [
                [id_of(key), *blank, day(human.birth_date), *_NO_RACE]
                for key, human in people.items()
                if human.birth_date
            ],
        ),
    }
    manifest = [["manifest.version", "1.0"], ["oneroster.version", "1.2"]]
    manifest += [
        [f"file.{name}", "bulk" if f"{name}.csv" in found else "absent"] for name in _ONEROSTER_FILES
    ]
    manifest += [["source.systemName", "Belltower roster generator"], ["source.systemCode", "belltower"]]
    return {"manifest.csv": Sheet(["propertyName", "value"], manifest), **found}


def _user(human: Human, agents: list[str]) -> list[str]:
    mobile = next((phone.written for phone in human.phones if phone.sms), "")
    other = next((phone.written for phone in human.phones[1:]), "")
    return [
        *(id_of(human.key), "", "", "true" if human.active else "false", "", "", human.given, human.family),
        *(
            human.middle,
            human.number,
            human.emails[0] if human.emails else "",
            mobile,
            other,
            ",".join(agents),
        ),
        *(human.grade, "", "", human.preferred_given, "", human.preferred_family),
        *(human.schools[0] if human.schools else "", "", human.language),
    ]


def _roles(human: Human, relation: Relation | None) -> list[list[str]]:
    words = sorted(human.roles)
    if relation is not None:
        words.append(relation.value)
    return [
        [f"{id_of(human.key)}-{word}-{school}", "", "", id_of(human.key), kind, word, "", "", school, ""]
        for number, word in enumerate(words)
        for place, school in enumerate(human.schools)
        for kind in ("primary" if number == place == 0 else "secondary",)
    ]
