"""Which agents this site offers: one per platform from the settings, any number from agents.toml."""

import hashlib
import json
import re
import ssl
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from chat.agents import demo
from chat.agents.pacing import Account, Spend
from chat.agents.vault import Vault
from chat.refusals import Refusal
from chat.settings.model import Settings, SettingsError, named_secret
from providers import PLATFORMS, Row, load
from providers.base import Provider
from providers.http import Http, Network, no_secret
from providers.options import AgentOptions


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
    account: Account
    is_open: bool = False  # to those without an access code, on a site that has codes

    @property
    def row(self) -> Row:
        return PLATFORMS[self.platform]


@dataclass(frozen=True)
class Agents:
    """All agents of this site, in the order the owner gave them. There is always one."""

    all: tuple[Agent, ...]
    is_demo: bool = False
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def default(self) -> Agent:
        return self.all[0]

    def get(self, agent_id: str) -> Agent | None:
        return next((agent for agent in self.all if agent.id == agent_id), None)

    def named(self, agent_id: str | None) -> Agent:
        """The agent of this id, the default one without an id. Raises Refusal not_found."""
        agent = self.get(agent_id) if agent_id is not None else self.default
        if agent is None:
            raise Refusal("not_found", "an unknown agent")
        return agent

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
    access: Literal["open", "code"] | None = None


def load_agents(
    settings: Settings, spend: Spend, vault: Vault, learn: Callable[[str], object] = no_secret
) -> Agents:
    """The agents of this site. Raises SettingsError naming the setting, or the file, table and key.

    `spend` counts a question against an account's day (Storage.spend); `vault` keeps what accounts grant.
    `learn` is told each token that a platform grants later.
    """
    maker = _Maker(settings, spend, vault, learn)
    declared = maker.declared(settings.agents_file) if settings.agents_file else []
    covered = {agent.platform for agent in declared}
    single = [
        maker.single(platform) for platform in PLATFORMS if maker.is_offered(platform, covered)
    ]
    agents = [*single, *declared]
    _refuse_twins(agents)
    return Agents(tuple(agents or maker.demo()), not agents, frozenset(maker.secrets))


def is_demo(settings: Settings) -> bool:
    """Whether no platform is set at all, so that the emulator answers."""
    return not settings.agents_file and not any(
        _given(settings, platform) for platform in PLATFORMS
    )


class _Maker:
    """Makes agents. Those of a platform share its pooled session, those of an account its budget."""

    def __init__(
        self, settings: Settings, spend: Spend, vault: Vault, learn: Callable[[str], object]
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._spend = spend
        self._doors = _doors(settings, PLATFORMS, learn=learn)
        self._accounts: dict[str, Account] = {}
        self.secrets: set[str] = set()

    def is_offered(self, platform: str, covered: set[str]) -> bool:
        """Whether the settings alone make an agent. Raises SettingsError when they make half of one."""
        given = _given(self._settings, platform)
        required = [name for name, field in _options(platform).items() if field.is_required()]
        missing = [
            f"{platform}_{name}".upper() for name in required if f"{platform}_{name}" not in given
        ]
        if not missing or not given:
            return bool(given)
        if platform in covered:  # agents.toml builds on the account's token
            return False
        raise _half(platform, f"{' and '.join(missing)} is empty", given)

    def single(self, platform: str) -> Agent:
        """The one agent that the settings make."""
        try:
            return self._agent(_Card(id=platform, platform=platform), self._defaults(platform))
        except ValidationError as error:
            key, message = _first(error)
            if not key:  # what is wrong is in no one option
                raise _half(
                    platform, _as_settings(platform, message), _given(self._settings, platform)
                ) from None
            name = (_setting_of(platform, key) or f"{platform}_{key}").upper()
            raise SettingsError(f"{name}: {message}. See config.example.env.") from None

    def declared(self, path: Path) -> list[Agent]:
        """The agents of a TOML file."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(
                f"AGENTS_FILE: {path}: {error}. Mend it, or unset AGENTS_FILE."
            ) from None
        tables = document.get("agents")
        if (
            not isinstance(tables, list)
            or not tables
            or not all(isinstance(one, dict) for one in tables)
        ):
            raise SettingsError(
                f"{path}: no [[agents]] table. Add one for each agent, or unset AGENTS_FILE."
            )
        return [self._from_table(path, number, table) for number, table in enumerate(tables, 1)]

    def demo(self) -> Iterable[Agent]:
        """One agent on each platform of the emulator."""
        for platform, options in demo.accounts(self._settings).items():
            yield self._agent(_Card(id=platform, platform=platform), options)

    def _from_table(self, path: Path, number: int, table: dict[str, Any]) -> Agent:
        name = json.dumps(str(table.get("id", "?")), ensure_ascii=False)
        place = f"{path}: [[agents]] number {number} ({name})"
        try:
            card = _Card.model_validate(table)
            if card.platform not in PLATFORMS:
                raise SettingsError(f"{place}: platform: none of {', '.join(PLATFORMS)}.")
            if card.access == "code" and not self._settings.access_codes:
                raise SettingsError(f"{place}: access: there is no code. Set ACCESS_CODES.")
            own = {key: value for key, value in table.items() if key not in _Card.model_fields}
            secrets = {key: _resolved(value, f"{place}: {key}") for key, value in own.items()}
            return self._agent(card, {**self._defaults(card.platform), **secrets})
        except ValidationError as error:
            name, message = _first(error)
            raise SettingsError(f"{place}: {name}: {message}.") from None

    def _agent(self, card: _Card, options: Mapping[str, Any]) -> Agent:
        module = load(card.platform)
        checked = module.Options(**options)
        self.secrets |= {one.get_secret_value() for _, one in checked if isinstance(one, SecretStr)}
        kept = (self._vault,) if PLATFORMS[card.platform].grants else ()
        return Agent(
            id=card.id,
            platform=card.platform,
            name=card.name or PLATFORMS[card.platform].title,
            description=card.description,
            icon=card.icon,
            welcome=card.welcome,
            suggestions=tuple(card.suggestions),
            handle=getattr(checked, "bot_id", None) or getattr(checked, "assistant_id", None),
            provider=module.PROVIDER(checked, self._doors[card.platform], *kept),
            account=self._account(card.platform, checked),
            is_open=card.access == "open",
        )

    def _account(self, platform: str, options: AgentOptions) -> Account:
        row = PLATFORMS[platform]
        marks = "\n".join(_revealed(getattr(options, name)) for name in row.account)
        name = f"{platform}:{hashlib.sha256(marks.encode()).hexdigest()[:16]}"
        if name not in self._accounts:
            own = {
                key: value
                for key in asdict(row.limits)
                if (value := getattr(options, key)) is not None
            }
            self._accounts[name] = Account(name, platform, replace(row.limits, **own), self._spend)
        return self._accounts[name]

    def _defaults(self, platform: str) -> dict[str, Any]:
        """What the settings say about each option of a platform."""
        found = {}
        for name in _options(platform):
            setting = _setting_of(platform, name)
            value = getattr(self._settings, setting) if setting else None
            if value is not None:
                found[name] = value
        return found


def door(settings: Settings, name: str, connections: int = 100) -> Http:
    """A way out, as the settings say how. Raises SettingsError."""
    return _doors(settings, [name], connections)[name]


def _doors(
    settings: Settings,
    names: Iterable[str],
    connections: int = 4000,
    learn: Callable[[str], object] = no_secret,
) -> dict[str, Http]:
    """One pooled session a platform."""
    bundle = str(settings.ca_bundle) if settings.ca_bundle else None
    network = Network(bundle, settings.upstream_proxy, connections)
    try:
        return {name: Http(name, network, learn) for name in names}
    except ssl.SSLError:
        raise SettingsError(f"CA_BUNDLE: {bundle} holds no certificate. Name a PEM file.") from None


def _options(platform: str) -> dict[str, Any]:
    fields: dict[str, Any] = load(platform).Options.model_fields
    return fields


def _setting_of(platform: str, option: str) -> str | None:
    """The setting an option has its default from: the platform's own, else one that all platforms share.

    Where a platform has its own, no other may stand in: Wenxin's secret_key is not the key of this site.
    """
    own = f"{platform}_{option}"
    return next((name for name in (own, option) if name in Settings.model_fields), None)


def _given(settings: Settings, platform: str) -> list[str]:
    """The settings of a platform that only somebody who has an account there would set."""
    return [
        name
        for name, field in Settings.model_fields.items()
        if name.startswith(f"{platform}_")
        and field.default is None
        and getattr(settings, name) is not None
    ]


def _half(platform: str, what: str, given: list[str]) -> SettingsError:
    return SettingsError(
        f"{PLATFORMS[platform].english} is not set up: {what}. Set it in .env (see config.example.env), or "
        f"unset {' and '.join(given).upper()} as well: a site with no platform starts in demo mode and needs "
        "no account."
    )


def _as_settings(platform: str, message: str) -> str:
    """A sentence about a platform's options, with the names they have in .env."""
    for name in sorted(_options(platform), key=len, reverse=True):
        message = re.sub(rf"\b{name}\b", f"{platform}_{name}".upper(), message)
    return message


def _resolved(value: Any, place: str) -> Any:
    """`{ env = "NAME" }`, at any depth, as the secret it names; anything else as it is."""
    if not isinstance(value, dict):
        return value
    if set(value) != {"env"} or not isinstance(value["env"], str):
        return {key: _resolved(one, f"{place}.{key}") for key, one in value.items()}
    try:
        secret = named_secret(value["env"])
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{place}: {error}.") from None
    if not secret:
        raise SettingsError(
            f"{place}: {value['env']} is empty. Set it in .env or in the environment."
        )
    return secret


def _revealed(value: Any) -> str:
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _refuse_twins(agents: list[Agent]) -> None:
    seen: set[str] = set()
    for agent in agents:
        if agent.id in seen:
            raise SettingsError(
                f'The agent id "{agent.id}" is used twice. Give each agent an id of its own.'
            )
        seen.add(agent.id)


def _first(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such option on this platform"
    return ".".join(str(part) for part in first["loc"]), message
