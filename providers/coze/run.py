"""One question on its way through Coze to its answer (platforms/coze.md §1, §2, §11)."""

import json
import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any, TypeVar

from providers import sse
from providers.base import Turn
from providers.coze.api import UNKNOWN_CHAT, UNKNOWN_CONVERSATION, Api, trace_of
from providers.coze.chat import TERMINAL, json_object, status_of, tool_calls, usage_of, wanted
from providers.coze.messages import Reading
from providers.coze.options import Options
from providers.coze.question import kind_of_file, told
from providers.errors import (
    AuthRejected,
    Busy,
    EmptyAnswer,
    NeedsAction,
    ProviderError,
    RateLimited,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.events import Accepted, Done, Event, Status
from providers.http import Response
from providers.sse import ServerEvent
from providers.stop import Stop, Stopped

BUSY_S = 30.0  # how long a question waits for the chat before it
QUIET_S = 90.0  # Coze sends no keep-alives, and tools can be silent for long
LAST_WORDS_S = 2.0  # how long the end marker may lag behind the end
LAST_BYTES_S = 0.1  # how long the answer may take to close, which saves its connection for the next
UNBORN_S = 2.0  # how long a stopped question may take to name the chat that is to be cancelled
TROUBLE_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
DONE = {"done", "conversation.stream.done"}
ERROR = {"error", "conversation.error"}

T = TypeVar("T")


class Run:
    """One question on its way to its answer: what is known of the chat, and what has been told of it."""

    def __init__(
        self,
        options: Options,
        api: Api,
        turn: Turn,
        chat: str | None = None,
        said: tuple[str, ...] = (),
    ) -> None:
        self._options = options
        self._api = api
        self._turn = turn
        self._conversation = turn.conversation
        self._chat = chat
        self._trace: str | None = None
        self._reading = Reading(said)
        self._question: dict[str, str] = {}
        self._end: dict[str, Any] | None = None
        self._is_done = False
        self._is_renewed = False
        self._busy_until: float | None = None
        self._busy_pause = 1.0

    def ask(self) -> Iterator[Event]:
        self._turn.stop.check()
        self._question = self._with_files()
        with self._cancelled_on_failure():
            yield from self._ask_until_accepted()

    def resume(self) -> Iterator[Event]:
        if not self._conversation:
            raise Unavailable(
                "no conversation to look for the chat in", provider=self._api.provider
            )
        with self._cancelled_on_failure():
            yield from self._from_the_record(0.0)

    @contextmanager
    def _cancelled_on_failure(self) -> Iterator[None]:
        """Frees the conversation when the turn fails or is stopped.

        Not when the reader merely leaves (GeneratorExit): it may come back with `resume`.
        """
        try:
            yield
        except (Stopped, ProviderError):
            if self._chat and self._conversation and self._end is None:
                with suppress(
                    ProviderError
                ):  # whatever comes of it, the turn ends as it would have
                    self._api.cancel(self._conversation, self._chat)
            raise

    def _ask_until_accepted(self) -> Iterator[Event]:
        """Asks; again after a refusal that time (4016), a new conversation (4002) or a new token can cure.

        Only after refusals: a question that may have been taken is never asked twice.
        """
        while True:
            try:
                yield from self._ask_once()
                return
            except ProviderError as error:
                if self._chat:
                    raise
                refusal = error
            if isinstance(refusal, AuthRejected) and not self._is_renewed and self._api.renew():
                self._is_renewed = True
            elif isinstance(refusal, Busy):
                yield from self._wait_for_the_previous(refusal)
            elif refusal.code == UNKNOWN_CONVERSATION and self._is_conversation_of_turn:
                yield from self._replace_the_conversation()
            else:
                raise refusal
            self._turn.pace.wait(self._turn.stop, self._turn.deadline)

    @property
    def _is_conversation_of_turn(self) -> bool:
        return self._conversation is not None and self._conversation == self._turn.conversation

    def _ask_once(self) -> Iterator[Event]:
        is_answered = False
        with (
            self._stop_once_there_is_a_chat() as stop,
            self._api.ask(self._body(), self._conversation, stop, self._turn.deadline) as response,
        ):
            self._trace = trace_of(response)
            if response.status < 400 and response.content_type == "text/event-stream":
                is_answered = yield from self._from_events(response)
                pause = 0.0
            else:
                yield from self._accept(self._api.unwrap(response, response.read()))
                # At random, so that chats begun together are not polled together ever after.
                pause = self._options.poll_interval_s * random.uniform(0.5, 1.0)
        if not is_answered:
            yield from self._from_the_record(pause)

    def _body(self) -> dict[str, Any]:
        options, turn = self._options, self._turn
        extras = options.model_dump(
            include={
                "custom_variables",
                "parameters",
                "meta_data",
                "extra_params",
                "shortcut_command",
            },
            exclude_none=True,
        )
        return {
            "bot_id": options.bot_id,
            "user_id": turn.user,
            "stream": turn.streaming,
            "auto_save_history": True,
            "additional_messages": [
                *(() if self._is_conversation_of_turn else told(turn.history)),
                {"role": "user", "type": "question", **self._question},
            ],
            **extras,
        }

    def _with_files(self) -> dict[str, str]:
        """The question's content; its files, if it brings any, are uploaded for it (§1.2, §4)."""
        turn = self._turn
        if not turn.attachments:
            return {"content": turn.question, "content_type": "text"}
        # A text without words is refused, and so are files without a text.
        text = turn.question.strip() or " ".join(file.name for file in turn.attachments)
        items = [{"type": "text", "text": text}]
        for file in turn.attachments:
            file_id = self._api.upload(file, turn.stop, turn.deadline)
            items.append({"type": kind_of_file(file), "file_id": file_id})
            turn.pace.wait(turn.stop, turn.deadline)
        return {"content": json.dumps(items, ensure_ascii=False), "content_type": "object_string"}

    @contextmanager
    def _stop_once_there_is_a_chat(self) -> Iterator[Stop]:
        """A Stop for the request that asks.

        Hanging up before the chat has a name would leave it running, paid for and in the way of the next
        question; so a wish to stop waits UNBORN_S for the name.
        """
        stop = Stop()
        timer = Timer(UNBORN_S, stop.request)
        timer.daemon = True

        def wish() -> None:
            if self._chat:
                stop.request()
            else:
                timer.start()

        with self._turn.stop.interrupting(wish):
            try:
                yield stop
            finally:
                timer.cancel()

    def _accept(self, chat: Any) -> Iterator[Event]:
        """Notes the ids a chat object brings, and tells those that are new."""
        if not isinstance(chat, dict):
            return
        found = str(chat.get("id") or "") or self._chat
        conversation = str(chat.get("conversation_id") or "") or self._conversation
        if found == self._chat and conversation == self._conversation:
            return
        is_first = self._chat is None
        self._chat, self._conversation = found, conversation
        yield Accepted(conversation, found, self._trace)
        if is_first:
            yield Status("waiting")

    # while it streams

    def _from_events(self, response: Response) -> Generator[Event, None, bool]:
        """The answer as it comes. Returns whether that was all, or the record has to say the rest."""
        reading, stop = self._reading, self._turn.stop
        for event in self._events(response):
            if event.name == "conversation.message.delta":
                stop.check()
                if (message := json_object(event.data)) is not None:
                    yield from reading.delta(message)
            elif event.name in DONE:
                self._is_done = True
                response.hurry(LAST_BYTES_S)
            elif not self._is_done:
                yield from self._from_event(event)
                if self._end is None:
                    stop.check()
                elif status_of(self._end) != "completed":
                    break  # what follows a failure, if anything, is not documented
                else:
                    response.hurry(LAST_WORDS_S)
        if self._chat is None and self._end is None:
            raise Unavailable(
                "closed before it named a chat", provider=self._api.provider, trace=self._trace
            )
        if self._end is None and self._is_done and reading.has_answer and reading.is_whole:
            self._end = {"status": "completed"}
        if self._end is None:
            yield Status("recovering")
            return False
        yield from self._settle(self._end)
        return True

    def _events(self, response: Response) -> Iterator[ServerEvent]:
        """Events until the stream ends or breaks. A break is no error once there is a chat with a record."""
        try:
            yield from sse.parse(response.pieces(quiet=QUIET_S))
        except (Stopped, TimedOut):
            if self._end is None and not self._is_done:
                raise
        except Unavailable as error:
            if self._chat is None:
                error.trace = self._trace
                raise
        except sse.TooLong as error:
            if self._chat is None:
                raise Unexpected(
                    str(error), provider=self._api.provider, trace=self._trace
                ) from None

    def _from_event(self, event: ServerEvent) -> Iterator[Event]:
        told = json_object(event.data)
        if told is None:  # half an event, or one nobody has documented
            return
        if event.name == "conversation.message.completed":
            yield from self._reading.completed(told)
        elif event.name in ERROR:
            raise self._api.error(told, self._trace)
        elif event.name.startswith("conversation.chat."):
            yield from self._accept(told)
            status = status_of({"status": event.name.removeprefix("conversation.chat.")})
            if status in TERMINAL:
                self._end = {**told, "status": status}

    # from the record

    def _from_the_record(self, pause: float) -> Iterator[Event]:
        """Waits for the chat's end, and yields what has not been told of what it produced."""
        if self._chat is None or self._conversation is None:
            raise Unexpected("took the question but named no chat", provider=self._api.provider)
        conversation, chat, deadline = self._conversation, self._chat, self._turn.deadline
        end = self._wait_for_the_end(conversation, chat, pause, deadline)
        if status_of(end) in ("completed", "requires_action"):
            yield from self._reading.record(
                self._insist(
                    lambda: self._api.messages(conversation, chat, self._turn.stop, deadline),
                    deadline,
                )
            )
        self._end = end
        yield from self._settle(end)

    def _wait_for_the_end(
        self, conversation: str, chat: str, pause: float, deadline: float
    ) -> dict[str, Any]:
        """Polls until the chat has ended: its chat object."""
        while True:
            self._sleep(pause, deadline)
            found = self._insist(
                lambda: self._api.retrieve(conversation, chat, self._turn.stop, deadline), deadline
            )
            if status_of(found) in TERMINAL:
                return found
            # Counted from the answer, so that Coze sees no two polls closer than this.
            pause = self._options.poll_interval_s

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
                elif not _may_pass(error):
                    raise
                if isinstance(error, RateLimited):
                    turn.pace.refused(error.retry_after)
                pause = max(pause, error.retry_after or 0.0)
            self._sleep(pause, deadline)
        turn.pace.wait(turn.stop, deadline)
        return read()

    def _sleep(self, seconds: float, deadline: float) -> None:
        left = deadline - time.monotonic()
        self._turn.stop.sleep(max(0.0, min(seconds, left)))
        if seconds >= left:
            raise TimedOut(
                "still working at the deadline", provider=self._api.provider, trace=self._trace
            )

    # how it ends

    def _settle(self, chat: dict[str, Any]) -> Iterator[Event]:
        """The last events of a chat that has ended. Raises what its status stands for."""
        status = status_of(chat)
        yield from usage_of(chat)
        if status == "failed":
            raise self._failure(chat)
        if status == "canceled":
            self._turn.stop.check()  # else somebody else has ended it: the words so far stand
            yield Done("stopped")
            return
        if status == "requires_action" and not self._is_question_to_the_visitor(chat):
            raise NeedsAction(wanted(chat), provider=self._api.provider, trace=self._trace)
        if not self._reading.has_answer:
            raise EmptyAnswer(
                "completed without an answer", provider=self._api.provider, trace=self._trace
            )
        yield Done()

    def _failure(self, chat: dict[str, Any]) -> ProviderError:
        told = chat.get("last_error") or chat
        if isinstance(told, dict) and told.get("code"):
            return self._api.error(told, self._trace)
        return Unavailable(
            "failed without a reason", provider=self._api.provider, trace=self._trace
        )

    def _is_question_to_the_visitor(self, chat: dict[str, Any]) -> bool:
        """A workflow's question node: it has asked in words, and the next message answers it (§2.4)."""
        calls = tool_calls(chat)
        return (
            self._reading.has_answer
            and bool(calls)
            and all(c.get("type") == "reply_message" for c in calls)
        )

    # refusals that pass

    def _wait_for_the_previous(self, refusal: Busy) -> Iterator[Event]:
        """Waits for the chat that occupies the conversation. Raises the refusal when it takes too long.

        One that waits for a step nobody here can take would wait forever: a new conversation then.
        """
        previous, conversation = self._turn.previous_chat, self._conversation
        if self._busy_until is None:
            self._busy_until = min(time.monotonic() + BUSY_S, self._turn.deadline)
            yield Status("queued")
            if previous and conversation:
                with suppress(ProviderError):
                    end = self._wait_for_the_end(conversation, previous, 0.0, self._busy_until)
                    if status_of(end) == "requires_action" and self._is_conversation_of_turn:
                        yield from self._replace_the_conversation()
                    return
        left = self._busy_until - time.monotonic()
        if left > 0:
            self._turn.stop.sleep(min(self._busy_pause, left))
            self._busy_pause = min(self._busy_pause * 2, 8.0)
        if left <= 0 or time.monotonic() >= self._turn.deadline:
            raise refusal

    def _replace_the_conversation(self) -> Iterator[Event]:
        """The thread is gone at Coze. Its successor is told before the question is asked again."""
        self._conversation = None
        with suppress(AuthRejected):  # a token without that permission: the chat makes its own
            self._conversation = self._api.create_conversation(
                self._options.bot_id, self._turn.stop, self._turn.deadline
            )
            yield Accepted(self._conversation)


def _may_pass(error: ProviderError) -> bool:
    if isinstance(error, Unexpected):
        return error.code is None  # a body that broke off
    return isinstance(error, Unavailable | RateLimited) and error.code != UNKNOWN_CHAT
