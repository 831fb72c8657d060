"""The script of a rehearsal: who says what, and when. One step a line.

    # WHEN      WHO       WHAT          HOW
    0s          *         clear                          # every device says that its input is at rest
    5s          1         press                          # the first device
    +2s         sos-gym   press         duplicates 2     # two seconds later, and the same message twice more
    10s         2..4      press         over 3s          # three devices, spread over three seconds
    12s         *         battery 15                     # percent
    every 30s   *         heartbeat                      # at once, and again and again
    40s         5         silent                         # says nothing any more, until "speaks"
    50s         1,3       noise         times 5 apart 200ms
    1m          end

WHEN is a time since the start, since the line before (`+2s`), or `every` so often, at once for the first time. WHO is `*`, a number, `2..4`, `1,3` or
a device's name. WHAT is a kind of signal, `battery PERCENT`, `example N` of the profile's file, `noise`, `silent`, `speaks`.
HOW: `times N`, `apart DURATION`, `over DURATION`, `duplicates N`, `retained`. A script with `every` and without `end` goes on
until it is stopped.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from belltower.errors import SettingsError
from belltower.values import duration
from hardware.profiles.signal import SignalKind

MOST_LINES = 10_000
MOST_TIMES = 1_000_000

_OWN = ("noise", "silent", "speaks")
_HOW = ("times", "apart", "over", "duplicates", "retained")
_WHO = re.compile(
    r"\*|[0-9]{1,6}(?:(?:\.\.|,)[0-9]{1,6})*|[a-z0-9][a-z0-9-]{0,39}(?:,[a-z0-9][a-z0-9-]{0,39})*"
)


class Step(Struct, frozen=True, kw_only=True):
    """One line."""

    line: int
    # Seconds since the start; of `every`, how often.
    at: float
    who: str
    # A kind of signal, "battery", "example N", noise, silent, speaks.
    what: str
    battery: float | None = None
    every: bool = False
    times: int = 1
    apart: float = 1.0
    over: float = 0.0
    duplicates: int = 0
    retained: bool = False


class Cue(Struct, frozen=True, order=True):
    """One device's turn."""

    at: float
    line: int
    device: int
    step: Step


class Script(Struct, frozen=True, kw_only=True):
    """All of it; without an `end` it ends with its last step, unless something goes on for ever."""

    steps: tuple[Step, ...]
    end: float | None = None

    def cast(self, step: Step, names: Sequence[str]) -> list[int]:
        """Which of these devices a step is about, by their places.

        Raises:
            SettingsError: there is no such device.
        """
        if step.who == "*":
            return list(range(len(names)))
        found: list[int] = []
        for part in step.who.split(","):
            first, dots, last = part.partition("..")
            if part in names:
                found.append(names.index(part))
            elif first.isdigit() and 1 <= int(first) <= int(last or first) <= len(names):
                found += range(int(first) - 1, int(last or first))
            else:
                known = f"1 to {len(names)}, and {', '.join(names[:6])}{'..' if len(names) > 6 else ''}"
                raise SettingsError(f'line {step.line}: there is no device "{part}"; there are {known}')
            if dots and not last.isdigit():
                raise SettingsError(f'line {step.line}: "{part}": write 2..4')
        return found

    def cues(self, names: Sequence[str]) -> Iterator[Cue]:
        """Every turn in its order; without end where the script has none."""
        end = float("inf") if self.end is None else self.end
        lines = [self._turns(step, self.cast(step, names)) for step in self.steps]
        for cue in heapq.merge(*lines):
            if cue.at > end:
                return
            yield cue

    @staticmethod
    def _turns(step: Step, devices: list[int]) -> Iterator[Cue]:
        begin = 0.0
        while True:
            turns = [
                Cue(
                    (begin if step.every else step.at) + nth * step.apart + step.over * place / len(devices),
                    step.line,
                    device,
                    step,
                )
                for nth in range(step.times)
                for place, device in enumerate(devices)
            ]
            yield from sorted(turns)
            if not step.every or not devices:
                return
            begin += step.at


def parse(text: str, *, name: str = "script") -> Script:
    """The script that `text` writes down.

    Raises:
        SettingsError: every line at fault, with how to mend it.
    """
    steps: list[Step] = []
    faults: list[str] = []
    end: float | None = None
    before = 0.0
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise SettingsError(f"{name}: {len(lines)} lines; a script has at most {MOST_LINES}")
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            at, every = _when(words, before)
            before = before if every else at
            if words == ["end"]:
                end = at
                continue
            steps.append(_step(number, at, words, every=every))
        except ValueError as error:
            faults.append(f"{name}: line {number}: {error}")
    if not steps and not faults:
        faults.append(f'{name}: says nothing; write a line, "5s 1 press" for instance')
    if faults:
        raise SettingsError("\n".join(faults))
    return Script(steps=tuple(steps), end=end)


def read(file: Path) -> Script:
    """The script in `file`; SettingsError as `parse`, or because it cannot be read."""
    try:
        return parse(file.read_text(encoding="utf-8"), name=str(file))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: octet {error.start} is not UTF-8") from None


def _when(words: list[str], before: float) -> tuple[float, bool]:
    """Take the time from the words: the time, and whether it is how often."""
    word = words.pop(0)
    if word == "every":
        if not words:
            raise ValueError('"every" what? write "every 30s"')
        often = duration(words.pop(0))
        if often < 0.01:
            raise ValueError("every: at least 10ms")
        return often, True
    return (before + duration(word[1:]), False) if word.startswith("+") else (duration(word), False)


def _step(number: int, at: float, words: list[str], *, every: bool) -> Step:
    if len(words) < 2:
        raise ValueError('write WHEN WHO WHAT, "5s 1 press" for instance')
    who, what, *rest = words
    if not _WHO.fullmatch(who):
        raise ValueError(f'"{who}" names no devices; write *, 3, 2..4, 1,3 or a device\'s name')
    battery: float | None = None
    if what in ("battery", "example"):
        said = rest.pop(0) if rest else ""
        if not said.removesuffix("%").replace(".", "", 1).isdigit():
            raise ValueError(f'"{what}" of how much? write "{what} {12 if what == "battery" else 3}"')
        if what == "battery":
            battery = float(said.removesuffix("%"))
            if battery > 100:
                raise ValueError("battery: 0 to 100 percent")
        else:
            what = f"example {said}"
    elif what not in _OWN and what not in set(SignalKind):
        known = ", ".join([*SignalKind, *_OWN, "battery", "example"])
        raise ValueError(f'"{what}" is nothing a device says; one of: {known}')
    how = _how(rest)
    return Step(
        line=number,
        at=at,
        who=who,
        what=what,
        battery=battery,
        every=every,
        times=int(how.get("times", 1)),
        apart=how.get("apart", 1.0),
        over=how.get("over", 0.0),
        duplicates=int(how.get("duplicates", 0)),
        retained="retained" in how,
    )


def _how(words: list[str]) -> dict[str, float]:
    made: dict[str, float] = {}
    while words:
        word = words.pop(0)
        if word not in _HOW:
            raise ValueError(f'"{word}" is not known here; one of: {", ".join(_HOW)}')
        if word == "retained":
            made[word] = 1
            continue
        said = words.pop(0) if words else ""
        if word in ("apart", "over"):
            made[word] = duration(said)
        elif said.isdigit() and int(said) <= MOST_TIMES:
            made[word] = int(said)
        else:
            raise ValueError(f'{word}: expected a whole number up to {MOST_TIMES}, found "{said}"')
    return made
