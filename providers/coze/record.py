"""The record of a Coze chat: polled until the chat ends, its list asked again until it is whole
(platforms/coze.md §2, §15)."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from providers.base import Turn
from providers.coze.answer import TERMINAL, CozeReader, status_of
from providers.coze.api import UNKNOWN_CHAT, Api
from providers.errors import (
    AuthRejected,
    ProviderError,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.events import Event
from providers.payloads import Fields

# Pauses before a call is made again that met a trouble which may pass.
TROUBLE_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
# Pauses before the list is asked again.
LIST_PAUSES_S = (1.0, 2.0, 4.0)
# Codes of a chat that is not known yet, and for how long it may not be.
NOT_YET_KNOWN = {UNKNOWN_CHAT, 4200}
BECOMING_KNOWN_S = 10.0

T = TypeVar("T")


class Record:
    """What Coze keeps of a turn's chat.

    `trace` is the logid of the question, `known_since` when its chat was first named, by
    time.monotonic().
    """

    def __init__(self, api: Api, turn: Turn, poll_interval_s: float) -> None:
        self._api = api
        self._turn = turn
        self._poll_interval_s = poll_interval_s
        self.trace: str | None = None
        self.known_since: float | None = None

    def wait_for_end(self, conversation: str, chat: str, pause: float, deadline: float) -> Fields:
        """Polls until the chat has ended: its chat object."""
        while True:
            self._sleep(pause, deadline)
            chat_object = self._insist(
                lambda: self._api.retrieve(conversation, chat, self._turn.stop, deadline), deadline
            )
            if status_of(chat_object) in TERMINAL:
                return chat_object
            # Counted from the answer, so that Coze sees no two polls closer than this.
            pause = self._poll_interval_s

    def read_list(
        self, conversation: str, chat: str, reader: CozeReader, is_waiting_for_action: bool
    ) -> Iterator[Event]:
        """The messages of a chat that has ended: again while the list lacks what was begun.

        The vendor warns that an early list may be incomplete (§15). Raises Unavailable when it
        stays so, for then nothing proves that the answer is whole.
        """
        stop, deadline = self._turn.stop, self._turn.deadline
        for pause in (0.0, *LIST_PAUSES_S):
            if pause and deadline - time.monotonic() <= pause:
                break
            stop.sleep(pause)
            messages = self._insist(
                lambda: self._api.messages(conversation, chat, stop, deadline), deadline
            )
            yield from reader.apply_record(messages)
            if reader.is_whole and (reader.has_answer or is_waiting_for_action):
                return
        if not reader.is_whole:
            raise Unavailable(
                "the record lacks the end of the answer",
                provider=self._api.provider,
                trace=self.trace,
            )

    def _insist(self, read: Callable[[], T], deadline: float) -> T:
        """Reads again after troubles that pass: a poll that fails must not cost the answer."""
        turn = self._turn
        for pause in TROUBLE_PAUSES_S:
            turn.pace.wait(turn.stop, deadline)
            try:
                return read()
            except ProviderError as error:
                if isinstance(error, AuthRejected) and self._api.renew():
                    pause = 0.0
                elif not self._may_pass(error):
                    raise
                if isinstance(error, RateLimited):
                    turn.pace.hold_back(error.retry_after)
                pause = max(pause, error.retry_after or 0.0)
            self._sleep(pause, deadline)
        turn.pace.wait(turn.stop, deadline)
        return read()

    def _sleep(self, seconds: float, deadline: float) -> None:
        remaining_s = deadline - time.monotonic()
        self._turn.stop.sleep(max(0.0, min(seconds, remaining_s)))
        if seconds >= remaining_s:
            raise TimedOut(
                "still working at the deadline", provider=self._api.provider, trace=self.trace
            )

    def _may_pass(self, error: ProviderError) -> bool:
        """Whether a call that failed so may be made again: the next one may succeed."""
        if error.code in NOT_YET_KNOWN:
            # A chat just made may not be known everywhere at once.
            return (
                self.known_since is not None
                and time.monotonic() - self.known_since < BECOMING_KNOWN_S
            )
        if isinstance(error, Unexpected):
            # Without a code it is a body that broke off.
            return error.code is None
        return isinstance(error, Unavailable | RateLimited)
