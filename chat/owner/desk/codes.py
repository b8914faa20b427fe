"""Access codes that are made and ended at the desk: kept as hashes, each shown once."""

import re
import secrets
from collections.abc import Sequence

from chat.offload import beside_others
from chat.owner.desk.values import CODE_ENDED, CODE_MADE, Desk
from chat.settings import code_lists, hashes
from chat.settings.code_lists import Entry
from chat.storage.owner.values import StaleError

SETTING = "access_codes"
# Nobody mistakes one of these for another, read aloud or by hand.
LETTERS = "abcdefghkmnpqrstwxyz23456789"
GROUPS, GROUP = 3, 4
_NAME = re.compile(r"[^\s,:;，：；#$][^\s,:;，：；]{0,39}")


class CodeError(Exception):
    """A code cannot be made or ended; `kind` is name, twin, day, daily or last."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class DeskCodes:
    """The codes of the desk, one part of the setting ACCESS_CODES."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> Sequence[Entry]:
        """The codes that were made here."""
        text = self._desk.text(SETTING)
        return code_lists.parse(text) if text else []

    def make(self, name: str, last_day: str, daily: str, taken: Sequence[str]) -> str:
        """A new code, which nobody can read again; `taken` are the names of all codes.

        Raises CodeError, SettingsError, StaleError.
        """
        if not _NAME.fullmatch(name):
            raise CodeError("name")
        if name in taken:
            raise CodeError("twin")
        if last_day and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", last_day, re.ASCII):
            raise CodeError("day")
        if daily and not re.fullmatch(r"[1-9]\d{0,6}", daily, re.ASCII):
            raise CodeError("daily")
        version, entries = self._desk.version(SETTING), self.all()
        code = "-".join(
            "".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS)
        )
        # With one salt for all of them a wrong try costs one hash.
        recipe = next(iter(code_lists.recipes(entries)), None) or hashes.new_recipe()
        made = beside_others(lambda: str(hashes.make_hash(code, recipe)))
        lines = [*map(_line, entries), f"{name}:{made}:{last_day}:{daily}".rstrip(":")]
        self._desk.change(SETTING, ",".join(lines), version, CODE_MADE, code=name)
        return code

    def end(self, name: str, is_last: bool, may_open: bool) -> None:
        """Ends a code, and with it the sessions of who came by it. Without any code the site is
        open to all, which the owner has to want.

        Raises CodeError, StaleError when it has ended already.
        """
        version, entries = self._desk.version(SETTING), self.all()
        left = [entry for entry in entries if entry.name != name]
        if len(left) == len(entries):
            raise StaleError(SETTING)
        if is_last and not may_open:
            raise CodeError("last")
        self._desk.change(SETTING, ",".join(map(_line, left)), version, CODE_ENDED, code=name)


def _line(entry: Entry) -> str:
    last_day = entry.until.isoformat() if entry.until else ""
    return f"{entry.name}:{entry.text}:{last_day}:{entry.daily or ''}".rstrip(":")
