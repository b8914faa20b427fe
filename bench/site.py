"""Starts what is measured, each on its core: the deployed site, the naive page, the platform."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE_CORE, OTHER_CORE = 0, 1
UNLIMITED = {
    "COZE_QPS": "0",
    "VISITOR_RATE": "0",
    "VISITOR_LIVE_ANSWERS": "0",
    "ADDRESS_SHARE": "0",
}
ALONE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT)}
TABLES = "from chat import storage; from chat.settings import model; storage.connect(model.load())"


@dataclass
class Site:
    """A server under test: where it listens, its master process, how long it took to be ready."""

    port: int
    process: subprocess.Popen[bytes]
    ready_s: float
    folder: Path

    def memory_mb(self) -> float:
        """The proportional set size of the master and its workers together."""
        children = (
            Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        )
        return sum(_pss_kb(pid) for pid in (str(self.process.pid), *children)) / 1024

    def stored(self) -> list[tuple[str, int]]:
        """State and length of each stored answer."""
        with sqlite3.connect(self.folder / "chat.db") as db:
            return db.execute("SELECT state, length(replies) FROM answers").fetchall()


@contextmanager
def platform() -> Iterator[str]:
    """The platform: its address."""
    port = free_port()
    command = [sys.executable, "-m", "bench.platform", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, preexec_fn=on_core(OTHER_CORE)
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def site(platform_address: str, core: int | None = SITE_CORE, **settings: str) -> Iterator[Site]:
    """The site with its own gunicorn.conf.py, on one core, in a folder of its own."""
    arguments = ["-c", str(ROOT / "gunicorn.conf.py"), "app:app"]
    with _served(arguments, platform_address, {**UNLIMITED, **settings}, core) as served:
        yield served


@contextmanager
def naive(platform_address: str) -> Iterator[Site]:
    """The naive page under two sync workers, free to use the same core."""
    with _served(
        ["--workers", "2", "--timeout", "120", "bench.naive:app"], platform_address, {}
    ) as served:
        yield served


@contextmanager
def _served(
    arguments: list[str],
    platform_address: str,
    more: dict[str, str],
    core: int | None = SITE_CORE,
) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        environment = {
            **ALONE,
            "PORT": str(port),
            "SECRET_KEY": "a key for measuring only",
            "DATABASE_URL": f"sqlite:///{folder}/chat.db",
            "COZE_API_TOKEN": "pat_bench",
            "COZE_BOT_ID": "1",
            "COZE_API_BASE": platform_address,
            **more,
        }
        # The tables exist, as at every start but the first, which also loads Alembic and keeps it.
        subprocess.run([sys.executable, "-c", TABLES], cwd=folder, env=environment, check=True)
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *arguments]
        with open(folder / "log", "wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stderr=log, preexec_fn=on_core(core)
            )
            try:
                _wait_until_ready(port, process, folder / "log")
                yield Site(port, process, time.monotonic() - began, folder)
            finally:
                _end(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1000):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.02)
    raise SystemExit(f"the site did not start:\n{log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def on_core(core: int | None) -> Callable[[], None]:
    """Run in the child: its own process group, on this core where there are two; None for any."""

    def settle() -> None:
        os.setpgid(0, 0)
        if (os.cpu_count() or 1) > 1 and core is not None:
            os.sched_setaffinity(0, {core})

    return settle


def _pss_kb(pid: str) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0])
