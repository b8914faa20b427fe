"""Zhipu Qingyan agents (platforms/qingyan.md): two keys buy a token, the platform keeps the
conversation."""

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from providers import tokens
from providers.base import Observation, Provider, Turn
from providers.bodies import Body
from providers.errors import (
    AuthRejected,
    ContentBlocked,
    EmptyAnswer,
    ProviderError,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.events import Done, Event, Suggestion
from providers.farewell import farewell
from providers.http import Http, Response, refusal
from providers.payloads import (
    Fields,
    error_object,
    fields,
    items,
    seconds,
    text,
    told_error,
    whole,
)
from providers.qingyan.answer import QingyanReader
from providers.qingyan.codes import ERRORS
from providers.qingyan.options import Options
from providers.stop import Stop, Stopped

NAME = "qingyan"
TOKEN_S = 30.0
# The answer is whole by then; the visitor waits only for its suggestions.
SUGGEST_S = 15.0
# It does not say how long; a seat is free when an answer of the account ends.
WAIT_S = 3.0
SUGGESTIONS = 5
OTHERS_AGENT = 10018
# The conversation is gone or somebody else's: the question is asked in a new one.
FORGOTTEN = (12001, 12002)
QUOTE_LENGTH = 300


log = logging.getLogger(__name__)


class _TokenRefused(AuthRejected):
    """A 401 that names no other reason."""


class Qingyan(Provider):
    """One Qingyan agent."""

    name = NAME
    proof = (
        "the final event with the status `finish`, or a last message of text that has "
        "finished before the stream closes; without streaming the whole JSON"
    )

    def __init__(self, options: Options, http: Http, vault: tokens.Vault | None = None) -> None:
        self._options = options
        self._http = http
        key = (
            options.api_base,
            options.api_key.get_secret_value(),
            options.api_secret.get_secret_value(),
        )
        fetch: Callable[[], tokens.Token] = self._fetch_token
        if vault is not None:
            mark = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
            fetch = tokens.KeptToken(fetch, vault, f"{NAME}-token:{mark}", http.learn)
        self._tokens = tokens.shared(http, key, fetch)
        self._agent_refused_with: str | None = None

    def ask(self, turn: Turn) -> Iterator[Event]:
        question: Fields = {"assistant_id": self._options.assistant_id, "prompt": turn.question}
        for file in turn.attachments:
            file_id = self._upload(file.name, file.content_type, file.data, turn)
            question.setdefault("file_list", []).append({"file_id": file_id})
            turn.pace.wait(turn.stop, turn.deadline)
        answer = QingyanReader()
        try:
            yield from self._ask(turn, question, answer)
        except ProviderError as error:
            # After a change of account the platform refuses the ids of old conversations; rather
            # than let those die, the question begins a new one there.
            if error.code not in FORGOTTEN or turn.conversation is None or answer.has_yielded:
                raise
            turn.pace.wait(turn.stop, turn.deadline)
            yield from self._ask(replace(turn, conversation=None), question, answer)
        yield from self._follow_ups(answer, turn)
        yield Done()

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self._options.api_base,)

    def check(self, deadline: float) -> Iterator[Observation]:
        """Only a question would tell whether the agent exists and is the account's own."""
        self.check_credentials(deadline)
        yield Observation("credentials")
        yield Observation("unseen")

    def check_credentials(self, deadline: float | None = None) -> None:
        """Asks for a token, which costs nothing. Raises AuthRejected when the keys are wrong."""
        self._fetch_token(deadline)

    def _ask(self, turn: Turn, question: Fields, answer: QingyanReader) -> Iterator[Event]:
        try:
            if turn.streaming:
                yield from self._ask_for_stream(turn, question, answer)
            if turn.streaming and not answer.has_yielded:
                # Trap 12: a stream that says nothing, of what stream_sync would tell. It asks a
                # second time, so only after a stream that has ended as it should.
                turn.pace.wait(turn.stop, turn.deadline)
                turn.pace.spend()
            if not answer.has_yielded:
                yield from self._ask_for_whole(turn, question, answer)
            if not answer.has_content:
                raise EmptyAnswer("finished without an answer", provider=NAME)
        except ProviderError:
            yield from answer.end("failed")
            raise
        yield from answer.end()

    def _ask_for_stream(
        self, turn: Turn, question: Fields, answer: QingyanReader
    ) -> Iterator[Event]:
        content = _with_conversation(question, turn, answer)
        with (
            farewell(turn.stop) as ending,
            self._open("stream", ending.stop, turn.deadline, json=content) as (response, body),
        ):
            is_understood = is_strange = False
            for frame in body.objects():
                if frame.payload is not None and not ending.has_begun:
                    event = self._event_of(response, frame.payload)
                    is_understood = is_understood or bool(event)
                    is_strange = is_strange or bool(frame.payload and not event)
                    yield from self._raise_failure_after(answer, answer.apply(event))
                if answer.is_over:
                    ending.begin()
            if is_strange and not is_understood:
                raise Unexpected("sent a stream without a result", provider=NAME)
        if answer.has_yielded and not (answer.is_over or answer.is_whole):
            raise Unavailable("broke off before the end of the answer", provider=NAME)

    def _ask_for_whole(
        self, turn: Turn, question: Fields, answer: QingyanReader
    ) -> Iterator[Event]:
        content = _with_conversation(question, turn, answer)
        with self._open("stream_sync", turn.stop, turn.deadline, json=content) as (response, body):
            result = self._result_of(response, body.json())
        yield from self._raise_failure_after(answer, answer.apply_whole(result))

    def _raise_failure_after(
        self, answer: QingyanReader, events: Iterator[Event]
    ) -> Iterator[Event]:
        yield from events
        if answer.failure is not None:
            raise self._failure(answer.failure)

    def _upload(self, name: str, content_type: str, data: bytes, turn: Turn) -> str:
        """Hands a file over and returns its id for `file_list`."""
        files = {"file": (name, data, content_type)}
        with self._open("file_upload", turn.stop, turn.deadline, files=files) as (response, body):
            file_id = text(self._result_of(response, body.json()).get("file_id"))
        if not file_id:
            raise Unexpected("took a file and gave no id", provider=NAME)
        return file_id

    def _follow_ups(self, answer: QingyanReader, turn: Turn) -> Iterator[Event]:
        """What may be asked next.

        The answer is complete without it, so nothing here is a failure.
        """
        if not (self._options.follow_ups and answer.conversation):
            return
        deadline = min(turn.deadline, time.monotonic() + SUGGEST_S)
        question = {"conversation_id": answer.conversation}
        try:
            turn.pace.wait(turn.stop, deadline)
            with self._open("suggest/prompts", turn.stop, deadline, json=question) as (
                response,
                body,
            ):
                prompts = items(self._result_of(response, body.json()).get("list"))
        except (ProviderError, Stopped) as error:
            if isinstance(error, RateLimited):
                turn.pace.hold_back(error.retry_after)
            log.info("no follow-up questions: %s", error)
            return
        for prompt in filter(None, map(text, prompts[:SUGGESTIONS])):
            yield Suggestion(prompt)

    @contextmanager
    def _open(
        self, path: str, stop: Stop, deadline: float, **options: Any
    ) -> Iterator[tuple[Response, Body]]:
        """A call with our token: a new one, once, where the platform refuses the old."""
        refused_token = None
        while True:
            token = self._tokens.current(refused_token, stop=stop, deadline=deadline)
            with self._http.open(
                "POST",
                f"{self._options.api_base}/{path}",
                headers={"Authorization": f"Bearer {token}"},
                stop=stop,
                deadline=deadline,
                timeout=math.inf,
                **options,
            ) as response:
                body = Body(response)
                error = self._refusal(response, body)
                if error is None:
                    yield response, body
                    return
            if refused_token is not None or not self._may_be_the_token(error, token):
                if error.code == OTHERS_AGENT:
                    self._agent_refused_with = token
                raise error
            refused_token = token

    def _refusal(self, response: Response, body: Body) -> ProviderError | None:
        """The error of a status, or of the object that comes first, in any frame."""
        if response.status >= 400:
            return self._error(response, body.failure())
        payload = body.first_object()
        return self._error(response, payload) if error_object(payload) else None

    def _may_be_the_token(self, error: ProviderError, token: str) -> bool:
        """10018 means a token past its time or somebody else's agent: a new token tells, and is not
        tried twice.
        """
        return isinstance(error, _TokenRefused) or (
            error.code == OTHERS_AGENT and token != self._agent_refused_with
        )

    def _event_of(self, response: Response, payload: Fields) -> Fields:
        """An event of a stream, which has no envelope around it. A sign of life is an empty one."""
        if error_object(payload):
            raise self._error(response, payload)
        if isinstance(payload.get("result"), dict):
            return fields(payload["result"])
        is_event = isinstance(payload.get("status"), str) or "message" in payload
        return payload if is_event else {}

    def _result_of(self, response: Response, payload: Fields) -> Fields:
        """The result in an envelope."""
        if result := self._event_of(response, payload):
            return result
        raise Unexpected("sent JSON without a result", provider=NAME)

    def _error(self, response: Response, payload: Fields) -> ProviderError:
        error = told_error(payload)
        code, message = whole(error.code), self._quoted(error.message)
        # A word for a code is in no table, but in the log.
        log_code = error.code or None if code is None else code
        plain = refusal(response, message, log_code)
        kind = ERRORS.get(code or 0)
        if kind is None and response.status == 401:
            kind = _TokenRefused
        if kind is None:
            return (
                plain
                if response.status >= 400
                else Unexpected(message, provider=NAME, code=log_code)
            )
        wait = plain.retry_after or (WAIT_S if kind is RateLimited else None)
        return kind(
            f"HTTP {response.status} {message}".rstrip(), provider=NAME, code=code, retry_after=wait
        )

    def _failure(self, last_error: Fields) -> ProviderError:
        code = whole(last_error.get("error_code"))
        kind = ContentBlocked if last_error.get("intervened") else ERRORS.get(code or 0, Unexpected)
        return kind(self._quoted(last_error.get("error_msg")), provider=NAME, code=code)

    def _quoted(self, value: Any) -> str:
        """A text of the platform for the log: short, in one line, without our secret."""
        secret = self._options.api_secret.get_secret_value()
        return " ".join(text(value).replace(secret, "***").split())[:QUOTE_LENGTH]

    def _fetch_token(self, deadline: float | None = None) -> tokens.Token:
        keys = {
            "api_key": self._options.api_key.get_secret_value(),
            "api_secret": self._options.api_secret.get_secret_value(),
        }
        url = f"{self._options.api_base}/get_token"
        deadline = deadline or time.monotonic() + TOKEN_S
        with self._http.open("POST", url, json=keys, deadline=deadline) as response:
            body = Body(response)
            error = self._refusal(response, body)
            if error is not None:
                raise error
            result = self._result_of(response, body.json())
        secret = text(result.get("access_token"))
        if not secret:
            raise Unexpected("gave no access_token", provider=NAME)
        self._http.learn(secret)
        return tokens.Token(secret, seconds(result.get("expires_in"), 3600.0))


def _with_conversation(question: Fields, turn: Turn, answer: QingyanReader) -> Fields:
    """The question with the conversation it belongs to, if there is one already."""
    conversation = answer.conversation or turn.conversation
    return {**question, "conversation_id": conversation} if conversation else question


PROVIDER = Qingyan
