"""The examples of both READMEs work as they stand there."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.site import Site, Visitor
from tools.prose import READMES, blocks

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("readme", READMES)
def test_the_example_of_agents_toml_works(
    readme: str, start_site: Callable[..., Site], tmp_path: Path
) -> None:
    (example,) = blocks(read(readme), "toml")
    (tmp_path / "agents.toml").write_text(example, encoding="utf-8")
    token = "pat_demo_only_not_a_secret"
    site = start_site(
        tmp_path, AGENTS_FILE="agents.toml", COZE_API_TOKEN=token, SHOP_COZE_TOKEN=token
    )
    page = Visitor(site.url).get("/").text
    for agent in tomllib.loads(example)["agents"]:
        assert f'href="/?agent={agent["id"]}"' in page
        assert agent.get("name", "") in page and agent.get("welcome", "") in page


@pytest.mark.parametrize("readme", READMES)
def test_the_example_with_curl_works(readme: str, site: Site) -> None:
    example = next(text for text in blocks(read(readme), "sh") if text.startswith("curl"))
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
