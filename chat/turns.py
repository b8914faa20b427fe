"""One question becomes one answer: stored, started, read to its end by a run of its own, stored again."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial

from chat import cures
from chat.access import Visitors
from chat.agents import Agent
from chat.bounds import CUT, Bounds
from chat.draft import Draft, legible
from chat.refusals import LiveRefusal
from chat.runs import Failed, Finished, Log, Runs
from chat.saver import Saver
from chat.settings import Settings
from chat.storage import Answer, Place, Question, Storage
from chat.visitor_limits import VisitorLimits
from providers.base import (
    Accepted,
    Attachment,
    Delta,
    Done,
    Event,
    Exchange,
    Rewrite,
    Stop,
    Stopped,
    Thought,
    Turn,
)
from providers.errors import EmptyAnswer, ProviderError, Unexpected

log = logging.getLogger("chat.turns")


@dataclass(frozen=True)
class Inquiry:
    """A question on its way to an agent, from an `address`. `streaming` says whether somebody reads along.

    In the conversation it comes `after` an answer, or `instead` of an answer's question; else it is the next.
    """

    visitor: str
    agent: Agent
    question: str
    conversation_id: str | None = None
    streaming: bool = True
    attachments: tuple[Attachment, ...] = ()
    after: str | None = None
    instead: str | None = None
    address: str = ""

    @property
    def place(self) -> Place | None:
        """Where it belongs in its conversation; None when it begins one."""
        if self.conversation_id is None:
            return None
        return Place(self.conversation_id, self.after, self.instead, self.agent.row.branches)


class Turns:
    """Begins answers. `worker` is the id of this process."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        runs: Runs,
        saver: Saver,
        visitors: Visitors,
        limits: VisitorLimits,
        worker: str,
    ) -> None:
        self._timeout_s = settings.chat_timeout_s
        self._most_live = settings.visitor_live_answers
        self._most_chars = settings.max_answer_chars
        self._limits = limits
        self._live: Counter[str] = Counter()
        self._language = settings.default_language
        self._storage = storage
        self._runs = runs
        self._saver = saver
        self._visitors = visitors
        self._worker = worker
        self._one_at_a_time = threading.Lock()

    def start(self, inquiry: Inquiry) -> tuple[Question, Log]:
        """Stores a question and begins to answer it. Returns at once, with the log to follow; when nobody
        reads along, at the end: whoever asks waits anyway, and a thread less is a third of the memory.

        Raises Refusal: not_found (the conversation, the answer), bad_input (it is another agent's), busy,
        rate_limited; what is refused uses nothing up.
        """
        files = [{"name": one.name, "content_type": one.content_type} for one in inquiry.attachments]
        visitor = inquiry.visitor
        with self._one_at_a_time:
            self._limits.check(visitor, inquiry.address)
            if self._most_live and self._live[visitor] >= self._most_live:
                raise LiveRefusal("rate_limited", f"{self._live[visitor]} live answers", retry_after=5)
            stored = self._storage.ask(
                inquiry.visitor,
                inquiry.agent.id,
                inquiry.place,
                inquiry.question,
                self._worker,
                files,
            )
            self._limits.ask(visitor, inquiry.address)
            self._live[visitor] += 1
            time.sleep(0)  # after each, whatever else is ready: a crowd at the door stops nobody inside
        return stored, self._begin(inquiry, stored)

    def resume(self, agent: Agent, answer: Answer) -> bool:
        """Finishes an answer whose process died, from the platform's record. False: another was faster."""
        stored = self._storage.adopt(answer, self._worker)
        if stored is not None:
            inquiry = Inquiry(answer.conversation.visitor, agent, answer.question)
            with self._one_at_a_time:
                self._live[inquiry.visitor] += 1
            self._begin(inquiry, stored, Draft.of(answer))
        return stored is not None

    def _begin(self, inquiry: Inquiry, stored: Question, held: Draft | None = None) -> Log:
        journal, stop = self._runs.open(stored.answer_id, is_resumed=held is not None)
        turn = self._turn(inquiry, stored, stop)
        draft = held or Draft()
        run = _Run(
            self._storage,
            self._saver,
            inquiry.agent,
            stored,
            turn,
            journal,
            draft,
            Bounds(draft, self._most_chars),
            held is not None,
            self._language,
            partial(self._ended, inquiry.visitor),
        )
        self._saver.add(stored.answer_id, draft)
        if inquiry.streaming:
            threading.Thread(target=run.work, name=f"answer {stored.answer_id}", daemon=True).start()
        else:
            run.work()
        return journal

    def _ended(self, visitor: str) -> None:
        with self._one_at_a_time:
            self._live[visitor] -= 1
            if self._live[visitor] <= 0:
                del self._live[visitor]

    def _turn(self, inquiry: Inquiry, stored: Question, stop: Stop) -> Turn:
        return Turn(
            question=inquiry.question,
            user=self._visitors.pseudonym(inquiry.visitor),
            stop=stop,
            deadline=time.monotonic() + self._timeout_s,
            conversation=stored.thread,
            previous_chat=stored.previous_chat,
            history=tuple(Exchange(*pair) for pair in stored.earlier),
            attachments=inquiry.attachments,
            streaming=inquiry.streaming,
            pace=inquiry.agent.account,
        )


@dataclass
class _Run:
    """The one reader of a provider: it appends to the log, and brings the answer to its end."""

    storage: Storage
    saver: Saver
    agent: Agent
    stored: Question
    turn: Turn
    journal: Log
    draft: Draft
    bounds: Bounds
    is_resumed: bool
    language: str
    ended: Callable[[], None]
    began: float = field(default_factory=time.monotonic)
    thinking_since: float | None = None

    def work(self) -> None:
        """Reads the provider to its end, whatever that is. Raises nothing."""
        try:
            entry, state = self._read()
        except Stopped:
            entry, state = Finished("stopped", self.draft.replies), "stopped"
        except ProviderError as error:
            log.warning("answer %s: %s", self.stored.answer_id, cures.told(error, self.language))
            self.draft.trace = error.trace or self.draft.trace
            entry, state = Failed(error.reason, error.retry_after), self._failed_state
        except Exception:
            log.exception("answer %s: a fault of ours", self.stored.answer_id)
            entry, state = Failed(Unexpected.reason), "failed"
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
        for one in self.bounds.within(event):
            self._time_thoughts(one)
            self.draft.take(one)
            if isinstance(one, Accepted):
                self._note_accepted()
            else:
                self.journal.append(one)

    def _cut(self, events: Iterator[Event]) -> tuple[Finished | Failed, str]:
        """Ends an answer that is too long, at the platform too, and keeps what came of it."""
        log.warning("answer %s: cut after %d characters", self.stored.answer_id, self.draft.size)
        self.turn.stop.request()
        with suppress(Stopped, ProviderError):
            for _ in events:
                pass
        return Finished(CUT, self.draft.replies), "done"

    def _time_thoughts(self, event: Event) -> None:
        """Says how long the agent has thought, when it begins to speak."""
        if isinstance(event, Thought):
            self.thinking_since = self.thinking_since or time.monotonic()
        elif self.thinking_since and isinstance(event, Delta | Rewrite):
            thought = Thought("", round(time.monotonic() - self.thinking_since, 1))
            self.thinking_since = None
            self.draft.take(thought)
            self.journal.append(thought)

    def _events(self) -> Iterator[Event]:
        if not self.is_resumed:
            return self.agent.account.ask(self.turn, self.agent.provider.stream)
        for event in self.draft.events():
            self.journal.append(event)
        return self.agent.provider.resume(self.turn, self.draft.chat or "", self.draft.replies)

    def _note_accepted(self) -> None:
        draft = self.draft
        draft.thread = draft.thread or self.stored.thread
        try:
            self.storage.note_accepted(self.stored, draft.thread, draft.chat, draft.trace)
        except Exception:  # a database out of order must not cost the answer as well
            log.exception("answer %s: the platform's ids could not be stored", self.stored.answer_id)

    def _finished(self, done: Done) -> tuple[Finished | Failed, str]:
        if done.finish_reason == "stopped":
            return Finished("stopped", self.draft.replies), "stopped"
        if not self.draft.says_something:
            raise EmptyAnswer("finished without an answer", provider=self.agent.platform)
        return Finished(done.finish_reason, self.draft.replies), "done"

    def _end(self, entry: Finished | Failed, state: str) -> None:
        """Stored first, told second: whoever sees the end may ask the next question at once."""
        code = entry.code if isinstance(entry, Failed) else None
        reason = entry.finish_reason if isinstance(entry, Finished) else None
        columns = {**self.draft.columns(), "code": code, "finish_reason": reason}
        self.saver.end(self.stored.answer_id, state, columns)
        self.ended()
        self.journal.append(entry)
        log.info(
            "answer %s: %s by %s, %d characters in %.1f s, chat %s, trace %s",
            self.stored.answer_id,
            code or state,
            self.agent.id,
            self.draft.size,
            time.monotonic() - self.began,
            self.draft.chat,
            self.draft.trace,
        )
