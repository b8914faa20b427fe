"""`make check` notices what it is there for; conftest.py keeps tests on this machine."""

import shutil
import socket
from pathlib import Path

import pytest

from tools import compiled, house, languages, layers, packages, prose
from tools.source import ROOT


def complaints_about(folder: Path, name: str, text: str) -> list[str]:
    """What the checks say of a house that has this one file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [*layers.check(folder), *house.check(folder)]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        (
            "chat/settings/a.py",
            "from chat.visitors import codes",
            "settings may not import visitors",
        ),
        ("chat/agents/a.py", "def f():\n    import chat.web.chat", "agents may not import web"),
        ("chat/storage/a.py", "from chat.page import look", "storage may not import page"),
        ("chat/web/gate/a.py", "import chat.web.errors", "gate/ may not import chat.web.errors"),
        ("chat/storage/engine/a.py", "from chat.storage import answers", "engine/ may not import"),
        ("chat/cellar/a.py", "x = 1", "cellar has no floor"),
        ("providers/a.py", "from chat import settings", "providers may not import chat"),
        ("emulator/a.py", "import providers", "emulator may not import providers"),
        ("providers/coze/a.py", "import providers.huawei.answer", "coze may not import"),
        ("chat/web/a.py", "from . import b", "say the whole name"),
        ("chat/web/a.py", "import sqlalchemy", "uses SQLAlchemy"),
        ("chat/answers/a.py", "import flask", "uses Flask"),
        ("chat/web/a.py", "import os\nos.environ", "uses the environment"),
        ("chat/web/a.py", "import requests\nrequests.get", "only door to the network"),
        ("chat/web/a.py", "import requests\nrequests.Session", "uses sessions of requests"),
        ("gunicorn.conf.py", "import os\nos.environ.get", "more than DEMO_URL"),
        ("chat/web/a.py", "x = 1", "begins with no sentence"),
        ("static/js/a.js", "node.innerHTML = text", "innerHTML"),
        ("templates/a.html", "{{ text | safe }}", "safe is not allowed"),
        ("templates/a.html", "<p style='x'>", "not allowed in a template"),
        ("tests/a.py", "import unittest.mock", "talk to the emulator"),
    ],
)
def test_a_violation_is_noticed(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    complaints = complaints_about(tmp_path, name, text)
    assert any(line.startswith(f"{name}: ") and complaint in line for line in complaints), (
        complaints
    )


def test_what_is_allowed_is_not_complained_of(tmp_path: Path) -> None:
    text = (
        '"""A route that is allowed all of this."""\n\nimport flask\nimport chat.storage.answers\n'
    )
    assert not complaints_about(tmp_path, "chat/web/a.py", text)


def test_the_layers_hold() -> None:
    assert not layers.KNOWN_VIOLATIONS
    assert not list(layers.check(ROOT))


def test_a_script_that_is_not_compiled_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "static/js", tmp_path / "static/js")
    shutil.copytree(ROOT / "static/compiled", tmp_path / "static/compiled")
    assert not list(compiled.check(tmp_path))
    (tmp_path / "static/js/turn.js").write_text("changed")
    (tmp_path / "static/js/new.js").write_text("added")
    (tmp_path / "static/js/copy.js").unlink()
    names = [complaint.partition(":")[0] for complaint in compiled.check(tmp_path)]
    assert names == ["static/js/copy.js", "static/js/new.js", "static/js/turn.js"]


def test_a_sentence_without_its_other_language_is_noticed() -> None:
    assert list(languages._words("a", languages.Words("Hello {name}", "Hello {name}s")))
    assert list(languages._words("a", languages.Words("你好 {name}", "Hello {id}")))
    assert not list(languages._words("a", languages.Words("你好 {name}", "Hello {name}")))


def test_a_test_cannot_leave_this_machine() -> None:
    """conftest.py listens to what Python does; these are the ways out that it has to close."""
    elsewhere = "203.0.113.1"  # RFC 5737: for documents, never a machine
    ways = [
        lambda: socket.getaddrinfo("example.com", 443),
        lambda: socket.create_connection((elsewhere, 443), timeout=0.1),
        lambda: socket.create_connection(("2001:db8::1", 443), timeout=0.1),
    ]
    for leave in ways:
        with pytest.raises(RuntimeError, match="tried to reach"):
            leave()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()[:2], timeout=5).close()


def test_a_command_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "A.md").write_text("`flask backup FILE` and\n\n```sh\nbin/zhiye remember me\n```\n")
    assert list(prose.owner_commands(tmp_path)) == ["A.md: there is no zhiye remember"]


@pytest.mark.parametrize(
    ("english", "chinese", "is_twin"),
    [
        ("# A\n\n| a |\n", "# 甲\n\n| 甲 |\n", True),
        ("# A\n\n| a |\n", "# 甲\n\n| 甲 |\n| 乙 |\n", False),
        ("[a](b.md) [c](a.zh.md)", "[甲](b.md) [c](a.md)", True),
        ("[a](b.md)", "甲", False),
        ("```dotenv\nPORT=1\n```\n", "```dotenv\nPORT=2\n```\n", False),
    ],
)
def test_documents_in_two_languages_are_compared(
    tmp_path: Path, english: str, chinese: str, is_twin: bool
) -> None:
    (tmp_path / "a.md").write_text(english)
    (tmp_path / "a.zh.md").write_text(chinese)
    assert is_twin == (not list(prose.twins(tmp_path, "a.md", "a.zh.md")))


HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("wanted", "pinned", "complaint"),
    [
        ("a.b==1.0  # reason", f"a-b==1.0 \\\n    {HASH}\n    # via x\n", None),
        ("a==1.0", f"A==1.0 ; python_version < '4' \\\n    {HASH} \\\n    {HASH}\n", None),
        ("a==1.1", f"a==1.0 \\\n    {HASH}\n", "a==1.1 of requirements.in is missing"),
        ("a==1.0", f"a==1.0 \\\n    {HASH}\nb==2.0\n", "b has no hash"),
        ("", "--index-url https://packages.example/simple\n", "a place to install from"),
    ],
)
def test_packages_are_pinned_by_their_hashes(
    tmp_path: Path, wanted: str, pinned: str, complaint: str | None
) -> None:
    (tmp_path / "requirements.in").write_text(wanted)
    (tmp_path / "requirements.txt").write_text(pinned)
    complaints = list(packages.check(tmp_path))
    assert complaint in complaints[0] if complaint else not complaints, complaints
