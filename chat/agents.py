"""Which agents this site offers: one per platform from the settings, any number from agents.toml."""

import json
import ssl
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat import demo
from chat.settings import Settings, SettingsError, named_secret
from providers import PLATFORMS, Row, load
from providers.base import Provider
from providers.http import Http, Network


@dataclass(frozen=True)
class Agent:
    """One agent of this site: what a page says of it, and the provider that reaches it.

    `handle` is the platform's own id of it (Coze's bot_id), None where it has none.
    """

    id: str
    platform: str
    name: str
    description: str
    icon: str
    welcome: str
    suggestions: tuple[str, ...]
    handle: str | None
    provider: Provider

    @property
    def row(self) -> Row:
        return PLATFORMS[self.platform]


@dataclass(frozen=True)
class Agents:
    """All agents of this site, in the order the owner gave them. There is always one."""

    all: tuple[Agent, ...]
    is_demo: bool = False

    @property
    def default(self) -> Agent:
        return self.all[0]

    def get(self, agent_id: str) -> Agent | None:
        return next((agent for agent in self.all if agent.id == agent_id), None)

    def by_handle(self, handle: str) -> Agent | None:
        """The agent that its platform knows under this id."""
        return next((agent for agent in self.all if agent.handle == handle), None)


class _Card(BaseModel):
    """What agents.toml says of any agent, whatever its platform."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    platform: str
    name: str = Field("", max_length=60)
    description: str = Field("", max_length=300)
    icon: str = Field("", max_length=300)
    welcome: str = Field("", max_length=2000)
    suggestions: list[str] = Field([], max_length=8)


def load_agents(settings: Settings) -> Agents:
    """The agents of this site. Raises SettingsError naming the setting, or the file, table and key."""
    doors = _doors(settings)
    declared = _declared(settings, doors) if settings.agents_file else []
    covered = {agent.platform for agent in declared}
    single = [
        _from_settings(settings, platform, doors[platform])
        for platform in PLATFORMS
        if _is_offered(settings, platform, covered)
    ]
    agents = [*single, *declared]
    _refuse_twins(agents)
    if agents:
        return Agents(tuple(agents))
    return Agents(tuple(_demo(settings, doors)), is_demo=True)


def _doors(settings: Settings) -> dict[str, Http]:
    """One pooled session a platform."""
    bundle = str(settings.ca_bundle) if settings.ca_bundle else None
    network = Network(bundle, settings.upstream_proxy, connections=4000)
    try:
        return {platform: Http(platform, network) for platform in PLATFORMS}
    except ssl.SSLError:
        raise SettingsError(f"CA_BUNDLE: {bundle} holds no certificate. Name a PEM file, or unset it.") from None


def is_demo(settings: Settings) -> bool:
    """Whether no platform is set at all, so that the emulator answers."""
    return not settings.agents_file and not any(_given(settings, platform) for platform in PLATFORMS)


def _required(platform: str) -> list[str]:
    fields: dict[str, Any] = load(platform).Options.model_fields
    return [name for name, field in fields.items() if field.is_required()]


def _given(settings: Settings, platform: str) -> list[str]:
    """The required settings of a platform that are set."""
    return [name for name in _required(platform) if getattr(settings, f"{platform}_{name}") is not None]


def _is_offered(settings: Settings, platform: str, covered: set[str]) -> bool:
    given, required = _given(settings, platform), _required(platform)
    if not given:
        return False
    missing = [f"{platform}_{name}".upper() for name in required if name not in given]
    if not missing:
        return True
    if platform in covered:  # agents.toml builds on the account's token
        return False
    others = " and ".join(f"{platform}_{name}".upper() for name in given)
    raise SettingsError(
        f"{PLATFORMS[platform].english} is not set up: {' and '.join(missing)} is empty. Set it in .env (see "
        f"config.example.env), or unset {others} as well: a site with no platform starts in demo mode and "
        "needs no account."
    )


def _defaults(settings: Settings, platform: str) -> dict[str, Any]:
    """What the settings say about each option of a platform."""
    found = {}
    for name in load(platform).Options.model_fields:
        value = getattr(settings, f"{platform}_{name}", None)
        value = getattr(settings, name, None) if value is None else value
        if value is not None:
            found[name] = value
    return found


def _from_settings(settings: Settings, platform: str, door: Http) -> Agent:
    options = _defaults(settings, platform)
    try:
        return _agent(_Card(id=platform, platform=platform), options, door)
    except ValidationError as error:
        key, message = _first(error)
        name = key.upper() if key in Settings.model_fields else f"{platform}_{key}".upper()
        raise SettingsError(f"{name}: {message}. See config.example.env.") from None


def _agent(card: _Card, options: Mapping[str, Any], door: Http) -> Agent:
    module = load(card.platform)
    checked = module.Options(**options)
    row = PLATFORMS[card.platform]
    return Agent(
        id=card.id,
        platform=card.platform,
        name=card.name or row.title,
        description=card.description,
        icon=card.icon,
        welcome=card.welcome,
        suggestions=tuple(card.suggestions),
        handle=getattr(checked, "bot_id", None) or getattr(checked, "assistant_id", None),
        provider=module.PROVIDER(checked, door),
    )


def _declared(settings: Settings, doors: Mapping[str, Http]) -> list[Agent]:
    path = settings.agents_file
    assert path is not None
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"AGENTS_FILE: {path}: {error}. Mend the file, or unset AGENTS_FILE.") from None
    tables = document.get("agents")
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise SettingsError(f"{path}: no [[agents]] table. Add one for each agent, or unset AGENTS_FILE.")
    return [_from_table(settings, path, number, table, doors) for number, table in enumerate(tables, 1)]


def _from_table(
    settings: Settings, path: Path, number: int, table: dict[str, Any], doors: Mapping[str, Http]
) -> Agent:
    place = f"{path}: [[agents]] number {number} ({json.dumps(table.get('id', '?'), ensure_ascii=False)})"
    try:
        card = _Card.model_validate(table)
        if card.platform not in PLATFORMS:
            raise SettingsError(f"{place}: platform: none of {', '.join(PLATFORMS)}.")
        own = {key: value for key, value in table.items() if key not in _Card.model_fields}
        secrets = {key: _resolved(value, f"{place}: {key}") for key, value in own.items()}
        return _agent(card, {**_defaults(settings, card.platform), **secrets}, doors[card.platform])
    except ValidationError as error:
        name, message = _first(error)
        raise SettingsError(f"{place}: {name}: {message}.") from None


def _resolved(value: Any, place: str) -> Any:
    """`{ env = "NAME" }` as the secret it names; anything else as it is."""
    if not (isinstance(value, dict) and set(value) == {"env"} and isinstance(value["env"], str)):
        return value
    try:
        secret = named_secret(value["env"])
    except OSError as error:
        raise SettingsError(f"{place}: {error}.") from None
    if not secret:
        raise SettingsError(f"{place}: {value['env']} is empty. Set it in .env or in the environment.")
    return secret


def _demo(settings: Settings, doors: Mapping[str, Http]) -> Iterable[Agent]:
    for platform, options in demo.accounts(settings).items():
        if platform in PLATFORMS:
            yield _agent(_Card(id=platform, platform=platform), options, doors[platform])


def _refuse_twins(agents: list[Agent]) -> None:
    seen: set[str] = set()
    for agent in agents:
        if agent.id in seen:
            raise SettingsError(f'The agent id "{agent.id}" is used twice. Give each agent an id of its own.')
        seen.add(agent.id)


def _first(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such option on this platform"
    return ".".join(str(part) for part in first["loc"]), message
