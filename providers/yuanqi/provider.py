"""Tencent Yuanqi (platforms/yuanqi.md): one stateless call, so the whole history goes with each
question."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import Any

from providers.base import Exchange, Observation, Provider, Turn
from providers.bodies import Body
from providers.errors import (
    NotConfigured,
    ProviderError,
    Unavailable,
    Unexpected,
)
from providers.events import Event
from providers.farewell import Farewell, farewell
from providers.http import Http, Response, retry_after
from providers.payloads import Fields, error_object, told_error
from providers.stop import Stop
from providers.yuanqi.answer import NAME, YuanqiReader
from providers.yuanqi.codes import kind_of
from providers.yuanqi.options import Options

PATH = "/agent/chat/completions"
# 40 messages are allowed, but a list that begins and ends with the user has an odd length: 39.
ROUNDS = 19
# A workflow may work for minutes before its first byte.
SILENCE_S = 300.0
# How long more text may lag behind the frame that has the finish_reason.
LAST_WORDS_S = 8.0

FILE_TYPES = {
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "webp", "bmp"), "image"),
    **dict.fromkeys(("mp4", "mov", "webm", "avi"), "video"),
    **dict.fromkeys(("mp3", "wav", "m4a", "ogg", "aac"), "audio"),
    **dict.fromkeys(("doc", "docx"), "doc"),
    **dict.fromkeys(("txt", "md"), "txt"),
}


class Yuanqi(Provider):
    """One Yuanqi agent."""

    name = NAME
    proof = "a `finish_reason` or `[DONE]`; without streaming the whole JSON, unless in pieces"

    def __init__(self, options: Options, http: Http) -> None:
        self._options = options
        self._http = http

    def ask(self, turn: Turn) -> Iterator[Event]:
        answer = YuanqiReader()
        with (
            farewell(turn.stop, LAST_WORDS_S) as ending,
            self._open(turn, ending.stop) as response,
        ):
            body = Body(response)
            if response.status >= 300:
                raise self._refusal(body, response)
            try:
                yield from self._read(body, answer, ending)
            except ProviderError:
                if not answer.finish:
                    yield from answer.close_step("failed")
                raise
        yield from answer.end()

    def _read(self, body: Body, answer: YuanqiReader, ending: Farewell) -> Iterator[Event]:
        """The events of a success. Raises Unavailable where nothing proves that it is whole."""
        is_whole = False
        for frame in body.objects():
            if frame.payload is None:
                is_whole = True
                ending.begin()
                continue
            if not frame.payload.get("choices") and error_object(frame.payload):
                raise self._failure(frame.payload, 200, answer.trace)
            yield from answer.apply(frame.payload)
            if answer.finish:
                # Not the end yet: text may follow it after a pause.
                is_whole = True
                ending.begin()
        if body.kind == "empty":
            raise Unavailable("an empty body", provider=NAME)
        # Pieces are no whole JSON, however they are framed.
        if not is_whole and (body.kind != "json" or answer.has_deltas):
            raise Unavailable("the stream ended before its end", provider=NAME)

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self._options.api_base,)

    def check(self, deadline: float) -> Iterator[Observation]:
        """A question without messages, refused for that (400) only when the token is good.

        Whether the agent is looked at before the messages is not known (yuanqi.md §9 infers:
        after).
        """
        question = {"assistant_id": self._options.assistant_id, "user_id": "doctor", "messages": []}
        with self._http.open(
            "POST",
            self._options.api_base + PATH,
            headers=self._headers,
            json=question,
            deadline=deadline,
        ) as response:
            body = Body(response)
            error = self._refusal(body, response) if response.status >= 300 else None
            if error is None:
                next(body.objects(), None)
        if error is not None and not (response.status == 400 and isinstance(error, Unexpected)):
            raise error
        yield Observation("credentials")
        yield Observation("unseen")

    def _open(self, turn: Turn, stop: Stop) -> AbstractContextManager[Response]:
        return self._http.open(
            "POST",
            self._options.api_base + PATH,
            headers=self._headers,
            json=self._question(turn),
            stop=stop,
            deadline=turn.deadline,
            timeout=SILENCE_S,
        )

    @property
    def _token(self) -> str:
        return self._options.api_token.get_secret_value()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "X-Source": "openapi"}

    def _question(self, turn: Turn) -> dict[str, Any]:
        body: dict[str, Any] = {
            "assistant_id": self._options.assistant_id,
            "user_id": turn.user,
            "stream": turn.streaming,
            "messages": messages(turn.history, content(turn.question, self._files(turn))),
        }
        if self._options.custom_variables:
            body["custom_variables"] = self._options.custom_variables
        return body

    def _files(self, turn: Turn) -> list[dict[str, Any]]:
        """The parts of a question that are files: addresses, for the platform fetches them
        itself."""
        parts = []
        for file in turn.attachments:
            if file.url is None:
                raise NotConfigured("files need a public address: set PUBLIC_URL", provider=NAME)
            parts.append(
                file_part(file.name, file.url, file.content_type, self._options.image_part)
            )
        return parts

    def _refusal(self, body: Body, response: Response) -> ProviderError:
        """The error for a status other than success, with as much of the body as can be read."""
        error = self._failure(body.failure() or body.excerpt, response.status, None)
        error.retry_after = retry_after(response)
        return error

    def _failure(self, payload: Fields | str, status: int, trace: str | None) -> ProviderError:
        """The error for a body or a frame with a failure in it, or for the text of one."""
        if isinstance(payload, str):
            code, message = "", payload
        else:
            error = told_error(payload)
            code, message = error.code, error.message
        description = f"HTTP {status} {message.replace(self._token, '***')[:400]}".rstrip()
        return kind_of(code, message, status)(
            description, provider=NAME, code=code or None, trace=trace
        )


PROVIDER = Yuanqi


def messages(history: Sequence[Exchange], question: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The latest rounds and the question: strictly alternating, the user first and last, at most
    39."""
    rounds = [round for round in history if round.question.strip() and round.answer.strip()]
    earlier = []
    for exchange in rounds[-ROUNDS:]:
        earlier.append({"role": "user", "content": content(exchange.question)})
        earlier.append({"role": "assistant", "content": content(exchange.answer)})
    return [*earlier, {"role": "user", "content": question}]


def content(words: str, files: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """A message's content: its text, which may not be empty, and the parts that `file_part`
    makes."""
    return [*([{"type": "text", "text": words}] if words or not files else []), *files]


def file_part(
    name: str, url: str, content_type: str = "", image_part: str = "image_url"
) -> dict[str, Any]:
    """A file as a part of a question: its content type says what it is, or else the end of its
    name."""
    suffix = PurePosixPath(name).suffix.lower().removeprefix(".")
    family = content_type.partition("/")[0]
    kind = (
        family
        if family in ("image", "video", "audio")
        else FILE_TYPES.get(suffix, suffix or "file")
    )
    if kind == "image" and image_part == "image_url":
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file_url", "file_url": {"type": kind, "url": url}}
