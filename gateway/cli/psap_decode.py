"""`belltower psap decode`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from msgspec import structs

from gateway.cli.output import config_option, emit, json_option

if TYPE_CHECKING:
    from rich.console import Console

    from gateway.cli.frames import Found

_SHOWN = 400
_OCTET = re.compile(r"\boctet (\d{1,7})\b")
_MANY = 50
"""More frames than so many are told in plain lines: drawing a table for each takes longer than explaining it."""


@click.command(short_help="Explain frames of any link in plain words.")
@click.argument("what", metavar="FILE|HEX|-")
@click.option("--as", "name", metavar="FORMAT", help="The format, instead of finding it out.")
@click.option(
    "--key",
    metavar="LINK|FILE",
    help="The key of what is encrypted or signed: a link of the settings, or a file of mode 0600.",
)
@config_option
@json_option
def command(what: str, name: str | None, key: str | None, config: Path, *, as_json: bool) -> None:
    """Explain frames field by field, and say exactly what is wrong with a bad one.

    \b
    Examples:
      belltower psap decode capture.bin
      belltower psap decode "c0 00 a0 a6 82 a0 40 40 e0"
      belltower psap decode '\\n73080038"SIA-DCS"0001R0L0#1234[#1234|NPA013]_00:32:34,11-22-2026\\r'
      belltower psap decode --as dc09 --key central frame.bin
      some-tool | belltower psap decode -

    What is given may be a file, octets in hexadecimal (with blanks, colons or 0x), or text with \\n and \\r written
    so. Of a file the first 1 MiB is read, and nothing is said of a frame severed there. A file may hold several frames one after another, lines of hexadecimal, or JSON whose fields frame, hex, host,
    radio and pdu are frames. Exits with 1 when a frame is not in order, or is nothing known.
    """
    from gateway.cli.frames import explained, octets_of, pieces
    from gateway.psap.explain import formats

    if name is not None and name not in formats():
        raise click.BadParameter(
            f'there is no format "{name}"; there are {", ".join(formats())}', param_hint="--as"
        )
    data, typed, unread = _read(what)
    secret = _key(key, config)
    held = pieces(octets_of(data) if typed else data) if data.strip() else []
    if unread and held:
        held[-1] = structs.replace(held[-1], cut=True)
    found = [one for piece in held for one in explained(piece, name=name or "", key=secret)]
    if unread:
        click.echo(unread, err=True)
    if as_json:
        for one in found:
            emit(_record(one))
    else:
        _show(found)
    if not found or any(one.wrong for one in found):
        raise click.exceptions.Exit(1)


def _read(what: str) -> tuple[bytes, bool, str]:
    """The octets; whether they were typed in rather than read from a file; what is said when not all was read."""
    if what == "-":
        return _first(sys.stdin.buffer)
    if not what.strip():
        return b"", True, ""
    try:
        with Path(what).open("rb") as file:
            return _first(file)
    except IsADirectoryError:
        raise click.BadParameter(f"{what} is a folder", param_hint="FILE|HEX") from None
    except PermissionError:
        raise click.BadParameter(f"{what} cannot be read", param_hint="FILE|HEX") from None
    except (OSError, ValueError):  # no such file, or a name that is none: then it is the frame itself
        if re.fullmatch(r"[\w./~-]+\.[A-Za-z0-9]{1,6}|[./~][\w./~-]*", what) and not re.fullmatch(
            r"[0-9a-fA-F. ]+", what
        ):
            raise click.BadParameter(f"there is no file {what}", param_hint="FILE|HEX") from None
        return what.encode("utf-8", "surrogateescape"), True, ""


def _first(file: BinaryIO) -> tuple[bytes, bool, str]:
    """What of a file is looked at; a line of hexadecimal that is severed is left out."""
    from gateway.cli.frames import octets_of
    from gateway.psap.explain import MOST

    data = file.read(MOST + 1)
    if len(data) <= MOST:
        return data, False, ""
    try:
        size = os.fstat(file.fileno()).st_size
    except OSError:
        size = 0
    said = f"only the first 1 MiB of {size / 1_000_000:.1f} MB was read" if size > MOST else ""
    data = data[:MOST]
    first, _, _ = data.partition(b"\n")
    if len(first) < MOST and first.strip() and octets_of(first.strip()) == _hexadecimal(first):
        data = data.rpartition(b"\n")[0]
    return data, False, said or "only the first 1 MiB was read"


def _hexadecimal(line: bytes) -> bytes | None:
    try:
        return bytes.fromhex(re.sub(r"0[xX]|[\s:,]", "", line.decode("ascii")))
    except ValueError:
        return None


def _key(key: str | None, config: Path) -> str:
    """The text of the key; SettingsError says why there is none."""
    from belltower.errors import SettingsError
    from belltower.values import Secret
    from gateway.county.keys import read_secret
    from gateway.settings import load

    if key is None:
        return ""
    if Path(key).is_file():
        return read_secret(Path(key)).reveal().strip()
    if not config.is_file():
        raise SettingsError(
            f'--key {key}: there is no such file, and no settings at {config} that could name a link "{key}"'
        )
    links = load(config, secrets={"psap"}).psap_links
    if key not in links:
        raise SettingsError(f"--key {key}: no file, and no link; the links are {', '.join(links)}")
    secrets = [getattr(links[key], field) for field in type(links[key]).__struct_fields__]
    found = next((value for value in secrets if isinstance(value, Secret)), None)
    if found is None:
        raise SettingsError(f"--key {key}: this link has no key")
    return found.reveal().strip()


def _record(one: Found) -> dict[str, object]:
    said = one.explanation
    return {
        "name": one.name,
        "at": one.at,
        "severed": one.severed,
        "format": said.format if one.known else None,
        "summary": said.summary,
        "lines": [
            {"at": line.at, "file_at": one.at + line.at, "octets": line.octets.hex(), "says": line.says}
            for line in said.lines
        ],
        "faults": list(said.faults),
        "tried": list(one.tried),
    }


def _show(found: list[Found]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
    for number, one in enumerate(found, start=1):
        if len(found) > _MANY:
            click.echo(_plain(one, number))
        else:
            _show_one(console, one, number, len(found))
    if not found:
        console.print(Text("There is nothing in it."))
    elif len(found) > 1:
        wrong = sum(one.wrong for one in found)
        verdict = f"{wrong} of them not" if wrong else "all"
        severed = "; the last was not read to its end" if found[-1].severed else ""
        console.print(Text(f"{len(found)} frames, {verdict} in order{severed}.", style="bold"))


def _head(one: Found, number: int, of: int) -> str:
    said = one.explanation
    what = f"{number}. " if of > 1 else ""
    what += f"{one.name}: " if one.name else ""
    where = f", from octet {one.at} of the whole" if one.at else ""
    return f"{what}{said.format if one.known else 'not recognised'}{where}"


def _summary(one: Found) -> str:
    if one.known:
        return one.explanation.summary
    near = f" The closest is {one.explanation.format}, but:" if one.explanation.format else ""
    return f"Tried {', '.join(one.tried)}.{near}"


def _verdict(one: Found) -> list[str]:
    if one.severed:
        return ["Not read to its end: nothing can be said of it."]
    return [f"WRONG: {_placed(fault, one.at)}" for fault in one.explanation.faults] or ["In order."]


def _placed(fault: str, at: int) -> str:
    """A fault of a frame behind others, its octet also counted from the very first."""
    return (
        _OCTET.sub(lambda found: f"{found[0]} ({at + int(found[1])} of the whole)", fault, count=1)
        if at
        else fault
    )


def _plain(one: Found, number: int) -> str:
    lines = [_head(one, number, 2), _summary(one)]
    if one.known and not one.severed:
        lines += [
            f"{one.at + line.at:>8}  {_octets(line.octets):<48}  {line.says}"
            for line in one.explanation.lines[:_SHOWN]
        ]
    return "\n".join([*lines, *_verdict(one), ""])


def _show_one(console: Console, one: Found, number: int, of: int) -> None:
    from rich.table import Table
    from rich.text import Text

    said = one.explanation
    console.print(Text(_head(one, number, of), style="bold"))
    console.print(Text(_summary(one)))
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("octet", justify="right")
    if one.at:
        drawn.add_column("of the whole", justify="right")
    drawn.add_column("octets", overflow="fold", ratio=2)
    drawn.add_column("meaning", overflow="fold", ratio=3)
    for line in said.lines[:_SHOWN]:
        where = (str(line.at), str(one.at + line.at)) if one.at else (str(line.at),)
        drawn.add_row(*where, Text(_octets(line.octets)), Text(line.says))
    if said.lines and one.known and not one.severed:
        console.print(drawn)
        if len(said.lines) > _SHOWN:
            console.print(Text(f"and {len(said.lines) - _SHOWN} lines more; --json has them all"))
    for verdict in _verdict(one):
        console.print(Text(verdict, style="green" if one.in_order else "" if one.severed else "bold red"))
    console.print()


def _octets(octets: bytes) -> str:
    """As text where all of it is, else in hexadecimal; the middle of a long one left out."""
    if len(octets) > 1 and all(0x20 <= octet < 0x7F for octet in octets):
        text = octets.decode("ascii")
        return text if len(text) <= 48 else f"{text[:40]}… ({len(text)})"
    return octets.hex(" ") if len(octets) <= 16 else f"{octets[:14].hex(' ')} … ({len(octets)})"
