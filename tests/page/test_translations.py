"""Both languages are complete, and what is compiled is what is written."""

from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ["zh", "en"]


def catalogue(language: str) -> Catalog:
    with open(path(language, "po"), "rb") as file:
        return read_po(file, locale=language)


def path(language: str, kind: str) -> Path:
    return ROOT / "chat" / "translations" / language / "LC_MESSAGES" / f"messages.{kind}"


def said() -> set[str]:
    """Every sentence in the code and the templates."""
    with open(ROOT / "babel.cfg") as file:
        methods, options = parse_mapping_cfg(file)
    found: set[str] = set()
    for folder in ("chat", "providers", "templates"):
        rules = [(pattern.removeprefix(f"{folder}/"), method) for pattern, method in methods]
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, rules, _short(options, folder)):
            found |= {message} if isinstance(message, str) else set(message)
    return found


def _short(options: dict[str, dict[str, str]], folder: str) -> dict[str, dict[str, str]]:
    return {pattern.removeprefix(f"{folder}/"): value for pattern, value in options.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_there_and_no_other(language: str) -> None:
    assert {message.id for message in catalogue(language) if message.id} == said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated_and_none_by_guess(language: str) -> None:
    for message in catalogue(language):
        assert message.string, message.id
        assert not message.fuzzy or not message.id, message.id
        assert not list(message.check(catalogue(language))), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    with open(path(language, "mo"), "rb") as file:
        assert {m.id: m.string for m in read_mo(file) if m.id} == {
            m.id: m.string for m in read_mo(compiled) if m.id
        }


def test_chinese_sentences_are_chinese() -> None:
    for message in catalogue("zh"):
        assert not message.id or any("\u4e00" <= one <= "\u9fff" for one in message.string), (
            message.id
        )
