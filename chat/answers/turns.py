"""One question becomes one answer: admitted, stored, begun. Answering brings it to its end."""

import functools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from chat.agents.line import Place
from chat.agents.offered import Agent
from chat.answers.answering import Answering
from chat.answers.banned_words import WordList
from chat.answers.bounds import Bounds
from chat.answers.live import LiveAnswer, LiveAnswers
from chat.answers.masking import EventMask
from chat.answers.partial import PartialAnswer
from chat.answers.question import Question
from chat.answers.records import Records
from chat.refusals import LiveRefusal, Refusal, StoppingRefusal, WordRefusal
from chat.settings.model import Settings
from chat.storage import Answer, StoredQuestion
from chat.visitors.access import Visitors
from chat.visitors.limits.at_once import AtOnce, Bound
from chat.visitors.limits.rates import VisitorLimits, describe
from providers.base import Exchange, Turn
from providers.errors import Unexpected
from providers.stop import Stop

# A resumed answer has so long at least.
RESUMED_S = 10.0
# After this the next process takes questions.
SOON_S = 5.0
# One of several live answers has ended by then, as a rule.
LIVE_S = 5.0


class Turns:
    """Begins the answers of one process."""

    def __init__(
        self,
        settings: Settings,
        live_answers: LiveAnswers,
        visitors: Visitors,
        limits: VisitorLimits,
        at_once: AtOnce,
        records: Records,
        word_list: WordList,
    ) -> None:
        self._settings = settings
        self._live_answers = live_answers
        self._visitors = visitors
        self._limits = limits
        self._at_once = at_once
        self._records = records
        self._word_list = word_list
        # Where questions are stored one at a time, each yields to running streams before the next:
        # many that come together would starve them. A server's replies leave room for that.
        self._writers = threading.BoundedSemaphore(records.storage.writers)
        self._is_stopping = False

    def close_the_door(self) -> None:
        """Takes no question from now on: this process is about to end. Safe in a signal handler."""
        self._is_stopping = True

    def begin_answer(self, question: Question) -> tuple[StoredQuestion, LiveAnswer]:
        """Stores a question and begins to answer it.

        Returns at once, with the answer to follow. When nobody reads along it returns at the end:
        the caller waits anyway, and a thread less is a third of the memory.

        Raises Refusal: not_found (the conversation, the answer), bad_input (it is another agent's),
        busy, rate_limited, quota_exhausted, unavailable (it cannot be stored now), bad_input (it
        has a banned word). A refused question is not asked and uses nothing up, but for the
        visitor's rate where it has a banned word: lists are not for guessing.
        """
        with ExitStack() as undo:
            self._admit(question, undo)
            with self._writers:
                place = question.agent.account.enter(question.origin)
                undo.callback(place.leave)
                stored, give_back = self._records.store_question(question)
                time.sleep(0)
            undo.pop_all()
        try:
            # Outside the lock: one write to the disk serves all questions stored meanwhile.
            self._records.sync_to_disk()
            return stored, self._begin(question, stored, PartialAnswer(), place, give_back)
        except Exception:
            self._give_up(question, stored, place)
            self._records.give_back(stored, give_back)
            raise

    def resume_answer(self, agent: Agent, answer: Answer) -> bool:
        """Finishes an answer whose process died, from the platform's record.

        False when another process was faster.
        """
        stored = self._records.claim_orphan(answer)
        if stored is None:
            return False
        question = Question(answer.conversation.visitor, agent, answer.question)
        self._at_once.add(bound.name for bound in self._live_bounds(question))
        self._begin(question, stored, PartialAnswer.of(answer))
        return True

    def _admit(self, question: Question, undo: ExitStack) -> None:
        """Counts a question and its live answer; `undo` takes both back. Raises Refusal."""
        if self._is_stopping:
            raise StoppingRefusal("unavailable", "this process is about to end", retry_after=SOON_S)
        asker = question.visitor, question.address
        self._limits.count_question(*asker)
        self._refuse_banned(question.text)
        undo.callback(self._limits.give_back_question, *asker)
        bounds = self._live_bounds(question)
        full_name = self._at_once.begin(bounds)
        if full_name is not None:
            most = dict(bounds)[full_name]
            if full_name == bounds[0].name:
                raise LiveRefusal("rate_limited", f"{most} live answers", retry_after=LIVE_S)
            detail = f"{most} live answers, {describe(question.address)}"
            raise Refusal("rate_limited", detail, retry_after=LIVE_S)
        undo.callback(self._forget, question)

    def _refuse_banned(self, text: str) -> None:
        words = self._word_list.words
        if words is not None and words.are_in(text):
            self._records.count_banned("question")
            raise WordRefusal("bad_input", "a banned word")

    def _live_bounds(self, question: Question) -> list[Bound]:
        """How many live answers the visitor and the address may have; waiting ones are live too."""
        most = self._settings.visitor_live_answers
        bounds = [Bound(f"answer of visitor {question.visitor}", most)]
        if question.address:
            most *= self._settings.address_share
            bounds.append(Bound(f"answer of address {question.address}", most))
        return bounds

    def _begin(
        self,
        question: Question,
        stored: StoredQuestion,
        partial: PartialAnswer,
        place: Place | None = None,
        unasked: Callable[[], None] = lambda: None,
    ) -> LiveAnswer:
        live, stop = self._live_answers.open(stored.answer_id, is_resumed=partial.is_resumed)
        answering = Answering(
            agent=question.agent,
            stored=stored,
            turn=self._turn(question, stored, stop, self._patience_s(partial.is_resumed)),
            live=live,
            bounds=Bounds(partial, self._settings.max_answer_chars),
            records=self._records,
            ended=functools.partial(self._forget, question),
            place=place,
            is_abandoned=question.is_abandoned,
            unasked=unasked,
            mask=self._mask(),
        )
        self._records.saver.add(stored.answer_id, partial)
        if question.streaming:
            name = f"answer {stored.answer_id}"
            threading.Thread(target=answering.work, name=name, daemon=True).start()
        else:
            answering.work()
        return live

    def _mask(self) -> EventMask | None:
        words = self._word_list.words
        return EventMask(words) if words is not None else None

    def _give_up(self, question: Question, stored: StoredQuestion, place: Place) -> None:
        """Ends an answer that could not be begun: its conversation takes the next question."""
        place.leave()
        self._records.saver.end_answer(stored.answer_id, "failed", {"code": Unexpected.reason})
        self._forget(question)

    def _forget(self, question: Question) -> None:
        """The answer has ended."""
        self._at_once.end(bound.name for bound in self._live_bounds(question))

    def _patience_s(self, is_resumed: bool) -> float:
        """How long an answer may take.

        A resumed answer has had time already, and a platform that lost it with our process may say
        for ever that it is working.
        """
        most = self._settings.chat_timeout_s
        return min(most, max(RESUMED_S, most / 4)) if is_resumed else most

    def _turn(self, question: Question, stored: StoredQuestion, stop: Stop, seconds: float) -> Turn:
        return Turn(
            question=question.text,
            user=self._visitors.pseudonym(question.visitor),
            stop=stop,
            deadline=time.monotonic() + seconds,
            conversation=stored.thread,
            previous_chat=stored.previous_chat,
            history=tuple(Exchange(*pair) for pair in stored.earlier),
            attachments=question.attachments,
            streaming=question.streaming,
            pace=question.agent.account,
        )
