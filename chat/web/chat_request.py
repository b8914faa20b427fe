"""What a POST to /chat says, in any of its three forms: ours, Coze's own body, an HTML form."""

import json
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from chat.agents.offered import Agent, Agents
from chat.refusals import Refusal
from chat.web.json_body import document


@dataclass(frozen=True)
class Asked:
    """A question that may be put to an agent. `conversation_id` None begins a new conversation.

    It may say `after` which answer it goes on, or `instead` of which answer's question it is asked.
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


def read(request: Request, agents: Agents, max_chars: int) -> Asked:
    """The question of a request. Raises Refusal: bad_input, too_long, not_found (the agent),
    and UnsupportedMediaType.
    """
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        asked = _from_form(request, agents)
    else:
        told = document(request, max_chars)
        asked = _from_coze(told, agents) if "additional_messages" in told else _ours(told, agents)
    if (asked.after or asked.instead) and not asked.conversation_id:
        raise Refusal(
            "bad_input", "an answer without its conversation"
        )  # else it would begin a new one
    return replace(
        asked,
        message=_legible(asked.message, max_chars),
        conversation_id=asked.conversation_id or None,
    )


def _ours(told: dict[str, Any], agents: Agents) -> Asked:
    body = _checked(_Body, told)
    agent = agents.named(body.agent) if body.agent is not None else None
    return Asked(
        body.message,
        agent,
        body.conversation_id,
        bool(body.stream),
        body.files,
        body.after or None,
        body.instead or None,
    )


def _from_coze(told: dict[str, Any], agents: Agents) -> Asked:
    body = _checked(_CozeBody, told)
    agent = agents.by_handle(body.bot_id)
    if agent is None:
        raise Refusal("not_found", "an agent that is not of this site")
    users = [message for message in body.additional_messages if message.role == "user"]
    if not users:
        raise Refusal("bad_input", "no message of the user")
    return Asked(_words(users[-1]), agent, body.conversation_id, bool(body.stream))


def _from_form(request: Request, agents: Agents) -> Asked:
    name = request.form.get("agent")
    return Asked(
        request.form.get("message", ""),
        agents.named(name) if name else None,
        request.form.get("conversation_id"),
        wants_events=False,
        after=request.form.get("after") or None,
        instead=request.form.get("instead") or None,
    )


def _checked(model: type[Model], told: dict[str, Any]) -> Model:
    try:
        return model.model_validate(told)
    except ValidationError as error:
        raise Refusal("bad_input", str(error.errors()[0]["loc"])) from None


def _words(message: _CozeMessage) -> str:
    """The text of a message; an object_string holds it in a list of its own."""
    if message.content_type != "object_string":
        return message.content
    try:
        items = json.loads(message.content)
        return "\n".join(item["text"] for item in items if item["type"] == "text")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refusal("bad_input", "an object_string that is none") from None


def _legible(message: str, max_chars: int) -> str:
    """The question with plain line ends. Control characters and half characters are refused, not dropped:
    who sends them did not mean the text we would be left with.
    """
    text = message.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > max_chars:
        raise Refusal("too_long", f"{len(text)} characters")
    if not text.strip():
        raise Refusal("bad_input", "an empty question")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text if char not in "\n\t"):
        raise Refusal("bad_input", "control characters")
    return text.strip()
