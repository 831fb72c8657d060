"""A commented profile to begin with; it loads as it stands."""

from __future__ import annotations

import re

_TEXT = """# What this model says, and what that means. Change it, then: belltower profile check FILE
[profile]
id = "@ID@"
version = 1
class = "panic"          # panic | contact | siren | relay | badge | gateway | info
title = "@ID@"
models = []              # what people call the devices: ["ACME Button 2"]
retained = "ignore"      # ignore | state: what the broker had kept never alarms
authenticity = "none"    # none | link | device: how sure it is that the device itself spoke

# Which messages, and what they mean. Several rules may fire; `stop = true` ends.
[[rule]]
topic = "@ID@/{device}/event"                # {device} may hold slashes, other {names} are of one level
# each = "events"                            # one signal for each item of a list; "$.x" is then the whole message
# when = { battery = { lt = 21 } }           # equal, in, match, exists, is, lt, gt, mask, not
path = "button"                              # where the value stands
map = { pressed = "press", released = "release", idle = "ignore" }
else = "trouble"                             # what nobody listed; class panic never ignores it silently
# channel = "id"                             # which of several buttons
battery = "battery"                          # percent

[[rule]]
topic = "@ID@/{device}/event"
when = { button = { exists = false } }
kind = "heartbeat"
battery = "battery"

# Bytes instead of JSON: fields at fixed places, or tag-length-value.
# [decode]
# ports = [6]
# field = [{ name = "volts", at = 3, mask = 0x7F, scale = 0.1 }, { name = "alarm", at = 4 }]
# tlv = [{ tag = "0175", len = 1, name = "battery" }]

# What makes two signals the same press.
[dedupe]
key = ["device", "channel", "kind"]
window = "1s"

# How often it is heard when all is well.
[supervision]
parent = "broker"
expect_every = "10m"
late_after = "25m"
# online = { topic = "@ID@/{device}/online", map = { true = "online", false = "offline" } }

# What it can be told. An output names what proves it, or says receipt = "none": shown as "not confirmed".
# [[output]]
# does = "siren_on"
# topic = "@ID@/{device}/set"
# payload = { id = "{request}", siren = true }
# receipt = { topic = "@ID@/{device}/answer", match = { id = "{request}" }, within = "2s" }
# idempotent = true

# Run whenever the profile is loaded: at least a press, a message that must not alarm, a battery or a sign of life.
[[example]]
note = "pressed"
topic = "@ID@/b204/event"
payload = '{"button":"pressed","battery":90}'
expect = [{ kind = "press", device = "b204", battery = 90 }]

[[example]]
note = "released: must not alarm"
topic = "@ID@/b204/event"
payload = '{"button":"released","battery":90}'
expect = [{ kind = "release" }]

[[example]]
note = "battery report"
topic = "@ID@/b204/event"
payload = '{"battery":88}'
expect = [{ kind = "heartbeat", battery = 88 }]

[[example]]
note = "a word nobody listed is trouble"
topic = "@ID@/b204/event"
payload = '{"button":"squeezed"}'
expect = [{ kind = "trouble" }]
"""


def skeleton(name: str) -> str:
    """The text of a profile called `name`; ValueError where that is no id."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", name):
        raise ValueError("1 to 64 small letters, digits, dots and dashes")
    return _TEXT.replace("@ID@", name)
