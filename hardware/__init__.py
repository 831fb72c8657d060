"""Wires, not emergencies: bytes in, bytes out, and what a device meant by them.

codecs/      pure bytes ↔ frames, nothing is opened or awaited here
  kiss         the framing of a radio modem's serial line
  ax25, aprs   the UI frame on air, and the message or acknowledgement inside it
  unit         our own units' sealed frames (docs/unit-protocol.md, byte for byte)
  sound, g711, g722, voice, rtp, polycom_page
               sound, its coding, and the packets that carry it to loudspeakers
  window       which counters of a unit were heard already
  mqtt         MQTT control packets
transports/  a pipe of bytes by URL: serial lines, TCP, memory
drivers/     speak to a device or a broker over a transport
simulators/  the far end of a wire, for benches, demonstrations and tests
unit_keys    the file of unit keys

A frame that cannot be understood raises `Malformed` and nothing else; its message names the byte. Buffers are
bounded everywhere. This room knows nothing of incidents, and nothing of the journal.
"""
