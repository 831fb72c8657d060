"""The heart: what an emergency is, decided in one room.

- `facts`: the shared language; every fact and every order, in both lanes.
- `encoding`: facts to and from their JSON bodies; `entry`: a fact with its place in the journal.
- `fold`: an incident as it stands, from its facts. Pure.
- `plan`: what is ordered when something happens. Pure. `updates`: what is said of a call later. Pure.
- `told`: which text takes back or ends what was told, and for whom. Pure.
- `drill`: the token without which everything is live. Pure. `drilling`: the drill that runs.
- `standing`: the incidents as decided so far, in memory; `pen`: facts written down and taken in, in one commit.
- `verbs`: raise an alarm, order an action, close, begin and end a drill: decide at once, write down in one commit.
  `once`: asked twice, done once. `texts`: short texts of rooms and to them.
- `store`: the heart's own tables.
"""
