"""The start: the demo, one line for a wrong setting, a lasting key, and an end that saves."""

import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from tests.kit.emulator import Emulator, coze
from tests.kit.fork_server import GUNICORN
from tests.kit.patience import eventually
from tests.kit.site import PATIENCE_S, ROOT, Site, Visitor, environment

TOKEN = "pat_demo_only_not_a_secret"


def refusal(folder: Path, **settings: object) -> str:
    """What a start with wrong settings prints."""
    process = subprocess.run(
        GUNICORN,
        cwd=folder,
        env=environment(**{"PORT": 1, **settings}),
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert process.returncode != 0
    return process.stderr.decode()


def test_with_nothing_set_it_is_the_demo(start_site: Callable[..., Site]) -> None:
    site = start_site(command=GUNICORN)
    visitor = Visitor(site.url)
    answer = visitor.ask("你好")
    assert answer.ok and "你好" in answer.json()["replies"][0]
    children = _descendants(site)
    assert any("emulator" in command for command in children.values())
    assert f"智页已启动，请打开 {site.url} / The site is running: open {site.url}\n" in site.log
    assert "这是演示" in site.log and "The owner's desk" in site.log
    site.kill()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 5)


# Wrong settings, and words of the line that is printed.
WRONG: list[tuple[dict[str, str], list[str]]] = [
    ({"COZE_API_TOKEN": TOKEN}, ["COZE_BOT_ID is empty", "unset COZE_API_TOKEN"]),
    ({"COZE_BOT_ID": "7480000000000000101"}, ["COZE_API_TOKEN is empty", "unset COZE_BOT_ID"]),
    ({"COZE_API_TOKEN": "two words", "COZE_BOT_ID": "1"}, ["COZE_API_TOKEN:", "copy it again"]),
    ({"COZE_API_TOKEN": TOKEN, "COZE_BOT_ID": "my bot"}, ["COZE_BOT_ID:"]),
    ({"COZE_API_BASE": "ftp://api.coze.cn"}, ["COZE_API_BASE:", "https://"]),
    ({"POLL_INTERVAL_S": "0.5"}, ["POLL_INTERVAL_S:", "1 or more"]),
    ({"CHAT_TIMEOUT_S": "soon"}, ["CHAT_TIMEOUT_S:", "number"]),
    ({"SECRET_KEY": "short"}, ["SECRET_KEY:", "16 characters"]),
    ({"SECRET_KEY_FILE": "/nowhere"}, ["SECRET_KEY_FILE:", "/nowhere"]),
    ({"CA_BUNDLE": "/nowhere.pem"}, ["CA_BUNDLE:", "/nowhere.pem"]),
    ({"CA_BUNDLE": str(ROOT / "app.py")}, ["CA_BUNDLE:", "PEM"]),
    ({"DATABASE_URL": "mysql://x"}, ["DATABASE_URL:", "sqlite:///"]),
    ({"DATABASE_URL": "sqlite:////proc/chat.db"}, ["DATABASE_URL:"]),
    ({"DEFAULT_LANGUAGE": "fr"}, ["DEFAULT_LANGUAGE:", "zh"]),
    ({"AGENTS_FILE": "nowhere.toml"}, ["AGENTS_FILE:", "nowhere.toml"]),
]
# Builds the site once for each of the settings on standard input; prints the lines as JSON.
PROGRAM = """
import json, os, sys
from app import create_app
from chat.settings.errors import SettingsError

lines = []
for settings in json.load(sys.stdin):
    os.environ.update(settings)
    try:
        create_app()
    except SettingsError as error:
        lines.append(error.say_in_both())
    for name in settings:
        del os.environ[name]
print(json.dumps(lines))
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The line for each row of WRONG, all from one process: to start one takes seconds."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path_factory.mktemp("wrong"),
        env=environment(),
        input=json.dumps([settings for settings, _ in WRONG]).encode(),
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert process.returncode == 0, process.stderr
    lines: list[str] = json.loads(process.stdout)
    assert len(lines) == len(WRONG)
    return lines


@pytest.mark.parametrize(
    "number", range(len(WRONG)), ids=lambda number: next(iter(WRONG[number][0]))
)
def test_a_wrong_setting_is_refused_with_one_line(refusals: list[str], number: int) -> None:
    assert_one_line(refusals[number], WRONG[number][1])


def test_a_wrong_setting_is_all_that_a_start_says(tmp_path: Path, refusals: list[str]) -> None:
    wrong = {"CHAT_TIMEOUT_S": "soon"}
    assert refusal(tmp_path, **wrong) == _line_for(wrong, refusals)


def test_what_only_loading_the_site_shows_is_said_last(tmp_path: Path, refusals: list[str]) -> None:
    wrong = {"COZE_API_TOKEN": TOKEN}
    printed = refusal(tmp_path, **wrong)
    assert printed.endswith("\n" + _line_for(wrong, refusals))
    assert "Traceback" not in printed


def test_a_port_that_is_taken_is_said_once_with_a_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        printed = refusal(tmp_path, PORT=port, DEMO_URL="http://127.0.0.1:9")
    assert printed.count(f"PORT: {port} is taken") == 1 and f"process {os.getpid()}" in printed
    assert "Retrying" not in printed and "failed" not in printed


def _line_for(wrong: dict[str, str], refusals: list[str]) -> str:
    return refusals[[settings for settings, _ in WRONG].index(wrong)] + "\n"


def assert_one_line(line: str, words: list[str]) -> None:
    for word in words:
        assert word in line
    assert "\n" not in line
    english, chinese = line.split(" / ")
    assert english.isascii() and "make doctor" in chinese
    # No English sentence is left in it.
    assert not re.search("[a-z]{3,} [a-z]{2,} [a-z]{2,}", chinese)
    assert TOKEN not in line and "two words" not in line


def test_the_secret_key_is_made_once_and_kept_private(emulator: Emulator, tmp_path: Path) -> None:
    site = Site(tmp_path, coze(emulator), command=GUNICORN).start()
    path = tmp_path / "instance" / "secret_key"
    key = path.read_text()
    assert len(key) >= 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    visitor = Visitor(site.url)
    visitor.ask("remember me")
    site.end()
    site.start()
    try:
        assert path.read_text() == key
        assert visitor.ask("!recall").ok, "the cookie is still good, the conversation still there"
    finally:
        site.end()


def test_secrets_come_from_files_and_never_reach_the_log(
    emulator: Emulator, tmp_path: Path, start_site: Callable[..., Site]
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    site = start_site(
        **{**coze(emulator), "COZE_API_TOKEN": "", "COZE_API_TOKEN_FILE": tmp_path / "token"}
    )
    visitor = Visitor(site.url)
    assert visitor.ask("hi").ok
    visitor.ask("!unauthorized")
    assert TOKEN not in site.log
    assert "4100" in site.log or "4101" in site.log, "the platform's code is there for the owner"


def test_a_dotenv_file_is_read(emulator: Emulator, tmp_path: Path) -> None:
    lines = [f"{name}={value}" for name, value in coze(emulator).items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "SITE_TITLE=我的站"]))
    site = Site(tmp_path, {}, command=GUNICORN).start()
    try:
        assert "我的站" in requests.get(site.url, timeout=10).text
    finally:
        site.end()


def test_a_proper_end_keeps_what_was_said(emulator: Emulator, tmp_path: Path) -> None:
    site = Site(tmp_path, {**coze(emulator), "GRACE_S": 1}).start()
    visitor = Visitor(site.url)
    for event in visitor.hear("!pieces 200 100"):
        if event.name == "delta" and event.data["text"].strip():
            break
    site.end()
    assert site.process is not None and site.process.returncode == 0
    site.start()
    try:
        events = list(visitor.follow())
        assert events[-1].name in ("done", "error")
        assert any(event.name == "delta" for event in events)
    finally:
        site.end()


def _descendants(site: Site) -> dict[int, str]:
    assert site.process is not None
    children = psutil.Process(site.process.pid).children(recursive=True)
    return {child.pid: " ".join(child.cmdline()) for child in children}
