"""Speech that is there before it is needed."""

import asyncio
import sys
from contextlib import asynccontextmanager

from hardware.codecs.voice import PayloadFormat, decode, seconds
from hardware.drivers.speech import LETTERS, CommandSpeaker, Speech, espeak, named, notes, said, spelt
from tests.peers.waiting import until
from tests.servers.binaries import require
from tests.servers.ffmpeg import loudness

PCMU, G722 = PayloadFormat.PCMU, PayloadFormat.G722


@asynccontextmanager
async def speech(folder, speaker=None, forms=(PCMU, G722)):
    """Speech at work."""
    made = Speech(folder=folder, speaker=speaker or espeak(), forms=forms)
    running = asyncio.get_running_loop().create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_a_text_is_rendered_ahead_and_kept(tmp_path):
    """In every form; the next start needs no program at all."""
    require("espeak-ng")
    lockdown = said("Lockdown.")
    async with speech(tmp_path) as made:
        assert b"" == made.ready(lockdown, PCMU)
        await until(lambda: made.idle)
        first = {form: made.ready(lockdown, form) for form in (PCMU, G722)}
        assert "" == made.fault()
    for form, sound in first.items():
        assert 0.4 < seconds(sound) < 3.0
        assert loudness(decode(sound, form)) > 0.02

    class Gone(CommandSpeaker, frozen=True):
        def fault(self):
            return "gone"

    async with speech(tmp_path, Gone(command=espeak().command)) as made:
        made.want_words([lockdown])
        await until(lambda: made.idle)
        assert first == {form: made.ready(lockdown, form) for form in (PCMU, G722)}


async def test_a_place_that_was_never_rendered_is_spelt_from_what_is(tmp_path):
    """And said as one the next time."""
    require("espeak-ng")
    async with speech(tmp_path, forms=(PCMU,)) as made:
        made.want(["B", "2", "0", "4"])
        await until(lambda: made.idle)
        place = spelt("B-204")
        assert ("B", "2", "0", "4") == place.instead
        parts = b"".join(made.ready(said(letter), PCMU) for letter in place.instead)
        assert parts == made.ready(place, PCMU)
        assert made.complete([place], PCMU)
        assert not made.complete([place, said("never heard of")], PCMU)
        await until(lambda: made.idle)
        assert b"" != made.ready(place, PCMU) != parts


async def test_tones_are_rendered_where_nobody_can_speak(tmp_path):
    """An announcement is never silent."""
    async with speech(tmp_path, CommandSpeaker(command=("no-such-program",)), forms=(PCMU,)) as made:
        tones = notes((500, 0.2), (0, 0.1), (700, 0.2))
        made.want_words([said("Lockdown."), tones])
        await until(lambda: made.ready(tones, PCMU))
        assert 0.4 < seconds(made.ready(tones, PCMU)) < 0.8
        assert "not installed" in made.fault()


async def test_without_a_program_the_fault_is_clear_and_nothing_is_pretended(tmp_path):
    """It names the program and the mend."""
    missing = CommandSpeaker(command=("no-such-program",))
    async with speech(tmp_path, missing) as made:
        made.want(LETTERS)
        await until(made.fault)
        assert b"" == made.ready(spelt("B 204"), PCMU)
        assert "no-such-program is not installed" in made.fault()


async def test_a_program_that_fails_is_a_fault(tmp_path):
    """By what it did: ended, no WAV, no sound."""
    for script, says in (("raise SystemExit(3)", "ended with 3"), ("print('hello')", "not a WAV file")):
        async with speech(tmp_path, CommandSpeaker(command=(sys.executable, "-c", script))) as made:
            made.want(["A"])
            await until(lambda made=made: made.fault())
            assert says in made.fault()
            assert b"" == made.ready(said("A"), PCMU)


PICKY = """
import sys, wave
text = sys.stdin.read()
if "bad" in text: raise SystemExit(3)
with wave.open(sys.stdout.buffer, "wb") as out:
    out.setnchannels(1), out.setsampwidth(2), out.setframerate(8000), out.writeframes(b"\\0\\x40" * 4000)
"""


async def test_a_text_that_cannot_be_spoken_holds_up_no_other(tmp_path):
    """Not those wanted with it, not those wanted later; the fault says that something is missing."""
    async with speech(tmp_path, CommandSpeaker(command=(sys.executable, "-c", PICKY)), forms=(PCMU,)) as made:
        made.want(["bad name", "A", "B"])
        await until(lambda: made.complete([said("A"), said("B")], PCMU))
        made.want_words([said("bad name"), said("C")])
        await until(lambda: made.complete([said("C")], PCMU))
        assert made.idle
        assert not made.complete([said("bad name")], PCMU)
        assert "not every announcement" in made.fault()
        assert "ended with 3" in made.fault()


async def test_what_failed_is_tried_again(tmp_path, monkeypatch):
    """After a while; then nothing is at fault any more."""
    monkeypatch.setattr("hardware.drivers.speech.AGAIN", 0.2)
    flag = tmp_path / "well"
    script = f"import pathlib\nif not pathlib.Path({str(flag)!r}).exists(): raise SystemExit(3)\n{PICKY}"
    async with speech(
        tmp_path / "kept", CommandSpeaker(command=(sys.executable, "-c", script)), forms=(PCMU,)
    ) as made:
        made.want(["A"])
        await until(made.fault)
        flag.touch()
        await until(lambda: made.complete([said("A")], PCMU))
        assert "" == made.fault()


def test_names_are_said_and_spelt():
    """A long name by its letters, until it is there."""
    assert ("G", "Y", "M") == named("Gym").instead
    assert "Gym" == named("Gym").text
    assert () == spelt("é!").instead
