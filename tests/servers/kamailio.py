"""A real kamailio as a centre's emergency services routing proxy: RFC 8876 in, relayed to the centre behind it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Self

from tests.peers.waiting import PATIENCE
from tests.servers.binaries import require
from tests.servers.ports import free_port

CONFIG = """\
debug=2
log_stderror=yes
children=1
tcp_children=2
enable_tls=TLS
auto_aliases=no
listen=tcp:127.0.0.1:PORT
TLSLISTEN
mhomed=no
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
TLSMODULE
request_route {
  if (!sanity_check("17895", "7")) exit;
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("MESSAGE") && $ru =~ "^urn:service:(test[.])?sos") {
    if (!has_body("multipart/mixed") || !get_body_part("application/EmergencyCallData.cap+xml", "$var(cap)")) {
      append_to_reply("AlertMsg-Error: 101;code=\\"Alert payload was not present or could not be found\\"\\r\\n");
      sl_send_reply("425", "Bad Alert Message"); exit;
    }
    get_body_part("application/pidf+xml", "$var(pidf)");
    xlog("L_WARN", "FOUND cap $(var(cap){s.len}) pidf $(var(pidf){s.len}) for $ru from $proto\\n");
    $du = "sip:127.0.0.1:PSAP;transport=tcp";
    t_relay();
    exit;
  }
  sl_send_reply("404", "Not Found");
}
"""

TLS_MODULE = """\
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "CERTIFICATE")
modparam("tls", "private_key", "KEY")
"""


class Kamailio:
    """A proxy that relays to `psap`, a port of this machine; with a certificate and key it listens for TLS too."""

    def __init__(self, folder: Path, *, psap: int, certificate: Path | None = None, key: Path | None = None):
        self.folder = folder
        self.psap = psap
        self.certificate = certificate
        self.key = key
        self.port = 0
        self.tls_port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._log = folder / "kamailio.log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        if details[0] is not None:
            print(self.output())
        await self.kill()

    async def start(self) -> None:
        """Start, on the same ports as before if there were any, and wait until it answers."""
        program = require("kamailio")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        text = CONFIG
        if self.certificate is not None:
            self.tls_port = self.tls_port or free_port()
            module = TLS_MODULE.replace("CERTIFICATE", str(self.certificate)).replace("KEY", str(self.key))
            text = text.replace("TLSLISTEN", f"listen=tls:127.0.0.1:{self.tls_port}")
            text = text.replace("TLSMODULE", module).replace("enable_tls=TLS", "enable_tls=yes")
        else:
            text = text.replace("TLSLISTEN\n", "").replace("TLSMODULE\n", "").replace("enable_tls=TLS\n", "")
        config = self.folder / "kamailio.cfg"
        config.write_text(text.replace("PORT", str(self.port)).replace("PSAP", str(self.psap)))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, "-f", str(config), "-DD", "-E", "-m", "16", "-M", "4",
                "-P", str(self.folder / "kamailio.pid"), "-Y", str(self.folder),
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._answers():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
        except TimeoutError:
            print(self.output())
            raise

    async def kill(self) -> None:
        """SIGKILL to it and its children."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            import os

            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def output(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def _answers(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError(f"kamailio ended with {self._process.returncode}:\n{self.output()}")
        try:
            for port in filter(None, (self.port, self.tls_port)):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
        except OSError:
            return False
        return True
