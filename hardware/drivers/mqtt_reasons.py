"""What the listener answers: reason codes (MQTT-5.0 §2.4), and CONNACK with all that it limits."""

from __future__ import annotations

from hardware.codecs import mqtt_fields as fields
from hardware.codecs import mqtt_packets as packets
from hardware.drivers.mqtt_registry import Limits

WITH_WILL = 0x04
NOT_TAKEN = 0x83
BAD_CLIENT_ID = 0x85
BAD_CREDENTIALS = 0x86
NOT_ALLOWED = 0x87
SHUTTING_DOWN = 0x8B
BAD_METHOD = 0x8C
KEEP_ALIVE = 0x8D
TAKEN_OVER = 0x8E
QUOTA = 0x97
NO_QOS_2 = 0x9B
NO_SHARED = 0x9E
NO_WILDCARDS = 0xA2

RETURN_CODES = {fields.UNSUPPORTED_VERSION: 1, BAD_CLIENT_ID: 2}
"""What version 3.1.1 says instead (MQTT-3.1.1 §3.2.2.3); 5, "not authorized", for all others."""


def refusal(packet: packets.Connect, client_id: str) -> int:
    """Why CONNECT cannot even be asked about, or 0. An empty client id stands for the user name."""
    unfit = len(client_id) > 128 or any(letter in client_id for letter in "+#/")
    if not client_id or unfit or (not packet.client_id and not packet.clean):
        return BAD_CLIENT_ID
    return BAD_METHOD if fields.AUTHENTICATION_METHOD in packet.properties else 0


def welcome(packet: packets.Connect, limits: Limits, client_id: str, keepalive: int) -> bytes:
    """CONNACK that lets in; version 5 is told every limit."""
    properties: dict[int, fields.Value] = {
        fields.SESSION_EXPIRY: 0,
        fields.RECEIVE_MAXIMUM: limits.receive_maximum,
        fields.MAXIMUM_QOS: 1,
        fields.RETAIN_AVAILABLE: 1,
        fields.MAXIMUM_PACKET_SIZE: limits.packet,
        fields.TOPIC_ALIAS_MAXIMUM: 0,
        fields.WILDCARDS_AVAILABLE: 0,
        fields.SUBSCRIPTION_IDS_AVAILABLE: 0,
        fields.SHARED_AVAILABLE: 0,
        fields.SERVER_KEEP_ALIVE: keepalive,
    }
    if not packet.client_id:
        properties[fields.ASSIGNED_CLIENT_ID] = client_id
    return packets.encode(packets.ConnAck(properties=properties), packet.version)


def number(packet: packets.Connect, name: int, otherwise: int) -> int:
    """A number among CONNECT's properties."""
    value = packet.properties.get(name, otherwise)
    return value if isinstance(value, int) else otherwise


def subscription_refusal(topic_filter: str) -> int:
    """Why a filter is refused, for version 5."""
    if topic_filter.startswith("$share/"):
        return NO_SHARED
    return NO_WILDCARDS if "+" in topic_filter or "#" in topic_filter else NOT_ALLOWED
