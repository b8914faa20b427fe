"""How gunicorn serves the site: one gevent worker, so that waiting for platforms costs next to nothing.

The first two lines must stay the first: whatever imports ssl or urllib3 before gevent patches would break
streaming over TLS, and only here.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from chat import demo, settings  # noqa: E402
from chat.agents import is_demo  # noqa: E402

try:
    _ours = settings.load()
    if is_demo(_ours) and not _ours.demo_url:
        # Here rather than in a worker: it outlives workers, and ends with this process.
        os.environ["DEMO_URL"], _emulator = demo.start()
except settings.SettingsError as error:
    sys.exit(str(error))

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))  # each live answer takes two or three

bind = f"{_ours.host}:{_ours.port}"
worker_class = "gevent"
workers = 1  # live answers are in the memory of one process
worker_connections = 8000
preload_app = True  # wrong settings end the start with one line, and the processes share their memory
timeout = 120
graceful_timeout = _ours.grace_s
keepalive = 15
proc_name = "zhiye"
control_socket_disable = True
forwarded_allow_ips = "127.0.0.1,::1"


def post_worker_init(worker: Any) -> None:
    """Begins to save and to look for answers left behind, before the first request."""
    worker.app.wsgi().extensions["chat"].start()


def worker_exit(server: Any, worker: Any) -> None:
    """Saves what is being said."""
    worker.app.wsgi().extensions["chat"].end()
