"""Lines with several devices on them, of which a machine has one each: inputs and outputs on a line share it."""

# ruff: noqa: PLC0415 - a lane without such lines need not load what speaks on them

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardware.drivers.modbus import ModbusLine
    from hardware.drivers.osdp import OSDPLine


class SharedLines:
    """The lines of one process, by their address. What serves an OSDP line says so by `serve`."""

    def __init__(self) -> None:
        """Begin without any."""
        self._modbus: dict[str, ModbusLine] = {}
        self._osdp: dict[str, OSDPLine] = {}
        self._served: set[str] = set()

    def modbus(self, url: str) -> ModbusLine:
        """The Modbus line at `url`. `SettingsError`: it is no address."""
        from hardware.drivers.modbus import ModbusLine

        return self._modbus.setdefault(url, ModbusLine(url=url))

    def osdp(self, url: str) -> OSDPLine:
        """The OSDP line at `url`. ImportError: libosdp is not installed."""
        from hardware.drivers.osdp import OSDPLine

        line = self._osdp.get(url)
        if line is None:
            line = self._osdp[url] = OSDPLine(url=url)
        return line

    def serve(self, url: str) -> bool:
        """Whether the caller is the first to say that it will run the OSDP line at `url`; only one may."""
        first = url not in self._served
        self._served.add(url)
        return first
