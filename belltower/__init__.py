"""Ground and heart: what every room stands on.

- `clock`, `ids`, `errors`, `log`, `tasks`: time, names, faults, the operators' log, supervision; `version`.
- `store`: one SQL text on SQLite and PostgreSQL; transactions are gathered in memory and land whole.
- `journal`: append, follow, bookmark, deadline, spool and the tamper-evident chain.
- `people`: persons and their contacts.
- `incident`: the shared language of facts and orders, the fold, the plan and the verbs.
"""
