"""A real ffmpeg that records what is sent to a multicast group, as a telephone on the same network hears it."""

import asyncio
import math
import socket
from contextlib import asynccontextmanager
from pathlib import Path

from hardware.codecs.sound import read_wav
from tests.peers.waiting import PATIENCE, until
from tests.servers.binaries import require
from tests.servers.ports import even_port

GROUP = "239.255.1.1"

SDP = """\
v=0
o=- 0 0 IN IP4 127.0.0.1
s=page
c=IN IP4 {group}/1
t=0 0
m=audio {port} RTP/AVP {type}
a=rtpmap:{type} {name}/8000
"""


class Recording:
    """What ffmpeg is recording."""

    def __init__(self, *, port: int, wav: Path, process) -> None:
        self.port = port
        self._wav = wav
        self._process = process

    async def finished(self):
        """The recorded sound, once as many seconds as were asked for have been heard."""
        async with asyncio.timeout(PATIENCE):
            _, said = await self._process.communicate()
        assert self._process.returncode == 0, said.decode(errors="replace")
        return read_wav(self._wav.read_bytes())


@asynccontextmanager
async def recording(folder: Path, *, seconds: float, name: str = "PCMU", group: str = GROUP):
    """An ffmpeg that has joined the group on the loopback interface and records `seconds` of sound."""
    port = even_port()
    sdp = folder / "page.sdp"
    sdp.write_text(
        SDP.format(group=group, port=port, type={"PCMU": 0, "PCMA": 8, "G722": 9}[name], name=name)
    )
    wav = folder / f"{name}.wav"
    process = await asyncio.create_subprocess_exec(
        *(require("ffmpeg"), "-y", "-nostdin", "-v", "error", "-protocol_whitelist", "file,udp,rtp"),
        *("-localaddr", "127.0.0.1", "-i", str(sdp), "-t", str(seconds), str(wav)),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await joined(group, port)
        yield Recording(port=port, wav=wav, process=process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def joined(group: str, port: int) -> None:
    """Return once somebody listens on the group's port and has joined the group on the loopback interface."""
    await until(lambda: _listens(port) and _joined(group))


def _listens(port: int) -> bool:
    return f":{port:04X} " in Path("/proc/net/udp").read_text()


def _joined(group: str) -> bool:
    wanted = f"{int.from_bytes(socket.inet_aton(group), 'little'):08X}"
    return wanted in Path("/proc/net/igmp").read_text().split("lo ", 1)[-1].split("\n1", 1)[0]


def frequency(sound) -> float:
    """The pitch of a tone by its zero crossings, of the middle half of the sound."""
    quarter = len(sound.samples) // 4
    middle = sound.samples[quarter:-quarter]
    crossings = [n for n in range(1, len(middle)) if middle[n - 1] < 0 <= middle[n]]
    return (len(crossings) - 1) * sound.rate / (crossings[-1] - crossings[0])


def loudness(sound) -> float:
    """Root mean square, 1.0 for a full square wave."""
    return math.sqrt(sum(value * value for value in sound.samples) / max(len(sound.samples), 1)) / 32768
