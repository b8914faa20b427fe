"""How one answer is made: its provider is read to its end, whatever that is, each event kept and told."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

from chat.agents import cures
from chat.agents.health import Health
from chat.agents.offered import Agent
from chat.answers.bounds import Bounds
from chat.answers.live import CUT, Failed, Finished, LiveAnswer
from chat.answers.metrics import Metrics
from chat.answers.partial import PartialAnswer, events_of, legible
from chat.answers.saving import Saver
from chat.logs import request_id
from chat.storage import Storage, StoredQuestion
from providers.base import Turn
from providers.errors import EmptyAnswer, ProviderError, Unexpected
from providers.events import Accepted, Delta, Done, Event, Rewrite, Status, Thought
from providers.stop import Stopped

log = logging.getLogger("chat.turns")


@dataclass
class Answering:
    """The one reader of a provider: it appends to the log, and brings the answer to its end."""

    storage: Storage
    saver: Saver
    agent: Agent
    stored: StoredQuestion
    turn: Turn
    live: LiveAnswer
    partial: PartialAnswer
    bounds: Bounds
    is_resumed: bool
    health: Health
    metrics: Metrics
    language: str
    ended: Callable[[], None]
    request: str | None = field(default_factory=request_id.current)
    began: float = field(default_factory=time.monotonic)
    thinking_since: float | None = None
    is_reached: bool = False

    def work(self) -> None:
        """Reads the provider to its end, whatever that is. Raises nothing."""
        request_id.work_for(self.request)
        try:
            entry, state = self._read()
        except Stopped:
            entry, state = Finished("stopped", self.partial.replies), "stopped"
        except ProviderError as error:
            log.warning(
                "answer %s: %s", self.stored.answer_id, cures.with_cure(error, self.language)
            )
            self.partial.trace = error.trace or self.partial.trace
            self.health.note(self.agent.id, error)
            entry, state = Failed(error.reason, error.retry_after, self.request), self._failed_state
        except Exception:
            log.exception("answer %s: a fault of ours", self.stored.answer_id)
            entry, state = Failed(Unexpected.reason, id=self.request), "failed"
        self._end(entry, state)

    @property
    def _failed_state(self) -> str:
        return "interrupted" if self.is_resumed else "failed"

    def _read(self) -> tuple[Finished | Failed, str]:
        with closing(self._events()) as events:  # type: ignore[type-var]
            for event in map(legible, events):
                if isinstance(event, Done):
                    return self._finished(event)
                self._note(event)
                if self.bounds.are_reached:
                    return self._cut(events)
        raise Unexpected("its provider ended without Done", provider=self.agent.platform)

    def _note(self, event: Event) -> None:
        if not self.is_reached and not isinstance(event, Status):
            self.is_reached = True
            self.health.note(self.agent.id, None)
        for one in self.bounds.within(event):
            self._time_thoughts(one)
            self.partial.apply(one)
            if isinstance(one, Accepted):
                self._note_accepted()
            else:
                self.live.append(one)

    def _cut(self, events: Iterator[Event]) -> tuple[Finished | Failed, str]:
        """Ends an answer that is too long, at the platform too, and keeps what came of it."""
        log.warning("answer %s: cut after %d characters", self.stored.answer_id, self.partial.size)
        self.turn.stop.request()
        with suppress(Stopped, ProviderError):
            for _ in events:
                pass
        return Finished(CUT, self.partial.replies), "done"

    def _time_thoughts(self, event: Event) -> None:
        """Says how long the agent has thought, when it begins to speak."""
        if isinstance(event, Thought):
            self.thinking_since = self.thinking_since or time.monotonic()
        elif self.thinking_since and isinstance(event, Delta | Rewrite):
            thought = Thought("", round(time.monotonic() - self.thinking_since, 1))
            self.thinking_since = None
            self.partial.apply(thought)
            self.live.append(thought)

    def _events(self) -> Iterator[Event]:
        if not self.is_resumed:
            return self.agent.account.ask(self.turn, self.agent.provider.stream)
        for event in events_of(self.partial.content):
            self.live.append(event)
        return self.agent.provider.resume(self.turn, self.partial.chat or "", self.partial.replies)

    def _note_accepted(self) -> None:
        partial = self.partial
        partial.thread = partial.thread or self.stored.thread
        try:
            self.storage.answers.note_accepted(
                self.stored, partial.thread, partial.chat, partial.trace
            )
        except Exception:  # a database out of order must not cost the answer as well
            log.exception(
                "answer %s: the platform's ids could not be stored", self.stored.answer_id
            )

    def _finished(self, done: Done) -> tuple[Finished | Failed, str]:
        if done.finish_reason == "stopped":
            return Finished("stopped", self.partial.replies), "stopped"
        if self.partial.is_empty:
            raise EmptyAnswer("finished without an answer", provider=self.agent.platform)
        return Finished(done.finish_reason, self.partial.replies), "done"

    def _end(self, entry: Finished | Failed, state: str) -> None:
        """Stored first, told second: whoever sees the end may ask the next question at once."""
        code = entry.code if isinstance(entry, Failed) else None
        reason = entry.finish_reason if isinstance(entry, Finished) else None
        columns = {**self.partial.columns(), "code": code, "finish_reason": reason}
        self.saver.end(self.stored.answer_id, state, columns)
        self.ended()
        self._count(code or ("stopped" if state == "stopped" else "done"))
        self.live.append(entry)
        log.info(
            "answer %s: %s by %s, %d characters in %.1f s, chat %s, trace %s",
            self.stored.answer_id,
            code or state,
            self.agent.id,
            self.partial.size,
            time.monotonic() - self.began,
            self.partial.chat,
            self.partial.trace,
        )

    def _count(self, outcome: str) -> None:
        platform = self.agent.platform
        self.metrics.count_answer(self.agent.id, platform, outcome)
        if not self.is_resumed:  # how long it took before that, another process knew
            spoke = self.partial.spoke_at
            self.metrics.observe_seconds(
                platform, spoke and spoke - self.began, time.monotonic() - self.began
            )
