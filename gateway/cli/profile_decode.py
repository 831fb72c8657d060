"""`belltower profile decode`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from gateway.cli.profile_lines import Lines

_LONGEST = 1 << 20


@click.command(short_help="Say what messages mean, and by which profile.")
@click.option(
    "--profile", "name", metavar="ID", help="The model; without it every profile and bearer is tried."
)
@click.option("--topic", metavar="T", help="The topic, or the path of a request.")
@click.option("--payload", metavar="P", help="The payload, written in --encoding.")
@click.option(
    "--encoding",
    type=click.Choice(["json", "text", "hex", "xml"]),
    help="How --payload is written; hex stands for bytes. json or text, unless it is said.",
)
@click.option("--port", type=click.IntRange(0, 255), help="The LoRaWAN port that bytes came on.")
@click.option("--device", default="", metavar="NAME", help="The device, where the topic does not say.")
@click.option("--retained", is_flag=True, help="The broker had kept the message.")
@click.option(
    "--jsonl", "file", metavar="FILE|-", help="Messages, one JSON object a line, instead of one message."
)
@click.option(
    "--profiles",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A site's own profiles, besides the shipped ones.",
)
def command(
    name: str | None,
    topic: str | None,
    payload: str | None,
    encoding: str | None,
    port: int | None,
    device: str,
    file: str | None,
    folders: tuple[Path, ...],
    *,
    retained: bool,
) -> None:
    """Say what messages mean: one JSON object a line, with `signals`, `flags`, `profile`, `device`, `details` or `why`.

    \b
    Examples:
      belltower profile decode --topic zigbee2mqtt/b204 --payload '{"action":"emergency"}'
      belltower profile decode --profile netvox-r312 --port 6 --encoding hex --payload 0155011E01000000000000
      belltower profile decode --jsonl samples.jsonl --profiles site/profiles

    A line of --jsonl holds id, topic, payload and payload_encoding, and perhaps profile, port, retain and device. Lines
    that are no such object are answered with why, and the next is read. Exits with 0 when every line was read; with 65
    where the one message is not written as --encoding says.
    """
    from belltower.errors import Malformed
    from gateway.cli.profile_lines import Lines
    from hardware.profiles.loading import SHIPPED, load_all

    if (file is None) == (payload is None):
        raise click.UsageError("either --payload, or --jsonl")
    if file is not None and (topic or encoding or port is not None or device or retained):
        raise click.UsageError(
            "--topic, --encoding, --port, --device and --retained are of one --payload; lines say their own"
        )
    lines = Lines(load_all([SHIPPED, *folders]), profile=name)
    if name is not None:
        lines.meant(name)
    if file is not None:
        _all(lines, file)
        return
    line: dict[str, Any] = {
        "topic": topic,
        "payload": payload,
        "payload_encoding": encoding or "text",
        "device": device,
    }
    answer = lines.answer({**line, "port": port, "retain": retained, "profile": name})
    answer.pop("id", None)
    if "profile" not in answer:
        raise Malformed(answer["why"])
    _print(answer)


def _all(lines: Lines, file: str) -> None:
    try:
        source = sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115 - stdin is not ours to close
    except OSError as error:
        raise click.BadParameter(f"{file} cannot be read ({error.strerror})", param_hint="--jsonl") from None
    for line in _lines(source):
        if line.strip():
            _print(lines.answered(line))
    sys.stdout.flush()


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines, each of bounded length; of a longer one the beginning."""
    while line := source.readline(_LONGEST):
        yield line
        while len(line) == _LONGEST and not line.endswith(b"\n"):
            line = source.readline(_LONGEST)


def _print(answer: dict[str, Any]) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
