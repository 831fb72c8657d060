"""A Modbus device that nobody here wrote: pymodbus's own server, over TCP on a free port or RTU on a line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

COILS = 16
INPUTS = 16


class ModbusDevice:
    """One device: sixteen coils, sixteen inputs. Coil 15 and beyond says no: illegal address."""

    def __init__(self, *, number=1) -> None:
        bits = [SimData(0, values=[False] * COILS, datatype=DataType.BITS)]
        inputs = [SimData(0, values=[False] * INPUTS, datatype=DataType.BITS)]
        registers = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        self.number = number
        self.device = SimDevice(number, simdata=(bits, inputs, registers, registers))
        self.server = None
        self.port = 0

    async def coil(self, address) -> bool:
        (value,) = await self.server.context.async_getValues(self.number, 1, address, 1)
        return bool(value)

    async def write_coil(self, address, *, on) -> None:
        await self.server.context.async_setValues(self.number, 5, address, [on])

    async def close_input(self, address, *, closed=True) -> None:
        store = self.server.context
        await store.async_setValues(self.number, 2, address, [closed])


@asynccontextmanager
async def tcp_device(**how) -> AsyncIterator[ModbusDevice]:
    """Serve one over TCP on a free port."""
    device = ModbusDevice()
    device.server = ModbusTcpServer([device.device], address=("127.0.0.1", 0), **how)
    await device.server.serve_forever(background=True)
    device.port = device.server.transport.sockets[0].getsockname()[1]
    try:
        yield device
    finally:
        await device.server.shutdown()


@asynccontextmanager
async def rtu_device(path, **how) -> AsyncIterator[ModbusDevice]:
    """Serve one over RTU on a serial line."""
    device = ModbusDevice()
    device.server = ModbusSerialServer(
        [device.device], framer=FramerType.RTU, port=path, baudrate=19200, **how
    )
    await device.server.serve_forever(background=True)
    try:
        yield device
    finally:
        await device.server.shutdown()
