"""A real baresip that answers by itself and records what it hears, as a telephone or paging adapter would."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hardware.codecs.sound import joined, read_wav, silence, write_wav
from tests.servers.binaries import require
from tests.servers.ports import free_port

CONFIG = """\
sip_listen {address}:{port}
poll_method epoll
net_interface 127.0.0.1
audio_player aubridge,ear
audio_source aubridge,ear
audio_alert aufile,{silence}
ausrc_srate 8000
auplay_srate 8000
audio_level no
rtp_timeout 60
module_path {modules}
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {folder}
module_app account.so
module_app menu.so
module_tmp uuid.so
"""


class Telephone:
    """What answers, and what it heard."""

    def __init__(self, *, folder: Path, port: int, log: Path) -> None:
        self.port = port
        self._folder = folder
        self._log = log

    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def heard(self):
        """The sound of its last call, once that has ended."""
        files = sorted(self._folder.glob("dump-*-dec.wav"), key=lambda file: file.stat().st_mtime)
        assert files, self.log()
        return read_wav(files[-1].read_bytes())


@contextmanager
def baresip(folder: Path, *, codec: str = "PCMU", wait) -> Iterator[Telephone]:
    """A running one on a free port; `wait` returns once what it is given holds."""
    port = free_port()
    modules = next(Path("/usr/lib").glob("**/baresip/modules/g711.so")).parent
    quiet = folder / "silence.wav"
    quiet.write_bytes(write_wav(joined(silence(10, rate=8_000))))
    (folder / "config").write_text(
        CONFIG.format(
            address="127.0.0.1",
            port=port,
            silence=quiet,
            modules=modules,
            folder=folder,
        )
    )
    account = f"<sip:psap@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs={codec}\n"
    (folder / "accounts").write_text(account)
    log = folder / "baresip.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [require("baresip"), "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    telephone = Telephone(folder=folder, port=port, log=log)
    try:
        wait(lambda: "baresip is ready" in telephone.log() or process.poll() is not None)
        assert process.poll() is None, telephone.log()
        yield telephone
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
