"""The far end of a wire, without I/O, so that MQTT, the radio and a virtual clock drive the same code.

unit             one of our own units: presses, repeats, answers challenges, shows how far its press has come
modem            a GSM modem that reaches no network; at_device is what AT devices share
tetra_radio      a TETRA radio that never transmits
fleetsync_radio  a Kenwood radio that never transmits
serving, port    such a device on a line; the line's end that others open

Devices of other makes:
repertoire       what a device of a profile says, made of the profile's own examples and their `variants`; `spoken` is a message and its envelope
script           who says what and when; `acting` plays it
recorded         messages that were written down, to be sent again
mishaps          twice, never, out of order, by a seed
outlets          brokers, URLs, connections and lines to speak on
"""
