"""A device without a task of its own: a cable whose far end answers as it is written to."""

import asyncio

from hardware.transports.memory import Cable


def answering_cable(device, *, fault="", measure=0.0, capacity=65_536):
    """A cable to a simulated AT device; what the device says later comes by the loop's timers."""
    device.misbehave(fault, measure)
    cable = Cable(capacity=capacity)

    def out(octets):
        device.receive(octets)
        deliver()
        yield from ()

    def deliver():
        for delay, octets in device.outgoing():
            if delay:
                asyncio.get_running_loop().call_later(delay, cable.near.arrive, octets)
            else:
                cable.near.arrive(octets)

    cable.near = type(cable.near)(cable=cable, pipe=out, capacity=capacity, write_deadline=5.0)
    device.rung = deliver
    cable.device = device
    return cable
