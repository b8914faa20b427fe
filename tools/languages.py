"""Both languages are complete: visitors' sentences, the owner's, the cures of the platforms."""

import re
import string
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from chat.agents.cures import CURES, OWNERS
from chat.owner.doctor.words import DIAGNOSES
from chat.owner.words import WORDS
from chat.settings.errors import PROBLEMS, WRONG
from chat.settings.help import published
from chat.settings.notices import NOTICES
from chat.settings.words import LANGUAGES, Words
from providers import PLATFORMS, error_codes
from providers.options import chinese_help

HAN = re.compile(r"[\u4e00-\u9fff]")
# Their sentences are facts.
ONLY_FACTS = {"settings_wrong", "settings_unread", "agent_refused"}
# What OAuth says, what we say before it is asked, and Huawei's apology.
CODES_BEYOND_THE_TABLES = {
    *("unauthorised", "unreadable_key", "invalid_client", "invalid_request"),
    *("access_deny", "unsupported_grant_type", "no_credentials"),
}


def check(root: Path) -> Iterator[str]:
    """Every sentence that is missing in a language, and every error without its cure."""
    sentences = _sentences(root)
    for language in LANGUAGES:
        yield from _catalogue(root, language, sentences)
    yield from _tables()
    for platform in PLATFORMS:
        yield from _cures(platform)
    for group, name, field in published():
        if not field.description or not HAN.search(chinese_help(field) or ""):
            yield f"{name} ({group}): does not explain itself in both languages"


def _catalogue(root: Path, language: str, sentences: set[str]) -> Iterator[str]:
    folder = root / "chat" / "translations" / language / "LC_MESSAGES"
    with open(folder / "messages.po", "rb") as file:
        catalogue = read_po(file, locale=language)
    place = f"chat/translations/{language}"
    ids = {_id(message.id) for message in catalogue if message.id}
    for sentence in sorted(ids ^ sentences):
        yield f"{place}: {sentence!r} is missing or not used. Run make messages"
    for message in catalogue:
        if not message.id:
            continue
        # A message such as ", " is punctuation, not a sentence.
        is_sentence = re.search("[a-z]", str(message.id))
        is_chinese = language != "zh" or not is_sentence or HAN.search(str(message.string))
        problems = list(message.check(catalogue))
        if not message.string or message.fuzzy or problems or not is_chinese:
            yield f"{place}: {message.id!r} is not translated"
    if _compiled(folder / "messages.mo") != _as_compiled(catalogue):
        yield f"{place}: what is compiled is not what is written. Run make messages"


def _sentences(root: Path) -> set[str]:
    """Every sentence in the code and the templates."""
    with open(root / "babel.cfg") as file:
        methods, settings = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    sentences: set[str] = set()
    for folder in ("chat", "providers", "templates"):
        prefix = f"{folder}/"
        rules = [(pattern.removeprefix(prefix), method) for pattern, method in methods]
        choices = {pattern.removeprefix(prefix): value for pattern, value in settings.items()}
        for _, _, message, _, _ in extract_from_dir(root / folder, rules, choices):
            sentences.add(_id(message))
    return sentences


def _id(id: str | list[str] | tuple[str, ...]) -> str:
    return id if isinstance(id, str) else id[0]


def _as_compiled(catalogue: Catalog) -> dict[object, object]:
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return {_id(message.id): message.string for message in read_mo(file) if message.id}


def _compiled(path: Path) -> dict[object, object]:
    with open(path, "rb") as file:
        return {_id(message.id): message.string for message in read_mo(file) if message.id}


def _tables() -> Iterator[str]:
    """The owner's sentences: both languages, with the same facts."""
    tables = {"chat/owner/words.py": WORDS, "chat/settings/errors.py": {**WRONG, **PROBLEMS}}
    for place, table in tables.items():
        for id, words in table.items():
            yield from _words(f"{place}: {id}", words)
    for id, pair in NOTICES.items():
        for words in pair:
            yield from _words(f"chat/settings/notices.py: {id}", words)
    for id, diagnosis in DIAGNOSES.items():
        place = f"chat/owner/doctor/words.py: {id}"
        if id not in ONLY_FACTS:
            yield from _words(place, diagnosis.seen)
            yield from _words(place, diagnosis.to_do)


def _words(place: str, words: Words) -> Iterator[str]:
    # What holds nothing but facts, or a command to type, is the same in both.
    if words.zh == words.en or not re.search("[a-z]{2}", re.sub(r"\{\w+\}", "", words.en)):
        return
    # The Chinese names of menus may stand in English sentences, so only Chinese is required to be.
    if not HAN.search(words.zh) or not re.search("[a-z]{2}", words.en):
        yield f"{place} is not in both languages"
    if _facts(words.zh) != _facts(words.en):
        yield f"{place} has not the same facts in both languages"


def _facts(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def _cures(platform: str) -> Iterator[str]:
    """Each code that only the owner can mend has its cure, and no other has one."""
    place = f"chat/agents/cures.py: {platform}"
    kinds = {kind.__name__ for kind in OWNERS}
    codes = set(owners_codes(platform))
    for code in sorted((codes | kinds) - set(CURES[platform])):
        yield f"{place}: there is no cure for {code}"
    for code in sorted(set(CURES[platform]) - codes - kinds - CODES_BEYOND_THE_TABLES):
        yield f"{place}: there is a cure for {code}, which does not exist"
    for code, words in CURES[platform].items():
        yield from _words(f"{place}: {code}", words)
        settings = [set(re.findall(rf"{platform.upper()}_[A-Z_]+", text)) for text in words]
        if settings[0] != settings[1]:
            yield f"{place}: {code} names other settings in Chinese than in English"


def owners_codes(platform: str) -> list[str]:
    """The codes of a platform's tables that stand for something only the owner can mend."""
    module = error_codes(platform)
    tables = [getattr(module, name, {}) for name in ("ERRORS", "FAMILIES", "OWN_CODES")]
    kinds = {code: kind for table in tables for code, kind in table.items()}
    return [str(code).split()[0] for code, kind in kinds.items() if issubclass(kind, OWNERS)]
