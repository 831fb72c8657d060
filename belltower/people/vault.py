"""The vault: what is known of people, unreadable to whoever has the database but not the keys.

A personal field is sealed with AES-256-GCM under the current key and bears that key's id, so that the keys can be
turned while old fields still open. What stands in one table, row and field opens nowhere else: they are authenticated
with it. A telephone number or mailbox is found by its mark, an HMAC under a key that is turned along: whatever seals a
row makes its marks too, so that the key id beside a row speaks for both. Ids are made with a third key, which stays.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct, structs

from belltower.errors import SettingsError, StoreError, WrongState
from belltower.ids import RandomBytes

_KEY = 32
_NONCE = 12
_NONCES_AT_ONCE = 1_024
_MARK = 16
_BLOCK = 64
_FORM = 1
_NUL = "a row's key with a NUL in it"

Marker = Callable[[bytes], str]
"""From a normalised text to its mark."""


class Begun(Protocol):
    """A hash that is copied for each text."""

    def copy(self) -> Self:
        """Another, which has taken in the same."""
        ...

    def update(self, octets: bytes, /) -> None:
        """Take in more."""
        ...

    def digest(self) -> bytes:
        """Over all of it."""
        ...

    def hexdigest(self) -> str:
        """As `digest`, in hexadecimal figures."""
        ...


class Unreadable(StoreError):
    """A sealed field does not open: its key is not in the ring, or it is not as it was written here."""


class KeyRing(Struct, frozen=True, kw_only=True):
    """All keys of the vault. Never printed."""

    # Id of the key that seals from now on.
    current: str
    # Every key that still opens something, by id.
    keys: dict[str, bytes]
    # What marks are made with from now on.
    marking: bytes
    # What they were made with before, the latest first, until nothing is found by those any more.
    marked: tuple[bytes, ...] = ()
    # What ids are made with. It is never turned, for facts name them; b"": `marking`, before that was first turned.
    naming: bytes = b""

    def __repr__(self) -> str:
        """The ids; no key."""
        return f"KeyRing(current={self.current!r}, keys={sorted(self.keys)})"

    def turned(self, random_bytes: RandomBytes = os.urandom) -> KeyRing:
        """The ring with a new current key, and a new one for marks. The old ones stay, to open and to find with."""
        number = 1 + max(int(name[1:]) for name in self.keys)
        name = f"k{number}"
        return KeyRing(
            current=name,
            keys={**self.keys, name: random_bytes(_KEY)},
            marking=random_bytes(_KEY),
            marked=(self.marking, *self.marked),
            naming=self.names_with,
        )

    def reduced(self, *, marked: bool = False) -> KeyRing:
        """The ring without any but the current key, for when nothing is sealed with the others any more.

        With `marked`, those that made marks stay: something that nobody can read is found by them.
        """
        return structs.replace(
            self, keys={self.current: self.keys[self.current]}, marked=self.marked if marked else ()
        )

    @property
    def names_with(self) -> bytes:
        """The key that ids are made with."""
        return self.naming or self.marking


def new_ring(random_bytes: RandomBytes = os.urandom, *, number: int = 1) -> KeyRing:
    """A ring of one key, of this number."""
    name = f"k{number}"
    key, marking, naming = (random_bytes(_KEY) for _ in range(3))
    return KeyRing(current=name, keys={name: key}, marking=marking, naming=naming)


class _RingFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    current: str
    keys: dict[str, str]
    marking: str
    # Not in the rings of older programs.
    marked: tuple[str, ...] = ()
    naming: str = ""


def write_ring(path: Path, ring: KeyRing) -> None:
    """Write the ring where only its owner can read it; the file is the old or the new one, never half of each.

    What was read of it before must have been read in the same `ring_held`: a key that is lost opens nothing any more.
    """
    plain = _RingFile(
        current=ring.current,
        keys={name: b64encode(key).decode() for name, key in ring.keys.items()},
        marking=b64encode(ring.marking).decode(),
        marked=tuple(b64encode(key).decode() for key in ring.marked),
        naming=b64encode(ring.names_with).decode(),
    )
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - made with its mode, before a key is in it
        file.write(msgspec.json.format(msgspec.json.encode(plain)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def ring_held(path: Path) -> Iterator[None]:
    """Read the ring, judge it and write it in here: nobody else does, in this process or another.

    Raises `WrongState` at once where somebody else is at it, and `SettingsError` where it cannot be held.
    """
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise SettingsError(f"key ring {path}: cannot be held for changing it: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WrongState(
                f"The key ring {path} is being changed by another command. Let it end, and run this again."
            ) from error
        yield
    finally:
        os.close(lock)


def read_ring(path: Path) -> KeyRing:
    """The ring of a file. Raises `SettingsError`: not there, readable for others, or not a ring."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(1 << 16)
    except FileNotFoundError as error:
        raise SettingsError(
            f"key ring {path}: not there; take it from the backup (where there never was one, the desk lane makes it at its start)"
        ) from error
    except OSError as error:
        raise SettingsError(f"key ring {path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"key ring {path}: others than its owner may read or change it; chmod 600 {path}")
    try:
        plain = msgspec.json.decode(raw, type=_RingFile)
        keys = {name: b64decode(key, validate=True) for name, key in plain.keys.items()}
        ring = KeyRing(
            current=plain.current,
            keys=keys,
            marking=b64decode(plain.marking, validate=True),
            marked=tuple(b64decode(key, validate=True) for key in plain.marked),
            naming=b64decode(plain.naming, validate=True),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, Base64Error, ValueError) as error:
        raise SettingsError(f"key ring {path}: not a key ring; take it from the backup") from error
    named = all(name[:1] == "k" and name[1:].isascii() and name[1:].isdigit() for name in keys)
    every = (*keys.values(), ring.marking, *ring.marked, ring.names_with)
    if not named or ring.current not in keys or {_KEY} != {len(key) for key in every}:
        raise SettingsError(
            f"key ring {path}: want keys k1, k2 .. of {_KEY} octets in base64, and current among them"
        )
    return ring


class RingFile:
    """A key ring's file, which somebody else may change: keys are turned while the lane runs."""

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None

    def changed(self) -> KeyRing | None:
        """The ring, if it is another than at the last call; None also where it cannot be read."""
        try:
            now = self._path.stat()
            if self._read == (now.st_ino, now.st_mtime_ns):
                return None
            ring = read_ring(self._path)
        except (OSError, SettingsError):
            return None
        self._read = now.st_ino, now.st_mtime_ns
        return ring


def _never() -> None:
    """The ring stays as it is."""
    return


class _Marking:
    """Makes marks with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._outer = _keyed(key, 0x5C)
        # Begun with the key and a purpose, and copied for each text.
        self._begun: dict[str, Begun] = {}
        self._markers: dict[str, Marker] = {}

    def mark(self, purpose: str, normalised: str | bytes) -> bytes:
        begun = self._begun.get(purpose)
        if begun is None:
            begun = self._begun[purpose] = _keyed(self._key, 0x36)
            begun.update(purpose.encode() + b"\0")
        # HMAC with SHA-256 (RFC 2104), its two keyed halves made once.
        inner, outer = begun.copy(), self._outer.copy()
        inner.update(normalised.encode() if isinstance(normalised, str) else normalised)
        outer.update(inner.digest())
        return outer.digest()[:_MARK]

    def marker(self, purpose: str) -> Marker:
        found = self._markers.get(purpose)
        if found is None:
            begun = self.begun(purpose)

            def found(normalised: bytes) -> str:
                one = begun.copy()
                one.update(normalised)
                return one.hexdigest()

            self._markers[purpose] = found
        return found

    def contents(self, purpose: str, of: Iterable[bytes]) -> list[bytes]:
        begun = self.begun(purpose)
        found: list[bytes] = []
        for each in of:
            one = begun.copy()
            one.update(each)
            found.append(one.digest())
        return found

    def begun(self, purpose: str) -> Begun:
        return hashlib.blake2b(digest_size=_MARK, key=self._key, person=purpose.encode()[:_MARK])


class Vault:
    """Seals and opens fields, and makes marks and names, with the keys of one ring."""

    def __init__(
        self,
        *,
        ring: KeyRing,
        random_bytes: RandomBytes = os.urandom,
        changed: Callable[[], KeyRing | None] = _never,
    ) -> None:
        """`changed` gives the ring anew where it was changed since; see `RingFile`."""
        self._random_bytes = random_bytes
        self._changed = changed
        self._nonces = b""
        self._at = 0
        self._naming = _Marking(ring.names_with)
        self._take(ring)

    def _take(self, ring: KeyRing) -> None:
        self._ring = ring
        self._ciphers = {name: AESGCM(key) for name, key in ring.keys.items()}
        self._head = bytes((_FORM, len(ring.current))) + ring.current.encode()
        # The current one first.
        self._markings = [_Marking(key) for key in (ring.marking, *ring.marked)]

    def refresh(self) -> None:
        """Take the ring anew if it was changed: from now on its current key seals. A ring of other names is not taken."""
        ring = self._changed()
        if ring is not None and ring.names_with == self._ring.names_with:
            self._take(ring)

    def pinned(self) -> Vault:
        """A vault that keeps the ring as it is now: all that one piece of work seals and marks goes together."""
        return Vault(ring=self._ring, random_bytes=self._random_bytes)

    @property
    def keys(self) -> frozenset[str]:
        """Ids of the keys that open."""
        return frozenset(self._ciphers)

    @property
    def current(self) -> str:
        """Id of the key that seals."""
        return self._ring.current

    @property
    def turning(self) -> bool:
        """Whether something may yet stand under an older mark: keys were turned, and the old ones not dropped."""
        return len(self._markings) > 1

    def seal(self, table: str, row: str, field: str, plain: bytes) -> bytes:
        """`plain`, to be kept in this very place: form, key id, nonce, then text and tag."""
        if self._at == len(self._nonces):
            self._nonces, self._at = self._random_bytes(_NONCE * _NONCES_AT_ONCE), 0
        nonce = self._nonces[self._at : self._at + _NONCE]
        self._at += _NONCE
        sealed = self._ciphers[self._ring.current].encrypt(nonce, plain, _place(table, row, field))
        return self._head + nonce + sealed

    def seal_many(self, table: str, field: str, rows: Iterable[tuple[str, bytes]]) -> list[bytes]:
        """As `seal`, for the same field of many rows: each row's key, and what is sealed into it."""
        keys, plain = [], []
        for key, text in rows:
            keys.append(key)
            plain.append(text)
        if "\0" in "".join(keys):
            raise ValueError(_NUL)
        places = [f"{table}\0{key}\0{field}".encode() for key in keys]
        drawn = self._random_bytes(_NONCE * len(keys))
        nonces = [drawn[at : at + _NONCE] for at in range(0, len(drawn), _NONCE)]
        encrypt, head = self._ciphers[self._ring.current].encrypt, self._head
        return [
            head + nonce + sealed
            for nonce, sealed in zip(nonces, map(encrypt, nonces, plain, places), strict=True)
        ]

    def open(self, table: str, row: str, field: str, sealed: bytes) -> bytes:
        """What was sealed in this place. Raises `Unreadable`."""
        name = self._ring.current if sealed.startswith(self._head) else key_of(sealed)
        cipher = self._ciphers.get(name)
        if cipher is None:
            self.refresh()
            cipher = self._ciphers.get(name)
        if cipher is None:
            raise Unreadable(f"{table}.{field}: sealed with key {name}, which is not in the ring")
        start = 2 + len(name)
        try:
            return cipher.decrypt(
                sealed[start : start + _NONCE], sealed[start + _NONCE :], _place(table, row, field)
            )
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"{table}.{field}: not as it was sealed there") from error

    def opener(self, table: str, field: str) -> Callable[[str, bytes], bytes]:
        """As `open`, for the same field of many rows, each by its key and what is sealed in it."""
        decrypt, head = self._ciphers[self._ring.current].decrypt, self._head
        before, after = f"{table}\0".encode(), f"\0{field}".encode()
        nonce, text = len(head), len(head) + _NONCE

        def open_one(row: str, sealed: bytes) -> bytes:
            if not sealed.startswith(head):
                return self.open(table, row, field, sealed)
            try:
                return decrypt(sealed[nonce:text], sealed[text:], before + row.encode() + after)
            except (InvalidTag, ValueError) as error:
                raise Unreadable(f"{table}.{field}: not as it was sealed there") from error

        return open_one

    def mark(self, purpose: str, normalised: str | bytes) -> bytes:
        """What `normalised` is found by without being known: equal for equal text and purpose, until keys are turned."""
        return self._markings[0].mark(purpose, normalised)

    def marks(self, purpose: str, normalised: str | bytes) -> list[bytes]:
        """All that `normalised` may stand under: its mark, and while keys are turned the one before.

        The ring is looked at first: whoever turns keys makes marks anew that only the new one makes.
        """
        self.refresh()
        return [one.mark(purpose, normalised) for one in self._markings]

    def name(self, purpose: str, normalised: str | bytes) -> bytes:
        """As `mark`, of what facts or others name: the same for ever."""
        return self._naming.mark(purpose, normalised)

    def marker(self, purpose: str) -> Marker:
        """As `mark`, in hexadecimal figures, for many texts of one purpose and in a quarter of the time."""
        return self._markings[0].marker(purpose)

    def markers(self, purpose: str) -> list[Marker]:
        """As `marks`, of `marker`."""
        self.refresh()
        return [one.marker(purpose) for one in self._markings]

    def content(self, purpose: str, of: bytes) -> bytes:
        """A mark to tell whether what is known of a record changed: as `mark`, and made in half of the time."""
        return self.contents(purpose, (of,))[0]

    def contents(self, purpose: str, of: Iterable[bytes], *, named: bool = False) -> list[bytes]:
        """As `content`, of many; `named`: of what stands in clear beside it, the same for ever."""
        return (self._naming if named else self._markings[0]).contents(purpose, of)

    def former_contents(self, purpose: str, of: bytes) -> list[bytes]:
        """What `content` was before keys were turned, until the old ones are dropped."""
        return [one.contents(purpose, (of,))[0] for one in self._markings[1:]]


def open_vault(path: Path) -> Vault:
    """The vault of a ring's file; it takes the ring anew when that is changed. Raises `SettingsError`."""
    file = RingFile(path=path)
    ring = file.changed() or read_ring(path)
    return Vault(ring=ring, changed=file.changed)


def key_of(sealed: bytes) -> str:
    """Id of the key it was sealed with. Raises `Unreadable`."""
    if len(sealed) < 2 or sealed[0] != _FORM or len(sealed) < 2 + sealed[1] + _NONCE:
        raise Unreadable("not a sealed field")
    try:
        return sealed[2 : 2 + sealed[1]].decode("ascii")
    except UnicodeDecodeError as error:
        raise Unreadable("not a sealed field") from error


def _keyed(key: bytes, pad: int) -> Begun:
    """One half of an HMAC."""
    return hashlib.sha256(bytes(octet ^ pad for octet in key.ljust(_BLOCK, b"\0")))


def _place(table: str, row: str, field: str) -> bytes:
    """Unambiguous: none of the three holds the octet that parts them."""
    if "\0" in row:
        raise ValueError(_NUL)
    return f"{table}\0{row}\0{field}".encode()
