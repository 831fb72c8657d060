"""Carries out `OutputOrdered`: announcements on loudspeakers and telephones; sirens, strobes, relays and signs.

settings        what a settings file says about announcements
kinds           how each kind's settings become a wire
texts           what is said and shown, and in which tones
worker          announcements, from the orders in the journal to what became of them
switch_settings, switch_kinds   the same two for what is switched
rules           what becomes of an order to what is switched: pure
switched        one such output, which a dead other one never delays
switching       all of them, from the orders in the journal on

A receipt says how far an order got: withheld, queued, sent, device. Only the device's own answer to exactly this order
is a confirmation; announcements never have one. What was ordered on stays on until it is ordered off, across a restart
as well. What a drill may do is looked at last, by type. This room knows nothing of the PSAP.
"""
