"""The far end of a wire, without I/O, so that MQTT, the radio and a virtual clock drive the same code.

unit             one of our own units: presses, repeats, answers challenges, shows how far its press has come
modem            a GSM modem that reaches no network; at_device is what AT devices share
tetra_radio      a TETRA radio that never transmits
fleetsync_radio  a Kenwood radio that never transmits
serving, port    such a device on a line; the line's end that others open
"""
