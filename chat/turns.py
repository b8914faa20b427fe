"""One question becomes one answer: stored, started, read to its end by a run of its own, stored again."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from chat import cures, request_id
from chat.access import Visitors
from chat.agents import Agent
from chat.draft import Draft, legible
from chat.health import Health
from chat.runs import Failed, Finished, Log, Runs
from chat.saver import Saver
from chat.settings import Settings
from chat.storage import Answer, Place, Question, Storage
from chat.storage.reaching import only_if_stored
from providers.base import (
    Accepted,
    Attachment,
    Delta,
    Done,
    Event,
    Exchange,
    Rewrite,
    Status,
    Stop,
    Stopped,
    Thought,
    Turn,
)
from providers.errors import EmptyAnswer, ProviderError, Unexpected

RESUMED_S = 10.0
LARGEST_ANSWER = 8_000_000  # characters; nobody reads more, and memory is finite

log = logging.getLogger("chat.turns")


@dataclass(frozen=True)
class Inquiry:
    """A question on its way to an agent. `streaming` says whether somebody reads along.

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
        worker: str,
        health: Health | None = None,
    ) -> None:
        self._timeout_s = settings.chat_timeout_s
        self._language = settings.default_language
        self._storage = storage
        self._runs = runs
        self._saver = saver
        self._visitors = visitors
        self._worker = worker
        self._health = health or Health()
        self._one_at_a_time = threading.Lock()

    def start(self, inquiry: Inquiry) -> tuple[Question, Log]:
        """Stores a question and begins to answer it. Returns at once, with the log to follow; when nobody
        reads along, at the end: whoever asks waits anyway, and a thread less is a third of the memory.

        Raises Refusal: not_found (the conversation, the answer), bad_input (it is another agent's), busy,
        unavailable (it cannot be stored now; then nothing is asked).
        """
        files = [{"name": one.name, "content_type": one.content_type} for one in inquiry.attachments]
        with self._one_at_a_time:
            with only_if_stored():
                stored = self._storage.ask(
                    inquiry.visitor,
                    inquiry.agent.id,
                    inquiry.place,
                    inquiry.question,
                    self._worker,
                    files,
                )
            time.sleep(0)  # after each, whatever else is ready: a crowd at the door stops nobody inside
        return stored, self._begin(inquiry, stored)

    def resume(self, agent: Agent, answer: Answer) -> bool:
        """Finishes an answer whose process died, from the platform's record. False: another was faster."""
        stored = self._storage.adopt(answer, self._worker)
        if stored is not None:
            inquiry = Inquiry(answer.conversation.visitor, agent, answer.question)
            self._begin(inquiry, stored, Draft.of(answer))
        return stored is not None

    def _begin(self, inquiry: Inquiry, stored: Question, held: Draft | None = None) -> Log:
        journal, stop = self._runs.open(stored.answer_id, is_resumed=held is not None)
        turn = self._turn(inquiry, stored, stop, self._resume_s if held else self._timeout_s)
        draft = held or Draft()
        resumed, language = bool(held), self._language
        run = _Run(
            self._storage,
            self._saver,
            inquiry.agent,
            stored,
            turn,
            journal,
            draft,
            resumed,
            language,
            self._health,
        )
        self._saver.add(stored.answer_id, draft)
        if inquiry.streaming:
            threading.Thread(target=run.work, name=f"answer {stored.answer_id}", daemon=True).start()
        else:
            run.work()
        return journal

    @property
    def _resume_s(self) -> float:
        """How long the platform's record is waited for: the answer has had time already, and a platform that
        lost it with our process may say for ever that it is working.
        """
        return min(self._timeout_s, max(RESUMED_S, self._timeout_s / 4))

    def _turn(self, inquiry: Inquiry, stored: Question, stop: Stop, seconds: float) -> Turn:
        return Turn(
            question=inquiry.question,
            user=self._visitors.pseudonym(inquiry.visitor),
            stop=stop,
            deadline=time.monotonic() + seconds,
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
    is_resumed: bool
    language: str
    health: Health
    request: str | None = field(default_factory=request_id.current)
    began: float = field(default_factory=time.monotonic)
    thinking_since: float | None = None

    def work(self) -> None:
        """Reads the provider to its end, whatever that is. Raises nothing."""
        request_id.work_for(self.request)
        try:
            entry, state = self._read()
        except Stopped:
            entry, state = Finished("stopped", self.draft.replies), "stopped"
        except ProviderError as error:
            log.warning("answer %s: %s", self.stored.answer_id, cures.told(error, self.language))
            self.draft.trace = error.trace or self.draft.trace
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
                self._time_thoughts(event)
                self.draft.take(event)
                if not isinstance(event, Status):
                    self.health.note(self.agent.id, None)
                if isinstance(event, Accepted):
                    self._note_accepted()
                else:
                    self.journal.append(event)
                if self.draft.size > LARGEST_ANSWER:
                    raise Unexpected("an answer without end", provider=self.agent.platform)
        raise Unexpected("its provider ended without Done", provider=self.agent.platform)

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
