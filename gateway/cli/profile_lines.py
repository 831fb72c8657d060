"""Written-down messages and what they mean, as JSON objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from belltower.errors import NotFound
from gateway.cli.profile_drivers import driven
from hardware.profiles.compiled import Profile, Reading
from hardware.profiles.message import Message
from hardware.profiles.reading import Reader
from hardware.profiles.signal import Signal

_WORD = re.compile(r"[a-z0-9]+")
_KINDS: dict[str, tuple[type, str]] = {
    "topic": (str, "text"),
    "payload_encoding": (str, "text"),
    "port": (int, "a whole number"),
    "f_port": (int, "a whole number"),
    "retain": (bool, "true, false"),
    "retained": (bool, "true, false"),
    "device": (str, "text"),
    "profile": (str, "the id of a profile as text"),
}
"""What the keys of a line hold; any of them may be null."""


class Lines:
    """Answers each line by one reader."""

    def __init__(self, profiles: Mapping[str, Profile], *, profile: str | None = None) -> None:
        self._profiles = profiles
        self._reader = Reader(profiles)
        self._profile = profile

    def answered(self, line: bytes) -> dict[str, Any]:
        """What the line means; never raises."""
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return {"id": None, "signals": [], "why": f"the line is no JSON: {error}"[:300]}
        if not isinstance(found, dict):
            return {"id": None, "signals": [], "why": "the line is no JSON object"}
        return self.answer(found)

    def answer(self, line: dict[str, Any]) -> dict[str, Any]:
        """What the object means; `id` is echoed."""
        name = line.get("id")
        if "payload" not in line:
            return {"id": name, "signals": [], "why": "payload is missing"}
        try:
            message = _message(line)
        except ValueError as error:
            return {"id": name, "signals": [], "why": str(error)}
        profile = line.get("profile") or self._profile
        if profile is not None:
            try:
                profile = self.meant(profile)
            except NotFound as error:
                return {"id": name, "signals": [], "why": str(error)}
        return _written(name, self._read(message, profile, line))

    def meant(self, profile: str) -> str:
        """The id of the profile that is called so, or that alone names the model. Raises `NotFound`."""
        meant = profile if profile in self._profiles else _named({"device": profile}, self._profiles.values())
        if meant is None:
            near = get_close_matches(profile, self._profiles, n=1)
            mend = f'; did you mean "{near[0]}"?' if near else ""
            raise NotFound(f'there is no profile "{profile}"{mend}')
        return meant

    def _read(self, message: Message, profile: str | None, line: dict[str, Any]) -> Reading:
        if profile is not None:
            reading = self._reader.read(message, profile)
            if message.topic is None and not reading.signals:
                return self._reader.read(_changed(message, topic=""), profile)
            return reading
        if message.topic is None and (line.get("device") or line.get("ecosystem")):
            framed = message.ingress == "frame"
            named = _named(line, [one for one in self._profiles.values() if bool(one.layouts) is framed])
            if named is not None:
                return self._read(message, named, line)
            if framed:
                return Reading(
                    why="no profile is for that device, and bytes are not guessed at; say which profile"
                )
        reading = self._reader.read(message)
        return reading if reading.signals or message.ingress == "frame" else driven(message) or reading


def _message(line: dict[str, Any]) -> Message:
    """The message that a line writes down; ValueError says what is wrong with it."""
    payload, encoding = line["payload"], line.get("payload_encoding")
    encoding = encoding or ("text" if isinstance(payload, str) else "json")
    for key, (kind, called) in _KINDS.items():
        if line.get(key) is not None and type(line[key]) is not kind:
            raise ValueError(f"{key}: expected {called} or null")
    topic = line.get("topic")
    ingress = "mqtt"
    if encoding == "hex":
        if not isinstance(payload, str):
            raise ValueError("payload: hexadecimal digits are written as text")
        try:
            octets = bytes.fromhex(payload.removeprefix("0x"))
        except ValueError:
            raise ValueError("payload: not hexadecimal digits") from None
        ingress = "frame"
    elif encoding in {"text", "xml"} or (
        encoding == "json" and isinstance(payload, str) and _is_json(payload)
    ):
        octets = (
            payload.encode(errors="replace") if isinstance(payload, str) else msgspec.json.encode(payload)
        )
    elif encoding == "json":
        octets = msgspec.json.encode(payload)
    else:
        raise ValueError(f'payload_encoding: "{encoding[:40]}" is not known; one of: json, text, hex, xml')
    expected = line.get("expect")
    ports = (
        line.get("port"),
        line.get("f_port"),
        expected.get("f_port") if isinstance(expected, dict) else None,
    )
    port = next((each for each in ports if type(each) is int), None)
    if port is not None and not 0 <= port <= 255:
        raise ValueError(f"port: 0 to 255, not {port}")
    device = line.get("device") or ""
    return Message(
        ingress=ingress,
        topic=topic or None,
        payload=octets,
        port=port,
        retained=bool(line.get("retain") or line.get("retained")),
        device=device if topic and not line.get("ecosystem") else "",
    )


def _is_json(text: str) -> bool:
    """Whether a text is a JSON document written down as text, rather than a JSON string."""
    return text.lstrip()[:1] in {"{", "["}


def _named(line: dict[str, Any], profiles: Iterable[Profile]) -> str | None:
    """The only candidate whose models the line's own words name; None where there is none, or several."""
    said = f"{line.get('device') or ''} {line.get('ecosystem') or ''}".lower()
    words = set(_WORD.findall(said))
    fitting = []
    for profile in profiles:
        best = 0
        for model in (*profile.tables.profile.models, profile.id):
            parts = _WORD.findall(model.lower())
            if parts and all(part in words for part in parts):
                best = max(best, len(parts))
        if best:
            fitting.append((best, profile.id))
    fitting.sort(reverse=True)
    if not fitting or (len(fitting) > 1 and fitting[1][0] == fitting[0][0]):
        return None
    return fitting[0][1]


def _changed(message: Message, *, topic: str | None) -> Message:
    values = {name: getattr(message, name) for name in message.__struct_fields__}
    return Message(**{**values, "topic": topic})


def _written(name: Any, reading: Reading) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": name, "profile": reading.profile if reading.signals else None}
    answer["signals"] = [str(signal.kind) for signal in reading.signals]
    answer["flags"] = sorted({str(flag) for signal in reading.signals for flag in signal.flags})
    answer["device"] = next((signal.device for signal in reading.signals if signal.device), None)
    answer["details"] = [_detail(signal) for signal in reading.signals]
    if reading.bearer:
        answer["bearer"] = reading.bearer
    if reading.candidates:
        answer["candidates"] = list(reading.candidates)
    why = reading.why or next((signal.why for signal in reading.signals if signal.why), "")
    if why or not reading.signals:
        answer["why"] = why or "nothing matched"
    return answer


def _detail(signal: Signal) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": str(signal.kind)}
    for field in signal.__struct_fields__[1:]:
        value = getattr(signal, field)
        if value is None or value in ("", {}, frozenset()) or (value is False and field == "epoch"):
            continue
        made[field] = sorted(str(flag) for flag in value) if field == "flags" else value
    return made
