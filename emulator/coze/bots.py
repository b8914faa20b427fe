"""What Coze tells about an agent (platforms/coze.md §5)."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from emulator.accounts import COZE_BOTS, CozeBot
from emulator.coze.checks import caller, not_published, require_strings, unknown_bot
from emulator.coze.format import answer, bad_request
from emulator.state import here

bp = Blueprint("coze_bots", __name__)


@bp.get("/v1/bots/<bot_id>")
def retrieve(bot_id: str) -> ResponseReturnValue:
    is_published = request.args.get("is_published", "true")
    if is_published not in ("true", "false"):
        raise bad_request("The parameter is_published must be true or false.")
    bot = _bot(bot_id)
    if is_published == "false":
        return answer(_as_json(bot_id, bot, f"{bot.name}（草稿）"))
    if not bot.is_published:
        raise not_published(bot_id)
    return answer(_as_json(bot_id, bot, bot.name))


@bp.get("/v1/bot/get_online_info")
def online_info() -> ResponseReturnValue:
    (bot_id,) = require_strings(request.args, "bot_id")
    bot = _bot(bot_id)
    if not bot.is_published:
        raise not_published(bot_id)
    return answer(_as_json(bot_id, bot, bot.name))


def _bot(bot_id: str) -> CozeBot:
    token = caller("getMetadata")
    bot = COZE_BOTS.get(bot_id)
    if bot is None or bot.workspace not in token.workspaces:
        raise unknown_bot(bot_id)
    return bot


def _as_json(bot_id: str, bot: CozeBot, name: str) -> dict[str, Any]:
    return {
        "bot_id": bot_id,
        "name": name,
        "description": bot.description,
        "icon_url": f"{request.host_url}_emulator/picture.png",
        "create_time": 1767225600,
        "update_time": 1767225600,
        "version": "1767225600000",
        "bot_mode": 0,
        "prompt_info": {"prompt": "重复用户的问题。"},
        "onboarding_info": _onboarding(bot),
        "suggest_reply_info": {"reply_mode": "enable"},
        "shortcut_commands": [],
        "plugin_info_list": [],
        "model_info": {"model_id": "0", "model_name": "emulator"},
    }


def _onboarding(bot: CozeBot) -> dict[str, Any]:
    """In one of the two spellings the documentation shows; no questions, no key."""
    is_pascal = here().settings.coze_pascal_onboarding
    info: dict[str, Any] = {"Prologue" if is_pascal else "prologue": bot.prologue}
    if bot.suggestions:
        info["SuggestedQuestions" if is_pascal else "suggested_questions"] = list(bot.suggestions)
    if is_pascal:
        info |= {"OnboardingMode": "PROLOGUE_MANUAL", "SuggestedQuestionsShowMode": 0}
    return info
