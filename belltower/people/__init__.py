"""Who people are: persons, their roles and their contacts.

- `person`: staff with their contacts, as the site package brings them.
- `roster`: what a roster says: schools, classes, students, staff, guardians and the links between them.
"""

from belltower.people.person import Contact, ContactKind, Person

__all__ = ["Contact", "ContactKind", "Person"]
