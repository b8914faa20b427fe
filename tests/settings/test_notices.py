"""What was not read is named: the line, the name, the nearest setting, and never a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chat.settings import help as settings_help
from chat.settings.names import nearest
from chat.settings.notices import notices

SECRET = "pat_0123456789abcdefghij"
KNOWN = [name for _, name, _ in settings_help.published()]
Look = Callable[..., list[str]]


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """What is said in Chinese of a folder with these files and these variables."""
    monkeypatch.chdir(tmp_path)

    def looked(files: dict[str, str | bytes] | None = None, **variables: str) -> list[str]:
        for name, text in (files or {}).items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        seen = notices()
        assert all(notice.say("en").isascii() or "。" not in notice.say("en") for notice in seen)
        return [notice.say("zh") for notice in seen]

    return looked


def test_a_folder_that_is_in_order_has_nothing_to_say(look: Look) -> None:
    assert look({".env": f"COZE_API_TOKEN={SECRET}\nCOZE_BOT_ID=7\ncoze-qps=2\n"}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("COZE_TOKEN", "COZE_API_TOKEN"),
        ("COZE_API_KEY", "COZE_API_TOKEN"),
        ("COZE_PAT", "COZE_API_TOKEN"),
        ("COZE_BOTID", "COZE_BOT_ID"),
        ("COZE_BASE_URL", "COZE_API_BASE"),
        ("WENXIN_API_KEY", "WENXIN_SECRET_KEY"),
        ("YUANQI_APPID", "YUANQI_ASSISTANT_ID"),
        ("ZHIPU_API_KEY", "QINGYAN_API_KEY"),
        ("SITE_TITEL", "SITE_TITLE"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("SITE_NAME", "SITE_TITLE"),
    ],
)
def test_a_name_that_is_none_comes_with_the_nearest(look: Look, name: str, meant: str) -> None:
    (line,) = look({".env": f"{name}={SECRET}\n"})
    assert f"第 1 行 {name}：是不是 {meant}？" in line
    assert SECRET not in line


@pytest.mark.parametrize("name", KNOWN)
def test_a_setting_without_one_letter_is_recognized(name: str) -> None:
    if len(name) > 5:
        assert nearest(name[:-2] + name[-1], KNOWN) == name


def test_lines_that_set_nothing_are_named_without_what_they_hold(look: Look) -> None:
    lines = look({".env": f"{SECRET}\nCOZE_BOT_ID {SECRET}\n{SECRET}=\nHALLO=1\nPORT=1\nPORT=2\n"})
    assert [line.partition("，")[0].partition("→")[0] for line in lines] == [
        ".env 第 1 行：无法识别",
        ".env 第 2 行 COZE_BOT_ID：没有等号",
        ".env 第 5 行 PORT：第 6 行又写了一次",
        ".env 第 3 行：没有这个设置",
        ".env 第 4 行 HALLO：没有这个设置",
    ]
    assert SECRET not in "".join(lines)


def test_a_line_of_any_length_is_looked_at_in_no_time(look: Look) -> None:
    (line,) = look({".env": "COZE" * 100_000 + "=x\n"})
    assert len(line) < 200


def test_names_of_other_programs_are_nobody_s_business(look: Look) -> None:
    ours = "COMPOSE_PROJECT_NAME=a\nPOSTGRES_PASSWORD=b\nHTTPS_PROXY=c\nDOMAIN=x\n"
    agents = '[[agents]]\nid="a"\nplatform="coze"\napi_token={env = "SHOP"}\n'
    more = "AGENTS_FILE=agents.toml\nSHOP=x\nPUBLIC_URL=https://${DOMAIN}\n"
    assert look({".env": ours + more, "agents.toml": agents}, HOSTNAME="a", REDIS_PORT="6") == []


def test_a_variable_of_the_process_that_is_surely_ours(look: Look) -> None:
    lines = look(COZE_TOKEN=SECRET, SITE_TITEL="x", TITLE="x", SECRET_KEY_BASE="x")
    assert [line.partition("？")[0] for line in lines] == [
        "环境变量 COZE_TOKEN：是不是 COZE_API_TOKEN",
        "环境变量 SITE_TITEL：是不是 SITE_TITLE",
    ]


def test_credentials_behind_a_sharp_are_named_where_there_are_no_others(look: Look) -> None:
    lines = look({".env": f"# COZE_API_TOKEN={SECRET}\n#COZE_BOT_ID=7428012345678901234\n"})
    assert lines == [".env 第 1 行 COZE_API_TOKEN：前面有 #，是注释，未读取 → 去掉行首的 #"]
    assert look({".env": f"# COZE_API_TOKEN={SECRET}\nYUANQI_API_TOKEN=x\n"}) == []


def test_a_variable_without_a_value_is_named_unless_its_name_may_be_a_secret(look: Look) -> None:
    lines = look({".env": "SITE_TITLE=${SHOP_NAME}\nADMIN_PASSWORD=ab${q1w}efghijklm\n"})
    assert [line.partition(" 没有")[0] for line in lines] == [
        ".env 第 1 行 SITE_TITLE：${SHOP_NAME}",
        ".env 第 2 行 ADMIN_PASSWORD：${...}",
    ]


@pytest.mark.parametrize("name", [".env.txt", "env", "env.txt", ".env.example", "_env"])
def test_a_file_that_is_not_quite_called_so(look: Look, name: str) -> None:
    assert look({name: "PORT=1\n"}) == [f"有 {name}，但站点只读取 .env → mv {name} .env"]


def test_an_example_that_was_filled_in(look: Look) -> None:
    (line,) = look({"config.example.env": "# PORT=1\nCOZE_BOT_ID=7\n"})
    assert "COZE_BOT_ID" in line and "cp config.example.env .env" in line


def test_agents_that_no_setting_names(look: Look) -> None:
    (line,) = look({"agents.toml": "[[agents]]\n"})
    assert line.endswith("AGENTS_FILE=agents.toml")


def test_a_folder_in_place_of_the_file(look: Look, tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert "是文件夹" in look()[0]


@pytest.mark.parametrize("charset", ["gbk", "utf-16"])
def test_another_charset_comes_with_the_line_that_changes_it(look: Look, charset: str) -> None:
    (line,) = look({".env": "SITE_TITLE=我的站\n".encode(charset)})
    assert "iconv -f" in line and ".env.new .env" in line


def test_other_signs_and_keys_in_the_agents_file(look: Look) -> None:
    agents = 'titel = "x"\n[[agents]]\nid＝"a"\n'
    lines = look({"agents.toml": agents, ".env": "AGENTS_FILE=agents.toml"})
    assert "第 3 行有中文标点" in lines[0] and "'titel'" in lines[1]
