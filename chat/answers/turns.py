"""One question becomes one answer: let in, stored, begun; chat/answers/answering.py brings it to its end."""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chat.agents.health import Health
from chat.agents.offered import Agent
from chat.answers.answering import Answering
from chat.answers.bounds import Bounds
from chat.answers.live import LiveAnswer, LiveAnswers
from chat.answers.metrics import Metrics
from chat.answers.partial import PartialAnswer
from chat.answers.saving import Saver
from chat.refusals import LiveRefusal, StoppingRefusal
from chat.settings.model import Settings
from chat.storage import Answer, Storage, StoredQuestion
from chat.storage.sqlite import only_if_stored
from chat.visitors.access import Visitors
from chat.visitors.rates import VisitorLimits
from providers.base import Attachment, Exchange, Turn
from providers.errors import Unexpected
from providers.stop import Stop

RESUMED_S = 10.0
SOON_S = 5.0


@dataclass(frozen=True)
class Inquiry:
    """A question on its way to an agent, from an `address`. `streaming` says whether somebody reads along;
    `spend` counts it against the asker's own day, and returns what takes that back.

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
    spend: Callable[[], Callable[[], None]] = lambda: lambda: None


class Turns:
    """Begins answers. `worker` is the id of this process."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        live_answers: LiveAnswers,
        saver: Saver,
        visitors: Visitors,
        limits: VisitorLimits,
        health: Health,
        worker: str,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._live_answers = live_answers
        self._saver = saver
        self._visitors = visitors
        self._limits = limits
        self._health = health
        self._worker = worker
        self._metrics = metrics
        self._live: Counter[str] = Counter()  # answers by visitor
        self._one_at_a_time = threading.Lock()
        self._is_stopping = False

    def close_the_door(self) -> None:
        """From now on no question is taken: this process is about to end. Safe in a signal handler."""
        self._is_stopping = True

    def start(self, inquiry: Inquiry) -> tuple[StoredQuestion, LiveAnswer]:
        """Stores a question and begins to answer it. Returns at once, with the log to follow; when nobody
        reads along, at the end: whoever asks waits anyway, and a thread less is a third of the memory.

        Raises Refusal: not_found (the conversation, the answer), bad_input (it is another agent's), busy,
        rate_limited, quota_exhausted, unavailable (it cannot be stored now). What is refused is not asked and
        uses nothing up.
        """
        with self._one_at_a_time:
            self._let_in(inquiry)
            stored = self._store(inquiry)
            self._limits.count_question(inquiry.visitor, inquiry.address)
            self._live[inquiry.visitor] += 1
            time.sleep(
                0
            )  # after each, whatever else is ready: a crowd at the door stops nobody inside
        try:
            self._storage.disk.settle()  # beside the lock: one write serves all who are stored meanwhile
            return stored, self._begin(inquiry, stored)
        except Exception:
            self._give_up(inquiry, stored)
            raise

    def resume(self, agent: Agent, answer: Answer) -> bool:
        """Finishes an answer whose process died, from the platform's record. False: another was faster."""
        stored = self._storage.answers.claim_orphan(answer, self._worker)
        if stored is not None:
            inquiry = Inquiry(answer.conversation.visitor, agent, answer.question)
            with self._one_at_a_time:
                self._live[inquiry.visitor] += 1
            self._begin(inquiry, stored, PartialAnswer.of(answer))
        return stored is not None

    def _let_in(self, inquiry: Inquiry) -> None:
        if self._is_stopping:
            raise StoppingRefusal("unavailable", "this process is about to end", retry_after=SOON_S)
        self._limits.check_question(inquiry.visitor, inquiry.address)
        live, most = self._live[inquiry.visitor], self._settings.visitor_live_answers
        if most and live >= most:
            raise LiveRefusal("rate_limited", f"{live} live answers", retry_after=5)

    def _store(self, inquiry: Inquiry) -> StoredQuestion:
        files = [
            {"name": one.name, "content_type": one.content_type} for one in inquiry.attachments
        ]
        with only_if_stored():
            give_back = inquiry.spend()
            try:
                return self._storage.answers.ask(
                    inquiry.visitor,
                    inquiry.agent.id,
                    inquiry.question,
                    self._worker,
                    conversation_id=inquiry.conversation_id,
                    after=inquiry.after,
                    instead=inquiry.instead,
                    can_branch=inquiry.agent.row.branches,
                    files=files,
                )
            except Exception:
                give_back()
                raise

    def _begin(
        self, inquiry: Inquiry, stored: StoredQuestion, held: PartialAnswer | None = None
    ) -> LiveAnswer:
        live, stop = self._live_answers.open(stored.answer_id, is_resumed=held is not None)
        partial = held or PartialAnswer()
        answering = Answering(
            storage=self._storage,
            saver=self._saver,
            health=self._health,
            metrics=self._metrics,
            agent=inquiry.agent,
            stored=stored,
            turn=self._turn(inquiry, stored, stop, self._patience_s(is_resumed=held is not None)),
            live=live,
            partial=partial,
            bounds=Bounds(partial, self._settings.max_answer_chars),
            is_resumed=held is not None,
            language=self._settings.default_language,
            ended=functools.partial(self._ended, inquiry.visitor),
        )
        self._saver.add(stored.answer_id, partial)
        if inquiry.streaming:
            threading.Thread(
                target=answering.work, name=f"answer {stored.answer_id}", daemon=True
            ).start()
        else:
            answering.work()
        return live

    def _give_up(self, inquiry: Inquiry, stored: StoredQuestion) -> None:
        """Ends an answer that could not be begun: its conversation takes the next question."""
        self._saver.end(stored.answer_id, "failed", {"code": Unexpected.reason})
        self._ended(inquiry.visitor)

    def _ended(self, visitor: str) -> None:
        with self._one_at_a_time:
            self._live[visitor] -= 1
            if self._live[visitor] <= 0:
                del self._live[visitor]

    def _patience_s(self, is_resumed: bool) -> float:
        """How long an answer may take. One that is resumed has had time already, and a platform that lost it
        with our process may say for ever that it is working.
        """
        most = self._settings.chat_timeout_s
        return min(most, max(RESUMED_S, most / 4)) if is_resumed else most

    def _turn(self, inquiry: Inquiry, stored: StoredQuestion, stop: Stop, seconds: float) -> Turn:
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
