"""A process that serves the site: one gevent loop, so that waiting for platforms costs little."""

import gc
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import gevent
from gevent.server import StreamServer
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.workers.ggevent import GeventWorker

from chat.server.connections import PER_ADDRESS, Connections
from chat.server.slow_clients import TimedSocket
from chat.services import Services
from chat.settings.model import Settings
from chat.settings.rate_text import counts_addresses
from chat.visitors.limits.bodies import SMALL

# The server takes a few more, and those idle longest give way.
MOST_CONNECTIONS = 7800
# Each live answer takes two or three files. macOS allows no more than the second number.
OPEN_FILES = (65536, 10240)
# In a process that is to stop, a connection that has asked nothing yet has so long to do it.
LAST_WORD_S = 1.0


class SiteWorker(GeventWorker):  # type: ignore[misc]
    """Stops politely: it takes no new question, and ends idle connections at once.

    Answers have GRACE_S, also those that nobody reads. The head of a request has `keepalive`
    seconds; slow_clients.py gives its body and the answer their time.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle: dict[Any, gevent.Timeout] = {}
        self._connections = Connections(MOST_CONNECTIONS, None)
        self._has_asked: set[Any] = set()
        self._servers: list[StreamServer] = []
        self._timers: list[Any] = []
        self._stop_at = 0.0

    @property
    def services(self) -> Services:
        """The parts of the site, once it is loaded."""
        services: Services = self.app.wsgi().extensions["chat"]
        return services

    def run(self) -> None:
        """Begins to save and to look for answers left behind, then serves until it is to stop."""
        settings = self.services.settings
        self._connections = Connections(MOST_CONNECTIONS, _most_per_address(settings))
        # Sooner than the master's time, after which it kills the worker.
        self.cfg.set("graceful_timeout", settings.grace_s)
        self.services.start()
        # Else each full collection would look at all that was loaded, for a tenth of a second.
        gc.collect()
        gc.freeze()
        super().run()
        while self.services.live_answers.count() and time.monotonic() < self._stop_at:
            self.notify()
            gevent.sleep(0.1)

    def server_class(self, listener: Any, spawn: Any, **options: Any) -> StreamServer:
        """What accepts connections, kept here so that it can cease at once."""
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=spawn)
        if self.cfg.workers > 1:
            # The others are to have their share.
            server.max_accept = 1
        self._servers.append(server)
        return server

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
            self._has_asked.discard(greenlet)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        self._has_asked.add(gevent.getcurrent())
        sock.expect_body(awaits_go_ahead=req._expected_100_continue)
        # The server would send it at once, also to who is turned away.
        req._expected_100_continue = False
        should_close = req.should_close
        req.should_close = lambda: should_close() or _has_much_unread(req, sock)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.expect_request()
            if _has_much_unread(req, sock) and not sock.is_late:
                sock.linger()
        if sock.is_late:
            # The rest of a late body must not be read as the next request.
            raise StopIteration

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if self.booted:
            # A signal comes in the hub, and that waits for no database: no look at new settings.
            self._stop_at = time.monotonic() + self.cfg.graceful_timeout
            self._after(0.0, self._cease)
            self._after(LAST_WORD_S, self.services.turns.close_the_door)

    def _cease(self) -> None:
        """Takes the connections that have come until now, and then no more.

        Whoever comes later waits for another worker, or is refused, so that a proxy asks the next
        host; gunicorn would accept for a second more, and drop who has just come.
        """
        for server in self._servers:
            self._close(server)
        for greenlet, patience in list(self._idle.items()):
            has_asked = greenlet in self._has_asked
            self._after(0.0 if has_asked else LAST_WORD_S, self._lose_patience, greenlet, patience)

    def _close(self, server: StreamServer, looks: int = 10) -> None:
        """Closes a server once a look finds nobody new.

        Whoever has come begins before the next look: it asks the server's socket for its name.
        """
        # On a second signal, or when the server woke just then.
        if server.closed:
            return
        has_come = False
        while accepted := server.do_read():
            server.do_handle(*accepted)
            has_come = True
        if has_come and looks:
            gevent.get_hub().loop.run_callback(self._close, server, looks - 1)
        elif has_come:
            gevent.get_hub().loop.run_callback(server.close)
        else:
            server.close()

    def _after(self, seconds: float, act: Callable[..., object], *args: object) -> None:
        """Does something brief later, in the hub."""
        timer = gevent.get_hub().loop.timer(seconds)
        # A timer that nobody holds never fires.
        self._timers.append(timer)
        timer.start(act, *args)

    def _end_wait(self, greenlet: Any, patience: gevent.Timeout) -> None:
        gevent.get_hub().loop.run_callback(self._lose_patience, greenlet, patience)

    def _lose_patience(self, greenlet: Any, patience: gevent.Timeout) -> None:
        """Ends a wait that is still going on.

        Thrown later, the time-out would end the request that has just come.
        """
        if self._idle.get(greenlet) is patience:
            greenlet.throw(patience)


def allow_open_files() -> None:
    """Lets this process open as many files as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in OPEN_FILES:
        with suppress(ValueError, OSError):
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


def _has_much_unread(req: Any, sock: TimedSocket) -> bool:
    """Whether a request was answered while much of its body was still to come.

    A little is read and thrown away by the server, and the connection stays.
    """
    reader = req.body.reader
    if isinstance(reader, LengthReader):
        return reader.length > SMALL or (reader.length > 0 and sock.awaits_go_ahead)
    return isinstance(reader, ChunkedReader) and reader.parser is not None


def _most_per_address(settings: Settings) -> int | None:
    """How many connections an address may have; None where it may be that of a proxy."""
    counts = counts_addresses(settings.visitor_rate, settings.address_share)
    return PER_ADDRESS if counts and not settings.trusted_proxies else None
