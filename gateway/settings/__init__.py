"""One TOML file says how a house is wired; it is read and checked as a whole.

- `reading`: the one place that reads the file and reports its faults; `whole`: what it then says.
- `machine`, `alarm`, `psap`, `desk`, `alerts`, `notify`, `outputs`: a module for each table, its records and what only
  that table can know to be wrong. What a link, a channel or a device way is made of stands in its own room.
- `collisions`: what two tables may not both have. `names`, `addresses`: what all tables say alike.
- `lanes`: which lane opens which secrets.

A faulty file is refused with every fault in it, by file and key, and a file that leaves no way to the PSAP is refused
whatever else it says. Nothing is read again while a lane runs: what changes at run time is the site package, swapped
whole.
"""

from gateway.settings.alarm import AlarmSettings, BrokerSettings, ListenerSettings, RadioSettings
from gateway.settings.desk import DeskSettings, WebSettings
from gateway.settings.lanes import ALARM_SECRETS, DESK_SECRETS
from gateway.settings.machine import LogSettings, SiteSettings, StateSettings
from gateway.settings.psap import CentreSettings
from gateway.settings.reading import TABLES, load, named_paths
from gateway.settings.whole import Settings

__all__ = [
    "ALARM_SECRETS",
    "DESK_SECRETS",
    "TABLES",
    "AlarmSettings",
    "BrokerSettings",
    "CentreSettings",
    "DeskSettings",
    "ListenerSettings",
    "LogSettings",
    "RadioSettings",
    "Settings",
    "SiteSettings",
    "StateSettings",
    "WebSettings",
    "load",
    "named_paths",
]
