"""Exports of student information systems, written for one test each."""

import zipfile
from datetime import date
from pathlib import Path

from belltower.people.reading import Mapping, Reading, read

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT.parent / "shared" / "data" / "rosters"
TODAY = date(2026, 11, 22)

_COMMON = "sourcedId,status,dateLastModified"
MANIFEST = {
    "manifest.version": "1.0",
    "oneroster.version": "1.2",
    "file.orgs": "bulk",
    "file.classes": "bulk",
    "file.users": "bulk",
    "file.roles": "bulk",
    "file.enrollments": "bulk",
}


def manifest(**changes: str) -> str:
    """The manifest of a full OneRoster 1.2 load, with `file_users="delta"` and the like instead."""
    rows = {**MANIFEST, **{key.replace("_", "."): value for key, value in changes.items()}}
    return "propertyName,value\n" + "".join(f"{key},{value}\n" for key, value in rows.items())


ONEROSTER_12 = {
    "manifest.csv": manifest(),
    "orgs.csv": f"{_COMMON},name,type,identifier,parentSourcedId\nS1,,,Linden,school,77,\n",
    "classes.csv": f"{_COMMON},title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
    'termSourcedIds,subjects,subjectCodes,periods\nC1,,,Biology,"06",,,scheduled,B204,S1,,,,"2,3"\n',
    "users.csv": f"{_COMMON},enabledUser,username,userIds,givenName,familyName,middleName,identifier,email,sms,phone,"
    "agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,"
    "preferredFamilyName,primaryOrgSourcedId,pronouns\n"
    "u1,,,true,,,Ana,Núñez,,,,,,u2,06,SECRET-1,,Anita,,,S1,\n"
    "u2,,,TRUE,,,Rosa,Núñez,,,rosa@example.org,202-456-1414,,,,SECRET-2,,,,,,\n"
    "u3,,,true,,,Tim,Teller,,,tim@school.example,,,,,SECRET-3,,,,,S1,\n",
    "roles.csv": f"{_COMMON},userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId\n"
    "r1,,,u1,primary,student,,,S1,\nr2,,,u2,primary,parent,,,S1,\nr3,,,u3,primary,teacher,,,S1,\n",
    "enrollments.csv": f"{_COMMON},classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
    "e1,,,C1,S1,u1,student,false,,\ne2,,,C1,S1,u3,teacher,true,2026-08-20,\n",
}

USERS_11 = (
    f"{_COMMON},enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,middleName,identifier,email,sms,"
    "phone,agentSourcedIds,grades,password\n"
)

_STUDENT = (
    "School_id,Student_id,Last_name,First_name,Grade,DOB,Race,IEP_status,Home_language,Contact_relationship,"
    "Contact_type,Contact_name,Contact_phone,Contact_phone_type,Contact_email,Contact_sis_id,Password\n"
)
CLEVER = {
    "schools.csv": "School_id,School_name,School_number\nS1,Linden,77\n",
    "students.csv": _STUDENT
    + "S1,1,Lee,Kim,Kindergarten,05/31/2020,Asian,Y,Korean,Mother,primary,Min Lee,202-456-1414,Cell,m@x.org,,pw\n"
    "S1,1,Lee,Kim,Kindergarten,05/31/2020,Asian,Y,Korean,Father,,Jun Lee,202-456-1415,Home,,,pw\n"
    "S1,1,Lee,Kim,Kindergarten,05/31/2020,Asian,Y,Korean,Neighbor,,Pat Poe,202-456-1416,,,77,pw\n",
    "teachers.csv": "School_id,Teacher_id,Teacher_email,First_name,Last_name,Title\nS1,1,t@x.org,Tim,Teller,\n",
    "sections.csv": "School_id,Section_id,Teacher_id,Teacher_2_id,Name,Period\nS1,9,1,,Math,2\nS1,10,,,Art,3\n",
    "enrollments.csv": "School_id,Section_id,Student_id\nS1,9,1\n",
}


def folder(at: Path, files: dict[str, str | bytes], **changes: str) -> Path:
    """The files in a folder, some of them another way (`users__csv=...`)."""
    at.mkdir(parents=True, exist_ok=True)
    changed = {name.replace("__", "."): text for name, text in changes.items()}
    for name, text in {**files, **changed}.items():
        (at / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return at


def packed(at: Path, files: dict[str, str | bytes]) -> Path:
    """The files in a ZIP."""
    with zipfile.ZipFile(at, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return at


def reading(path: Path, **more: object) -> Reading:
    """What comes of reading it today."""
    return read(path, today=TODAY, **more)  # type: ignore[arg-type]


def mapped(path: Path, **parts: object) -> Reading:
    """What comes of reading it with a mapping."""
    return reading(path, mapping=Mapping(**parts))  # type: ignore[arg-type]
