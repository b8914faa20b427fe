"""Coze's calls and envelopes (platforms/coze.md §0–§3)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from providers import http
from providers.base import Attachment
from providers.bodies import object_in
from providers.coze.auth import Credentials
from providers.coze.codes import kind_of
from providers.errors import ProviderError, Unavailable, Unexpected
from providers.http import Http, Response
from providers.payloads import error_object, fields, items, told_error, whole
from providers.stop import Stop

UNKNOWN_CHAT = 4001
UNKNOWN_CONVERSATION = 4002
CANCEL_S = 5.0
# A poll that hangs longer is asked again.
READ_S = 15.0
TEXT_LIMIT = 500


class Api:
    """The calls of one turn.

    Each raises what coze/codes.py and providers/http.py name, with Coze's code and logid.
    """

    def __init__(self, base: str, credentials: Credentials, http: Http) -> None:
        self._base = base
        self._credentials = credentials
        self._token = ""
        self._http = http
        self.provider = http.provider

    def renew(self) -> bool:
        """After a refusal: whether there is another token to try than the one last used."""
        used_token = self._token
        return self._credentials.current(refused_token=used_token) != used_token

    @property
    def _headers(self) -> dict[str, str]:
        self._token = self._credentials.current()
        return {"Authorization": f"Bearer {self._token}"}

    @contextmanager
    def ask(
        self, body: dict[str, Any], conversation: str | None, stop: Stop, deadline: float
    ) -> Iterator[Response]:
        """Sends a question and yields the open response: a stream of events, or an envelope with
        the chat."""
        with self._http.open(
            "POST",
            f"{self._base}/v3/chat",
            params={"conversation_id": conversation} if conversation else None,
            json=body,
            headers=self._headers,
            stop=stop,
            deadline=deadline,
        ) as response:
            yield response

    def retrieve(self, conversation: str, chat: str, stop: Stop, deadline: float) -> dict[str, Any]:
        """The chat object: its status, last_error, usage."""
        chat_object = self._get("/v3/chat/retrieve", conversation, chat, stop, deadline)
        if not isinstance(chat_object, dict):
            raise Unexpected("sent a chat that is no object", provider=self.provider)
        return chat_object

    def messages(
        self, conversation: str, chat: str, stop: Stop, deadline: float
    ) -> list[dict[str, Any]]:
        """What the chat has produced, in no documented order.

        A failed chat has no list at all: [].
        """
        messages = self._get("/v3/chat/message/list", conversation, chat, stop, deadline)
        return [message for message in items(messages) if isinstance(message, dict)]

    def cancel(self, conversation: str, chat: str) -> None:
        """Ends a chat, within CANCEL_S.

        That it had ended already (4104) raises like any other refusal.
        """
        ids = {"conversation_id": conversation, "chat_id": chat}
        self._post("/v3/chat/cancel", ids, None, time.monotonic() + CANCEL_S)

    def create_conversation(self, bot_id: str, stop: Stop | None, deadline: float) -> str:
        """A new, empty conversation of the agent: its id."""
        conversation = self._post("/v1/conversation/create", {"bot_id": bot_id}, stop, deadline)
        if not isinstance(conversation, dict) or not conversation.get("id"):
            raise Unexpected("made a conversation without an id", provider=self.provider)
        return str(conversation["id"])

    def bot(self, bot_id: str, deadline: float) -> dict[str, Any]:
        """The published agent: its name, icon and onboarding among other things (§5)."""
        response, body = self._http.call(
            "GET", f"{self._base}/v1/bots/{bot_id}", headers=self._headers, deadline=deadline
        )
        return fields(self.unwrap(response, body))

    def probe_chat(self, bot_id: str, deadline: float) -> None:
        """Sends a question without messages, which cannot run. Raises its refusal.

        Token, agent and publication are looked at before the rest, so that 4000 or 4007 means that
        they are good (that order is inferred, coze.md §12.3).
        """
        body = {"bot_id": bot_id, "stream": False, "auto_save_history": False}
        chat = fields(self._post("/v3/chat", body, None, deadline))
        # Should it run after all, it is not to be left running.
        if chat.get("id") and chat.get("conversation_id"):
            self.cancel(str(chat["conversation_id"]), str(chat["id"]))

    def clear(self, conversation: str, deadline: float) -> None:
        """Begins a new section of a conversation; one that is gone (4002) holds nothing to
        forget."""
        try:
            self._post(
                f"/v1/conversations/{quote(conversation, safe='')}/clear", {}, None, deadline
            )
        except Unexpected as error:
            if error.code != UNKNOWN_CONVERSATION:
                raise

    def upload(self, file: Attachment, stop: Stop, deadline: float) -> str:
        """Hands a file over: its id, good for three months and for this account."""
        response, body = self._http.call(
            "POST",
            f"{self._base}/v1/files/upload",
            files={"file": (file.name, file.data, file.content_type)},
            headers=self._headers,
            stop=stop,
            deadline=deadline,
        )
        upload = self.unwrap(response, body)
        if not isinstance(upload, dict) or not upload.get("id"):
            raise Unexpected("took a file without an id", provider=self.provider)
        return str(upload["id"])

    def unwrap(self, response: Response, body: bytes) -> Any:
        """The `data` of an envelope.

        Raises the error it holds, or the one its HTTP status stands for.
        """
        try:
            envelope = object_in(body, response.provider)
        except ProviderError as error:
            # Of a failure that is no JSON the status says more.
            failure = error if response.status < 400 else http.refusal(response)
            raise self._traced(failure, response) from None
        is_failure = whole(envelope.get("code")) or (
            # In another house's envelope.
            not envelope.get("data") and error_object(envelope)
        )
        if is_failure or response.status >= 400:
            raise self.error(envelope, trace_of(response, envelope), response)
        return envelope.get("data")

    def error(
        self, payload: dict[str, Any], trace: str | None = None, response: Response | None = None
    ) -> ProviderError:
        """The error for Coze's `{code, msg}`, or for what stands for it in another envelope.

        An unknown code falls back on the HTTP status.
        """
        refusal = told_error(payload)
        code: int | str | None = whole(refusal.code) or refusal.code or None
        unexplained = f"HTTP {response.status}" if response is not None else "no reason given"
        text = refusal.message or unexplained
        if self._token:
            text = text.replace(self._token, "[token]")
        kind, wait = kind_of(code), None
        if response is not None and response.status >= 400:
            wait = http.retry_after(response)
            # 404 with 4000: no such endpoint.
            if kind is Unexpected or response.status == 404:
                fallback = Unavailable if response.status >= 500 else kind
                kind = http.STATUS.get(response.status, fallback)
        return kind(
            text[:TEXT_LIMIT], provider=self.provider, code=code, trace=trace, retry_after=wait
        )

    def _traced(self, error: ProviderError, response: Response) -> ProviderError:
        error.trace = trace_of(response)
        return error

    def _get(self, path: str, conversation: str, chat: str, stop: Stop, deadline: float) -> Any:
        ids = {"conversation_id": conversation, "chat_id": chat}
        response, body = self._http.call(
            "GET",
            self._base + path,
            params=ids,
            headers=self._headers,
            stop=stop,
            deadline=deadline,
            timeout=READ_S,
        )
        return self.unwrap(response, body)

    def _post(self, path: str, content: dict[str, Any], stop: Stop | None, deadline: float) -> Any:
        response, body = self._http.call(
            "POST",
            self._base + path,
            json=content,
            headers=self._headers,
            stop=stop,
            deadline=deadline,
        )
        return self.unwrap(response, body)


def trace_of(response: Response, envelope: dict[str, Any] | None = None) -> str | None:
    """The logid, for Coze's support: from the header, else from the envelope."""
    detail = fields((envelope or {}).get("detail"))
    logid = response.headers.get("x-tt-logid") or detail.get("logid")
    return str(logid) if logid else None
