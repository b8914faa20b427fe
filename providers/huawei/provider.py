"""Huawei Cloud's AI-native application engine (platforms/huawei.md): one call that always
streams."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from providers.base import Exchange, Observation, Provider, Turn
from providers.bodies import Body
from providers.errors import (
    ProviderError,
    Unavailable,
    Unexpected,
)
from providers.events import Event
from providers.http import Http, Response, refusal
from providers.huawei.answer import NAME, HuaweiReader, failed_part
from providers.huawei.codes import ERRORS
from providers.huawei.options import Options
from providers.payloads import Fields, text, told_error
from providers.stop import Stopped

# A free deployment is one slow node.
SILENCE_S = 300.0
# Characters, of six bytes at most; the gateway takes bodies of 12 MB.
MEMORY_LIMIT = 1_500_000

EMPTY_QUERY = {"AIAE.31001701", "AIAE.22001004", "AIAE.40001001"}


class Huawei(Provider):
    """One agent of the engine."""

    name = NAME
    proof = "the proper end of the HTTP body after a whole object, for the engine has no end marker"

    def __init__(self, options: Options, http: Http) -> None:
        self._options = options
        self._http = http

    def ask(self, turn: Turn) -> Iterator[Event]:
        # The platform remembers another history under another id: then ours goes along instead.
        sends_history = self._options.memory or (turn.history and not turn.conversation)
        conversation = None if sends_history else turn.conversation or uuid4().hex
        with self._http.open(
            "POST",
            self._options.agent_url,
            headers=self._headers,
            json=self._question(turn, conversation),
            stop=turn.stop,
            deadline=turn.deadline,
            timeout=SILENCE_S,
        ) as response:
            body = Body(response)
            if response.status >= 300:
                raise self._refusal(body, response)
            answer = HuaweiReader(conversation)
            try:
                for payload in _payloads(body):
                    if (failed := failed_part(payload)) is not None:
                        raise self._failure(failed, response, answer.trace)
                    yield from answer.apply(payload)
            except (ProviderError, Stopped):
                yield from answer.close_step("failed")
                raise
        yield from answer.end()

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self._options.agent_url,)

    def check(self, deadline: float) -> Iterator[Observation]:
        """An empty question, refused for that only when key and address are good (inferred,
        huawei.md §9)."""
        with self._http.open(
            "POST",
            self._options.agent_url,
            headers=self._headers,
            json={"query": ""},
            deadline=deadline,
        ) as response:
            body = Body(response)
            error = self._refusal(body, response) if response.status >= 300 else None
            payload = next(_payloads(body), {}) if error is None else {}
            if (failed := failed_part(payload)) is not None:
                error = self._failure(failed, response)
        is_for_the_query = response.status == 400 and isinstance(error, Unexpected)
        if error is not None and error.code not in EMPTY_QUERY and not is_for_the_query:
            raise error
        yield Observation("credentials")
        yield Observation("agent" if error is not None else "unseen")

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._options.api_key.get_secret_value()}"}

    def _question(self, turn: Turn, conversation: str | None) -> dict[str, Any]:
        """Either the ids by which the platform remembers, or our own history: it never takes
        both."""
        body: dict[str, Any] = {"query": turn.question}
        if conversation is not None:
            body |= {"user_id": turn.user, "conversation_id": conversation}
        elif remembered := memory(turn.history):
            body["memory"] = remembered
        variables = self._options.variables
        if variables.common_variables or variables.sensitive_variables:
            hidden = {
                name: value.get_secret_value()
                for name, value in variables.sensitive_variables.items()
            }
            body["variables"] = {
                "common_variables": variables.common_variables,
                "sensitive_variables": hidden,
            }
        return body

    def _refusal(self, body: Body, response: Response) -> ProviderError:
        """The error for a status other than success, with as much of the body as can be read."""
        payload = body.failure()
        return self._failure(failed_part(payload) or payload, response)

    def _failure(
        self, failed: dict[str, Any], response: Response, trace: str | None = None
    ) -> ProviderError:
        error = told_error(failed)
        code = text(failed.get("error_code")) or error.code
        message = text(failed.get("error_msg")) or error.message
        plain = refusal(response)
        kind = ERRORS.get(f"{code} {response.status}") or ERRORS.get(code) or type(plain)
        if kind is Unexpected and response.status >= 500:
            # The gateway has this code for whatever it did not expect itself.
            kind = Unavailable
        return kind(
            f"HTTP {response.status} {self._without_secrets(message)[:400]}".rstrip(),
            provider=NAME,
            code=code or None,
            trace=text(failed.get("request_id")) or trace,
            retry_after=plain.retry_after,
        )

    def _without_secrets(self, message: str) -> str:
        for secret in (
            self._options.api_key,
            *self._options.variables.sensitive_variables.values(),
        ):
            if secret.get_secret_value():
                message = message.replace(secret.get_secret_value(), "***")
        return message


PROVIDER = Huawei


def _payloads(body: Body) -> Iterator[Fields]:
    """The objects of an answer, as far as an end marker if one comes."""
    for frame in body.objects():
        if frame.payload is None:
            return
        yield frame.payload


def memory(history: Sequence[Exchange]) -> list[dict[str, str]]:
    """The history as the platform takes it, without empty entries and without what is too old to
    fit."""
    entries: list[dict[str, str]] = []
    size = 0
    for exchange in reversed(history):
        size += len(exchange.question) + len(exchange.answer)
        if size > MEMORY_LIMIT:
            break
        if exchange.question.strip() and exchange.answer.strip():
            entries.append({"role": "assistant", "content": exchange.answer})
            entries.append({"role": "user", "content": exchange.question})
    return entries[::-1]
