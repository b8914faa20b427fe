"""The settings: where they come from, what is refused in one line, and that no secret shows."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from chat.settings import help as settings_help
from chat.settings import model as settings
from chat.settings.environment import named_secret
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from tests.kit.sentences import english_of
from tests.kit.site import environment

SECRET = "a-secret-of-the-owner-0123456789"
SECRETS = [
    (name, field.annotation)
    for name, field in Settings.model_fields.items()
    if "SecretStr" in str(field.annotation)
]

# What a setting that is a secret takes, where it is more than one word.
SPELLED = {"notify_url": f"https://robot.example/hook?key={SECRET}"}

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads the settings of an empty folder with these variables and this .env."""
    monkeypatch.chdir(tmp_path)
    for _, name, _ in settings_help.published():
        monkeypatch.delenv(name, raising=False)

    def loaded(dotenv: str = "", **environment: str) -> Settings:
        if dotenv:
            (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return settings.load()

    return loaded


def refusal(load: Load, dotenv: str = "", **environment: str) -> str:
    """The one line that ends a start."""
    with pytest.raises(SettingsError) as raised:
        load(dotenv, **environment)
    return english_of(raised.value)


def test_with_nothing_set_everything_has_its_default(load: Load) -> None:
    given = load()
    for _, name, field in settings_help.published():
        assert getattr(given, name.lower()) == field.default, name


def test_settings_never_change(load: Load) -> None:
    given = load()
    with pytest.raises(ValidationError):
        given.port = 9000  # type: ignore[misc]


@pytest.mark.parametrize("name", [name for name, _ in SECRETS])
def test_a_secret_never_shows(load: Load, name: str) -> None:
    given = load(**{name.upper(): SPELLED.get(name, SECRET)})
    assert isinstance(getattr(given, name), SecretStr)
    for shown in (
        repr(given),
        str(given),
        str(given.model_dump()),
        given.model_dump_json(),
        f"{given!r:.9999}",
    ):
        assert SECRET not in shown
    assert SECRET in settings.secrets(given)


@pytest.mark.parametrize("name", [name for name, _ in SECRETS])
def test_every_secret_may_come_from_a_file(load: Load, tmp_path: Path, name: str) -> None:
    secret = SPELLED.get(name, SECRET)
    (tmp_path / "secret").write_text(f"  {secret}\n")
    given = load(**{f"{name.upper()}_FILE": "secret"})
    assert getattr(given, name).get_secret_value() == secret


def test_the_path_of_a_secret_may_be_in_dotenv(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    given = load("COZE_API_TOKEN_FILE=secret")
    assert given.coze_api_token is not None and given.coze_api_token.get_secret_value() == SECRET


def test_a_value_wins_over_a_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another-secret-of-the-owner")
    given = load(SECRET_KEY=SECRET, SECRET_KEY_FILE="secret")
    assert settings.secrets(given) == [SECRET]


def test_what_is_no_secret_has_no_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "title").write_text("from a file")
    assert load(SITE_TITLE_FILE="title").site_title == "智页"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"], ids=["missing", "no text"])
def test_a_file_that_cannot_be_read_is_named(
    load: Load, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    line = refusal(load, SECRET_KEY_FILE="secret")
    assert line.startswith("SECRET_KEY_FILE: cannot read secret")


@pytest.mark.parametrize(
    ("_", "name", "field"), settings_help.published(), ids=lambda value: str(value)[:30]
)
def test_empty_counts_as_unset(load: Load, _: str, name: str, field: object) -> None:
    given = load(f"{name}=\n", **{name: ""})
    assert getattr(given, name.lower()) == Settings.model_fields[name.lower()].default


def test_the_environment_wins_over_dotenv(load: Load) -> None:
    given = load("SITE_TITLE=from the file\nPORT=9001", SITE_TITLE="from the environment")
    assert (given.site_title, given.port) == ("from the environment", 9001)


def test_an_empty_variable_does_not_hide_dotenv(load: Load) -> None:
    assert load("SITE_TITLE=from the file", SITE_TITLE="").site_title == "from the file"


def test_a_dotenv_that_notepad_saved(load: Load) -> None:
    assert load("\ufeffSITE_TITLE=我的站\r\nPORT=9001\r\n").site_title == "我的站"


def test_a_secret_file_that_notepad_saved(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"\ufeff{SECRET}\r\n", encoding="utf-8")
    assert settings.secrets(load(SECRET_KEY_FILE="secret")) == [SECRET]


def test_variables_of_others_are_nobody_s_business(load: Load) -> None:
    assert load("SOMETHING_ELSE=1", HTTP_PROXY="http://elsewhere.example").upstream_proxy is None


def test_addresses_lose_their_last_slash(load: Load) -> None:
    assert load(PUBLIC_URL="https://chat.example.com/").public_url == "https://chat.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("TRUSTED_PROXIES", "-1"),
        ("POLL_INTERVAL_S", "0.99"),
        ("POLL_INTERVAL_S", "nan"),
        ("CHAT_TIMEOUT_S", "0"),
        ("CHAT_TIMEOUT_S", "inf"),
        ("GRACE_S", "-1"),
        ("MAX_MESSAGE_CHARS", "0"),
        ("DEFAULT_LANGUAGE", "fr"),
        ("PUBLIC_URL", "ftp://chat.example.com"),
        ("UPSTREAM_PROXY", "socks5://proxy:3128"),
        ("COZE_API_BASE", "here"),
        ("COZE_QPS", "-2"),
        ("SITE_TITLE", "x" * 61),
        ("CA_BUNDLE", "nowhere.pem"),
        ("SECRET_KEY", "short"),
        ("ADMIN_PASSWORD", "short"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_it(load: Load, name: str, value: str) -> None:
    line = refusal(load, **{name: value})
    assert line.startswith(f"{name}: ")
    assert line.endswith(".") and len(line) < 300


@pytest.mark.parametrize("name", ["SECRET_KEY", "ADMIN_PASSWORD"])
def test_a_wrong_secret_is_not_repeated(load: Load, name: str) -> None:
    assert "hunter2" not in refusal(load, **{name: "hunter2"})


def test_a_dotenv_that_is_no_text_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SITE_TITLE=\xff\xff\n")
    assert refusal(load).startswith(".env: neither UTF-8")


@pytest.mark.parametrize("charset", ["gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_dotenv_of_another_charset_is_read(load: Load, tmp_path: Path, charset: str) -> None:
    (tmp_path / ".env").write_bytes("SITE_TITLE=我的站\r\nPORT=9001\r\n".encode(charset))
    assert (load().site_title, load().port) == ("我的站", 9001)


def test_a_secret_by_name_is_found_where_settings_are(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("SHOP_TOKEN=from the file\nEMPTY=")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert named_secret("SHOP_TOKEN") == "from the file"
    monkeypatch.setenv("SHOP_TOKEN", "from the environment")
    assert named_secret("SHOP_TOKEN") == "from the environment"
    monkeypatch.setenv("OTHER_TOKEN_FILE", "secret")
    assert named_secret("OTHER_TOKEN") == SECRET
    assert named_secret("EMPTY") is None
    assert named_secret("NOWHERE") is None


def test_the_example_names_every_setting_with_its_default(load: Load) -> None:
    example = settings_help.example()
    lines = [line.removeprefix("# ") for line in example.splitlines()]
    given = [
        line
        for line in lines
        if line.partition("=")[0] in {name for _, name, _ in settings_help.published()}
    ]
    assert [line.partition("=")[0] for line in given] == [
        name for _, name, _ in settings_help.published()
    ]
    assert load("\n".join(given)) == load(), "what the example says is what holds without it"
    assert not dotenv_values(stream=io.StringIO(example)), "copied as it is, it changes nothing"


def test_nothing_but_the_demo_s_address_is_unpublished() -> None:
    published = {name.lower() for _, name, _ in settings_help.published()}
    assert set(Settings.model_fields) - published == {"demo_url"}


HOME_PROGRAM = """
import json
from chat.settings.model import INSTANCE, load

settings = load()
print(json.dumps([
    str(INSTANCE),
    settings.site_title,
    str(settings.agents_file),
    str(settings.site_logo),
    settings.database_url,
    settings.secret_key.get_secret_value(),
]))
"""


def test_every_relative_path_begins_at_the_home(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    dotenv = (
        "SITE_TITLE=Home\nAGENTS_FILE=agents.toml\nSITE_LOGO=/srv/logo.svg\nSECRET_KEY_FILE=key"
    )
    (home / ".env").write_text(dotenv)
    (home / "key").write_text(SECRET)
    done = subprocess.run(
        [sys.executable, "-c", HOME_PROGRAM],
        cwd=elsewhere,
        env=environment(ZHIYE_HOME="../home"),
        capture_output=True,
        check=True,
    )
    *relative, database, key = json.loads(done.stdout)
    assert relative == [f"{home}/instance", "Home", f"{home}/agents.toml", "/srv/logo.svg"]
    assert database == f"sqlite:///{home}/instance/chat.db"
    assert key == SECRET


def test_the_home_cannot_be_set_in_the_file_that_lies_in_it(load: Load) -> None:
    assert "ZHIYE_HOME" in refusal(load, "ZHIYE_HOME=/srv/zhiye")
