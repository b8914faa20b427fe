"""Sites that begin as forks of a process that has imported everything: in a fifth of a second of a
processor, where a cold start takes one and a half.

Run as a program it is that process: an order on each line of its standard input, the answer on its
standard output.
"""

import atexit
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import gevent.os
from gevent import monkey

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "app:app")


class Fork:
    """A process that the fork server has begun, with what we need of subprocess.Popen."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.order(look_at=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (returncode := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(GUNICORN, timeout or 0)
            time.sleep(0.01)
        return returncode

    def terminate(self) -> None:
        # Its number is nobody else's until somebody has polled its end.
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class ForkServer:
    """The fork server as tests see it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.fork_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lock = threading.Lock()
        atexit.register(self._process.communicate)

    def begin_site(self, folder: Path, log: Path, variables: dict[str, str]) -> Fork:
        """gunicorn in `folder`, with these variables alone. It writes to the end of `log`."""
        pid = self.order(folder=str(folder), log=str(log), variables=variables)
        assert pid is not None
        return Fork(self, pid)

    def order(self, **order: object) -> int | None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the fork server has ended: its standard error says why"
        answer: int | None = json.loads(line)
        return answer


@functools.cache
def fork_server() -> ForkServer:
    """One for the whole run, from the first site on."""
    return ForkServer()


def main() -> None:
    # In the order of a worker. A master that its owner starts loads neither gevent nor the site.
    import_module("gunicorn.app.wsgiapp")
    monkey.patch_all()
    import_module("chat.server.worker")
    import_module("app")
    # Those that it imports late.
    import_module("alembic.command")
    import_module("limits")
    # The garbage collector of every site would copy the pages of all that.
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        pid = order.get("look_at")
        print(json.dumps(_look_at(pid) if pid else _begin(order)), flush=True)


def _look_at(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _begin(order: dict[str, Any]) -> int:
    # As gevent patches os.fork, it would reap the site itself.
    pid: int = gevent.os.fork_gevent()
    if not pid:
        _become_site(**order)
    return pid


def _become_site(folder: str, log: str, variables: dict[str, str]) -> None:
    _unpatch_master()
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, end in enumerate((nothing, output, output)):
        os.dup2(end, number)
    sys.path.insert(0, folder)
    # By itself it takes the folder in which it was imported.
    sys.argv = [*GUNICORN[2:], "--chdir", folder]
    import_module("gunicorn.app.wsgiapp").run()
    sys.exit()


def _unpatch_master() -> None:
    """Gives the master of a site its own forks and signals; its workers have those of gevent."""
    for module in (os, signal):
        for name, original in monkey.saved[module.__name__].items():
            setattr(module, name, original)
    os.register_at_fork(after_in_child=monkey.patch_os)
    os.register_at_fork(after_in_child=monkey.patch_signal)


if __name__ == "__main__":
    main()
