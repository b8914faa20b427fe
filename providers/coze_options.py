"""What a Coze agent is given, checked when it is made (platforms/coze.md §1.2)."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from providers.options import Address, AgentOptions, Text, Token


def _bot_id(value: Any) -> Any:
    """The digits of an agent, also from the address of its page."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    found = re.search(r"/bot/([0-9]+)", text)
    digits = found[1] if found else text
    if not re.fullmatch(r"[0-9]+", digits):
        raise ValueError("a bot id is the digits after /bot/ in the address of the agent's page")
    return digits


def _json_map(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("parameters hold only what JSON can say: texts, numbers, lists and tables") from None
    return value


def _prompt_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]+", name):
        raise ValueError("names of custom variables are made of ASCII letters and underscores")
    return name


MetaKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetaValue = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class ShortcutCommand(BaseModel):
    """A shortcut bound to the agent; Coze makes the query from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command_id: Text
    parameters: dict[str, str] = Field(default_factory=dict)


class Options(AgentOptions):
    """What an agent on Coze is given. The maps are sent with every question, as the sheet's §1.2 has them."""

    api_token: Token
    bot_id: Annotated[str, BeforeValidator(_bot_id)]
    api_base: Address = "https://api.coze.cn"
    poll_interval_s: float = Field(1.0, ge=1.0, allow_inf_nan=False)
    custom_variables: dict[Annotated[str, AfterValidator(_prompt_name)], str] | None = None
    parameters: Annotated[dict[str, Any], AfterValidator(_json_map)] | None = None
    meta_data: Annotated[dict[MetaKey, MetaValue], Field(max_length=16)] | None = None
    extra_params: dict[Literal["latitude", "longitude"], str] | None = None
    shortcut_command: ShortcutCommand | None = None
