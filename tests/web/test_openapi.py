"""docs/openapi.yaml describes exactly the interface, and a running site keeps to it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests

from app import version
from chat.web.answers.events import NAMES
from chat.web.errors import STATUS
from providers import PLATFORMS
from tests.kit.emulator import Emulator
from tests.kit.interface import DOCUMENT, FILE
from tests.kit.patience import ALLOWANCE
from tests.kit.routes import routes
from tests.kit.site import ROOT, Site, Visitor, environment

METHODS = {"get", "post", "put", "patch", "delete"}
# The reasons that also come with a status other than their own.
BESIDES = {("bad_input", 415), ("unexpected", 500)}
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance"
)
PASSWORD = "correct horse battery"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & set(item):
            yield path, method, item[method]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        place: Any = DOCUMENT
        for name in node["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        node = place
    return node


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def events() -> dict[str, dict[str, Any]]:
    """The schema of each event's data by the event's name."""
    kinds = [one["properties"] for one in DOCUMENT["components"]["schemas"]["Event"]["anyOf"]]
    return {kind["event"]["const"]: kind["data"]["contentSchema"] for kind in kinds}


# what it names


def test_it_names_every_route_and_no_other() -> None:
    ours = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in routes().iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for path, method, _ in operations()} == ours


def test_it_names_every_parameter_of_a_path() -> None:
    for path, method, operation in operations():
        given = [*DOCUMENT["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        named = {one["name"] for one in map(resolved, given) if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), (method, path)


def test_every_operation_has_a_name_of_its_own_a_sentence_and_a_tag() -> None:
    tags = {one["name"] for one in DOCUMENT["tags"]}
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    for path, _, operation in operations():
        assert operation["summary"] and set(operation["tags"]) <= tags, path


def test_it_names_every_reason_with_its_status_and_no_other() -> None:
    told: set[tuple[str, int]] = set()
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            content = resolved(response).get("content", {}).get("application/json", {})
            for part in content.get("schema", {}).get("allOf", []):
                codes = part.get("properties", {}).get("code", {}).get("enum", [])
                told |= {(code, int(status)) for code in codes}
    assert told == set(STATUS.items()) | BESIDES
    assert set(DOCUMENT["components"]["schemas"]["Code"]["enum"]) == set(STATUS)


def test_it_names_every_event_and_no_other() -> None:
    assert set(events()) == {*NAMES.values(), "turn", "html", "details", "error"}


def test_whatever_changes_something_can_be_cross_site() -> None:
    for path, method, operation in operations():
        assert ("403" in operation["responses"]) == (
            method == "post" or "/oauth/coze/callback" in path
        ), path


def test_its_examples_are_what_it_says() -> None:
    for path, _, operation in operations():
        bodies = [operation.get("requestBody", {}), *map(resolved, operation["responses"].values())]
        for kind, content in (pair for body in bodies for pair in body.get("content", {}).items()):
            given = [one["value"] for one in content.get("examples", {}).values()]
            given += [content["example"]] if "example" in content and "json" in kind else []
            for example in given:
                assert validator(content["schema"]).is_valid(example), (path, example)


def test_it_is_of_this_version() -> None:
    assert DOCUMENT["info"]["version"] == version()
    assert DOCUMENT["openapi"].startswith("3.1.")


# how it is served


def test_a_site_tells_its_interface(site: Site) -> None:
    told = requests.get(f"{site.url}/openapi.yaml", timeout=10)
    assert told.headers["Content-Type"] == "application/yaml"
    assert told.content == FILE.read_bytes()
    assert told.headers["Cache-Control"] == "public, max-age=3600"
    assert not told.cookies
    again = requests.get(
        f"{site.url}/openapi.yaml", headers={"If-None-Match": told.headers["ETag"]}, timeout=10
    )
    assert again.status_code == 304 and not again.content


def test_the_document_for_people_leads_to_it() -> None:
    assert "(openapi.yaml)" in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


# what a site says to what it is asked


@pytest.fixture(scope="module")
def demo(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """All five platforms, as in the demo, but in no hurry of anybody's."""
    return keep_site(DEMO_URL=emulator.url, COZE_QPS=0, VISITOR_RATE=0, ADMIN_PASSWORD=PASSWORD)


@pytest.mark.parametrize("agent", PLATFORMS)
def test_the_events_of_every_platform_are_what_it_says(demo: Site, agent: str) -> None:
    known = {name: validator(schema) for name, schema in events().items()}
    alice = Visitor(demo.url)
    heard = set()
    for question in (
        "!think !tool !cite",
        "!image !suggest",
        "!two",
        "hello",
        "!late-error",
        "!empty",
    ):
        for told in alice.hear(question, "?html=live", agent=agent):
            known[told.name].validate(told.data)
            heard.add(told.name)
    assert {"turn", "delta", "html", "details", "done", "error"} <= heard


def run_schemathesis(site: Site, folder: Path, phases: str, *bounds: str, **known: object) -> str:
    """Lets schemathesis ask the site within `bounds`, with what is `known` to it; raises what it
    found.
    """
    alice = Visitor(site.url)
    if code := site.settings.get("ACCESS_CODES"):
        assert alice.post("/sign-in", data={"code": code}).ok
    alice.ask("hello")
    known = {"agent": list(PLATFORMS), "name": ["css/page.css", "icon.svg"], **known}
    if "conversation_id" not in known:
        known |= {
            "conversation_id": alice.conversation,
            "message_id": alice.message,
            "at": alice.message,
        }
    settings = {
        "SCHEMATHESIS_HOOKS": "tests.web.openapi_hooks",
        "KNOWN_TO_THE_SITE": json.dumps(known),
    }
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.url}/openapi.yaml"),
        *("--checks", CHECKS, "--phases", phases, *bounds, "--continue-on-failure"),
        *("--max-redirects", "0", "--request-timeout", str(int(30 * ALLOWANCE)), "--no-color"),
        *("--header", f"Cookie: visitor={alice.session.cookies['visitor']}", "--warnings", "off"),
        *("--exclude-path", "/forget"),  # what is known would be gone
    ]
    asked = subprocess.run(
        command,
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert re.search(r"[1-9]\d* generated", asked.stdout), asked.stdout
    assert "a fault of ours" not in site.log
    return asked.stdout


def test_whatever_is_asked_it_answers_as_it_says(demo: Site, tmp_path: Path) -> None:
    run_schemathesis(demo, tmp_path, "coverage,fuzzing", "--max-examples", "5")


def test_one_after_another_it_answers_as_it_says(
    emulator: Emulator, start_site: Callable[..., Site], tmp_path: Path
) -> None:
    """By the links: a question in a conversation of its own, then what may be done with that."""
    agent = f"{emulator.url}/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a001/execute"
    site = start_site(
        HUAWEI_API_KEY="sk-demo-only-not-a-secret", HUAWEI_AGENT_URL=agent, VISITOR_RATE=0
    )
    begins_one = dict.fromkeys(("agent", "conversation_id", "after", "instead", "files"))
    bounds = ("--max-examples", "60", "--generation-deterministic")
    told = run_schemathesis(site, tmp_path, "stateful", *bounds, **begins_one)
    covered = re.search(r"API Links: +(\d+) covered", told)
    # Which of the links a walk takes is chance.
    assert covered and int(covered[1]) >= 4, told


def test_a_closed_site_answers_as_it_says(
    emulator: Emulator, start_site: Callable[..., Site], tmp_path: Path
) -> None:
    """To who has signed in nowhere: the cookie of a visitor alone opens nothing."""
    site = start_site(DEMO_URL=emulator.url, VISITOR_RATE=0, ACCESS_CODES="a-code-of-the-tests")
    run_schemathesis(site, tmp_path, "coverage")
