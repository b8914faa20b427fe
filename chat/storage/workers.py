"""Whether a process of this site still lives, by its last sign of life in the database."""

import os
from datetime import datetime, timedelta

from chat.storage.models import Worker

DEAD_AFTER = timedelta(seconds=8)


def has_ended(one: Worker, host: str) -> bool:
    """Whether it is known to be gone: a process of this machine that does not run any more."""
    return one.host == host and not _is_running(one.pid)


def is_heard(one: Worker, at: datetime) -> bool:
    """Whether it has just said that it lives. A sign from the future is from before the clock went back."""
    return abs(at - one.seen_at) < DEAD_AFTER


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
