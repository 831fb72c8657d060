"""`[outputs]`: sirens, paging, relays and signs, each with a secret of its own."""

from __future__ import annotations

from typing import Any

from belltower.values import Reader
from gateway.outputs.settings import OUTPUTS
from gateway.settings.lanes import ALARM_SECRETS
from gateway.settings.names import check_names


def take_outputs(reader: Reader, tables: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The outputs, and why some of them cannot be used: their secret cannot be opened."""
    if not isinstance(tables, dict):
        reader.fault("outputs", "expected tables such as [outputs.NAME]")
        return {}, {}
    check_names(reader, tables, "outputs")
    taken = {name: reader.take_kind(OUTPUTS, table, f"outputs.{name}") for name, table in tables.items()}
    outputs = {name: record for name, record in taken.items() if record is not None}
    if reader.secrets != ALARM_SECRETS:
        return outputs, {}
    unusable = {}
    for name in outputs:
        at = f"outputs.{name}"
        opened = Reader(file=reader.file, environ=reader.environ, secrets=True)
        record = opened.take_kind(OUTPUTS, tables[name], at)
        if record is None:
            unusable[name] = opened.faults[0].removeprefix(f"{reader.file}: {at}.")
        else:
            outputs[name] = record
    return outputs, unusable
