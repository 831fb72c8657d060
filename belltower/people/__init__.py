"""Who people are: those of the site package, and those of a roster.

    person.py     Person, Contact: one human as notices address them
    roster.py     what a load says: schools, classes, humans, links, enrolments
    reading/      exports of every format become a roster, or faults with their mend
    generator/    rosters of nobody, drawn from a seed, clean or with the traps of real exports
    vault.py      fields sealed into their places; keys that are turned; marks to find an address by
    resealing.py  what lies sealed in any table, counted by key and sealed anew; marking.py: its marks with it
    tables.py     versions of records, each in force from one revision until another; all SQL
    rows.py       records become sealed rows; records.py: and rows records again
    store.py      RosterStore: what is in force
    by_hand.py    pure: what people changed by hand wins over every load; hand_store.py, word_store.py, hand_tables.py
    editing.py    the verbs of changing something by hand, and of writing down who may collect
    doubt.py      pure: contacts without an id who may be the same person; doubting.py, doubt_store.py: until somebody says
    reach.py      RosterPeople: those in force as notices address them
    search.py     finding people by their names, in memory; record.py: all of one person, and who may collect today
    languages.py  pure: "Spanish" and "spa" are "es"
    diff.py       pure: what a load would change; delta.py: what a delta says of links
    safety.py     pure: when a load waits for a person (5 % of students, 10 % of contacts, an open incident)
    comparing.py  a roster beside the one in force
    taking.py     Taking: look, prepare, settle, tidy
    grant.py      pure: what a person may do, and where: rights, roles, grants
    collecting.py pure: what the records of one student and one adult say about collecting, on one day
    disclosure.py pure: what may be given to somebody outside, and what is said of it; disclosure_rows.py: what they read
    disclosure_register.py  opened, given, closed: nothing leaves that does not stand there; disclosure_students.py, _tables.py
    apart.py      a load read, compared and written in a process of its own

A human's id is made from the source and its key for them: every load names them alike, and the id says neither. What
names or reaches somebody lies sealed in the tables; facts, logs, faults and diffs bear ids and the names of fields.
"""

from belltower.people.person import Contact, ContactKind, Person

__all__ = ["Contact", "ContactKind", "Person"]
