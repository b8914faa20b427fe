"""docs/api.md says what the routes, the errors and the events are."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from chat.answers.live import Failed
from chat.web import errors
from chat.web.answers.events import NAMES
from providers.errors import ProviderError
from tests.kit.routes import routes
from tools.prose import rows

ROOT = Path(__file__).resolve().parents[2]
CODES = sorted(errors.STATUS)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_contract_names_every_error_with_its_status() -> None:
    section = read("docs/api.md").partition("## Errors")[2].partition("\n## ")[0]
    documented = {code.strip("`"): int(status) for code, status, _ in rows(section)}
    assert documented == errors.STATUS


def test_the_contract_names_every_event() -> None:
    section = read("docs/api.md").partition("## Events")[2].partition("## Errors")[0]
    documented = {row[0].strip("`") for row in rows(section)}
    assert documented == {*NAMES.values(), "turn", "html", "details", "error"}


def test_the_contract_names_every_address() -> None:
    own = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule))
        for rule in routes().iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    section = read("docs/api.md").partition("## Asking")[0]
    documented = {tuple(row[0].strip("`").split(" ", 1)) for row in rows(section)}
    assert documented == own


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_error_has_its_sentence(code: str, language: str) -> None:
    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(ROOT / "chat" / "translations")
    Babel(app)
    with app.test_request_context(), force_locale(language):
        documented = errors.sentence(code)
    assert len(documented) > 4
    assert bool(re.search(r"[\u4e00-\u9fff]", documented)) == (language == "zh")


def test_every_failure_of_a_platform_has_its_code() -> None:
    kinds = [ProviderError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.reason for kind in kinds} <= set(CODES)
    assert Failed(ProviderError.reason).code in CODES
