"""A finding of the doctor: what it is about, what was seen, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.agents.cures import cure
from chat.owner.doctor.words import DIAGNOSES, PARTS, Level
from chat.settings.errors import SettingsError
from chat.settings.help import published
from chat.settings.words import Words
from providers.errors import ProviderError
from providers.options import chinese_help


@dataclass(frozen=True)
class Finding:
    """One thing that was seen.

    `id` names its words in DIAGNOSES; `about` is a part of the site, a host or an agent.
    """

    id: str
    about: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: ProviderError | None = None

    @property
    def level(self) -> Level:
        return DIAGNOSES[self.id].level

    def title(self, language: str) -> str:
        """What it is about."""
        part = PARTS.get(self.about)
        return part.say(language) if part else self.about

    def seen(self, language: str) -> str:
        """What was seen."""
        return DIAGNOSES[self.id].seen.say(language, self._facts)

    def to_do(self, language: str) -> str:
        """What to click or set; empty when there is nothing to do."""
        return DIAGNOSES[self.id].to_do.say(language, self._facts)

    @property
    def _facts(self) -> Mapping[str, Any]:
        if self.error is None:
            return self.facts
        return {"reason": str(self.error), "cure": cure(self.error) or Words("", ""), **self.facts}


def wrong_setting(error: SettingsError) -> Finding:
    """The finding for a wrong setting: the error's sentence, and what the setting does."""
    helps = {name: field for _, name, field in published()}
    fields = {name: helps[name] for name in error.settings if name in helps}
    chinese = "".join(f"{name}：{chinese_help(field)}。" for name, field in fields.items())
    english = "".join(f"{name}: {field.description}. " for name, field in fields.items())
    return Finding("settings_wrong", "settings", {"error": error, "help": Words(chinese, english)})
