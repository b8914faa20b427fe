"""All that one emulator remembers: its switches, its request log, its counters and each
platform's own store.
"""

from dataclasses import replace
from threading import RLock
from typing import Any, TypeVar, cast

from flask import current_app, g

from emulator.limits import Limits
from emulator.request_log import Entry, RequestLog
from emulator.settings import EmulatorSettings

T = TypeVar("T")


class State:
    """Shared by the threads of one server; a platform holds `lock` while it reads or changes its
    store.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self._at_start = replace(settings)
        self.settings = settings
        self.request_log = RequestLog()
        self.lock = RLock()
        self.limits = Limits()
        self._stores: dict[type, object] = {}

    def store(self, kind: type[T]) -> T:
        """The one object of this class, made at its first use: `state.store(CozeStore)`."""
        with self.lock:
            return cast(T, self._stores.setdefault(kind, kind()))

    def forget(self) -> None:
        """Back to the first day: no conversations, no counters; the switches and the request log
        stay.
        """
        with self.lock:
            self._stores.clear()
            self.limits = Limits()

    def restore_settings(self) -> None:
        self.settings = replace(self._at_start)


def here() -> State:
    """The state of the emulator that answers the current request."""
    return cast(State, current_app.extensions["emulator"])


def entry() -> Entry:
    """The log's entry of the current request."""
    return cast(Entry, g.log_entry)


def resolve_alias(credential: Any) -> Any:
    """The demo credential that this one stands for, if it is an alias; else itself."""
    return (
        here().settings.aliases.get(credential, credential)
        if isinstance(credential, str)
        else credential
    )


def note(**ids: Any) -> None:
    """Writes ids into the current entry: `note(chat_id=…, conversation_id=…)`."""
    entry().ids.update({name: str(value) for name, value in ids.items()})


def violation(kind: str, detail: str) -> None:
    """Records that the current request breaks a rule."""
    here().request_log.add_violation(entry(), kind, detail)
