"""The demo: a whole simulated school on one machine, every part a process of its own, joined by real wires.

A carrier, a county at the far end of a pseudo-terminal, the supervisor with both lanes, twenty units, and the training
page.

- `running`: what is started, in which order.
- `parts`: the processes. A part that ends is started again; children are ended in order, by their own process ids, and
  should the demo be killed, they end by themselves, for their standard input is a pipe that only the demo holds open.
- `school`: its files: site package, keys, settings. They lie in a temporary folder that is gone afterwards, unless a
  folder was named.
- `roster`: its families, taken by `belltower roster import` once the pages answer.
- `wires`: ports that are free, and the radio's cable.
"""

from gateway.demo.parts import ChildEndedError
from gateway.demo.running import Addresses, DemoOptions, run_demo

__all__ = ["Addresses", "ChildEndedError", "DemoOptions", "run_demo"]
