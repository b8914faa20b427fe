"""The settings in force: the environment's, and below them what the owner chose at the desk."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from chat.agents.vault import fernet
from chat.page import look
from chat.settings import model as settings_model
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage import Storage, open_existing
from chat.storage.engine.kinds import StorageError
from chat.storage.models import OwnerEntry
from chat.storage.owner.log import Watch
from chat.storage.owner.values import Entry, StaleError

# What can be changed at the desk, in all processes at once and without a restart.
CHANGEABLE = (
    "site_title",
    "accent_color",
    "site_notice",
    "notice_until",
    "site_footer",
    "icp_number",
    "ai_label",
    "default_language",
    "access_codes",
    "keep_days",
    "owner_reads",
    "daily_limit",
    "notify_url",
    "banned_words",
)
LOGO = "site_logo"
# These are sealed in the database. Of codes it has hashes, which no lost key may turn into none.
SEALED = ("notify_url",)
# Of these the log shows neither what they were nor what they became.
UNSAID = ("notify_url", "access_codes", LOGO)
COMMAND, CODE_MADE, CODE_ENDED = "set", "code-made", "code-ended"
# As what it stands in the log that a change was taken back.
_REVERSE = {CODE_MADE: CODE_ENDED, CODE_ENDED: CODE_MADE}

log = logging.getLogger("chat.desk")


class Locked(Exception):
    """The environment or .env has the setting, and wins over the desk."""


class LostError(Exception):
    """What was there before cannot be read any more: a file that is gone, another SECRET_KEY."""


class Desk:
    """What the owner may change, checked by the rules of the settings, with the log of it.

    A process knows of changes by others within a second, and at once when it is told to
    `look_again`; `tell` tells the others.
    """

    def __init__(
        self,
        base: Settings,
        storage: Storage,
        secret_key: str,
        tell: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = base
        self._values = storage.owner_values
        self._files = storage.owner_files
        self._key = secret_key
        self._tell = tell
        self._watch = Watch(storage.owner_log.version, clock)
        self._listeners: list[Callable[[], object]] = []
        self._settings = base
        self._logo_id: str | None = None
        self._read()
        # Whether there have to be access codes, since some agents are for those with one alone.
        self.needs_codes: Callable[[], bool] = lambda: False
        # How another entry of the log is taken back: by the command that it names.
        self.undo: dict[str, Callable[[OwnerEntry], object]] = dict.fromkeys(
            (COMMAND, CODE_MADE, CODE_ENDED), self._take_back
        )

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        self.look()
        return self._settings

    @property
    def logo(self) -> bytes | None:
        """The logo that the owner uploaded, if the environment names none."""
        if self._logo_id is None or self.locked(LOGO):
            return None
        return self._files.get(self._logo_id)

    @property
    def logo_id(self) -> str | None:
        """What changes with the uploaded logo."""
        return self._logo_id

    def look(self) -> None:
        """Takes over what the owner has changed, in this process or another."""
        self._watch.look(self._follow)

    def look_again(self) -> None:
        """The owner may have changed something elsewhere: it is read before it is used next."""
        self._watch.look_again()

    def on_change(self, listener: Callable[[], object]) -> None:
        """`listener` is called in each process after the owner has changed anything anywhere."""
        self._listeners.append(listener)

    def announce(self) -> None:
        """Something was changed, with an entry in the log: it holds in every process at once."""
        self.look_again()
        self._tell()

    def locked(self, name: str) -> str | None:
        """The setting of the environment that wins, such as SITE_TITLE; None without one.

        Codes of the environment lock nothing: those of the desk come beside them.
        """
        is_set = name in self._base.model_fields_set and name != "access_codes"
        return name.upper() if is_set else None

    def text(self, name: str) -> str:
        """What the owner wrote at the desk; "" without."""
        return self._open(name, self._values.get(name).value) or ""

    def version(self, name: str) -> int:
        """What a form carries along, so that nobody overwrites what they have not seen."""
        return self._values.get(name).version

    def change(
        self,
        name: str,
        text: str,
        expected: int | None = None,
        command: str = COMMAND,
        **facts: Any,
    ) -> None:
        """Puts a text in the place of a setting's; an empty one takes it away. It holds at once.

        Raises SettingsError for what the setting does not take, Locked, and StaleError when the
        version is not the `expected` one. `command` and `facts` come into the log.
        """
        if name not in CHANGEABLE:
            raise ValueError(name)
        if self.locked(name):
            raise Locked(name)
        text = text.strip()
        value = settings_model.written(name, text) if text else None
        if name == "access_codes":
            self._check_codes(value)
        self._put(name, self._seal(name, text or None), expected, command, facts)

    def change_logo(self, data: bytes | None, expected: int | None = None) -> None:
        """Makes these bytes the site's logo; None takes it away. Raises as `change` does."""
        if self.locked(LOGO):
            raise Locked(LOGO)
        id = self.add_picture(data) if data is not None else None
        self._put(LOGO, id, expected, COMMAND, {})

    def picture(self, id: str) -> bytes | None:
        """A picture that the owner has uploaded."""
        return self._files.get(id)

    def has_picture(self, id: str) -> bool:
        return self._files.has(id)

    def add_picture(self, data: bytes) -> str:
        """Stores a picture; its id. Raises SettingsError for what may be none of a site's."""
        look.logo_of(data)
        return self._files.put(data)

    def take_back(self, entry: OwnerEntry) -> None:
        """Undoes a change of the log; that is a change too.

        Raises StaleError when something has been changed since, LostError when what was there
        before cannot be read any more, ValueError when this entry cannot be taken back, and what
        the change itself raises.
        """
        undo = self.undo.get(entry.command)
        if undo is None or not self.may_take_back(entry):
            raise ValueError(entry.command)
        undo(entry)
        self.announce()

    def may_take_back(self, entry: OwnerEntry) -> bool:
        """Whether an entry says what it takes to take it back."""
        return entry.command in self.undo and entry.change is not None

    def _take_back(self, entry: OwnerEntry) -> None:
        change = entry.change or {}
        name, before = change["name"], change["before"]
        if self.locked(name):
            raise Locked(name)
        stored = self._values.get(name)
        if stored.value != change["after"]:
            raise StaleError(name)
        if before is not None:
            self._check_again(name, before)
        elif name == "access_codes":
            self._check_stays_closed()
        command = _REVERSE.get(entry.command, COMMAND)
        facts = {**entry.facts, "takes_back": entry.id}
        self._put(name, before, stored.version, command, facts)

    def _check_again(self, name: str, before: Any) -> None:
        """Raises LostError when what a change replaced cannot be put back in its place."""
        if name == LOGO:
            if not self.has_picture(before):
                raise LostError(name)
            return
        try:
            value = settings_model.written(name, self._open(name, before) or "")
        except SettingsError:
            raise LostError(name) from None
        if name == "access_codes":
            self._check_codes(value)

    def _check_stays_closed(self) -> None:
        """Raises SettingsError when the site would be open to all without the desk's codes."""
        self._check_codes(None)
        if self._base.access_codes is None:
            raise SettingsError("codes_last")

    def _put(
        self,
        name: str,
        value: Any,
        expected: int | None,
        command: str,
        facts: Mapping[str, Any],
    ) -> None:
        """Stores a value, sealed if it is to be, and with it what it takes to take it back."""

        def entry(before: Any) -> Entry:
            change = {"name": name, "before": before, "after": value}
            return Entry(command, {**facts, "name": name}, change)

        self._values.put(name, value, entry, expected)
        self.announce()

    def _follow(self) -> None:
        """Takes what is stored, and calls who listens."""
        try:
            self._read()
        except SettingsError as error:
            log.error("the settings stay as they were: %s", error)
            return
        for listener in self._listeners:
            listener()

    def _read(self) -> None:
        rows = self._values.all()
        values: dict[str, Any] = {}
        for name in CHANGEABLE:
            text = self._open(name, rows[name].value) if name in rows else None
            if text and not self.locked(name):
                values |= self._value(name, text)
        logo = rows.get(LOGO)
        self._logo_id = logo.value if logo else None
        self._settings = self._base.model_copy(update=values)

    def _value(self, name: str, text: str) -> dict[str, Any]:
        """The setting as it is stored, if this release still takes it.

        Raises SettingsError for codes: without them the site would be open to all.
        """
        try:
            if name == "access_codes":
                text = self._joined_codes(text)
            return {name: settings_model.written(name, text)}
        except SettingsError as error:
            if name == "access_codes":
                raise
            log.warning("the desk's value is left out: %s", error)
            return {}

    def _check_codes(self, codes: SecretStr | None) -> None:
        """Raises SettingsError for codes that are twins, and for none where agents need one."""
        if codes is not None:
            self._joined_codes(codes.get_secret_value())
        elif self._base.access_codes is None and self.needs_codes():
            raise SettingsError("codes_needed")

    def _joined_codes(self, text: str) -> str:
        """The codes of the environment and those of the desk. Raises SettingsError."""
        own = self._base.access_codes
        if own is None:
            return text
        joined = f"{own.get_secret_value()},{text}"
        settings_model.written("access_codes", joined)
        return joined

    def _seal(self, name: str, text: str | None) -> Any:
        if text is None or name not in SEALED:
            return text
        return {"sealed": fernet(self._key).encrypt(text.encode()).decode()}

    def _open(self, name: str, value: Any) -> str | None:
        """A stored text; None without one, or when it was sealed under another SECRET_KEY."""
        # Without a key nobody asks for what is sealed.
        if not isinstance(value, dict) or not self._key:
            return value if isinstance(value, str) else None
        from cryptography.fernet import InvalidToken

        try:
            return str(fernet(self._key).decrypt(value["sealed"].encode()).decode())
        except InvalidToken:
            log.warning("%s was sealed under another SECRET_KEY; set it again", name.upper())
            return None


def in_force(base: Settings) -> Settings:
    """These settings with what the owner set at the desk, where there is a database that says."""
    storage = open_existing(base)
    try:
        return Desk(base, storage, "").settings
    except (StorageError, SettingsError):
        return base
    finally:
        storage.close()
