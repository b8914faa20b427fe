"""What the documents say is so: tables, links, settings, commands, examples, the contract."""

import ast
import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import Babel, force_locale

import providers
from chat import web
from chat.answers.live import Failed
from chat.settings import help as settings_help
from chat.web import errors
from chat.web.events import NAMES
from providers import PLATFORMS
from providers.errors import ProviderError
from tests.kit.site import Site, Visitor
from tools import documents

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])
CODES = sorted(errors.STATUS)
# Coze's own words, sent as they are; a description in providers/coze/options.py would be better


def read(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path: str, language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of the list they may be in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", read(path), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def prose(text: str) -> str:
    """A document without its code and comments."""
    return re.sub(
        r"^ *```.*?^ *```$|<!--.*?-->|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL
    )


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def slug(heading: str) -> str:
    """The name that a heading has in a link, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


# what is generated


@pytest.mark.parametrize("path", documents.documents())
def test_generated_parts_are_current(path: str) -> None:
    assert read(path) == documents.documents()[path], "make documents"


def test_the_check_names_what_is_stale(tmp_path: Path) -> None:
    for name in ("chat", "providers", "emulator", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*READMES, "app.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "chat.documents"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    readme = tmp_path / "README.md"
    current = readme.read_text(encoding="utf-8")
    readme.write_text(current.replace("| `PORT` |", "| `PROT` |"), encoding="utf-8")
    checked = subprocess.run(
        [*command, "--check"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 1
    assert checked.stderr.strip() == "stale: README.md. Write them anew: make documents"
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    assert readme.read_text(encoding="utf-8") == current


def test_a_document_without_its_marker_is_named() -> None:
    with pytest.raises(documents.MissingMarker, match="settings: written by"):
        documents.filled("# Nothing here\n", "settings", "| a |\n")


def test_every_capability_is_explained() -> None:
    said_otherwise = {"title", "english", "module", "account", "limits"}
    assert {field.name for field in fields(providers.Row)} == {
        *documents.CAPABILITIES,
        *said_otherwise,
    }


def test_every_module_is_in_the_layout() -> None:
    told = read("docs/architecture.md")
    for pattern in (
        "chat/*.py",
        "chat/web/*.py",
        "chat/storage/*.py",
        "providers/*.py",
        "emulator/*.py",
    ):
        for path in ROOT.glob(pattern):
            name = str(path.relative_to(ROOT))
            assert f"| `{name}` |" in told or not path.read_text(encoding="utf-8").strip(), name


# settings


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_is_in_the_readme_once(readme: str) -> None:
    named = [row[0].strip("`") for row in rows(read(readme))]
    wanted = [name for _, name, _ in settings_help.published()]
    assert [name for name in named if name in wanted] == wanted


@pytest.mark.parametrize("readme", READMES)
def test_every_setting_in_an_example_exists(readme: str) -> None:
    known = {name for _, name, _ in settings_help.published()}
    examples = [line for text in blocks(readme, "dotenv") for line in text.splitlines()]
    assert examples
    for line in examples:
        assert line.partition("=")[0] in known, line
    for name in re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", read(readme)):
        assert name in known or name.removesuffix("_FILE") in known, name


@pytest.mark.parametrize("readme", READMES)
def test_every_platform_has_its_section_and_all_it_needs(readme: str) -> None:
    given = {
        line.partition("=")[0].lower()
        for text in blocks(readme, "dotenv")
        for line in text.splitlines()
    }
    headings = "\n".join(re.findall(r"^### .*$", read(readme), re.MULTILINE))
    for name, row in PLATFORMS.items():
        assert row.title in headings and row.english in headings
        options = providers.load(name).Options.model_fields
        required = {f"{name}_{key}" for key, field in options.items() if field.is_required()}
        assert required <= given


@pytest.mark.parametrize("readme", READMES)
def test_the_example_of_agents_toml_works(
    readme: str, start_site: Callable[..., Site], tmp_path: Path
) -> None:
    (example,) = blocks(readme, "toml")
    (tmp_path / "agents.toml").write_text(example, encoding="utf-8")
    token = "pat_demo_only_not_a_secret"
    site = start_site(
        tmp_path, AGENTS_FILE="agents.toml", COZE_API_TOKEN=token, SHOP_COZE_TOKEN=token
    )
    page = Visitor(site.url).get("/").text
    for agent in tomllib.loads(example)["agents"]:
        assert f'href="/?agent={agent["id"]}"' in page
        assert agent.get("name", "") in page and agent.get("welcome", "") in page


def test_every_option_of_a_platform_is_explained() -> None:
    for key, _, _, told in (row for row in rows(documents.platforms()) if len(row) == 4):
        assert told, f"{key} has no description"


# the two languages


def test_both_readmes_are_built_alike() -> None:
    english, chinese = (read(readme) for readme in READMES)
    for pattern in (r"^(#+) ", r"^ *```(\w*)", r"^ *(\d+\.|-) "):
        assert re.findall(pattern, english, re.M) == re.findall(pattern, chinese, re.M), pattern
    places = r"\]\(((?!README)[^)]+)\)"
    assert sorted(re.findall(places, english)) == sorted(re.findall(places, chinese))
    assert blocks(READMES[0], "dotenv") == blocks(READMES[1], "dotenv")


def test_the_demo_points_to_a_heading_that_exists() -> None:
    """The banner of the demo names the section that says how to connect agents."""
    english = next(message for message in _catalogue("zh") if "README" in message)
    for readme, message in zip(READMES, (english, _catalogue("zh")[english]), strict=True):
        found = re.search("“(.*?)”", message)
        assert found and f"## {found[1]}" in read(readme).splitlines()


def _catalogue(language: str) -> dict[str, str]:
    with open(ROOT / f"chat/translations/{language}/LC_MESSAGES/messages.po", "rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file) if one.id and not one.fuzzy}


# links and commands


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(path))):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.is_relative_to(ROOT) and there.exists(), f"{path.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", read(there), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{path.name}: {target}"


def test_commands_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([.\w/-]+):", read("Makefile"), re.MULTILINE))
    texts = [read(path) for path in DOCUMENTS] + [
        read("deploy/zhiye.service"),
        read("tools/documents.py"),
    ]
    named = {name for text in texts for name in re.findall(r"\bmake ([.\w/]+)(?=`|\s|$)", text)}
    commands = {name for name in named if name in targets or name.startswith(".")}
    assert (
        {"run", "test", "check", "documents", "messages", "css", ".venv/runs"}
        <= commands
        <= targets
    )
    for text in texts:
        for name in re.findall(r"`make ([.\w/]+)", text):
            assert name in targets, name


def test_files_that_are_named_exist() -> None:
    pattern = r"`((?:chat|providers|emulator|tests|static|deploy|docs)/[\w./-]+\.\w+)`"
    for path in DOCUMENTS:
        for name in re.findall(pattern, read(path)):
            assert (ROOT / name).exists() or "acme" in name, f"{path.name}: {name}"


def test_magic_words_that_are_named_exist() -> None:
    told = [ast.get_docstring(ast.parse(read(path))) or "" for path in ROOT.glob("emulator/*.py")]
    known = {word for text in told for word in re.findall(r"!([a-z-]+)", text)}
    for path in DOCUMENTS:
        for word in re.findall(r"`!([a-z-]+)[ \d]*`", read(path)):
            assert word in known, f"{path.name}: !{word}"


def test_the_changelog_begins_with_a_version() -> None:
    first = re.search(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    assert first and re.fullmatch(r"\d+\.\d+\.\d+", first[1])


# the contract


def test_the_contract_names_every_error_with_its_status() -> None:
    section = read("docs/api.md").partition("## Errors")[2].partition("\n## ")[0]
    told = {code.strip("`"): int(status) for code, status, _ in rows(section)}
    assert told == errors.STATUS


def test_the_contract_names_every_event() -> None:
    section = read("docs/api.md").partition("## Events")[2].partition("## Errors")[0]
    told = {row[0].strip("`") for row in rows(section)}
    assert told == {*NAMES.values(), "turn", "html", "error"}


def test_the_contract_names_every_address() -> None:
    app = Flask(__name__, static_folder=None)
    for module in pkgutil.iter_modules(web.__path__, "chat.web."):
        blueprint = getattr(importlib.import_module(module.name), "bp", None)
        if blueprint is not None:
            app.register_blueprint(blueprint)
    ours = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    section = read("docs/api.md").partition("## Asking")[0]
    told = {tuple(row[0].strip("`").split(" ", 1)) for row in rows(section)}
    assert told == ours


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_error_has_its_sentence(code: str, language: str) -> None:
    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(ROOT / "chat" / "translations")
    Babel(app)
    with app.test_request_context(), force_locale(language):
        told = errors.sentence(code)
    assert len(told) > 4
    assert bool(re.search(r"[\u4e00-\u9fff]", told)) == (language == "zh")


def test_every_failure_of_a_platform_has_its_code() -> None:
    found = [ProviderError]
    for kind in found:
        found += kind.__subclasses__()
    assert {kind.reason for kind in found} <= set(CODES)
    assert Failed(ProviderError.reason).code in CODES


@pytest.mark.parametrize("readme", READMES)
def test_the_example_with_curl_works(readme: str, site: Site) -> None:
    example = next(text for text in blocks(readme, "sh") if text.startswith("curl"))
    found = re.fullmatch(
        r"curl http://127\.0\.0\.1:8000(/\S+) -H '([^:]+): ([^']+)' -d '(.*)'\n", example
    )
    assert found
    path, header, value, body = found.groups()
    response = Visitor(site.url).post(path, data=body.encode(), headers={header: value})
    assert response.status_code == 200
    promised = re.findall(r'"(\w+)": …|"(\w+)": \[…\]', read(readme))
    assert {name for pair in promised for name in pair if name} <= set(response.json())
    assert json.loads(body)["message"] in response.json()["replies"][0]


def test_every_promise_names_tests_that_there_are() -> None:
    table = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("| Promise |")[2]
    rows = [line for line in table.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert len(rows) >= 10
    for row in rows:
        named = re.findall(r"`(tests/[\w/.]+)`", row)
        assert named and all((ROOT / one).exists() for one in named), row
