"""A Redis of one's own, from Debian's package, to be killed, frozen and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.kit.site import PATIENCE_S, hold_port

PASSWORD = "p@ss:word/of+redis-42"


@dataclass
class RedisServer:
    """It keeps nothing: what it held is gone when it is started again.

    With a `certificate`, key and all in one file, it speaks TLS.
    """

    folder: Path
    held: socket.socket
    certificate: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self.held.getsockname()[1])

    @property
    def url(self) -> str:
        scheme = "rediss" if self.certificate else "redis"
        return f"{scheme}://:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/0"

    def start(self) -> "RedisServer":
        kept = ("--save", "", "--appendonly", "no", "--dir", str(self.folder))
        door = (*self._door, "--bind", "127.0.0.1", "--requirepass", PASSWORD)
        with open(self.folder / "redis.txt", "ab") as log:
            self.process = subprocess.Popen(["redis-server", *door, *kept], stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except ConnectionError:
                assert self.process.poll() is None, (self.folder / "redis.txt").read_text()
                time.sleep(0.02)
        raise AssertionError("redis-server does not listen")

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(PATIENCE_S)

    def freeze(self) -> None:
        """It takes connections and says nothing, as behind a broken line."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.held.close()

    @property
    def _door(self) -> tuple[str, ...]:
        if self.certificate is None:
            return ("--port", str(self.port))
        pem = str(self.certificate)
        files = ("--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", pem)
        return ("--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no", *files)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)


def redis_server(folder: Path, certificate: Path | None = None) -> RedisServer:
    """One that has not been started. Skips the test where there is no Redis, except where it must
    run.
    """
    if shutil.which("redis-server") is None and not os.environ.get("CI"):
        pytest.skip("needs redis-server: apt-get install redis-server")
    return RedisServer(folder, hold_port(), certificate)
