"""A load as it arrives, a file, a folder or a ZIP, opened without trusting it.

Nothing is unpacked to disk. What an archive claims about its sizes is not believed: octets are counted while they are
read. Every refusal is a `BadArchive`, which names its reason.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

from belltower.errors import Malformed

MOST_OCTETS = 200 * 1000 * 1000
"""All files of a load together, unpacked."""

MOST_FILES = 500
"""Files of a load."""

_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# What packing programs leave behind.
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_NESTED = (".zip", ".gz", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_PACKED = (_ZIP, b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_PIECE = 1 << 18
# Of an entry in an archive's directory.
_ENTRY = b"PK\x01\x02"
_MOST_ENTRIES = 20_000


class BadArchive(Malformed):
    """A load that is not opened at all; `what` is the reason, `mend` the way out."""

    def __init__(self, file: str, what: str, mend: str) -> None:
        super().__init__(f"{_shown(file)}: {what}; {mend}")
        self.file = _shown(file)
        self.what = what
        self.mend = mend


class Package:
    """The files of one load by name, each opened as often as wanted."""

    def __init__(self, *, name: str, openers: Mapping[str, Callable[[], IO[bytes]]]) -> None:
        self.name = name
        self._openers = openers
        # What it weighs unpacked, as counted by `check`.
        self.octets = 0

    @property
    def files(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(sorted(self._openers))

    def open(self, file: str) -> IO[bytes]:
        """The file, to be read and closed; its length is what `check` has counted."""
        try:
            return self._openers[file]()
        except OSError as error:
            raise BadArchive(file, f"cannot be read ({error.strerror})", "let this program read it") from None

    def pieces(self, file: str, limit: int = MOST_OCTETS) -> Iterator[bytes]:
        """The octets of a file in pieces, at most `limit` of them.

        Raises:
            BadArchive: it is longer, damaged or cannot be read.
        """
        seen = 0
        try:
            with self.open(file) as source:
                while piece := source.read(_PIECE):
                    seen += len(piece)
                    if seen > limit:
                        raise BadArchive(
                            file,
                            f"expands to more than {limit // 1_000_000} MB",
                            "export fewer schools at a time",
                        )
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise BadArchive(
                file, f"is damaged in the archive ({type(error).__name__})", "export it again"
            ) from None
        except OSError as error:
            raise BadArchive(file, f"cannot be read ({error.strerror})", "let this program read it") from None

    def octets_of(self, file: str, limit: int = MOST_OCTETS) -> bytes:
        """A file as a whole; as `pieces`."""
        return b"".join(self.pieces(file, limit))

    def check(self) -> None:
        """Count what the whole load expands to, and look for archives within it; raises BadArchive."""
        total = 0
        for file in self.files:
            for number, piece in enumerate(self.pieces(file)):
                if number == 0 and piece.startswith(_PACKED):
                    raise BadArchive(file, "is an archive within the load", "put its files in by themselves")
                total += len(piece)
                if total > MOST_OCTETS:
                    raise BadArchive(
                        self.name,
                        f"expands to more than {MOST_OCTETS // 1_000_000} MB",
                        "export fewer schools at a time",
                    )
        self.octets = total


def open_package(path: Path) -> Package:
    """The load at `path`, checked as a whole.

    Raises:
        BadArchive: there is nothing, it is too large, or it holds what no load needs: paths that lead out of it,
            symbolic links, archives within archives, two files of one name, encrypted files.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            package = _folder(path)
        elif not stat.S_ISREG(kind):
            raise BadArchive(path.name, "is no file, folder or ZIP", "give one of them")
        elif _is_zip(path):
            package = _zip(path)
        elif path.name.casefold().endswith(".zip"):
            raise BadArchive(path.name, "is no sound ZIP (it does not begin as one)", "export it again")
        else:
            openers: dict[str, Callable[[], IO[bytes]]] = {}
            _add(openers, path.name, path.name, lambda: path.open("rb"))
            package = Package(name=path.name, openers=openers)
    except OSError as error:
        raise BadArchive(
            path.name or str(path), f"cannot be read ({error.strerror})", "give the path of the export"
        ) from None
    package.check()
    return package


def _is_zip(path: Path) -> bool:
    with path.open("rb") as source:
        return source.read(4) in {_ZIP, _EMPTY_ZIP}


def _folder(path: Path) -> Package:
    openers: dict[str, Callable[[], IO[bytes]]] = {}
    folders = []
    for one in sorted(path.iterdir()):
        if one.name.startswith(".") or one.name in _LITTER:
            continue
        if one.is_symlink():
            raise BadArchive(one.name, "is a symbolic link", "put the file itself there")
        if one.is_dir():
            folders.append(one.name)
            continue
        if not one.is_file():
            raise BadArchive(one.name, "is no file", "leave it out")
        _add(openers, one.name, one.name, lambda one=one: one.open("rb"))  # type: ignore[misc]
    if not openers:
        inside = f"; it holds the folders {', '.join(folders[:8])}" if folders else ""
        raise BadArchive(path.name or str(path), f"holds no files{inside}", "give the folder with the export")
    return Package(name=path.name, openers=openers)


def _zip(path: Path) -> Package:
    octets = _bounded(path)
    if octets.count(_ENTRY) > _MOST_ENTRIES:
        raise BadArchive(path.name, "has a directory without end", "pack the files of the export only")
    try:
        archive = zipfile.ZipFile(io.BytesIO(octets))
        entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadArchive(path.name, f"is no sound ZIP ({error})", "export it again") from None
    kept = [entry for entry in entries if not entry.is_dir() and not _is_litter(entry.filename)]
    for entry in entries:
        _refuse_unsafe(entry)
    if not kept:
        raise BadArchive(path.name, "is an empty archive", "export it again")
    # Whoever packs a folder instead of its files gets one folder around all of them.
    heads = {entry.filename.partition("/")[0] if "/" in entry.filename else "" for entry in kept}
    head = f"{heads.pop()}/" if len(heads) == 1 and "" not in heads else ""
    openers: dict[str, Callable[[], IO[bytes]]] = {}
    for entry in kept:
        name = entry.filename.removeprefix(head)
        _add(openers, name, entry.filename, partial(_opened, archive, entry))
    return Package(name=path.name, openers=openers)


def _opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """Unpacked in large pieces, though whoever reads text asks for small ones."""
    return io.BufferedReader(archive.open(entry), _PIECE)  # type: ignore[type-var]


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > MOST_OCTETS:
        raise BadArchive(
            path.name, f"is larger than {MOST_OCTETS // 1_000_000} MB", "export fewer schools at a time"
        )
    return path.read_bytes()


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER) or name.rpartition("/")[2] in _LITTER


def _refuse_unsafe(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\x00" in name:
        raise BadArchive(name, "has a path that leads out of the archive", "pack it again, files only")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise BadArchive(name, "is a symbolic link", "pack the file itself")
    if entry.flag_bits & _ENCRYPTED:
        raise BadArchive(name, "is encrypted", "pack it without a password and send it over SFTP")
    if entry.compress_type not in _DEFLATED:
        raise BadArchive(name, "is packed in an unusual way", "pack it with deflate, as ZIP does")
    if entry.file_size > MOST_OCTETS:
        raise BadArchive(
            name,
            f"expands to more than {MOST_OCTETS // 1_000_000} MB",
            "export fewer schools at a time",
        )


def _shown(name: str) -> str:
    """A name as it can be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:120])


def _add(
    openers: dict[str, Callable[[], IO[bytes]]], name: str, shown: str, opener: Callable[[], IO[bytes]]
) -> None:
    if name.casefold().endswith(_NESTED):
        raise BadArchive(shown, "is an archive within the load", "put its files in by themselves")
    if not name.isprintable():
        raise BadArchive(shown, "has a name that cannot be printed", "name it as its format says")
    if any(name.casefold() == one.casefold() for one in openers):
        raise BadArchive(shown, "is there twice", "keep the one that counts")
    if len(openers) >= MOST_FILES:
        raise BadArchive(shown, f"is one of more than {MOST_FILES} files", "leave out what is no roster")
    openers[name] = opener
