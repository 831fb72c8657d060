"""The far end of a wire, without I/O, so that MQTT, the radio and a virtual clock drive the same code.

unit   one of our own units: presses, repeats, answers challenges, shows how far its press has come
"""
