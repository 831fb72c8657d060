"""The county simulator: the other end of every link, for tests, training and the demo.

screen.py    Screen: what telecommunicators see and do, one for all roads
end.py       CountyEnd, the far end of one kind of link, and the faults it can be asked for
ends.py      every kind of end, by name
core.py      County: the radio's far end, pure: octets and the time in, octets out
radio.py     RadioEnd: a County on a transport
dc09.py      DC09End: a monitoring station's receiver
sip_centre.py  SIPCentre: what a centre makes of calls by SIP, pure; sip.py  SIPEnd: it on TCP or TLS
eido.py      EIDOEnd: a dispatch system that subscribes and is subscribed to; eido_case.py  one incident in it
texts.py     what persons answer by text; modem.py, tetra.py, fleetsync.py  the simulated radios they use
running.py   run_county: all ends and one screen as a program
steering.py  the telecommunicator's page and its HTTP interface on 127.0.0.1
keys.py      key files
"""

from __future__ import annotations

from gateway.county.core import County, FaultName
from gateway.county.end import CountyEnd, Fault
from gateway.county.running import CountyOptions, run_county
from gateway.county.screen import HeardCall, Screen, ScreenCall

__all__ = [
    "County",
    "CountyEnd",
    "CountyOptions",
    "Fault",
    "FaultName",
    "HeardCall",
    "Screen",
    "ScreenCall",
    "run_county",
]
