"""Fixtures of the wires."""

from tests.servers.pty import cable, pty

__all__ = ["cable", "pty"]
