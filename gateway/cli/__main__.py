"""`python -m gateway.cli`, the same as `belltower`."""

from __future__ import annotations

from gateway.cli.commands import main

main()
