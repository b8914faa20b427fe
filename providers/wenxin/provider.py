"""Baidu Wenxin agents (platforms/wenxin.md): keys in the address, text in pieces, threads they
remember."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from providers.base import Observation, Provider, Turn
from providers.bodies import Body
from providers.errors import (
    AuthRejected,
    EmptyAnswer,
    NotConfigured,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.events import Done, Event
from providers.farewell import farewell
from providers.http import Http, Response, refusal
from providers.payloads import Fields, error_object, text, told_error, whole
from providers.stop import Stop
from providers.wenxin.answer import WenxinReader
from providers.wenxin.codes import ERRORS
from providers.wenxin.options import Options

NAME = "wenxin"
CHECK_S = 30.0
# It does not say how long.
WAIT_S = 3.0
QUOTE_LENGTH = 300
# The code for a question without words, which a check asks: id and key are good then.
WORDLESS = 1000


class Wenxin(Provider):
    """One Wenxin agent."""

    name = NAME
    proof = (
        "`endTurn` in a packet, or, where the stream closes between two sections, one `getAnswer` "
        "that decides; without streaming the whole JSON with the status 0"
    )

    def __init__(self, options: Options, http: Http) -> None:
        self._options = options
        self._http = http

    def ask(self, turn: Turn) -> Iterator[Event]:
        answer = WenxinReader()
        try:
            yield from self._ask(turn, answer)
        except ProviderError:
            yield from answer.end("failed")
            raise
        yield from answer.end()
        yield Done("content_filter" if answer.is_moderated else "stop")

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self._options.api_base, self._options.token_base)

    def check(self, deadline: float) -> Iterator[Observation]:
        """The keys; then a question without words, refused for that (1000) only when the keys are
        good and the agent is published (that order is inferred, platforms/wenxin.md §10).
        """
        self.check_credentials(deadline)
        yield Observation("credentials")
        url = f"{self._options.api_base}/assistant/getAnswer"
        with self._http.open(
            "POST", url, params=self._keys, json={}, deadline=deadline
        ) as response:
            payload = self._open_body(response).json()
        error = self._error(response, payload)
        if isinstance(error, NotConfigured | AuthRejected | QuotaExhausted):
            raise error
        yield Observation("agent" if error.code == WORDLESS else "unseen")

    def check_credentials(self, deadline: float | None = None) -> None:
        """Asks for a token, which nobody needs but which costs no question. Raises AuthRejected.

        It proves that id and key belong together, not that the agent is published.
        """
        keys = {
            "grant_type": "client_credentials",
            "client_id": self._options.app_id,
            "client_secret": self._options.secret_key.get_secret_value(),
        }
        url = f"{self._options.token_base}/oauth/2.0/token"
        deadline = deadline or time.monotonic() + CHECK_S
        with self._http.open("GET", url, params=keys, deadline=deadline) as response:
            body = Body(response)
            payload = body.failure() if response.status >= 400 else body.json()
        if payload.get("error"):
            raise AuthRejected(
                self._quoted(payload.get("error_description")),
                provider=NAME,
                code=self._quoted(payload["error"]),
            )
        if response.status >= 400:
            raise refusal(response, "")
        token = text(payload.get("access_token"))
        if not token:
            raise Unexpected("gave no access_token", provider=NAME)
        self._http.learn(token)

    def _ask(self, turn: Turn, answer: WenxinReader) -> Iterator[Event]:
        if turn.streaming:
            yield from self._ask_for_stream(turn, answer)
        if turn.streaming and not answer.has_yielded:
            # §9.6: a stream that ends without a word, where getAnswer has some. It asks a second
            # time, so only after a stream that has ended as it should.
            turn.pace.wait(turn.stop, turn.deadline)
            turn.pace.spend()
        if not answer.has_yielded:
            payload = self._ask_for_whole(turn, answer)
            yield from answer.apply_whole(payload)
        elif not answer.is_over:
            yield from self._let_the_whole_decide(turn, answer)
        if not answer.has_content:
            raise EmptyAnswer("finished without an answer", provider=NAME)

    def _ask_for_stream(self, turn: Turn, answer: WenxinReader) -> Iterator[Event]:
        with (
            farewell(turn.stop) as ending,
            self._open("conversation", turn, answer, ending.stop) as response,
        ):
            for frame in self._open_body(response).objects():
                packet = frame.payload
                if packet is None or ending.has_begun:
                    continue
                if error_object(packet):
                    raise self._error(response, packet)
                yield from answer.apply(packet)
                if answer.is_over:
                    ending.begin()
        if answer.has_yielded and not (answer.is_over or answer.may_be_whole):
            raise Unavailable("broke off before the end of the answer", provider=NAME)

    def _let_the_whole_decide(self, turn: Turn, answer: WenxinReader) -> Iterator[Event]:
        """After a stream that closed between two sections, which may be whole or not: one getAnswer
        decides (§ Additions), though it asks a second time. Raises Unavailable where it does not.
        """
        reason = "getAnswer has none either"
        try:
            turn.pace.wait(turn.stop, turn.deadline)
            turn.pace.spend()
            yield from answer.apply_decision(self._ask_for_whole(turn, answer))
        except ProviderError as error:
            if isinstance(error, RateLimited):
                turn.pace.hold_back(error.retry_after)
            reason = str(error)
        if not answer.is_over:
            raise Unavailable(f"closed before the end of the answer: {reason}", provider=NAME)

    def _ask_for_whole(self, turn: Turn, answer: WenxinReader) -> Fields:
        with self._open("getAnswer", turn, answer, turn.stop) as response:
            payload = self._open_body(response).json()
        if whole(payload.get("status")) != 0 or error_object(payload):
            raise self._error(response, payload)
        return payload

    @contextmanager
    def _open(self, path: str, turn: Turn, answer: WenxinReader, stop: Stop) -> Iterator[Response]:
        """Sends the question. Both keys are part of the address, as the platform wants it: nothing
        that knows the address may reach a log.
        """
        with self._http.open(
            "POST",
            f"{self._options.api_base}/assistant/{path}",
            params=self._keys,
            json=self._question(turn, answer),
            headers={"Accept": "text/event-stream"} if path == "conversation" else {},
            stop=stop,
            deadline=turn.deadline,
            timeout=math.inf,
        ) as response:
            yield response

    @property
    def _keys(self) -> dict[str, str]:
        return {
            "appId": self._options.app_id,
            "secretKey": self._options.secret_key.get_secret_value(),
        }

    def _question(self, turn: Turn, answer: WenxinReader) -> Fields:
        question: Fields = {
            "message": {"content": {"type": "text", "value": {"showText": turn.question}}},
            "source": self._options.app_id,
            "from": "openapi",
            "openId": f"u_{turn.user}",
        }
        thread = answer.thread or turn.conversation
        if thread:
            question["threadId"] = thread
        return question

    def _open_body(self, response: Response) -> Body:
        """The body of a success.

        Raises the error that its status, and its JSON if it is some, tell of.
        """
        if response.status >= 400:
            raise self._error(response, Body(response).failure())
        return Body(response)

    def _error(self, response: Response, payload: Fields) -> ProviderError:
        error = told_error(payload)
        code, message = whole(error.code), self._quoted(error.message)
        # A word for a code is in no table, but in the log.
        log_code = error.code or None if code is None else code
        plain = refusal(response, message, log_code)
        kind = ERRORS.get(
            code or response.status, type(plain) if response.status >= 400 else Unexpected
        )
        return kind(
            f"HTTP {response.status} {message}".rstrip(),
            provider=NAME,
            code=log_code,
            trace=text(payload.get("logid")) or None,
            retry_after=plain.retry_after or (WAIT_S if kind is RateLimited else None),
        )

    def _quoted(self, value: Any) -> str:
        """A text of the platform for the log: short, in one line, without our key."""
        secret = self._options.secret_key.get_secret_value()
        return " ".join(text(value).replace(secret, "***").split())[:QUOTE_LENGTH]


PROVIDER = Wenxin
