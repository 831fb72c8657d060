"""The roof: two lanes, their supervisor, settings, the site package, the live page and the command line.

- `settings`: one TOML file, read and checked as a whole.
- `site_package`: the folder that holds all a campus needs to work alone; `kept_site`: the last good one.
- `own_schools`: whether its schools are the roster's.
- `cli`: the command line, `belltower`.
- `supervisor`, `alarm_lane`, `desk_lane`: the processes, each wired in one place.
- `alarm_world`: what lies outside of the alarm lane. `alarm_verbs`: what others may ask it to do.
- `control`: the socket over which the desk asks for verbs and follows the alarm lane's stream.
- `intake`, `psap`, `outputs`: rooms of the alarm lane. `web`: the windows of the desk lane.
- `bench`: the figures.

Nobody outside leans on this package.
"""
