"""How one answer is made: its provider is read to its end, and each event stored and passed on."""

import functools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

from chat.agents.line import Place
from chat.agents.offered import Agent
from chat.answers.bounds import Bounds
from chat.answers.live import CUT, Failed, Finished, LiveAnswer
from chat.answers.masking import EventMask
from chat.answers.partial import PartialAnswer, events_of, make_legible
from chat.answers.records import Records
from chat.answers.timeline import Timeline
from chat.logs import request_id
from chat.storage import StoredQuestion
from providers.base import Turn
from providers.errors import EmptyAnswer, ProviderError, Unexpected
from providers.events import Accepted, Delta, Done, Event, Rewrite, Status, Thought
from providers.stop import Stopped

log = logging.getLogger("chat.turns")

# The last entry of the live answer, and the state of the stored one.
Ending = tuple[Finished | Failed, str]


@dataclass
class Answering:
    """The one reader of a provider: it appends to the live answer, and brings it to its end.

    `place` is the one in line, given up when it `is_abandoned`; a resumed answer has none. `ended`
    is called once the end is stored, before readers see it, and before it `unasked` when no
    platform was asked. `timeline` is noted where the owner may read the answer. `thinking_since` is
    when the thought
    under way began, `unsaid_since` when the words began that were taken back just now, both by
    time.monotonic().
    """

    agent: Agent
    stored: StoredQuestion
    turn: Turn
    live: LiveAnswer
    bounds: Bounds
    records: Records
    ended: Callable[[], None]
    place: Place | None = None
    is_abandoned: Callable[[LiveAnswer], bool] = lambda live: False
    unasked: Callable[[], None] = lambda: None
    mask: EventMask | None = None
    request: str | None = field(default_factory=request_id.current)
    began: float = field(default_factory=time.monotonic)
    thinking_since: float | None = None
    unsaid_since: float | None = None
    is_reached: bool = False
    is_asked: bool = False
    timeline: Timeline | None = field(init=False)

    def __post_init__(self) -> None:
        self.timeline = Timeline() if self.stored.is_readable else None

    @property
    def partial(self) -> PartialAnswer:
        """The answer so far."""
        return self.bounds.partial

    @property
    def _first_s(self) -> float | None:
        """How many seconds passed until the first words; None for a resumed answer."""
        spoke_at = self.partial.spoke_at
        return round(spoke_at - self.began, 3) if spoke_at and not self.partial.is_resumed else None

    def work(self) -> None:
        """Reads the provider to its end, whatever that is. Raises nothing."""
        request_id.work_for(self.request)
        try:
            entry, state = self._read()
        except Stopped:
            entry, state = Finished("stopped", self.partial.replies), "stopped"
        except ProviderError as error:
            self.partial.trace = error.trace or self.partial.trace
            self.records.note_failure(self.stored, self.agent, error)
            entry = Failed(error.reason, error.retry_after, self.request)
            state = "interrupted" if self.partial.is_resumed else "failed"
        except Exception:
            log.exception("answer %s: a fault of ours", self.stored.answer_id)
            entry, state = Failed(Unexpected.reason, id=self.request), "failed"
        self._end(entry, state)

    def _read(self) -> Ending:
        with closing(self._events()) as events:  # type: ignore[type-var]
            done = self._read_text(events)
            if done is not None:
                return self._finish(done)
            if self.bounds.are_reached:
                return self._cut(events)
        raise Unexpected("its provider ended without Done", provider=self.agent.platform)

    def _read_text(self, events: Iterator[Event]) -> Done | None:
        """Passes on events up to Done, or until the answer is too long."""
        try:
            for event in map(make_legible, events):
                if isinstance(event, Done):
                    return event
                self._pass_on(event)
                if self.bounds.are_reached:
                    break
        finally:
            # Whatever ends it, what might have become a banned word has become none.
            self._show(self.mask.end() if self.mask else [])
        return None

    def _events(self) -> Iterator[Event]:
        partial, provider = self.partial, self.agent.provider
        if self.place is not None:
            return self.agent.account.ask(
                self.turn,
                self.place,
                self._ask,
                functools.partial(self.is_abandoned, self.live),
            )
        for event in events_of(partial.content):
            self.live.append(event)
        return provider.resume(self.turn, partial.chat or "", partial.replies)

    def _ask(self, turn: Turn) -> Iterator[Event]:
        self.is_asked = True
        return self.agent.provider.stream(turn)

    def _pass_on(self, event: Event) -> None:
        """Adds an event to the answer, stored and live, without the banned words."""
        if not self.is_reached and not isinstance(event, Status):
            self.is_reached = True
            self.records.note_reached(self.agent)
        if self.timeline is not None:
            self.timeline.note(event, time.monotonic() - self.began)
        self._show(self.mask.apply(event) if self.mask else [event])

    def _show(self, events: list[Event]) -> None:
        """Adds what the bounds leave of events to the answer, stored and live."""
        for event in events:
            for part in self.bounds.cut_to_bounds(event):
                self._time_thoughts(part)
                self.partial.apply(part)
                if isinstance(part, Accepted):
                    self.records.note_accepted(self.stored, self.partial)
                else:
                    self.live.append(part)

    def _time_thoughts(self, event: Event) -> None:
        """Says how long the agent has thought, when it begins to speak.

        Words that are taken back and come again as a thought were one from their beginning.
        """
        if isinstance(event, Thought):
            began = self.thinking_since or self.unsaid_since or time.monotonic()
            self.thinking_since, self.unsaid_since = began, None
        elif self.thinking_since and isinstance(event, Delta | Rewrite):
            thought = Thought("", round(time.monotonic() - self.thinking_since, 1))
            self.thinking_since = None
            self.partial.apply(thought)
            self.live.append(thought)
        elif isinstance(event, Rewrite) and not event.text:
            self.unsaid_since = self.partial.spoke_at

    def _cut(self, events: Iterator[Event]) -> Ending:
        """Ends an answer that is too long, at the platform too, and keeps what came of it."""
        log.warning("answer %s: cut after %d characters", self.stored.answer_id, self.partial.size)
        self.turn.stop.request()
        with suppress(Stopped, ProviderError):
            # Until the provider has cancelled the run, and raises Stopped.
            for _ in events:
                pass
        return Finished(CUT, self.partial.replies), "done"

    def _finish(self, done: Done) -> Ending:
        if done.finish_reason == "stopped":
            return Finished("stopped", self.partial.replies), "stopped"
        if self.partial.is_empty:
            raise EmptyAnswer("finished without an answer", provider=self.agent.platform)
        return Finished(done.finish_reason, self.partial.replies), "done"

    def _end(self, entry: Finished | Failed, state: str) -> None:
        """Stores the end before readers see it: they may ask the next question at once."""
        code = entry.code if isinstance(entry, Failed) else None
        reason = entry.finish_reason if isinstance(entry, Finished) else None
        end = {"code": code, "finish_reason": reason, "first_s": self._first_s}
        columns = {**self.partial.columns(), **end}
        if self.timeline is not None:
            columns["timeline"] = self.timeline.entries
        self.records.saver.end_answer(self.stored.answer_id, state, columns, self.turn.question)
        if self.place is not None and not self.is_asked:
            self.records.give_back(self.stored, self.unasked)
        if self.mask is not None and self.mask.has_masked:
            self.records.count_banned("answer")
        self.ended()
        outcome = code or ("stopped" if state == "stopped" else "done")
        # Of a resumed answer only the process that died knew when it began.
        whole_s = None if self.partial.is_resumed else time.monotonic() - self.began
        self.records.count_answer(self.agent, outcome, self._first_s, whole_s)
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
