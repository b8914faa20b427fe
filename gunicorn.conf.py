"""How gunicorn serves the site: one gevent worker, so that waiting for platforms costs next to nothing.

The first two lines must stay the first: whatever imports ssl or urllib3 before gevent patches would break
streaming over TLS, and only here.
"""

# ruff: noqa: E402

from gevent import monkey

monkey.patch_all()

import gc
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
from gunicorn import glogging
from gunicorn.workers.ggevent import GeventWorker

from chat.agents import demo
from chat.agents.offered import is_demo
from chat.logs import logging as logs
from chat.settings import model as settings
from chat.settings.wrong import in_both
from chat.slow_clients import Line

try:
    _ours = settings.load()
    logs.install(
        _ours.log_format, _ours.log_level, settings.secrets(_ours)
    )  # the app will know some more
    if is_demo(_ours) and not _ours.demo_url:
        # Here rather than in a worker: it outlives workers, and ends with this process.
        os.environ["DEMO_URL"], _emulator = demo.start()
except settings.SettingsError as error:
    sys.exit(in_both(str(error)))

_, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
for _wish in (
    65536,
    10240,
):  # each live answer takes two or three; macOS allows no more than the second
    with suppress(ValueError, OSError):
        _limit = _wish if _hard == resource.RLIM_INFINITY else min(_wish, _hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_limit, _hard))
        break


class Worker(GeventWorker):  # type: ignore[misc]
    """Stops politely: no new question is taken, idle connections end at once, answers have GRACE_S, also
    those that nobody reads.

    A request's head has `keepalive` seconds, its body and the answer the time that chat/slow_clients.py gives them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle: dict[Any, gevent.Timeout] = {}
        self._stop_at = 0.0

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around a connection's wait for its next request."""
        waiting = gevent.getcurrent()
        try:
            with gevent.Timeout(self.cfg.keepalive if self.alive else 1, False) as patience:
                self._idle[waiting] = patience
                yield
        finally:
            self._idle.pop(waiting, None)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        super().handle(listener, Line(client), addr)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        sock.expect_body()
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.expect_request()
        if sock.is_late:
            raise StopIteration  # what came of its body is no request to go on from

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._stop_at = time.monotonic() + _ours.grace_s
        if self.booted:
            services(
                self
            ).turns.close_the_door()  # gunicorn lets in who comes within the next second
        super().handle_exit(sig, frame)
        for waiting, patience in list(self._idle.items()):
            gevent.get_hub().loop.run_callback(self._lose_patience, waiting, patience)

    def _lose_patience(self, waiting: Any, patience: gevent.Timeout) -> None:
        """Ends a wait, if it still is one: thrown later, it would end the request that has just come."""
        if self._idle.get(waiting) is patience:
            waiting.throw(patience)

    def run(self) -> None:
        self.cfg.set(
            "graceful_timeout", _ours.grace_s
        )  # sooner than the master, which would kill us
        super().run()
        while services(self).runs.live() and time.monotonic() < self._stop_at:
            self.notify()
            gevent.sleep(0.1)


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own lines, wherever its options send them, in the format of ours."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(logs.formatter(_ours.log_format))


def services(worker: Any) -> Any:
    return worker.app.wsgi().extensions["chat"]


def pre_fork(server: Any, worker: Any) -> None:
    """Keeps what is loaded from the garbage collector, which would make the worker copy all of it."""
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Begins to save and to look for answers left behind, before the first request."""
    services(worker).start()


def worker_exit(server: Any, worker: Any) -> None:
    """Saves what is being said."""
    services(worker).end()


bind = f"{_ours.host}:{_ours.port}"
worker_class = Worker
logger_class = Logger
loglevel = _ours.log_level
workers = 1  # live answers are in the memory of one process
worker_connections = 8000
preload_app = (
    True  # wrong settings end the start with one line, and the processes share their memory
)
timeout = 120
graceful_timeout = (
    _ours.grace_s + 10
)  # then the master kills; a worker needs a moment to end and save
keepalive = 15
proc_name = "zhiye"
control_socket_disable = True
forwarded_allow_ips = ""  # what a proxy says is believed by TRUSTED_PROXIES alone, in app.py
