"""What people read: texts are data, held in TOML files; no sentence for the public stands in code.

    matrix.py     which texts there are: staff's, and families' by action and phase; the forms of each
    language.py   Wording, Template: the texts of one language
    texts.py      WordingSet: a text chosen, filled and marked for its reader
    values.py     slots, and how a language writes and speaks times, numbers and names
    reading.py    wording files become a WordingSet, or faults with their mend
    lint.py       what a text must say, and must not; phrases.py: patterns of words; grade.py: how hard it reads
    lengths.py    how long the filled texts are, on the encoding that carries them
    approvals.py  who answers for which translation, by name, date and hash; approving.py: of a whole set

A file holds one language; docs/wording.md explains every key:

    language = "en"
    mark = "EXERCISE EXERCISE EXERCISE"     # opens and closes every text of an exercise, and no other
    [actions]
    lockdown = "LOCK DOWN"                  # what {action} becomes
    [causes]
    fire = "a fire"                         # what {cause} becomes
    [templates.staff-alarm]
    sms = "{school}: ALARM at {place}, {time}. {url}"
    [templates.staff-action.lockdown]       # one set of texts per action
    [families.lockdown.now]                 # one per action and phase
    sms = "{school}: The school is in lockdown since {time}. ... Next update: {next}. [{url}]"
    [families.site.moved]                   # where families go: no action
    sms = "{school}: ... Go to {site}, no longer to {former}. ... Next update: {next}. [{url}]"
"""

from notify.wording import grade
from notify.wording.approvals import WORDS, Approval
from notify.wording.approving import approved, unapproved_source, unread, void
from notify.wording.language import Template, Wording
from notify.wording.lengths import LIMITS, MOST_PARTS, SAMPLE_URL, cost, too_long
from notify.wording.lint import address_fault, promises
from notify.wording.matrix import (
    FALLBACK,
    FAMILY_FALLBACK,
    FORMS,
    REQUIRED,
    SITE,
    Phase,
    SitePhase,
    about_site,
    cells,
    exercise_only,
    fallback,
    families,
    for_families,
    forms_of,
    moves_site,
    names_site,
    site_text,
)
from notify.wording.reading import all_faults, parse
from notify.wording.texts import Text, WordingSet
from notify.wording.values import CAMPUS, Slots

__all__ = [
    "CAMPUS",
    "FALLBACK",
    "FAMILY_FALLBACK",
    "FORMS",
    "LIMITS",
    "MOST_PARTS",
    "REQUIRED",
    "SAMPLE_URL",
    "SITE",
    "WORDS",
    "Approval",
    "Phase",
    "SitePhase",
    "Slots",
    "Template",
    "Text",
    "Wording",
    "WordingSet",
    "about_site",
    "address_fault",
    "all_faults",
    "approved",
    "cells",
    "cost",
    "exercise_only",
    "fallback",
    "families",
    "for_families",
    "forms_of",
    "grade",
    "moves_site",
    "names_site",
    "parse",
    "promises",
    "site_text",
    "too_long",
    "unapproved_source",
    "unread",
    "void",
]
