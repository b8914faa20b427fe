"""One question to Coze: asked again after refusals that pass, streamed or read from its record
(coze/record.py), and cancelled (platforms/coze.md §1, §2, §11)."""

import random
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

from providers.base import Turn
from providers.bodies import Body, Frame
from providers.coze.answer import (
    TERMINAL,
    CozeReader,
    describe_action,
    status_of,
    tool_calls,
    usage_of,
)
from providers.coze.api import UNKNOWN_CONVERSATION, Api, trace_of
from providers.coze.options import Options
from providers.coze.question import chat_body, upload_content
from providers.coze.record import Record
from providers.errors import (
    AuthRejected,
    Busy,
    EmptyAnswer,
    NeedsAction,
    NotConfigured,
    ProviderError,
    TimedOut,
    Unavailable,
    Unexpected,
)
from providers.events import Accepted, Done, Event, Status
from providers.http import Response, refusal
from providers.payloads import Fields, error_object
from providers.stop import Stop, Stopped

# How long a question waits for the chat before it.
BUSY_S = 30.0
# The pauses between two tries double up to this.
BUSY_PAUSE_S = 8.0
# Coze sends no keep-alives, and tools can be silent for long.
QUIET_S = 90.0
# How long the end marker may lag behind the end.
LAST_WORDS_S = 2.0
# How long the response may take to close, which saves its connection for the next.
LAST_BYTES_S = 0.1
# How long a stopped question may take to name the chat that is to be cancelled.
UNBORN_S = 2.0
BAD_PARAMETER = 4000
# Codes that may mean a dead conversation.
DOUBTS = {BAD_PARAMETER, UNKNOWN_CONVERSATION, 4101, 4200}
# Questions up to this length are no bad input by themselves.
ORDINARY_LENGTH = 4000
DONE = {"done", "conversation.stream.done"}
ERROR = {"error", "conversation.error"}


class Run:
    """One question on its way to its answer: the chat as far as it is known, and its reader."""

    def __init__(
        self,
        options: Options,
        api: Api,
        turn: Turn,
        chat: str | None = None,
        replies: tuple[str, ...] = (),
    ) -> None:
        self._options = options
        self._api = api
        self._turn = turn
        self._conversation = turn.conversation
        self._chat = chat
        self._trace: str | None = None
        self._record = Record(api, turn, options.poll_interval_s)
        self._reader = CozeReader(replies)
        self._content: dict[str, str] = {}
        self._end: Fields | None = None
        self._is_done = False
        self._is_renewed = False
        self._busy_until: float | None = None
        self._busy_pause = 1.0

    def ask(self) -> Iterator[Event]:
        """Asks the question and yields its answer, `Done` last."""
        self._turn.stop.check()
        self._content = upload_content(self._api, self._turn)
        with self._cancelled_on_failure():
            yield from self._ask_until_accepted()

    def resume(self) -> Iterator[Event]:
        """Yields what the record of the chat has beyond the replies that are stored, `Done`
        last."""
        if not self._conversation:
            raise Unavailable(
                "no conversation to look for the chat in", provider=self._api.provider
            )
        with self._cancelled_on_failure():
            yield from self._read_record(0.0)

    @contextmanager
    def _cancelled_on_failure(self) -> Iterator[None]:
        """Frees the conversation when the turn fails or is stopped.

        Not when the reader merely leaves (GeneratorExit): it may come back with `resume`.
        """
        try:
            yield
        except (Stopped, ProviderError):
            if self._chat and self._conversation and self._end is None:
                # Whatever comes of it, the turn ends as it would have.
                with suppress(ProviderError):
                    self._api.cancel(self._conversation, self._chat)
            raise

    def _ask_until_accepted(self) -> Iterator[Event]:
        """Asks; again after a refusal that time (4016), a new conversation (4002) or a new token
        can cure.

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
                yield from self._wait_for_previous(refusal)
            elif refusal.code in DOUBTS and self._is_conversation_of_turn:
                yield from self._doubt_conversation(refusal)
            else:
                raise refusal
            self._turn.pace.wait(self._turn.stop, self._turn.deadline)

    @property
    def _is_conversation_of_turn(self) -> bool:
        return self._conversation is not None and self._conversation == self._turn.conversation

    def _ask_once(self) -> Iterator[Event]:
        is_answered = False
        question = chat_body(
            self._options, self._turn, self._content, has_history=self._is_conversation_of_turn
        )
        with (
            self._stop_when_chat_has_an_id() as stop,
            self._api.ask(question, self._conversation, stop, self._turn.deadline) as response,
        ):
            self._trace = self._record.trace = trace_of(response)
            body = self._open_body(response)
            if body.kind == "events":
                is_answered = yield from self._read_stream(body, response)
                pause = 0.0
            else:
                yield from self._accept_chat(self._api.unwrap(response, body.read()))
                # At random, so that chats begun together are not polled together ever after.
                pause = self._options.poll_interval_s * random.uniform(0.5, 1.0)
        if not is_answered:
            yield from self._read_record(pause)

    @contextmanager
    def _stop_when_chat_has_an_id(self) -> Iterator[Stop]:
        """A Stop for the request that asks.

        Hanging up before the chat has a name would leave it running, paid for and in the way of the
        next question; so a stop waits UNBORN_S for the name.
        """
        stop = Stop()
        timer = Timer(UNBORN_S, stop.request)
        timer.daemon = True

        def interrupt() -> None:
            if self._chat:
                stop.request()
            else:
                timer.start()

        with self._turn.stop.interrupting(interrupt):
            try:
                yield stop
            finally:
                timer.cancel()

    def _accept_chat(self, payload: Any) -> Iterator[Event]:
        """Stores the ids of a chat object, and yields them when they are new."""
        if not isinstance(payload, dict):
            return
        chat = str(payload.get("id") or "") or self._chat
        conversation = str(payload.get("conversation_id") or "") or self._conversation
        if chat == self._chat and conversation == self._conversation:
            return
        is_first = self._chat is None
        if is_first:
            self._record.known_since = time.monotonic()
        self._chat, self._conversation = chat, conversation
        yield Accepted(conversation, chat, self._trace)
        if is_first:
            yield Status("waiting")

    def _open_body(self, response: Response) -> Body:
        try:
            return Body(response, quiet=QUIET_S)
        except ProviderError as error:
            error.trace = self._trace
            raise

    def _read_stream(self, body: Body, response: Response) -> Generator[Event, None, bool]:
        """The answer as it comes.

        Returns whether that was all, or the record has to say the rest.
        """
        reader, stop = self._reader, self._turn.stop
        for frame in self._frames(body):
            if frame.name == "conversation.message.delta" and frame.payload is not None:
                stop.check()
                yield from reader.apply_delta(frame.payload)
            elif frame.is_done or frame.name in DONE:
                self._is_done = True
                response.hurry(LAST_BYTES_S)
            elif not self._is_done:
                yield from self._apply_frame(frame, response)
                if self._end is None:
                    stop.check()
                elif status_of(self._end) != "completed":
                    # What follows a failure, if anything, is not documented.
                    break
                else:
                    response.hurry(LAST_WORDS_S)
        if self._chat is None and self._end is None:
            raise self._unnamed(response)
        if self._end is None and self._is_done and reader.has_answer and reader.is_whole:
            self._end = {"status": "completed"}
        is_proved = reader.is_whole and reader.has_answer
        if self._end is None or (status_of(self._end) == "completed" and not is_proved):
            yield Status("recovering")
            return False
        yield from self._conclude(self._end)
        return True

    def _unnamed(self, response: Response) -> ProviderError:
        """The error for a stream that closed before it named a chat."""
        error: ProviderError = Unavailable(
            "closed before it named a chat", provider=self._api.provider
        )
        if response.status >= 400:
            error = refusal(response)
        error.trace = self._trace
        return error

    def _frames(self, body: Body) -> Iterator[Frame]:
        """Frames until the stream ends or breaks.

        A break is no error once there is a chat with a record.
        """
        try:
            yield from body.frames()
        except (Stopped, TimedOut):
            if self._end is None and not self._is_done:
                raise
        except (Unavailable, Unexpected) as error:
            if self._chat is None:
                error.trace = self._trace
                raise

    def _apply_frame(self, frame: Frame, response: Response) -> Iterator[Event]:
        payload = frame.payload
        # None is half a frame, or one nobody has documented.
        if payload is None:
            return
        if frame.name == "conversation.message.completed":
            yield from self._reader.apply_completed(payload)
        elif self._is_error(frame.name, payload):
            raise self._own_fault(self._api.error(payload, self._trace, response))
        elif frame.name.startswith("conversation.chat."):
            yield from self._accept_chat(payload)
            status = status_of({"status": frame.name.removeprefix("conversation.chat.")})
            if status in TERMINAL:
                self._end = {**payload, "status": status}

    def _is_error(self, name: str, payload: Fields) -> bool:
        """Whether a frame tells of a failure, by its name or by what it holds.

        Before the chat has a name that may stand in any frame; after its end nothing is one.
        """
        is_of_the_chat = name.startswith("conversation.") and self._chat is not None
        has_failed = name in ERROR or (not is_of_the_chat and error_object(payload) is not None)
        return has_failed and self._end is None

    def _read_record(self, pause: float) -> Iterator[Event]:
        """Waits for the chat's end, and yields what it produced beyond what was yielded already."""
        if self._chat is None or self._conversation is None:
            raise Unexpected("took the question but named no chat", provider=self._api.provider)
        conversation, chat, deadline = self._conversation, self._chat, self._turn.deadline
        end = self._end or self._record.wait_for_end(conversation, chat, pause, deadline)
        self._end = end
        if status_of(end) in ("completed", "requires_action"):
            yield from self._record.read_list(
                conversation, chat, self._reader, self._is_waiting_for_action
            )
        yield from self._conclude(end)

    @property
    def _is_waiting_for_action(self) -> bool:
        return self._end is not None and status_of(self._end) == "requires_action"

    def _conclude(self, chat: Fields) -> Iterator[Event]:
        """The last events of a chat that has ended. Raises what its status stands for."""
        status = status_of(chat)
        yield from usage_of(chat)
        if status == "failed":
            raise self._failure(chat)
        if status == "canceled":
            self._turn.stop.check()
            # Without a stop of ours somebody else has ended it: the words so far stand.
            yield Done("stopped")
            return
        if status == "requires_action" and not self._is_question_to_the_visitor(chat):
            raise NeedsAction(describe_action(chat), provider=self._api.provider, trace=self._trace)
        if not self._reader.has_answer:
            raise EmptyAnswer(
                "completed without an answer", provider=self._api.provider, trace=self._trace
            )
        yield Done()

    def _failure(self, chat: Fields) -> ProviderError:
        payload = chat.get("last_error") or chat
        if isinstance(payload, dict) and payload.get("code"):
            return self._api.error(payload, self._trace)
        return Unavailable(
            "failed without a reason", provider=self._api.provider, trace=self._trace
        )

    def _is_question_to_the_visitor(self, chat: Fields) -> bool:
        """A workflow's question node: it has asked in words, and the next message answers it
        (§2.4)."""
        kinds = {call.get("type") for call in tool_calls(chat)}
        return self._reader.has_answer and kinds == {"reply_message"}

    def _wait_for_previous(self, refusal: Busy) -> Iterator[Event]:
        """Waits for the chat that occupies the conversation. Raises the refusal when it takes too
        long.

        One that waits for a step nobody here can take would wait forever: a new conversation then.
        """
        previous, conversation = self._turn.previous_chat, self._conversation
        if self._busy_until is None:
            self._busy_until = min(time.monotonic() + BUSY_S, self._turn.deadline)
            yield Status("queued")
            if previous and conversation:
                with suppress(ProviderError):
                    end = self._record.wait_for_end(conversation, previous, 0.0, self._busy_until)
                    if status_of(end) == "requires_action" and self._is_conversation_of_turn:
                        yield from self._replace_conversation()
                    return
        remaining_s = self._busy_until - time.monotonic()
        if remaining_s > 0:
            self._turn.stop.sleep(min(self._busy_pause, remaining_s))
            self._busy_pause = min(self._busy_pause * 2, BUSY_PAUSE_S)
        if remaining_s <= 0 or time.monotonic() >= self._turn.deadline:
            raise refusal

    def _own_fault(self, error: ProviderError) -> ProviderError:
        """4000 for a question that can be no bad input is the owner's: a wrong option (§7.2)."""
        turn = self._turn
        is_ordinary = not turn.attachments and len(turn.question) <= ORDINARY_LENGTH
        if error.code != BAD_PARAMETER or not is_ordinary:
            return error
        return NotConfigured(
            error.args[0], provider=error.provider, code=error.code, trace=error.trace
        )

    def _doubt_conversation(self, refusal: ProviderError) -> Iterator[Event]:
        """Whether the call would work without its conversation: several codes may mean that that is
        gone or another space's, and only 4002 says so (§15).
        """
        if refusal.code == UNKNOWN_CONVERSATION:
            yield from self._replace_conversation()
        else:
            self._conversation = None

    def _replace_conversation(self) -> Iterator[Event]:
        """Begins a new thread in place of one that is gone, and yields its id before the question
        goes there."""
        self._conversation = None
        # Without that permission of the token the chat makes its own conversation.
        with suppress(AuthRejected):
            self._conversation = self._api.create_conversation(
                self._options.bot_id, self._turn.stop, self._turn.deadline
            )
            yield Accepted(self._conversation)
