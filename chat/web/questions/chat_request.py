"""The request POST /chat in its three forms: this site's JSON, Coze's own body, an HTML form."""

import json
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from chat.agents.offered import Agent, Agents
from chat.refusals import Refusal
from chat.web.gate.body_fields import json_object
from chat.web.gate.typed_text import plain_text


@dataclass(frozen=True)
class ChatRequest:
    """A question for an agent. Without a `conversation_id` it begins a new conversation.

    `after` is the answer it follows; `instead` is the answer whose question it replaces.
    """

    message: str
    agent: Agent | None
    conversation_id: str | None
    wants_events: bool
    files: list[str] = field(default_factory=list)
    after: str | None = None
    instead: str | None = None


Model = TypeVar("Model", bound=BaseModel)
Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{0,64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    message: str
    agent: str | None = None
    conversation_id: Id | None = None
    files: list[Id] = []
    after: Id | None = None
    instead: Id | None = None
    stream: bool | None = None


class _CozeMessage(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    role: str
    content: str = ""
    content_type: str = "text"


class _CozeBody(BaseModel):
    """The request of Coze's /v3/chat (platforms/coze.md §1.2), as widely copied pages post it."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    bot_id: str
    stream: bool | None = None
    additional_messages: list[_CozeMessage]
    conversation_id: Id | None = None


def read_chat_request(request: Request, agents: Agents, max_chars: int) -> ChatRequest:
    """The question of a request.

    Raises Refusal: bad_input, too_long, not_found (the agent); and UnsupportedMediaType.
    """
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        chat_request = _from_form(request, agents)
    else:
        payload = json_object(request)
        read = _from_coze if "additional_messages" in payload else _from_json
        chat_request = read(payload, agents)
    # Without its conversation such a question would begin a new one.
    if (chat_request.after or chat_request.instead) and not chat_request.conversation_id:
        raise Refusal("bad_input", "an answer without its conversation")
    return replace(
        chat_request,
        message=_question_text(chat_request.message, max_chars),
        conversation_id=chat_request.conversation_id or None,
    )


def _from_json(payload: dict[str, Any], agents: Agents) -> ChatRequest:
    body = _validate(_Body, payload)
    return ChatRequest(
        body.message,
        agents.named(body.agent) if body.agent is not None else None,
        body.conversation_id,
        bool(body.stream),
        body.files,
        body.after or None,
        body.instead or None,
    )


def _from_coze(payload: dict[str, Any], agents: Agents) -> ChatRequest:
    body = _validate(_CozeBody, payload)
    agent = agents.by_handle(body.bot_id)
    if agent is None:
        raise Refusal("not_found", "an agent that is not of this site")
    questions = [message for message in body.additional_messages if message.role == "user"]
    if not questions:
        raise Refusal("bad_input", "no message of the user")
    return ChatRequest(_text(questions[-1]), agent, body.conversation_id, bool(body.stream))


def _from_form(request: Request, agents: Agents) -> ChatRequest:
    name = request.form.get("agent")
    return ChatRequest(
        request.form.get("message", ""),
        agents.named(name) if name else None,
        request.form.get("conversation_id"),
        wants_events=False,
        after=request.form.get("after") or None,
        instead=request.form.get("instead") or None,
    )


def _validate(model: type[Model], payload: dict[str, Any]) -> Model:
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise Refusal("bad_input", str(error.errors()[0]["loc"])) from None


def _text(message: _CozeMessage) -> str:
    """The text of a message; an object_string is a JSON list that contains it."""
    if message.content_type != "object_string":
        return message.content
    try:
        items = json.loads(message.content)
        return "\n".join(item["text"] for item in items if item["type"] == "text")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refusal("bad_input", "an object_string that is none") from None


def _question_text(message: str, max_chars: int) -> str:
    text = plain_text(message, max_chars)
    if not text:
        raise Refusal("bad_input", "an empty question")
    return text
