"""Where a unit's frame becomes an alarm, and where the unit hears what became of it.

- `units`: the units of this campus with their keys and places.
- `windows`: which counters were heard of each unit; kept in the database, moved in the press's own commit.
- `intake`: judges a frame (MAC, replay window, kind), raises the alarm, acknowledges after the commit.
- `suspects`: valid frames with a stale counter: challenged, and shown when the challenge stays unanswered.
- `progress`: tells the units that pressed how far their press has come.
- `supervision`: notices units that have fallen silent.
- `paths`: the ways to and from units: MQTT and radio.
- `panel_path`: what existing alarm panels report by SIA DC-09, as alarms, notes or troubles; `panel_settings` its table.

The room knows wires through `hardware`, and incidents through `belltower.incident.verbs`; PSAP links it does not know.
"""
