"""What a Coze agent is given, checked when it is made (platforms/coze.md §1.2)."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from providers.coze.auth import Credentials, FixedToken, ServiceApp, Vault, WebApp
from providers.http import Http
from providers.options import Address, AgentOptions, Text, Token


def _bot_id(value: Any) -> Any:
    """The digits of an agent, also from the address of its page."""
    text = (
        str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    )
    found = re.search(r"/bot/([0-9]+)", text)
    digits = found[1] if found else text
    if not re.fullmatch(r"[0-9]+", digits):
        raise ValueError("a bot id is the digits after /bot/ in the address of the agent's page")
    return digits


def _json_map(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError(
            "parameters hold only what JSON can say: texts, numbers, lists and tables"
        ) from None
    return value


def _prompt_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]+", name):
        raise ValueError("names of custom variables are made of ASCII letters and underscores")
    return name


MetaKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetaValue = Annotated[str, StringConstraints(min_length=1, max_length=512)]


WAYS = (
    ("api_token",),
    ("jwt_app_id", "jwt_key_id", "jwt_private_key"),
    ("oauth_client_id", "oauth_client_secret"),
)
_NONE = (
    "api_token is empty, and so are jwt_app_id and oauth_client_id, of which one may stand instead"
)
_HALF = "there is more than one of api_token, jwt_app_id and oauth_client_id"


class ShortcutCommand(BaseModel):
    """A shortcut bound to the agent; Coze makes the query from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command_id: Text
    parameters: dict[str, str] = Field(default_factory=dict)


class Options(AgentOptions):
    """What an agent on Coze is given. The maps are sent with every question, as the sheet's §1.2
    has them.

    It signs in by one of three: a token, a service app (JWT), or a web app that its owner
    authorises (§6).
    """

    api_token: Token | None = None
    jwt_app_id: Text | None = None
    jwt_key_id: Text | None = None
    jwt_private_key: SecretStr | None = None
    oauth_client_id: Text | None = None
    oauth_client_secret: Token | None = None
    web_base: Address = "https://www.coze.cn"
    bot_id: Annotated[str, BeforeValidator(_bot_id)]
    api_base: Address = "https://api.coze.cn"
    poll_interval_s: float = Field(1.0, ge=1.0, allow_inf_nan=False)
    custom_variables: dict[Annotated[str, AfterValidator(_prompt_name)], str] | None = Field(
        None, description="Values for the {{names}} in the agent's prompt"
    )
    parameters: Annotated[dict[str, Any], AfterValidator(_json_map)] | None = Field(
        None, description="Inputs of the start node, for agents in chatflow mode"
    )
    meta_data: Annotated[dict[MetaKey, MetaValue], Field(max_length=16)] | None = Field(
        None, description="Up to 16 texts that Coze keeps with each chat"
    )
    extra_params: dict[Literal["latitude", "longitude"], str] | None = Field(
        None, description="Where the visitors are: latitude and longitude"
    )
    shortcut_command: ShortcutCommand | None = Field(
        None, description="A shortcut bound to the agent: command_id and parameters"
    )

    @model_validator(mode="after")
    def _signs_in_by_one_way(self) -> "Options":
        given = [names for names in WAYS if any(getattr(self, name) is not None for name in names)]
        if len(given) != 1:
            raise ValueError(_HALF if given else _NONE)
        missing = [name for name in given[0] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{' and '.join(missing)} is empty")
        return self


def credentials(options: Options, http: Http, vault: Vault | None) -> Credentials:
    """How calls are signed. `vault` keeps what the owner of a web app has granted."""
    base = options.api_base
    if options.api_token is not None:
        return FixedToken(options.api_token.get_secret_value())
    if options.jwt_private_key is not None:
        key = options.jwt_private_key.get_secret_value()
        return ServiceApp(base, options.jwt_app_id or "", options.jwt_key_id or "", key, http)
    assert options.oauth_client_id and options.oauth_client_secret
    if vault is None:
        raise ValueError("a web app needs a place to keep its tokens")
    secret = options.oauth_client_secret.get_secret_value()
    return WebApp(base, options.web_base, options.oauth_client_id, secret, http, vault)
