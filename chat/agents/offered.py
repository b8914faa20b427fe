"""The agents of this site, and how they are made of .env, agents.toml and what the desk keeps."""

import hashlib
import json
import re
import ssl
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from zlib import crc32

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from chat.agents import demo
from chat.agents.line import Lines, LocalLines
from chat.agents.pacing import Account, Spend
from chat.agents.swapped import lines_to_paste, swapped
from chat.agents.vault import Vault
from chat.refusals import FormerAgentRefusal
from chat.settings import agents_file, errors
from chat.settings.environment import named_secret
from chat.settings.errors import SettingsError, paste_value, problem, together, wrong_value
from chat.settings.forgiving import NoLimitAt, plain, understand
from chat.settings.model import Settings
from chat.settings.names import nearest
from chat.settings.words import Sentence, Words, sentence
from providers import PLATFORMS, Row, load, options, signs
from providers.base import Provider
from providers.http import Http, Network, no_secret
from providers.options import AgentOptions, bilingual_error, example_of

# Who says that there is an agent: .env, agents.toml, the owner at the desk; or nobody, in the demo.
Source = Literal["settings", "file", "desk", "demo"]


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
    # What it is made of: its card, where only what was said is set, and the platform's options.
    card: "Card" = field(repr=False)
    options: AgentOptions = field(repr=False)
    source: Source
    # To those without an access code, on a site that has codes.
    is_open: bool = False
    # Where the address that it is called at has its pictures; empty for nowhere.
    picture_path: str = ""
    # Questions a day; 0 for any number.
    daily_limit: int = 0

    @property
    def row(self) -> Row:
        return PLATFORMS[self.platform]

    @property
    def group(self) -> str:
        """The heading that it stands under, where agents stand under headings; empty for none."""
        return self.card.group

    @property
    def hue(self) -> int:
        """Which of the style sheet's eight colours is its own."""
        return crc32(self.id.encode()) % 8

    @property
    def mark(self) -> str:
        """Which agent of which account it is on its platform, without saying a secret."""
        return f"{self.account.name}:{self.handle}"


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
        """The agent of this id, the default one without an id.

        Raises FormerAgentRefusal not_found.
        """
        agent = self.get(agent_id) if agent_id is not None else self.default
        if agent is None:
            raise FormerAgentRefusal("not_found", "no agent of this site")
        return agent

    def by_handle(self, handle: str) -> Agent | None:
        """The agent that its platform knows under this id."""
        return next((agent for agent in self.all if agent.handle == handle), None)


def _check_id(id: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9_-]{0,39}", id):
        raise bilingual_error(
            "最多 40 个小写字母、数字、- 和 _，以字母或数字开头",
            "it should be at most 40 small letters, digits, - and _, and begin with a letter "
            "or a digit",
            paste=re.sub("[^a-z0-9_]+", "-", id.lower()).strip("-_")[:40],
        )
    return id


def _platform_id(name: str) -> str:
    """The platform of a name, whichever of its names that is; the name itself when it is none."""
    word = plain(name).casefold()
    names = {key: (key, row.title, row.english.casefold()) for key, row in PLATFORMS.items()}
    return next((key for key, known in names.items() if word in known), name)


class Card(BaseModel):
    """What agents.toml and the desk say of any agent, whatever its platform."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[str, AfterValidator(_check_id)]
    platform: Annotated[str, AfterValidator(_platform_id)]
    name: str = Field("", max_length=60)
    description: str = Field("", max_length=300)
    icon: str = Field("", max_length=300)
    welcome: str = Field("", max_length=2000)
    suggestions: list[Annotated[str, Field(max_length=500)]] = Field([], max_length=8)
    group: str = Field("", max_length=40)
    access: Literal["open", "code"] | None = None
    daily_limit: Annotated[int, NoLimitAt(0)] = Field(0, ge=0, le=10_000_000)

    @field_validator("*", mode="before")
    @classmethod
    def _understand(cls, value: Any, info: ValidationInfo) -> Any:
        return understand(value, cls.model_fields[str(info.field_name)])


def load_agents(
    settings: Settings,
    spend: Spend,
    vault: Vault,
    learn: Callable[[str], object] = no_secret,
    lines: Lines | None = None,
) -> Agents:
    """The agents of this site. Raises SettingsError naming the setting, or the file, table and key.

    `spend` counts a question against an account's day; `vault` keeps what accounts grant. `learn`
    takes each token that a platform grants later. In `lines` questions wait for an account; by
    default they are those of this process alone.
    """
    maker = Maker(settings, spend, vault, learn, lines)
    agents = maker.declared()
    return Agents(agents or maker.demo(), not agents, maker.secrets)


class Maker:
    """Makes agents: those of a platform share its session, those of an account its budget."""

    def __init__(
        self,
        settings: Settings,
        spend: Spend,
        vault: Vault,
        learn: Callable[[str], object] = no_secret,
        lines: Lines | None = None,
    ) -> None:
        # Whether an agent is only for those with a code: then there has to be one.
        self.needs_codes = False
        self._settings = settings
        self._lines = lines or LocalLines(settings.address_share)
        self.vault = vault
        self._spend = spend
        self._doors = _doors(settings, PLATFORMS, learn=learn)
        self._accounts: dict[str, Account] = {}
        # Whose limits .env and agents.toml say, by the first agent of each.
        self._fixed: frozenset[str] = frozenset()
        self._secrets: set[str] = set()

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets of all agents that were made."""
        return frozenset(self._secrets)

    def declared(self) -> tuple[Agent, ...]:
        """The agents of .env and of agents.toml. Raises SettingsError as `load_agents` does."""
        path = self._settings.agents_file
        of_file = self._of_file(path) if path else []
        covered = {agent.platform for agent in of_file}
        single = [
            self._single(platform) for platform in PLATFORMS if self._is_offered(platform, covered)
        ]
        agents = (*single, *of_file)
        _refuse_twins(agents)
        self._fixed = frozenset(self._accounts)
        return agents

    def demo(self) -> tuple[Agent, ...]:
        """One agent on each platform of the emulator; none where no emulator runs."""
        if self._settings.demo_url is None:
            return ()
        return tuple(
            self._agent(Card(id=platform, platform=platform), account, "demo")
            for platform, account in demo.accounts(self._settings).items()
        )

    def connected(self, card: Card, values: Mapping[str, Any], before: Agent | None) -> Agent:
        """An agent of the desk, with the provider that it had `before` if its options are the same.

        Raises ValidationError.
        """
        return self._agent(card, {**self._shared(card.platform), **values}, "desk", before)

    def on_account(self, agents: Iterable[Agent]) -> tuple[Agent, ...]:
        """The same agents, where those of one account share its budget: the first one's limits."""
        accounts: dict[str, Account] = {}
        shared = []
        for agent in agents:
            account = accounts.setdefault(agent.account.name, agent.account)
            shared.append(agent if account is agent.account else replace(agent, account=account))
        self._accounts = accounts
        return tuple(shared)

    def _is_offered(self, platform: str, covered: set[str]) -> bool:
        """Whether the settings alone make an agent.

        Raises SettingsError when they make half of one.
        """
        names = self._settings.account_settings(platform)
        fields = options(platform).model_fields
        required = [f"{platform}_{name}" for name in fields if fields[name].is_required()]
        missing = [name for name in required if name not in names]
        if not missing or not names:
            return bool(names)
        # agents.toml builds on the account's token.
        if platform in covered:
            return False
        self._refuse_swapped(platform, self._defaults(platform))
        empty = sentence(errors.EMPTY, names=_listing(missing))
        raise _half(platform, empty, names, missing)

    def _single(self, platform: str) -> Agent:
        """The one agent that the settings make."""
        try:
            card = Card(id=platform, platform=platform)
            return self._agent(card, self._defaults(platform), "settings")
        except ValidationError as error:
            self._refuse_swapped(platform, self._defaults(platform))
            raise together(self._wrong(platform, error)) from None

    def _wrong(self, platform: str, error: ValidationError) -> Iterator[SettingsError]:
        """What is wrong with the settings of a platform."""
        for part in error.errors():
            if not part["loc"]:
                # What is wrong is in no one option.
                names = self._settings.account_settings(platform)
                yield _half(platform, problem(part, platform), names)
                continue
            option = str(part["loc"][0])
            name = (_setting_of(platform, option) or f"{platform}_{option}").upper()
            yield wrong_value(name, part, options(platform).model_fields[option], platform)

    def _refuse_swapped(self, platform: str, values: Mapping[str, Any]) -> None:
        """Raises SettingsError when a token stands where an id belongs, and the like."""
        if moved := swapped(platform, values):
            names = {option: f"{platform}_{option}".upper() for option in moved}
            raise SettingsError(
                "swapped",
                names=_listing(names.values()),
                lines=lines_to_paste(platform, moved, names, "="),
                settings=list(names.values()),
            )

    def _of_file(self, path: Path) -> list[Agent]:
        agents: list[Agent] = []
        wrong: list[SettingsError] = []
        for number, table in enumerate(_read_tables(path), 1):
            try:
                agents.append(self._from_table(path, number, table))
            except SettingsError as error:
                wrong += error.parts
        if wrong:
            raise together(wrong)
        return agents

    def _from_table(self, path: Path, number: int, table: dict[str, Any]) -> Agent:
        id = json.dumps(str(table.get("id", "?")), ensure_ascii=False)
        location = sentence(errors.LOCATION, path=path, number=number, id=id)
        table = _by_key(location, table)
        try:
            card = Card.model_validate(table)
        except ValidationError as error:
            raise together(_wrong_keys(location, error, Card.model_fields)) from None
        self._check_card(card, location)
        own = {key: value for key, value in table.items() if key not in Card.model_fields}
        own = {key: _resolve(value, location, key) for key, value in own.items()}
        try:
            return self._agent(card, {**self._defaults(card.platform), **own}, "file")
        except ValidationError as error:
            if moved := swapped(card.platform, own):
                names = {option: option for option in moved}
                pairs = lines_to_paste(card.platform, moved, names, " = ")
                raise SettingsError("swapped_keys", location=location, lines=pairs) from None
            fields = options(card.platform).model_fields
            raise together(_wrong_keys(location, error, fields)) from None

    def _check_card(self, card: Card, location: Sentence) -> None:
        if card.platform not in PLATFORMS:
            choices = sentence(errors.NO_PLATFORM, names=", ".join(PLATFORMS))
            raise _error_at(location, "platform", choices)
        self.needs_codes = self.needs_codes or card.access == "code"
        if card.access == "code" and not self._settings.access_codes:
            raise _error_at(location, "access", sentence(errors.NO_CODES))

    def _agent(
        self, card: Card, values: Mapping[str, Any], source: Source, before: Agent | None = None
    ) -> Agent:
        fields = options(card.platform).model_fields
        values = {
            name: understand(_part(card.platform, name, value), fields[name])
            if name in fields
            else value
            for name, value in values.items()
        }
        own = options(card.platform)(**values)
        self._secrets |= {
            value.get_secret_value() for _, value in own if isinstance(value, SecretStr)
        }
        is_same = before is not None and (before.platform, before.options) == (card.platform, own)
        return as_carded(
            Agent(
                id=card.id,
                platform=card.platform,
                name="",
                description="",
                icon="",
                welcome="",
                suggestions=(),
                handle=getattr(own, "bot_id", None) or getattr(own, "assistant_id", None),
                provider=before.provider if before and is_same else self._provider(card, own),
                account=before.account if before and is_same else self._account(card.platform, own),
                card=card,
                options=own,
                source=source,
                picture_path=own.picture_path,
            ),
            card,
        )

    def _provider(self, card: Card, own: AgentOptions) -> Provider:
        row = PLATFORMS[card.platform]
        # One process has its tokens in its memory.
        is_shared = row.shares_tokens and self._settings.redis_url is not None
        vault = (self.vault,) if row.grants or is_shared else ()
        provider: Provider = load(card.platform).PROVIDER(own, self._doors[card.platform], *vault)
        return provider

    def _account(self, platform: str, own: AgentOptions) -> Account:
        row = PLATFORMS[platform]
        marks = "\n".join(_reveal(getattr(own, name)) for name in row.account)
        name = f"{platform}:{hashlib.sha256(marks.encode()).hexdigest()[:16]}"
        limits = {key: getattr(own, key) for key in asdict(row.limits)}
        changes = {key: limit for key, limit in limits.items() if limit is not None}
        account_limits = replace(row.limits, **changes)
        account = self._accounts.get(name)
        if account is None or (account.limits != account_limits and name not in self._fixed):
            account = Account(name, platform, account_limits, self._spend, self._lines)
            self._accounts[name] = account
        return account

    def _shared(self, platform: str) -> dict[str, Any]:
        """What the settings say about options that are of no one platform."""
        names = [
            name for name in options(platform).model_fields if _setting_of(platform, name) == name
        ]
        return {name: getattr(self._settings, name) for name in names}

    def _defaults(self, platform: str) -> dict[str, Any]:
        """What the settings say about each option of a platform."""
        names = {option: _setting_of(platform, option) for option in options(platform).model_fields}
        values = {option: getattr(self._settings, name) for option, name in names.items() if name}
        return {option: value for option, value in values.items() if value is not None}


def as_carded(agent: Agent, card: Card) -> Agent:
    """The agent as another card says."""
    return replace(
        agent,
        card=card,
        name=card.name or agent.row.title,
        description=card.description,
        icon=card.icon,
        welcome=card.welcome,
        suggestions=tuple(card.suggestions),
        is_open=card.access == "open",
        daily_limit=card.daily_limit,
    )


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
        raise SettingsError("empty_ca_bundle", path=bundle) from None


def _setting_of(platform: str, option: str) -> str | None:
    """The setting an option has its default from: the platform's own, else one that all share.

    Where a platform has its own, no other may stand in: Wenxin's secret_key is not the site's key.
    """
    names = (f"{platform}_{option}", option)
    return next((name for name in names if name in Settings.model_fields), None)


def _read_tables(path: Path) -> list[dict[str, Any]]:
    """The [[agents]] tables of a file. Raises SettingsError."""
    try:
        document = agents_file.read(path).document
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("agents_file", path=path, reason=error) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("agents_file", path=path, reason=_toml_reason(error)) from None
    tables = document.get("agents")
    is_list = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if not tables or not is_list:
        raise SettingsError("no_agents", path=path, name="AGENTS_FILE")
    return list(tables)


def _toml_reason(error: tomllib.TOMLDecodeError) -> Sentence:
    """Where a file is no TOML."""
    place = agents_file.place_of(error)
    if place is None:
        return sentence(errors.TOML_END)
    return sentence(errors.TOML_LINE, line=place[0], column=place[1])


def _key(key: str) -> str:
    """A key as ours are written: bot_id for Bot-ID."""
    return unicodedata.normalize("NFKC", key).strip().lower().replace("-", "_")


def _by_key(location: Sentence, table: Mapping[str, Any]) -> dict[str, Any]:
    """A table by our keys. Raises SettingsError where two of its keys are one of ours."""
    keys = [_key(key) for key in table]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise _error_at(location, twice, sentence(errors.TWICE))
    return dict(zip(keys, table.values(), strict=True))


def _wrong_keys(
    location: Sentence, error: ValidationError, fields: Mapping[str, FieldInfo]
) -> Iterator[SettingsError]:
    """What is wrong with the keys of a table, with a line to paste where there is one."""
    for part in error.errors():
        key = ".".join(map(str, part["loc"]))
        field = fields.get(key)
        reason = problem(part)
        if part["type"] == "extra_forbidden":
            known = [name.upper() for name in (*fields, *Card.model_fields)]
            if near := nearest(key.upper(), known):
                reason = sentence(errors.NO_OPTION_BUT, nearest=near.lower())
        value = paste_value(part, field) if field else ""
        if field and value:
            text = value if _is_number(field) else json.dumps(value, ensure_ascii=False)
            facts = {"location": location, "key": key, "problem": reason}
            yield SettingsError("agent_line", **facts, line=f"{key} = {text}")
        else:
            yield _error_at(location, key, reason)


def _is_number(field: FieldInfo) -> bool:
    return re.search(r"\b(int|float)\b", str(field.annotation)) is not None


def _error_at(location: Sentence, key: str, reason: Words | Sentence) -> SettingsError:
    if not key:
        return SettingsError("agent_in_whole", location=location, problem=reason)
    return SettingsError("agent", location=location, key=key, problem=reason)


def _half(
    platform: str, reason: Words | Sentence, names: list[str], missing: Iterable[str] = ()
) -> SettingsError:
    """The settings of a platform make half of an agent: some are missing, or do not go together."""
    row = PLATFORMS[platform]
    fields = Settings.model_fields
    lines = [f"{name.upper()}={example_of(fields[name])}" for name in missing]
    return SettingsError(
        "platform_half" if lines else "platform_wrong",
        platform=Words(row.title, row.english),
        problem=reason,
        names=_listing(names),
        lines=Words("、".join(lines), " and ".join(lines)),
        settings=[name.upper() for name in (*missing, *names)],
    )


def _listing(names: Iterable[str]) -> Words:
    """The names of settings, as a sentence lists them."""
    upper = [name.upper() for name in names]
    return Words("、".join(upper), " and ".join(upper))


def _resolve(value: Any, location: Sentence, key: str) -> Any:
    """`{ env = "NAME" }`, at any depth, as the secret it names; anything else as it is."""
    if not isinstance(value, dict):
        return value
    if set(value) != {"env"} or not isinstance(value["env"], str):
        return {name: _resolve(part, location, f"{key}.{name}") for name, part in value.items()}
    try:
        secret = named_secret(value["env"])
    except (OSError, UnicodeDecodeError) as error:
        raise _error_at(location, key, sentence(errors.UNREADABLE, reason=error)) from None
    if not secret:
        raise _error_at(location, key, sentence(errors.UNSET_SECRET, name=value["env"]))
    return secret


def _part(platform: str, option: str, value: Any) -> Any:
    """What an option is of an address that was copied whole: the part before /v3/chat."""
    if not isinstance(value, str) or "/" not in value:
        return value
    address = value if "://" in value else f"https://{value}"
    matches = (re.search(pattern, address) for pattern in signs(platform).addresses)
    parts = (match.groupdict().get(option) for match in matches if match)
    return next(filter(None, parts), value)


def _reveal(value: Any) -> str:
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _refuse_twins(agents: Iterable[Agent]) -> None:
    ids: set[str] = set()
    for agent in agents:
        if agent.id in ids:
            raise SettingsError("same_id", id=agent.id)
        ids.add(agent.id)
