"""Carries out `OutputOrdered`: announcements on loudspeakers and telephones.

settings   what a settings file says about them
kinds      how each kind's settings become a wire
texts      what is said, and in which tones
worker     from the orders in the journal to what became of them

None of these wires confirms that anybody heard anything: their receipts say "not confirmed". An announcement goes on
until it is ordered off, across a restart as well. A drill's begins and ends with its mark, which is looked at last, by
type. This room knows nothing of the PSAP.
"""
