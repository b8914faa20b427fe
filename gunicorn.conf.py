"""How gunicorn serves the site: one gevent worker, so that waiting for platforms costs little.

The first two lines must stay the first: a module that imports ssl or urllib3 before gevent patches
would break streaming over TLS, and only here.
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
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.workers.ggevent import GeventWorker

from chat.agents import demo
from chat.agents.offered import is_demo
from chat.connections import PER_ADDRESS, Connections
from chat.logs import logging as logs
from chat.settings import model as settings_model
from chat.settings.errors import SettingsError
from chat.settings.rate_text import counts_addresses
from chat.slow_clients import TimedSocket
from chat.visitors.bodies import SMALL

# The server takes a few more, and those idle longest give way.
MOST_CONNECTIONS = 7800
# Each live answer takes two or three files. macOS allows no more than the second number.
OPEN_FILES = (65536, 10240)

try:
    settings = settings_model.load()
    # The app will add the secrets of its agents.
    logs.install(settings.log_format, settings.log_level, settings_model.secrets(settings))
    if is_demo(settings) and not settings.demo_url:
        # Here rather than in a worker: it outlives workers, and ends with this process.
        os.environ["DEMO_URL"], _emulator = demo.start()
except SettingsError as error:
    sys.exit(error.say_in_both())


def allow_open_files() -> None:
    """Lets this process and its workers open as many files as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in OPEN_FILES:
        with suppress(ValueError, OSError):
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


allow_open_files()


def has_much_unread(req: Any, sock: TimedSocket) -> bool:
    """Whether a request was answered while much of its body was still to come.

    A little is read and thrown away by the server, and the connection stays.
    """
    reader = req.body.reader
    if isinstance(reader, LengthReader):
        return reader.length > SMALL or (reader.length > 0 and sock.awaits_go_ahead)
    return isinstance(reader, ChunkedReader) and reader.parser is not None


def _most_per_address() -> int | None:
    """How many connections an address may have; None where it may be that of a proxy."""
    counts = counts_addresses(settings.visitor_rate, settings.address_share)
    return PER_ADDRESS if counts and not settings.trusted_proxies else None


class Worker(GeventWorker):  # type: ignore[misc]
    """Stops politely: it takes no new question, and ends idle connections at once.

    Answers have GRACE_S, also those that nobody reads. The head of a request has `keepalive`
    seconds; chat/slow_clients.py gives its body and the answer their time.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle: dict[Any, gevent.Timeout] = {}
        self._connections = Connections(MOST_CONNECTIONS, _most_per_address())
        self._stop_at = 0.0

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around a connection's wait for its next request."""
        greenlet = gevent.getcurrent()
        try:
            with gevent.Timeout(self.cfg.keepalive if self.alive else 1, False) as patience:
                self._idle[greenlet] = patience
                self._connections.begin_idling(greenlet)
                yield
        finally:
            self._connections.end_idling(greenlet)
            self._idle.pop(greenlet, None)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        greenlet = gevent.getcurrent()
        surplus = self._connections.open(greenlet, addr[0] if addr else "")
        try:
            if surplus is greenlet:
                client.close()
                return
            if surplus is not None:
                self._connections.end_idling(surplus)
                self._end_wait(surplus, self._idle[surplus])
            super().handle(listener, TimedSocket(client), addr)
        finally:
            self._connections.close(greenlet)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        sock.expect_body(awaits_go_ahead=req._expected_100_continue)
        # The server would send it at once, also to who is turned away.
        req._expected_100_continue = False
        should_close = req.should_close
        req.should_close = lambda: should_close() or has_much_unread(req, sock)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.expect_request()
            if has_much_unread(req, sock) and not sock.is_late:
                sock.linger()
        if sock.is_late:
            # The rest of a late body must not be read as the next request.
            raise StopIteration

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._stop_at = time.monotonic() + settings.grace_s
        if self.booted:
            # gunicorn still accepts connections for about a second.
            services(self).turns.close_the_door()
        super().handle_exit(sig, frame)
        for greenlet, patience in list(self._idle.items()):
            self._end_wait(greenlet, patience)

    def _end_wait(self, greenlet: Any, patience: gevent.Timeout) -> None:
        gevent.get_hub().loop.run_callback(self._lose_patience, greenlet, patience)

    def _lose_patience(self, greenlet: Any, patience: gevent.Timeout) -> None:
        """Ends a wait that is still going on.

        Thrown later, the time-out would end the request that has just come.
        """
        if self._idle.get(greenlet) is patience:
            greenlet.throw(patience)

    def run(self) -> None:
        # Sooner than the master's time, after which it kills the worker.
        self.cfg.set("graceful_timeout", settings.grace_s)
        super().run()
        while services(self).live_answers.count() and time.monotonic() < self._stop_at:
            self.notify()
            gevent.sleep(0.1)


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own lines, wherever its options send them, in the format of ours."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(logs.formatter(settings.log_format))


def services(worker: Any) -> Any:
    return worker.app.wsgi().extensions["chat"]


def pre_fork(server: Any, worker: Any) -> None:
    """Keeps loaded objects from the garbage collector, which would make the worker copy them."""
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Begins to save and to look for answers left behind, before the first request."""
    services(worker).start()


def worker_exit(server: Any, worker: Any) -> None:
    """Saves the answers that are being made."""
    services(worker).end()


bind = f"{settings.host}:{settings.port}"
worker_class = Worker
logger_class = Logger
loglevel = settings.log_level
# Live answers are in the memory of one process.
workers = 1
worker_connections = 8000
# Wrong settings end the start with one line, and the processes share their memory.
preload_app = True
timeout = 120
# After this the master kills the worker, which needs a moment to end and save.
graceful_timeout = settings.grace_s + 10
keepalive = 15
proc_name = "zhiye"
control_socket_disable = True
# TRUSTED_PROXIES alone decides which proxies are believed, in app.py.
forwarded_allow_ips = ""
