"""Device models as data: a table turns one model's messages into signals, and is proven by its own examples.

signal       what a device meant: kinds, flags, values
message      what came in, before anybody understood it
path         where in a message a value stands
pattern      regular expressions that cannot run away
match        conditions on values, with typed equality
taking       how a value is taken out and converted
topic        topics with names in them
document     a payload as JSON, text or XML, everything bounded
binary       [decode]: fields, tag-length-value, shifts
bearer       [bearer]: network servers that carry a model's bytes
profile      what stands in a profile's file, as records
rule         one rule, ready to fire
needs        what a message must have for a rule to be about it
narrowing    the rules of a topic, narrowed by the keys that a message has
compiled     a profile, ready to read
examples     the examples, run at load
loading      TOML files into profiles; every fault named
reading      the engine: messages by whichever profile knows them
ordering     what a device is told, and what proves that it did it
memory       edges, repeats, counters, clocks and batteries: a pure fold over what was heard before
shipped/     the profiles that come with Belltower

Everything is pure but the loading of files. Reading never raises and keeps no state: edges, repeats and clocks are
judged by `memory`, whose records somebody else keeps.
"""
