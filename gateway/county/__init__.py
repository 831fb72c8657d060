"""The county simulator: the other end of the radio link, for tests, training and the demo.

core.py      County, pure: octets and the time in, octets out, and what the telecommunicator sees; its faults
running.py   run_county: a County on a transport, with a small control interface on 127.0.0.1
"""

from __future__ import annotations

from gateway.county.core import County, Fault, FaultName, ScreenCall
from gateway.county.running import CountyOptions, run_county

__all__ = ["County", "CountyOptions", "Fault", "FaultName", "ScreenCall", "run_county"]
