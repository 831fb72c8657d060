"""Measurements: each `bNN` module has `async def run() -> list[Figure]`, and measures its own floor in the same run."""
