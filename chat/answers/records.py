"""What one process stores and counts of its answers, from the question to the end."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from chat.agents import cures
from chat.agents.ceilings import Ceilings
from chat.agents.health import Health
from chat.agents.offered import Agent
from chat.answers.metrics import Metrics
from chat.answers.partial import PartialAnswer
from chat.answers.question import Question
from chat.answers.saving import Saver
from chat.storage import Answer, NewQuestion, Storage, StoredQuestion
from chat.storage.engine.kinds import (
    StorageError,
    is_trouble,
    leaves_doubt,
    only_if_stored,
)
from chat.storage.models import new_id
from providers.errors import OutOfTurn, ProviderError

log = logging.getLogger("chat.turns")


@dataclass(frozen=True)
class Records:
    """`worker` is the id of this process, `language` that of the log.

    `owner_reads` says whether this process tells visitors now that the owner may read what they
    ask: the same answer decides both.
    """

    storage: Storage
    saver: Saver
    health: Health
    metrics: Metrics
    ceilings: Ceilings
    worker: str
    language: Callable[[], str]
    owner_reads: Callable[[], bool] = lambda: False

    def store_question(self, question: Question) -> tuple[StoredQuestion, Callable[[], None]]:
        """Counts a question against all days that it belongs to and stores it, or does neither.

        Returns with it the function that takes the counts back. Raises Refusal as
        `Answers.store_question`, `Ceilings.spend` and `Question.spend` do.
        """
        files = [
            {"name": file.name, "content_type": file.content_type} for file in question.attachments
        ]
        id = new_id()
        with only_if_stored():
            give_back = self._spend(question)
            try:
                stored = self.storage.answers.store_question(
                    NewQuestion(
                        question.visitor,
                        question.agent.id,
                        question.text,
                        self.worker,
                        conversation_id=question.conversation_id,
                        after=question.after,
                        instead=question.instead,
                        can_branch=question.agent.row.branches,
                        files=files,
                        access=question.access,
                        is_readable=self.owner_reads(),
                        id=id,
                    )
                )
            except Exception as error:
                if leaves_doubt(error):
                    self.saver.close_doubtful(id)
                give_back()
                raise
        return stored, give_back

    def _spend(self, question: Question) -> Callable[[], None]:
        with ExitStack() as undo:
            undo.callback(self.ceilings.spend(question.agent))
            undo.callback(question.spend())
            return undo.pop_all().close

    def give_back(self, stored: StoredQuestion, give_back: Callable[[], None]) -> None:
        """Takes back what was counted for a question that no platform was asked."""
        try:
            give_back()
        except StorageError as error:
            log.error("answer %s: its count stays: %s", stored.answer_id, error)

    def count_banned(self, where: str) -> None:
        """Counts a question that was refused for a word, or an answer in which one was masked."""
        self.metrics.count_banned(where)
        try:
            self.ceilings.count(f"words:{where}")
        except StorageError as error:
            log.error("a banned word in a %s was not counted: %s", where, error)

    def sync_to_disk(self) -> None:
        """Waits until the questions stored so far are on the disk."""
        self.storage.disk.sync()

    def claim_orphan(self, answer: Answer) -> StoredQuestion | None:
        """Makes this process responsible for an answer. None when another process was faster."""
        return self.storage.answers.claim_orphan(answer, self.worker)

    def note_accepted(self, stored: StoredQuestion, partial: PartialAnswer) -> None:
        """Stores the platform's ids as soon as they are known."""
        partial.thread = partial.thread or stored.thread
        try:
            self.storage.answers.note_accepted(stored, partial.thread, partial.chat, partial.trace)
        except Exception as error:
            # A database out of order must not cost the answer as well.
            log.error(
                "answer %s: the platform's ids could not be stored: %s",
                stored.answer_id,
                getattr(error, "orig", None) or error,
                exc_info=not is_trouble(error),
            )

    def note_reached(self, agent: Agent) -> None:
        """The agent has answered something."""
        self.health.note(agent.id, None)

    def note_failure(self, stored: StoredQuestion, agent: Agent, error: ProviderError) -> None:
        """The agent, or its platform, has failed: for the log, with what the owner can do."""
        log.warning("answer %s: %s", stored.answer_id, cures.with_cure(error, self.language()))
        # The platform was not asked, so there is nothing to learn about it.
        if not isinstance(error, OutOfTurn):
            self.health.note(agent.id, error)

    def count_answer(
        self, agent: Agent, outcome: str, first_s: float | None, whole_s: float | None
    ) -> None:
        """Counts an answer by its seconds to the first words and to the end, if they are known."""
        self.metrics.count_answer(agent.id, agent.platform, outcome)
        if whole_s is not None:
            self.metrics.observe_seconds(agent.platform, first_s, whole_s)
