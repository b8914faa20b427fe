"""The doctor: looks at settings, key, database, disk, hosts and agents, and advises on each."""

import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chat.agents.current import CurrentAgents
from chat.agents.offered import Agents, Maker
from chat.agents.vault import Vault
from chat.logs.redaction import Redaction
from chat.owner.doctor import access as doctor_access
from chat.owner.doctor import agents as doctor_agents
from chat.owner.doctor import database
from chat.owner.doctor.findings import Finding, wrong_setting
from chat.settings.errors import SettingsError
from chat.settings.model import INSTANCE, Settings, load, secrets
from chat.settings.notices import notices
from chat.storage import Storage, file_of, open_existing
from chat.visitors.limits.rates import MEGABYTE

LOW_MB, FULL_MB = 500, 50
SHORTEST_KEY = 16
KEY = INSTANCE / "secret_key"


@dataclass(frozen=True)
class Site:
    """What is examined. `asks`: each agent gets one real question, which costs quota."""

    settings: Settings
    agents: Agents | None
    asks: bool


@dataclass(frozen=True)
class Check:
    """One thing to look at."""

    name: str
    run: Callable[[Site], Iterable[Finding]]


def examine(
    asks: bool = False,
    redaction: Redaction | None = None,
    in_force: Callable[[Settings], Settings] = lambda settings: settings,
) -> list[Finding]:
    """Everything there is to say about the set-up of this site. Makes and changes nothing.

    `redaction` learns the secrets of the set-up. `in_force` adds what was set at the desk.
    """
    redaction = redaction or Redaction()
    try:
        settings = load()
    except SettingsError as error:
        return [*unread(), *map(wrong_setting, error.parts)]
    redaction.know(secrets(settings))
    settings = in_force(settings)
    agents, findings = _load_agents(settings, redaction)
    return [*unread(), *findings, *look(Site(settings, agents, asks))]


def unread() -> list[Finding]:
    """What the owner wrote and nobody reads."""
    return [
        Finding("settings_unread", "settings", {"seen": notice.seen, "to_do": notice.to_do})
        for notice in notices()
    ]


def look(site: Site) -> list[Finding]:
    """What every check has to say of a site."""
    return [finding for check in CHECKS for finding in check.run(site)]


def local(settings: Settings) -> list[Finding]:
    """What is wrong on this machine, for /readyz: quick, and nobody outside is asked."""
    site = Site(settings, None, False)
    findings = [finding for check in LOCAL for finding in check.run(site)]
    return [finding for finding in findings if finding.level == "fail"]


def _load_agents(settings: Settings, redaction: Redaction) -> tuple[Agents | None, list[Finding]]:
    """The agents, when the settings make sense and there are some, and the findings about that."""
    storage = open_existing(settings)
    try:
        maker = Maker(settings, _unlimited, _vault(settings, storage), redaction.learn)
        current = CurrentAgents(maker, storage.owner_agents)
    except SettingsError as error:
        return None, list(map(wrong_setting, error.parts))
    redaction.know(current.now.secrets)
    return those_of(current)


def those_of(current: CurrentAgents) -> tuple[Agents | None, list[Finding]]:
    """The agents of a site, None in the demo, and what is to be said of them at first."""
    unmade = [
        Finding("agent_unmade", listed.id, {"problem": listed.problem})
        for listed in current.listed
        if listed.problem
    ]
    if current.now.is_demo:
        return None, [Finding("demo", "settings"), *unmade]
    return current.now, [Finding("settings_ok", "settings"), *unmade]


def _unlimited(account: str, day: str, limit: int) -> bool:
    return True


def _vault(settings: Settings, storage: Storage) -> Vault:
    """Where granted tokens are stored, in a database that is not made for it."""
    own_key = settings.secret_key
    try:
        key = own_key.get_secret_value() if own_key else KEY.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    return Vault(storage.secrets, key)


def _secret_key(site: Site) -> Iterator[Finding]:
    if site.settings.secret_key is not None:
        yield Finding("key_set", "secret key")
        return
    try:
        key = KEY.read_text(encoding="ascii").strip()
        mode = KEY.stat().st_mode
    except FileNotFoundError:
        yield Finding("key_new", "secret key", {"path": KEY})
        return
    except (OSError, UnicodeDecodeError) as error:
        yield Finding("key_unreadable", "secret key", {"path": KEY, "reason": error})
        return
    if len(key) < SHORTEST_KEY:
        yield Finding("key_damaged", "secret key", {"path": KEY})
    elif mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("key_open", "secret key", {"path": KEY})
    else:
        yield Finding("key_kept", "secret key", {"path": KEY})


def _database(site: Site) -> Iterator[Finding]:
    return database.examine(site.settings)


def _database_file(site: Site) -> Iterator[Finding]:
    """Nothing about a server: whether that answers, /readyz asks by itself."""
    if not database.is_server(site.settings):
        yield from database.examine(site.settings)


def _redis(site: Site) -> Iterator[Finding]:
    url = site.settings.redis_url
    if url is None:
        return
    from chat.shared.connection import Connection

    try:
        kind, reason = Connection(url.get_secret_value()).look()
        yield Finding(kind, "Redis", {"reason": reason})
    except SettingsError as error:
        yield wrong_setting(error)


def _disk(site: Site) -> Iterator[Finding]:
    path = file_of(site.settings) or INSTANCE
    folder = database.existing(path.parent)
    if not folder.is_dir():
        # The look at the database has a finding for that.
        return
    free = shutil.disk_usage(folder).free // MEGABYTE
    kind = "disk_full" if free < FULL_MB else "disk_low" if free < LOW_MB else "disk_ok"
    room = f"{free} MB" if free < 1024 else f"{free / 1024:.1f} GB"
    yield Finding(kind, "disk", {"free": room, "path": path.parent})


def _agents(site: Site) -> list[Finding]:
    return doctor_agents.examine(site.settings, site.agents.all, site.asks) if site.agents else []


def _access(site: Site) -> Iterator[Finding]:
    return doctor_access.examine(site.settings, site.agents)


LOCAL = (Check("database", _database_file), Check("disk", _disk))
CHECKS = (
    Check("secret key", _secret_key),
    Check("database", _database),
    Check("disk", _disk),
    # Not in LOCAL: without Redis the site is ready all the same.
    Check("redis", _redis),
    Check("access", _access),
    Check("agents", _agents),
)
