"""Foreign devices: what their profile makes of a message becomes an alarm, a trouble to look at, or a sign of life.

- `settings`: the ways in, `[alarm.devices.NAME]`.
- `registry`: the devices of this campus with profile and place; and who else was heard.
- `memory`: what was heard of late, kept in the alarm's own commit, so that a restart makes no second press.
- `receiving`: a message of any way in, judged, raised, and answered after the commit.
- `notes`: what it says that is no press.
- `troubles`: what a person must look at, written down without filling the journal.
- `supervision`, `states`: who is silent, for how long, and because of whom; it survives a restart.
- `walk_test`: the press that proves a device at its place.
- `health`: all of it, for people.
- `home_assistant`: all of it, for Home Assistant.
"""
