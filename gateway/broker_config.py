"""A hardened configuration for mosquitto, for schools that already run a broker or want one.

What its PUBACK is worth stands in the printed text itself, where whoever runs the broker reads it.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from gateway.broker_users import BrokerUser, BrokerUsers
from hardware.drivers.mqtt_link import TAKEOVERS


class BrokerPlan(Struct, frozen=True, kw_only=True):
    """What differs from school to school."""

    folder: Path = Path("/etc/mosquitto/belltower")
    """Holds the ACL and password files."""
    data: Path = Path("/var/lib/mosquitto")
    """Holds the broker's database."""
    bind: str = ""
    """Address to listen on; empty for all."""
    port: int = 8883
    certificate: Path | None = Path("/etc/mosquitto/belltower/broker.pem")
    """PEM certificate; None switches TLS off, for a network that carries nothing else."""
    private_key: Path | None = Path("/etc/mosquitto/belltower/broker.key")
    username: str = "belltower"
    """Our own name at the broker."""
    devices_username: str = "belltower-devices"
    """Our other name, under which we read foreign devices."""
    users: BrokerUsers = BrokerUsers()
    """Who else publishes there: the foreign devices of the site, each under its own topics."""
    max_connections: int = 12_000
    message_octets: int = 65_536
    """The longest message; our frames have at most 247 octets, other devices' more."""
    save_every_change: bool = False
    """Write the database after every change instead of every second."""
    queued_octets: int = 67_108_864
    """What may wait for one client that is away."""


def render(plan: BrokerPlan | None = None) -> str:
    """Both files as one text, each under a line that names it."""
    chosen = plan or BrokerPlan()
    return (
        f"# ===== {chosen.folder / 'mosquitto.conf'} =====\n{render_config(chosen)}\n"
        f"# ===== {chosen.folder / 'acl'} =====\n{render_acl(chosen)}"
    )


def render_config(plan: BrokerPlan) -> str:
    """`mosquitto.conf` for mosquitto 2.0 and later."""
    return f"""\
# mosquitto for Belltower's units. Works with mosquitto 2.0 and later.
#
# WHAT THIS BROKER'S PUBACK IS WORTH
# It says "received", not "safe". Measured with mosquitto 2.0.11 and kill -9 after the PUBACKs:
#   default settings                                  2,000 acknowledged,     0 delivered
#   written after every change                        2,000 acknowledged, 1,999 delivered
#   subscriber away, default max_queued_messages     10,000 acknowledged, 1,000 delivered, the rest dropped
#                                                     without a word; with 0 there, all 10,000
# Written every second it loses what came in the last second. Written after every change it stalls when it
# is needed most, for each change writes the whole database again: 10,000 presses waiting for an absent
# Belltower took 65 s to be accepted, instead of 1 s.
# So a unit never stops repeating a press because of a PUBACK. It stops when it has Belltower's own ACK,
# signed with the unit's key and sent after the press was written to disk. Belltower acknowledges to this
# broker only then, too. Belltower's built-in listener needs no broker and its PUBACK does mean "on disk".

per_listener_settings true

# --- what is kept ---------------------------------------------------------------------------------
persistence true
persistence_location {plan.data}/
persistence_file belltower.db
{_autosave(plan)}
# A session nobody came back to is forgotten; Belltower's own lives while it is away over a holiday.
persistent_client_expiration 14d

# --- queues that do not drop ----------------------------------------------------------------------
# 0 = no bound by count; the bound is in octets, about 250,000 presses.
max_queued_messages 0
max_queued_bytes {plan.queued_octets}
# Unacknowledged at a time; the default of 20 holds 10,000 presses back behind 500 round trips.
max_inflight_messages 1000
max_inflight_bytes 0

# --- what may be kept -----------------------------------------------------------------------------
{_retain(plan)}

# --- what may be sent -----------------------------------------------------------------------------
message_size_limit {plan.message_octets}
max_packet_size {plan.message_octets + 4_096}
# A dead unit's connection ends after one and a half times this, and its will is published.
max_keepalive 60
sys_interval 0
set_tcp_nodelay true

log_dest stderr
# Belltower reads the errors: two connections that throw each other off a name are one of them.
log_dest topic
log_type error
log_type warning
log_type notice
connection_messages true

# --- the only way in ------------------------------------------------------------------------------
listener {plan.port}{" " + plan.bind if plan.bind else ""}
{_tls(plan)}
max_connections {plan.max_connections}
max_topic_alias 0
allow_anonymous false
allow_zero_length_clientid false
# The client id becomes the user name: no unit can throw another off by taking its id.
use_username_as_clientid true
# mosquitto_passwd {plan.folder}/passwords NAME; a unit's password follows from its key, see docs/unit-protocol.md.
password_file {plan.folder}/passwords
acl_file {plan.folder}/acl
"""


def render_acl(plan: BrokerPlan) -> str:
    """The ACL file that belongs to the configuration."""
    return f"""\
# Who may do what. What is not allowed here is refused, $SYS included.
#
# What mosquitto cannot forbid:
# * SUBSCRIBE to "#" is answered as granted; what may not be read is left out when it is delivered.
# * A refused publish is acknowledged to MQTT 3.1.1 clients like any other, and dropped.
{_retained(plan)}# * Several subscribers in a $share group: Belltower must be the only one to use its name.

user {plan.username}
topic read up/#
topic read state/#
topic read {TAKEOVERS}
topic write down/#
{"".join(_user(user) for user in _foreign(plan))}
# For everybody, %u being the user name. Names with + # or / are refused when a unit is made.
pattern write up/%u
pattern write state/%u
pattern read down/%u
"""


def _foreign(plan: BrokerPlan) -> tuple[BrokerUser, ...]:
    users = plan.users
    if not users.publishers:
        return ()
    ours = BrokerUser(name=plan.devices_username, write=users.told, read=(*users.heard, TAKEOVERS))
    return (ours, *users.publishers)


def _user(user: BrokerUser) -> str:
    both = [one for one in user.write if one in user.read]
    lines = [f"topic readwrite {one}" for one in both]
    lines += [f"topic write {one}" for one in user.write if one not in both]
    lines += [f"topic read {one}" for one in user.read if one not in both]
    return f"\nuser {user.name}\n" + "".join(f"{line}\n" for line in lines)


def _retain(plan: BrokerPlan) -> str:
    if plan.users.publishers:
        return (
            "# Bridges and devices keep what they last said, so this broker must. A press that was kept alarms nobody.\n"
            "retain_available true"
        )
    return (
        "# Nothing: a unit that sets the retain flag, in a message or in its last will, is disconnected.\n"
        "retain_available false"
    )


def _retained(plan: BrokerPlan) -> str:
    if not plan.users.publishers:
        return ""
    return """\
# * RETAIN: on a broker that keeps messages a unit may leave a retained press under its own topic. Belltower
#   takes a retained press for an old one and never raises an alarm from it. A broker for units alone
#   (belltower broker-config without --site) keeps nothing.
"""


def _tls(plan: BrokerPlan) -> str:
    if plan.certificate is None or plan.private_key is None:
        return "# WITHOUT TLS: passwords cross the network in the clear. Only on a network of its own."
    return f"certfile {plan.certificate}\nkeyfile {plan.private_key}\ntls_version tlsv1.2"


def _autosave(plan: BrokerPlan) -> str:
    if plan.save_every_change:
        return "# After every change: see above for what that costs.\nautosave_on_changes true\nautosave_interval 1"
    return "# Every second.\nautosave_on_changes false\nautosave_interval 1"
