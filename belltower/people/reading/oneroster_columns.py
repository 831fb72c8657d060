"""The columns of OneRoster CSV 1.1 and 1.2 that are read."""

from __future__ import annotations

from belltower.people.reading.columns import Layout

_COMMON = ("sourcedId", "status", "dateLastModified")
_ID = frozenset({"sourcedId"})
LAYOUTS = {
    "orgs": Layout(
        wanted=(*_COMMON, "name", "type", "identifier", "parentSourcedId"), required=_ID | {"name"}
    ),
    "academicsessions": Layout(
        wanted=(*_COMMON, "startDate", "endDate"),
        required=_ID,
        known=frozenset({"title", "type", "parentSourcedId", "schoolYear"}),
    ),
    "courses": Layout(
        wanted=(*_COMMON, "title", "courseCode"),
        required=_ID,
        known=frozenset({"schoolYearSourcedId", "grades", "orgSourcedId", "subjects", "subjectCodes"}),
    ),
    "classes": Layout(
        wanted=(
            *_COMMON,
            "title",
            "grades",
            "courseSourcedId",
            "location",
            "schoolSourcedId",
            "termSourcedIds",
            "periods",
        ),
        required=_ID | {"schoolSourcedId"},
        known=frozenset({"classCode", "classType", "subjects", "subjectCodes"}),
        aliases={"grade": "grades", "termSourcedId": "termSourcedIds"},
    ),
    "users": Layout(
        wanted=(
            *_COMMON,
            "role",
            "givenName",
            "familyName",
            "middleName",
            "preferredGivenName",
            "preferredFamilyName",
            "identifier",
            "email",
            "sms",
            "phone",
            "agentSourcedIds",
            "grades",
            "orgSourcedIds",
            "primaryOrgSourcedId",
            "metadata.homeLanguage",
        ),
        required=_ID | {"givenName", "familyName"},
        known=frozenset(
            {
                "enabledUser",
                "username",
                "userIds",
                "userId",
                "userMasterIdentifier",
                "preferredMiddleName",
                "pronouns",
            }
        ),
        aliases={
            "agents": "agentSourcedIds",
            "grade": "grades",
            "orgSourcedId": "orgSourcedIds",
            # OneRoster has no field for it; systems extend it by one of these.
            "homeLanguage": "metadata.homeLanguage",
            "metadata.language": "metadata.homeLanguage",
            "metadata.preferredLanguage": "metadata.homeLanguage",
            "metadata.languagePreference": "metadata.homeLanguage",
            "metadata.primaryLanguage": "metadata.homeLanguage",
        },
    ),
    "roles": Layout(
        wanted=(*_COMMON, "userSourcedId", "roleType", "role", "orgSourcedId"),
        required=frozenset({"userSourcedId", "role"}),
        known=frozenset({"beginDate", "endDate", "userProfileSourcedId"}),
    ),
    "demographics": Layout(
        wanted=(*_COMMON, "birthDate"),
        required=_ID,
        known=frozenset({"sex"}),
        aliases={"userSourcedId": "sourcedId"},
    ),
    "enrollments": Layout(
        wanted=(*_COMMON, "classSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"),
        required=_ID | {"classSourcedId", "userSourcedId", "role"},
        known=frozenset({"schoolSourcedId"}),
    ),
}
"""The files that are read, by name in lower case; all others are left alone."""
