"""Reading Coze's chat object: its status, its usage, the action it asks for (platforms/coze.md §1.4)."""

import json
from collections.abc import Iterator
from typing import Any

from providers.base import About
from providers.events import Usage

SYNONYMS = {
    "cancelled": "canceled",
    "required_action": "requires_action",
    "compleated": "completed",
}
TERMINAL = {"completed", "failed", "canceled", "requires_action"}


def status_of(chat: dict[str, Any]) -> str:
    """The status of a chat object, in one spelling."""
    status = str(chat.get("status") or "")
    return SYNONYMS.get(status, status)


def json_object(text: str) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def usage_of(chat: dict[str, Any]) -> Iterator[Usage]:
    """The tokens used, by either spelling; nothing when they were not counted."""
    read, written, total = (
        _first_number(chat.get("usage"), names)
        for names in (
            ("input_count", "input_tokens"),
            ("output_count", "output_tokens"),
            ("token_count",),
        )
    )
    if total or read or written:
        yield Usage(read, written, total or read + written)


def _first_number(usage: Any, names: tuple[str, ...]) -> int:
    values = [usage.get(name) for name in names] if isinstance(usage, dict) else []
    return next((value for value in values if isinstance(value, int) and value > 0), 0)


def tool_calls(chat: dict[str, Any]) -> list[dict[str, Any]]:
    """What a chat that requires action asks for."""
    action = chat.get("required_action")
    outputs = action.get("submit_tool_outputs") if isinstance(action, dict) else None
    calls = outputs.get("tool_calls") if isinstance(outputs, dict) else None
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def wanted(chat: dict[str, Any]) -> str:
    """The same in words, for the log."""
    functions = [call.get("function") for call in tool_calls(chat)]
    names = [str(one.get("name")) for one in functions if isinstance(one, dict)]
    return "asks for the result of " + (", ".join(names) or "a step of its own")


def about(bot: dict[str, Any]) -> About:
    """What a bot object says of the agent (§5); its onboarding keys come in two spellings."""
    onboarding = bot.get("onboarding_info")
    onboarding = onboarding if isinstance(onboarding, dict) else {}
    prologue = _text(onboarding.get("prologue") or onboarding.get("Prologue"))
    questions = onboarding.get("suggested_questions") or onboarding.get("SuggestedQuestions")
    return About(
        name=_text(bot.get("name"))[:60],
        description=_text(bot.get("description"))[:300],
        prologue=prologue.replace("{{user_name}}", "")[:2000],  # nobody here has told a name
        suggestions=tuple(_text(one)[:200] for one in questions if _text(one))[:6]
        if isinstance(questions, list)
        else (),
        icon=_text(bot.get("icon_url")),
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
