"""Who people are: persons, their roles and their contacts.

- `person`: the records.

The site package brings staff with their contacts. Rosters, guardians, students, grants and encryption at rest will
live here too.
"""

from belltower.people.person import Contact, ContactKind, Person

__all__ = ["Contact", "ContactKind", "Person"]
