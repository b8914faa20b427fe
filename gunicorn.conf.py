"""How gunicorn serves the site: a master that watches, and workers that load it.

The master loads neither the site nor gevent. What it loads would be in memory twice: a worker that
only counts references to inherited objects copies their pages.
"""

import os
import secrets
import sys
from typing import Any

from gunicorn import glogging, systemd
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker as EmptyWorker

from chat.agents import demo
from chat.logs import logging as logs
from chat.server import launch, port

settings = launch.read()
# The site, in the workers, knows which secrets to blank out; the master sees none.
logs.install(settings.log_format, settings.log_level, [])
if settings.needs_emulator:
    # Here rather than in a worker: it outlives workers, and ends with this process.
    os.environ["DEMO_URL"], _emulator = demo.start()
# The workers of this start offer the owner one link to the desk.
welcome_key = secrets.token_urlsafe(24)
# Why a worker could not load the site, for the master to say last.
_reading, _writing = os.pipe()
os.set_blocking(_reading, False)


class Worker(EmptyWorker):  # type: ignore[misc]
    """As the master sees it. After the fork a SiteWorker works in its place."""

    def init_process(self) -> None:
        # Before anything of the site: a module that imports urllib3 first would break streaming
        # over TLS, and only here.
        from gevent import monkey

        monkey.patch_all()
        from chat.server.worker import SiteWorker, allow_open_files

        allow_open_files()
        worker = SiteWorker(
            self.age, self.ppid, self.sockets, self.app, self.timeout, self.cfg, self.log
        )
        worker.tmp.close()
        worker.tmp, worker.pid = self.tmp, self.pid
        try:
            worker.init_process()
        except SystemExit as end:
            if worker.booted or not isinstance(end.code, str):
                raise
            os.write(_writing, end.code.encode())
            sys.exit(Arbiter.APP_LOAD_ERROR)
        finally:
            self.booted = worker.booted


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own lines, wherever its options send them, in the format of ours."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(logs.formatter(settings.log_format))


def on_starting(server: Any) -> None:
    """Ends the start when the port is taken: gunicorn would try it again and again."""
    if server.master_pid or systemd.listen_fds(unset_environment=False):
        # The sockets are there already, by the master before this one or by systemd.
        return
    for address in server.cfg.address:
        if isinstance(address, tuple) and (problem := port.problem(*address[:2])):
            print(problem, file=sys.stderr)
            sys.exit(1)


def post_worker_init(worker: Any) -> None:
    """Says where the site is, and how the owner comes to the desk."""
    # The first worker of the start, and none that takes its place.
    if worker.age == 1:
        from chat.server.announcement import announce

        announce(worker.app.wsgi().extensions["chat"], welcome_key)


def worker_exit(server: Any, worker: Any) -> None:
    """Saves the answers that are being made."""
    if worker.booted:
        worker.app.wsgi().extensions["chat"].end()


def on_exit(server: Any) -> None:
    """Says what is wrong with the settings, if a worker could not load the site for it."""
    try:
        # As much as a pipe holds.
        reason = os.read(_reading, 2**16)
    except BlockingIOError:
        return
    print(reason.decode(errors="replace"), file=sys.stderr)


bind = f"{settings.bracketed_host}:{settings.port}"
workers = settings.workers
worker_class = Worker
logger_class = Logger
loglevel = settings.log_level
worker_connections = 8000
timeout = 120
# After this the master kills the worker, which needs a moment to end and save.
graceful_timeout = settings.grace_s + 10
keepalive = 15
proc_name = "zhiye"
control_socket_disable = True
# TRUSTED_PROXIES alone decides which proxies are believed, in app.py.
forwarded_allow_ips = ""
