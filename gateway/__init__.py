"""The roof: two lanes, their supervisor, settings, the site package, the live page and the command line.

What both lanes stand on
- `settings`: one TOML file. `site_package`: the folder that holds all a campus needs to work alone; `kept_site`: the
  last good one. `process`, `supervisor`, `signing`, `tls`, `migration`: what every lane's process does alike.
- `control`: the socket over which the desk asks for verbs and follows the alarm lane's stream.

The alarm lane
- `alarm_lane`: wired in one place. `alarm_world`: what lies outside of it. `alarm_verbs`: what others may ask of it.
- `alarm_intake`, `alarm_wires`: what hears, and the ways in. `device_room`, `device_wires`: the same of foreign devices.
- `output_wires`, `switch_wires`: what announces, and what is switched. `damage`, `meanwhile`: the disk, ill and busy.
- `intake`, `psap`, `outputs`: its rooms.

The desk lane
- `desk_lane`: wired in one place; `desk_channels`: what notices need of the site. `alarm_follower`: its copy of the
  alarm stream. `alert_watch`, `alert_judging`, `alert_store`: public alerts.
- `keys`, `rosters`, `own_schools`, `disclosing`, `grant_journal`, `channel_proofs`, `invitation`: people's records at the
  desk; `beside`: its database, opened by a person at the command line.
- `web`: its windows.

What is not the house itself
- `cli`: the command line, `belltower`. `bench`: the figures. `alarm_report`, `broker_config`, `broker_users`: what the
  command line works out.
- `demo`, `training`: a whole simulated school. `county`, `carrier`: the other ends of its wires.

Nobody outside leans on this package.
"""
