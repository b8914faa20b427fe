"""`flask doctor` on set-ups that are broken on purpose: exit codes, and cures in both languages."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chat.owner.commands import examine
from emulator.accounts import DEMO
from providers import PLATFORMS
from tests.kit.asking import saying
from tests.kit.emulator import Emulator
from tests.kit.site import ROOT, environment

FLASK = [sys.executable, "-m", "flask"]
SERVICE_TOKEN = "sat_demo_only_not_a_secret"
LANGUAGES = ("zh", "en")
SECRET_NAMES = ("TOKEN", "SECRET", "API_KEY", "SECRET_KEY")

Settings = Mapping[str, object]
FindingObject = dict[str, str]  # a finding as --json has it


def settings(platform: str, url: str, **other: object) -> dict[str, object]:
    """What the owner of a demo account puts into .env."""
    addresses: dict[str, dict[str, object]] = {
        "coze": {"COZE_API_TOKEN": SERVICE_TOKEN, "COZE_API_BASE": url},
        "qingyan": {"QINGYAN_API_BASE": f"{url}/chatglm/assistant-api/v1"},
        "wenxin": {"WENXIN_API_BASE": url, "WENXIN_TOKEN_BASE": url},
        "yuanqi": {"YUANQI_API_BASE": f"{url}/openapi/v1"},
        "huawei": {"HUAWEI_AGENT_URL": url + DEMO["HUAWEI_AGENT_PATH"]},
    }
    keys = {name: DEMO[name] for name in DEMO if name.startswith(platform.upper())}
    ours = {name: value for name, value in keys.items() if not re.search("OAUTH|JWT|PATH", name)}
    return {**ours, **addresses[platform], **other}


def table(name: str, platform: str, url: str, **wrong: object) -> str:
    """The same as a table of agents.toml, some of it wrong."""
    options = settings(platform, url, **wrong)
    texts = {key: json.dumps(str(value), ensure_ascii=False) for key, value in options.items()}
    prefix = f"{platform.upper()}_"
    lines = [f"{key.removeprefix(prefix).lower()} = {text}" for key, text in texts.items()]
    return "\n".join(["[[agents]]", f'id = "{name}"', f'platform = "{platform}"', *lines, ""])


def run(folder: Path, given: Settings, *options: str, app: bool = True) -> tuple[int, str]:
    """The doctor as a command: its exit code and all that it said."""
    command = [*FLASK, *(["--app", "app"] if app else []), "doctor", *options]
    done = subprocess.run(
        command, cwd=folder, env=environment(**given), capture_output=True, timeout=120
    )
    said = (done.stdout + done.stderr).decode()
    assert "Traceback" not in said, said
    return done.returncode, _without_secrets(said, given)


def call(folder: Path, given: Settings, *options: str) -> tuple[int, str]:
    """The same in this process, which saves the second that it takes to begin one."""
    with chdir(folder):
        done = CliRunner(env={name: str(value) for name, value in given.items()}).invoke(
            examine, options
        )
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, _without_secrets(done.output, given)


def both(folder: Path, given: Settings, *options: str) -> tuple[int, str, str]:
    """The exit code, and what is said in Chinese and in English."""
    code, chinese = call(folder, given, *options, "--lang", "zh")
    again, english = call(folder, given, *options, "--lang", "en")
    assert code == again
    return code, chinese, english


def _without_secrets(output: str, variables: Settings) -> str:
    for name, value in variables.items():
        is_secret = name.endswith(SECRET_NAMES) and len(str(value)) >= 6
        assert not is_secret or str(value) not in output, name
    return output


class Walk:
    """The doctor's findings about many agents, each wrong in a way of its own."""

    def __init__(
        self,
        folder: Path,
        tables: list[str],
        *options: str,
        how: Callable[..., tuple[int, str]] = call,
    ) -> None:
        (folder / "agents.toml").write_text("\n".join(tables), encoding="utf-8")
        said = {
            language: how(
                folder, {"AGENTS_FILE": "agents.toml"}, "--json", "--lang", language, *options
            )
            for language in LANGUAGES
        }
        self.codes = {code for code, _ in said.values()}
        self._found = {language: json.loads(text) for language, (_, text) in said.items()}
        for value in re.findall(r'(?:token|secret|key) = "([^"]{8,})"', "\n".join(tables)):
            assert not any(value in text for _, text in said.values()), "a secret was printed"

    def about(self, name: str, language: str) -> list[FindingObject]:
        return [one for one in self._found[language] if one["about"] == name]

    def said(self, name: str, language: str) -> str:
        return " ".join(
            f"{one['level']} {one['seen']} → {one['to_do']}" for one in self.about(name, language)
        )

    def levels(self, name: str) -> set[str]:
        return {one["level"] for one in self.about(name, "zh")}


HUAWEI = "{url}/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a00"

BROKEN: list[tuple[str, str, Settings, str, str]] = [
    ("wrong token", "coze", {"COZE_API_TOKEN": "sat_wrong_token"}, "新建令牌", "make a new one"),
    ("expired token", "coze", {"COZE_API_TOKEN": "pat_demo_expired"}, "已过期", "has ended"),
    (
        "not published",
        "coze",
        {"COZE_BOT_ID": "7480000000000000102"},
        "未发布到 API 渠道：扣子 → 发布 → 勾选 API",
        "tick API (Agent As API)",
    ),
    (
        "unknown agent",
        "coze",
        {"COZE_BOT_ID": "7480000000000000999"},
        "/bot/ 后面的数字",
        "after /bot/",
    ),
    ("may not chat", "coze", {"COZE_API_TOKEN": "pat_demo_no_chat"}, "勾选 chat", "tick chat"),
    (
        "may only chat",
        "coze",
        {"COZE_API_TOKEN": "pat_demo_chat_only"},
        "勾选 getChat",
        "tick getChat",
    ),
    (
        "another workspace",
        "coze",
        {"COZE_API_TOKEN": "pat_demo_other_workspace"},
        "选中智能体所在的工作空间",
        "choose the agent's workspace",
    ),
    (
        "wrong path",
        "coze",
        {"COZE_API_BASE": "{url}/nowhere"},
        "应为 https://api.coze.cn",
        "COZE_API_BASE is https://api.coze.cn",
    ),
    (
        "wrong secret",
        "qingyan",
        {"QINGYAN_API_SECRET": "ffffffffffffffffffffffffffffffff"},
        "chatglm.cn/developersPanel/apiSet",
        "chatglm.cn/developersPanel/apiSet",
    ),
    (
        "disabled key",
        "qingyan",
        {
            "QINGYAN_API_KEY": "0a1b2c3d4e5f6073",
            "QINGYAN_API_SECRET": "00112233445566778899aabbccddee03",
        },
        "已停用",
        "disabled",
    ),
    (
        "wrong key",
        "wenxin",
        {"WENXIN_SECRET_KEY": "EmuSecretBBBBBBBBBBBBBBBBBBBBB99"},
        "部署 › API 调用",
        "do not belong together",
    ),
    (
        "not published",
        "wenxin",
        {
            "WENXIN_APP_ID": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA02",
            "WENXIN_SECRET_KEY": "EmuSecretBBBBBBBBBBBBBBBBBBBBB02",
        },
        "智能体未上线",
        "The agent is offline",
    ),
    (
        "wrong token",
        "yuanqi",
        {"YUANQI_API_TOKEN": "Qk7Demo0nlyNotASecret9999"},
        "应用发布 › API管理",
        "应用发布 › API管理",
    ),
    (
        "wrong path",
        "yuanqi",
        {"YUANQI_API_BASE": "{url}/openapi/v2"},
        "https://yuanqi.tencent.com/openapi/v1",
        "https://yuanqi.tencent.com/openapi/v1",
    ),
    (
        "wrong key",
        "huawei",
        {"HUAWEI_API_KEY": "sk-demo-wrong"},
        "凭证管理 › 我的凭证",
        "凭证管理 › 我的",
    ),
    (
        "not published",
        "huawei",
        {"HUAWEI_AGENT_URL": HUAWEI + "2/execute"},
        "复制整个发布地址",
        "copy the whole 发布地址",
    ),
    (
        "foreign agent",
        "huawei",
        {"HUAWEI_AGENT_URL": HUAWEI + "3/execute"},
        "无权调用该智能体",
        "may not call the agent",
    ),
]

ONLY_BY_ASKING: list[tuple[str, str, Settings, str, str]] = [
    (
        "unknown agent",
        "qingyan",
        {"QINGYAN_ASSISTANT_ID": "aaaaaaaaaaaaaaaaaaaaaa99"},
        "编号",
        "of your own",
    ),
    (
        "foreign agent",
        "qingyan",
        {"QINGYAN_ASSISTANT_ID": "aaaaaaaaaaaaaaaaaaaaaa02"},
        "不是这个账号创建的",
        "another account's",
    ),
    (
        "deleted agent",
        "qingyan",
        {"QINGYAN_ASSISTANT_ID": "aaaaaaaaaaaaaaaaaaaaaa03"},
        "已被删除",
        "was deleted",
    ),
    (
        "not published",
        "yuanqi",
        {"YUANQI_ASSISTANT_ID": "EmuAgent0002"},
        "未发布",
        "is not published",
    ),
    (
        "foreign agent",
        "yuanqi",
        {"YUANQI_ASSISTANT_ID": "EmuAgent0003"},
        "不属于这个令牌",
        "another account",
    ),
    (
        "lacks a variable",
        "huawei",
        {"HUAWEI_AGENT_URL": HUAWEI + "4/execute"},
        "sensitive_variables",
        "sensitive_variables",
    ),
]

PASTED: dict[str, Settings] = {
    "coze": {
        "COZE_BOT_ID": f"https://www.coze.cn/space/1/bot/{DEMO['COZE_BOT_ID']}?from=home",
        "COZE_API_TOKEN": f"Bearer {SERVICE_TOKEN}",
    },
    "qingyan": {
        "QINGYAN_ASSISTANT_ID": f"https://chatglm.cn/main/gdetail/{DEMO['QINGYAN_ASSISTANT_ID']}?lang=zh",
        "QINGYAN_API_SECRET": f'"{DEMO["QINGYAN_API_SECRET"]}"',
    },
    "wenxin": {
        "WENXIN_APP_ID": f"https://agents.baidu.com/agent/preview/{DEMO['WENXIN_APP_ID']}",
        "WENXIN_SECRET_KEY": f"“{DEMO['WENXIN_SECRET_KEY']}”",
    },
    "yuanqi": {
        "YUANQI_ASSISTANT_ID": "https://yuanqi.tencent.com/webim/#/chat/x?appid=1780000000000000101&a=1",
        "YUANQI_API_TOKEN": f"Authorization: Bearer {DEMO['YUANQI_API_TOKEN']}",
    },
    "huawei": {"HUAWEI_API_KEY": f"'{DEMO['HUAWEI_API_KEY']}'"},
}


def name(what: str, platform: str) -> str:
    return f"{platform}-{what}".replace(" ", "-")


def named(rows: list[tuple[str, str, Settings, str, str]]) -> Any:
    return pytest.mark.parametrize(
        ("name", "zh", "en"), [(name(what, platform), zh, en) for what, platform, _, zh, en in rows]
    )


def tables(rows: list[tuple[str, str, Settings, str, str]], url: str) -> list[str]:
    return [
        table(
            name(what, on),
            on,
            url,
            **{key: str(value).format(url=url) for key, value in wrong.items()},
        )
        for what, on, wrong, *_ in rows
    ]


@pytest.fixture(scope="module")
def walk(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Past agents that are well, and past agents that are broken in ways that are free to see."""
    well = [table(name("well", one), one, emulator.url) for one in PLATFORMS]
    soon = table("coze-soon", "coze", emulator.url, COZE_API_TOKEN="pat_demo_only_not_a_secret")
    return Walk(
        tmp_path_factory.mktemp("walk"), [*well, soon, *tables(BROKEN, emulator.url)], how=run
    )


@pytest.fixture(scope="module")
def inquiry(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Past agents that are asked a question, with all that was pasted or is wrong."""
    pasted = [table(name("pasted", on), on, emulator.url, **PASTED[on]) for on in PLATFORMS]
    folder = tmp_path_factory.mktemp("inquiry")
    return Walk(folder, [*pasted, *tables(ONLY_BY_ASKING, emulator.url)], "--ask", how=run)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_agent_that_is_well(platform: str, walk: Walk) -> None:
    agent = name("well", platform)
    assert walk.levels(agent) == {"ok"}
    assert "密钥有效" in walk.said(agent, "zh") and "credentials are accepted" in walk.said(
        agent, "en"
    )


@named(BROKEN)
def test_what_is_wrong_comes_with_its_cure(name: str, zh: str, en: str, walk: Walk) -> None:
    assert walk.codes == {2} and "fail" in walk.levels(name)
    assert zh in walk.said(name, "zh")
    assert en in walk.said(name, "en")


@named(ONLY_BY_ASKING)
def test_what_only_a_question_shows(name: str, zh: str, en: str, inquiry: Walk) -> None:
    assert "fail" in inquiry.levels(name)
    assert zh in inquiry.said(name, "zh")
    assert en in inquiry.said(name, "en")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_is_pasted_is_understood(platform: str, inquiry: Walk) -> None:
    """Addresses in place of ids, quotes around secrets, a copied header in place of a token."""
    agent = name("pasted", platform)
    assert inquiry.levels(agent) == {"ok"}, inquiry.said(agent, "zh")
    assert "问了一个问题" in inquiry.said(agent, "zh") and "was answered in" in inquiry.said(
        agent, "en"
    )


def test_a_token_that_ends_soon_is_a_warning(walk: Walk) -> None:
    assert walk.levels("coze-soon") == {"ok", "warn"}
    assert "最长 30 天" in walk.said("coze-soon", "zh")
    assert "service access token" in walk.said("coze-soon", "en")


def test_only_stop_suffers_from_a_token_that_may_not_cancel(walk: Walk) -> None:
    findings = walk.about("coze-may-only-chat", "en")
    warning = next(finding for finding in findings if finding["level"] == "warn")
    assert "cancelChat" in warning["seen"] and "cancelChat" in warning["to_do"]


def test_nothing_is_asked_unless_one_says_so(
    start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    emulator = start_emulator()
    Walk(tmp_path, [table(one, one, emulator.url) for one in PLATFORMS])
    seen = emulator.journal()["requests"]
    assert len(seen) > len(PLATFORMS)
    assert "你好" not in json.dumps(seen, ensure_ascii=False)
    assert [path.name for path in tmp_path.iterdir()] == ["agents.toml"], "it leaves nothing behind"


def test_used_up_quotas(start_emulator: Callable[..., Emulator], tmp_path: Path) -> None:
    switches = {"coze_free_calls": 1, "qingyan_daily": 1, "wenxin_daily": 1, "yuanqi_tokens": 0}
    url = start_emulator(**switches).url
    agents = [table(one, one, url) for one in ("coze", "qingyan", "wenxin", "yuanqi")]
    (tmp_path / "agents.toml").write_text("\n".join(agents), encoding="utf-8")
    call(tmp_path, {"AGENTS_FILE": "agents.toml"}, "--ask")
    walk = Walk(tmp_path, agents, "--ask")
    for agent, zh, en in (
        ("coze", "额度已用完", "credits are used up"),
        ("qingyan", "今天的调用次数已用完", "Today's calls are used up"),
        ("wenxin", "今天的次数已用完", "Today's questions are used up"),
        ("yuanqi", "免费的 Token 额度已用完", "free tokens are used up"),
    ):
        assert zh in walk.said(agent, "zh") and en in walk.said(agent, "en"), walk.said(agent, "en")


# settings and this machine


@pytest.mark.parametrize(
    ("wrong", "zh", "en"),
    [
        ({"COZE_API_TOKEN": "sat_demo"}, "COZE_BOT_ID 为空", "COZE_BOT_ID is empty"),
        (
            {"COZE_API_BASE": "ftp://api.coze.cn"},
            "网址要以 https:// 开头",
            "an address begins with https://",
        ),
        ({"COZE_API_TOKEN": "两个 词", "COZE_BOT_ID": "1"}, "令牌不含空格", "copy it again"),
        (
            {"COZE_API_TOKEN": "sat_demo", "COZE_BOT_ID": "my bot"},
            "/bot/ 后面的数字",
            "digits after /bot/",
        ),
        ({"PORT": "door"}, "PORT：应是整数", "PORT: it should be a whole number"),
        ({"SECRET_KEY": "short"}, "太短，至少要 16 个字符", "at least 16 characters"),
        ({"DEFAULT_LANGUAGE": "fr"}, "只能是 zh, en 之一", "it should be one of zh, en"),
        (
            {"COZE_API_TOKEN_FILE": "/nowhere"},
            "无法读取 /nowhere：没有这个文件",
            "cannot read /nowhere",
        ),
        ({"CA_BUNDLE": "/nowhere.pem"}, "没有这个文件：/nowhere.pem", "no file /nowhere.pem"),
        ({"AGENTS_FILE": "/nowhere.toml"}, "/nowhere.toml：没有这个文件", "no such file"),
        ({"DATABASE_URL": "mysql://x"}, "或 postgresql://", "or as postgresql://"),
        (
            {"DATABASE_URL": "sqlite:////proc/version/chat.db"},
            "/proc/version 不是文件夹",
            "is not a folder",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_setting(wrong: Settings, zh: str, en: str, tmp_path: Path) -> None:
    code, chinese, english = both(tmp_path, wrong)
    assert code == 2
    assert zh in chinese, chinese
    assert en in english, english
    assert "\n      → " in chinese


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("[[agents]", "AGENTS_FILE", "AGENTS_FILE"),
        ("title = 1", "没有 [[agents]] 表", "no [[agents]] table"),
        ('[[agents]]\nid = "a"\nplatform = "dify"', "只能是 coze", "must be one of coze"),
        (
            '[[agents]]\nid = "a"\nplatform = "yuanqi"\nassistant_id = "1"\nbot = "1"',
            "没有这个选项",
            "no such option",
        ),
        (
            '[[agents]]\nid = "a"\nplatform = "yuanqi"\nassistant_id = "1"\n'
            'api_token = {env = "LOST_TOKEN"}',
            '第 1 个 [[agents]]（"a"）：api_token：LOST_TOKEN 为空',
            "LOST_TOKEN is empty",
        ),
    ],
)
def test_a_wrong_agents_file(text: str, zh: str, en: str, tmp_path: Path) -> None:
    (tmp_path / "agents.toml").write_text(text, encoding="utf-8")
    ours: Settings = {"AGENTS_FILE": "agents.toml", "YUANQI_API_TOKEN": "Qk7Demo"}
    code, chinese, english = both(tmp_path, ours)
    assert code == 2
    assert zh in chinese, chinese
    assert en in english, english


def test_a_dotenv_in_gbk_is_read_and_what_it_says_in_vain_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("SITE_TITLE=我的站\nCOZE_TOKEN=pat_x\n".encode("gbk"))
    # As a command of its own, since Flask's command line would read the file first.
    code, said = run(tmp_path, {}, "--lang", "zh")
    assert code == 1 and "Traceback" not in said
    assert "第 2 行 COZE_TOKEN：是不是 COZE_API_TOKEN？" in said and "iconv -f GB18030" in said


def test_nothing_set_is_the_demo(tmp_path: Path) -> None:
    code, chinese, english = both(tmp_path, {})
    assert code == 0
    assert "演示方式" in chinese and "starts as a demo" in english


def test_the_secret_key_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "instance" / "secret_key"
    path.parent.mkdir()
    path.write_text("x" * 40)
    path.chmod(0o644)
    code, chinese, english = both(tmp_path, {})
    assert code == 1 and "chmod 600 instance/secret_key" in chinese and "Other users" in english
    path.write_text("short")
    code, chinese, english = both(tmp_path, {})
    assert code == 2 and "不完整" in chinese and "damaged" in english


def test_the_database(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    ours: Settings = {"DATABASE_URL": f"sqlite:///{path}"}
    path.write_bytes(b"no database at all, but a text that is long enough to be read as one" * 50)
    code, chinese, english = both(tmp_path, ours)
    assert code == 2 and "打不开" in chinese and "cannot be opened" in english
    path.unlink()
    for version, level, words in (("0001", 0, "自动升级"), ("9999", 2, "来自更新的版本")):
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)")
            database.execute("DELETE FROM alembic_version")
            database.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        database.close()
        code, chinese, _ = both(tmp_path, ours)
        assert code == level and words in chinese


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    code, chinese, english = both(tmp_path, {"DATABASE_URL": f"sqlite:///{tmp_path}/data/chat.db"})
    assert code == 2 and "是只读的" in chinese and "is read-only" in english


# the way to the platforms


def test_a_host_that_refuses(tmp_path: Path) -> None:
    ours = settings("coze", "http://127.0.0.1:9")
    code, chinese, english = both(tmp_path, ours)
    assert code == 2
    assert "127.0.0.1:9：连接被拒绝" in chinese and "UPSTREAM_PROXY" in chinese
    assert "The connection was refused" in english and "coze: Not checked" in english


def test_a_proxy_that_refuses(emulator: Emulator, tmp_path: Path) -> None:
    ours = settings("coze", emulator.url, UPSTREAM_PROXY="http://127.0.0.1:9")
    code, chinese, english = both(tmp_path, ours)
    assert code == 2 and "代理不通" in chinese and "UPSTREAM_PROXY" in english


def test_a_page_in_place_of_the_api(tmp_path: Path) -> None:
    with saying(b"<!DOCTYPE html><h1>Please log in</h1>", kind="text/html") as url:
        walk = Walk(tmp_path, [table(one, one, url) for one in PLATFORMS])
    for one in PLATFORMS:
        assert "fail" in walk.levels(one) and "登录页面" in walk.said(one, "zh"), walk.said(
            one, "en"
        )
        assert "a proxy or a login page" in walk.said(one, "en")


# how it is called


def test_json_is_for_programs(emulator: Emulator, tmp_path: Path) -> None:
    ours = settings("coze", emulator.url, COZE_BOT_ID="7480000000000000102")
    code, said = run(tmp_path, ours, "--json", "--lang", "en")
    found = json.loads(said)
    assert code == 2 and {"id", "level", "about", "seen", "to_do"} == set(found[0])
    (bad,) = [one for one in found if one["level"] == "fail"]
    assert bad["about"] == "coze" and "4015" in bad["seen"] and "Agent As API" in bad["to_do"]


def test_the_language_is_the_option_else_lang_else_the_sites(tmp_path: Path) -> None:
    plain: Settings = {"LC_ALL": "", "LANG": "C.UTF-8"}
    assert "演示" in call(tmp_path, {**plain, "LANG": "zh_CN.UTF-8", "DEFAULT_LANGUAGE": "en"})[1]
    assert "demo" in call(tmp_path, {**plain, "LANG": "en_GB.UTF-8"})[1]
    assert "demo" in call(tmp_path, {**plain, "DEFAULT_LANGUAGE": "en"})[1]
    assert "演示" in call(tmp_path, plain)[1]
    assert "demo" in call(tmp_path, {**plain, "LANG": "zh_CN.UTF-8"}, "--lang", "en")[1]


def test_from_the_folder_of_the_site_no_option_is_needed(
    emulator: Emulator, tmp_path: Path
) -> None:
    ours = settings(
        "coze", emulator.url, DATABASE_URL=f"sqlite:///{tmp_path}/chat.db", SECRET_KEY="k" * 32
    )
    code, said = run(ROOT, {**ours, "FLASK_SKIP_DOTENV": "1"}, "--lang", "zh", app=False)
    assert code in (0, 1), said
    assert "密钥有效" in said


def test_the_other_commands_of_flask_still_find_the_site(
    emulator: Emulator, tmp_path: Path
) -> None:
    command = [*FLASK, "--app", "app", "routes"]
    # Flask would read this file itself, and only in UTF-8.
    (tmp_path / ".env").write_text("SITE_TITLE=馆\n", encoding="gbk")
    ours = environment(**settings("coze", emulator.url))
    done = subprocess.run(command, cwd=tmp_path, env=ours, capture_output=True, timeout=60)
    assert done.returncode == 0 and b"/chat" in done.stdout


@pytest.mark.parametrize(
    ("app", "zh", "en"),
    [
        (
            {
                "COZE_JWT_APP_ID": "1",
                "COZE_JWT_KEY_ID": "2",
                "COZE_JWT_PRIVATE_KEY": "no key at all",
            },
            "私钥读不出来",
            "private key of the service app cannot be read",
        ),
        (
            {"COZE_OAUTH_CLIENT_ID": "1.app.coze", "COZE_OAUTH_CLIENT_SECRET": "demo-only-secret"},
            "管理员打开 /oauth/coze/start",
            "open /oauth/coze/start",
        ),
    ],
    ids=["service app", "web app"],
)
def test_an_app_in_place_of_a_token(
    app: Settings, zh: str, en: str, emulator: Emulator, tmp_path: Path
) -> None:
    ours = settings("coze", emulator.url, **app)
    del ours["COZE_API_TOKEN"]
    code, chinese, english = both(tmp_path, ours)
    assert code == 2 and "fail  coze" in english
    assert zh in chinese, chinese
    assert en in english, english
    assert not list(tmp_path.iterdir())
