"""Values as people write them: every kind of setting, in any dress; what is unclear is refused."""

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from chat.settings import help as settings_help
from chat.settings import model
from chat.settings.environment import is_secret
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from tests.kit.sentences import english_of

FIELDS = {name.lower(): field for _, name, field in settings_help.published()}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a .env."""
    monkeypatch.chdir(tmp_path)


def load(name: str, text: str) -> Any:
    """What a setting is when its owner types this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, text)
        return getattr(model.load(), name.lower())


def refusal(name: str, text: str) -> SettingsError:
    with pytest.raises(SettingsError) as raised:
        load(name, text)
    return raised.value


UNDERSTOOD: list[tuple[str, str, Any]] = [
    ("LOG_LEVEL", "DEBUG Debug ＤＥＢＵＧ 调试 trace", "debug"),
    ("LOG_LEVEL", "Warning WARN error 警告", "warning"),
    ("LOG_FORMAT", "JSON Json jsonl", "json"),
    ("DEFAULT_LANGUAGE", "zh-CN zh_CN.UTF-8 zh-Hans 中文 ZH Chinese", "zh"),
    ("DEFAULT_LANGUAGE", "en_US en-GB English 英文", "en"),
    ("COZE_ASK", "Stream STREAM 流式", "stream"),
    ("OWNER_READS", "on ON yes true 1 开 开启 是 启用", True),
    ("OWNER_READS", "off No false 0 关 关闭 否 禁用", False),
    ("UPLOAD_MAX_MB", "20MB 20|MB 20M 20兆 ２０ 20.0 20480KB", 20),
    ("UPLOAD_MAX_MB", "off 0 关 none 0MB", 0),
    ("CHAT_TIMEOUT_S", "600s 600 10m 10min 10分钟 十分钟 10|分钟 600秒 9m60s", 600),
    ("CHAT_TIMEOUT_S", "半小时 0.5h 30分 1800", 1800),
    ("GRACE_S", "1m 60 60s 一分钟", 60),
    ("KEEP_DAYS", "30d 30 30天 三十天 ３０天 30|days", 30),
    ("KEEP_DAYS", "0 off never forever 永久 不限 -1 无", None),
    ("DAILY_LIMIT", "2000 2,000 2，000 2k 2千 两千 2千次 0.2万 2|000 2000/天 2000|次/天", 2000),
    ("DAILY_LIMIT", "off 0 不限 unlimited", None),
    ("MAX_MESSAGE_CHARS", "8k 8K 8,000 ８０００ 8千 八千 8千字 8000字符 8_000", 8000),
    ("MAX_MESSAGE_CHARS", "1万 一万 10k 1w 1.0万", 10000),
    ("TRUSTED_PROXIES", "true yes 1 是 1层 on", 1),
    ("TRUSTED_PROXIES", "false no 0 off 无", 0),
    ("VISITOR_LIVE_ANSWERS", "0 off unlimited 不限", 0),
    ("COZE_QPS", "0 off 不限", 0),
    ("COZE_QPS", "10/s 10次/秒 10qps", 10),
    (
        "VISITOR_RATE",
        "20/min 20/minute 20/分钟 20次/分钟 20|per|minute 20/m",
        "20/minute",
    ),
    ("VISITOR_RATE", "20/min;300/day 20/分钟；300/天 20/min,300/d", "20/minute;300/day"),
    ("VISITOR_RATE", "每分钟20次 每分钟最多20次 每1分钟20次", "20/minute"),
    ("VISITOR_RATE", "0 off 不限 none", "0"),
    ("PUBLIC_URL", "chat.example.com chat.example.com/ HTTPS://chat.example.com", None),
    ("PUBLIC_URL", "https：//chat.example.com https:/chat.example.com", None),
    ("PUBLIC_URL", "https://https://chat.example.com <chat.example.com> chat.example.com，", None),
    ("PUBLIC_URL", '"https://chat.example.com"', None),
    ("COZE_API_BASE", "api.coze.com https://api.coze.com/ api。coze。com", "https://api.coze.com"),
    ("UPSTREAM_PROXY", "127.0.0.1:7890 http://127.0.0.1:7890", "http://127.0.0.1:7890"),
    ("UPSTREAM_PROXY", "off none 无", None),
    ("ACCENT_COLOR", "8a2f6b #8a2f6b #8A2F6B ＃8a2f6b rgb(138,47,107)", "#8a2f6b"),
    ("ACCENT_COLOR", "#8a2 8a2", "#88aa22"),
    ("ACCENT_COLOR", "rebeccapurple RebeccaPurple", "#663399"),
    ("ACCENT_COLOR", "teal Teal", "#008080"),
    ("AI_LABEL", "no false off 0 关 无 不显示", "off"),
    ("AI_LABEL", "on yes 开", None),
    ("SITE_NOTICE", "off none 无", None),
    ("HOST", "* 0.0.0.0 all 0.0.0.0/", "0.0.0.0"),
    ("PORT", "8001 :8001 ８００１ 8,001", 8001),
    ("TIME_ZONE", "北京时间 上海 asia/shanghai Shanghai UTC+8 GMT+08:00 东八区", "Asia/Shanghai"),
    ("TIME_ZONE", "Tokyo asia/TOKYO", "Asia/Tokyo"),
    ("WORKERS", "auto 自动 AUTO", 1),
]


@pytest.mark.parametrize(
    ("name", "texts", "meant"), UNDERSTOOD, ids=[f"{row[0]}={row[2]}" for row in UNDERSTOOD]
)
def test_what_everybody_understands_is_understood(name: str, texts: str, meant: Any) -> None:
    """A bar stands for a space."""
    if name == "PUBLIC_URL":
        meant = "https://chat.example.com"
    got = {text: load(name, text.replace("|", " ")) for text in texts.split()}
    assert got == dict.fromkeys(got, meant)


REFUSED = [
    ("MAX_MESSAGE_CHARS", "8.000", "MAX_MESSAGE_CHARS=8000"),
    ("MAX_MESSAGE_CHARS", "off", "MAX_MESSAGE_CHARS=8000"),
    ("UPLOAD_MAX_MB", "unlimited", "UPLOAD_MAX_MB=20"),
    ("UPLOAD_MAX_MB", "2GB", "UPLOAD_MAX_MB=500"),
    ("CHAT_TIMEOUT_S", "soon", "CHAT_TIMEOUT_S=600"),
    ("CHAT_TIMEOUT_S", "2h", "CHAT_TIMEOUT_S=3600"),
    ("CHAT_TIMEOUT_S", "30s1m", "CHAT_TIMEOUT_S=600"),
    ("KEEP_DAYS", "-7", "KEEP_DAYS=30"),
    ("VISITOR_RATE", "20", "VISITOR_RATE=20/minute;300/day"),
    ("VISITOR_RATE", "often", "VISITOR_RATE=20/minute;300/day"),
    ("PUBLIC_URL", "https://chat.example.com/chat", "PUBLIC_URL=https://chat.example.com"),
    ("PUBLIC_URL", "chat.example.com:8443", "PUBLIC_URL=http://chat.example.com:8443"),
    ("PUBLIC_URL", "*.example.com", "PUBLIC_URL=https://chat.example.com"),
    ("UPSTREAM_PROXY", "clash", "UPSTREAM_PROXY=http://127.0.0.1:7890"),
    ("UPSTREAM_PROXY", "1080", "UPSTREAM_PROXY=http://127.0.0.1:1080"),
    ("UPSTREAM_PROXY", "http=127.0.0.1:1080", "UPSTREAM_PROXY=http://127.0.0.1:7890"),
    ("TRUSTED_PROXIES", "nginx", "TRUSTED_PROXIES=1"),
    ("PUBLIC_URL", "ftp://chat.example.com", "PUBLIC_URL=https://chat.example.com"),
    ("PUBLIC_URL", "https://", "PUBLIC_URL=https://chat.example.com"),
    ("UPSTREAM_PROXY", "socks5://127.0.0.1:1080", "UPSTREAM_PROXY=http://127.0.0.1:7890"),
    ("ACCENT_COLOR", "红", "ACCENT_COLOR=#0f6b62"),
    ("HOST", "0.0.0.0:8000", "HOST=0.0.0.0"),
    ("HOST", "my server", "HOST=0.0.0.0"),
    ("TIME_ZONE", "CST", "TIME_ZONE=Asia/Shanghai"),
    ("OWNER_READS", "maybe", "OWNER_READS=off"),
    ("DEFAULT_LANGUAGE", "fr", "DEFAULT_LANGUAGE=zh"),
    ("PORT", "http", "PORT=8000"),
    ("NOTIFY_URL", "http://robot.example", "NOTIFY_URL=https://qyapi"),
]


@pytest.mark.parametrize(("name", "text", "line"), REFUSED)
def test_what_is_not_understood_comes_with_the_line_to_paste(
    name: str, text: str, line: str
) -> None:
    error = refusal(name, text)
    assert english_of(error).startswith(f"{name}: ") and line in error.say("en")
    assert error.say("zh").startswith(f"{name}：") and line in error.say("zh")


@pytest.mark.parametrize("name", ["ADMIN_PASSWORD", "SECRET_KEY", "ACCESS_CODES", "API_KEYS"])
def test_the_secret_of_a_line_to_paste_is_made_by_chance_and_good(name: str) -> None:
    lines = [refusal(name, "x").say("en").partition("Write ")[2].split()[0] for _ in range(2)]
    assert lines[0] != lines[1]
    assert load(name, lines[0].removeprefix(f"{name}=")) is not None


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PORT", "HOST", "TIME_ZONE", "VISITOR_RATE", "SECRET_KEY"):
            patch.setenv(name, "? ?")
        with pytest.raises(SettingsError) as raised:
            model.load()
    names = [part.settings[0] for part in raised.value.parts]
    assert sorted(names) == ["HOST", "PORT", "SECRET_KEY", "TIME_ZONE", "VISITOR_RATE"]
    assert len(raised.value.say_in_both().splitlines()) == len(names)


def test_several_processes_share_the_cores_where_there_is_redis() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKERS", "auto")
        patch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        assert model.load().workers >= 1


def _wide(text: str) -> str:
    """The same in full-width characters."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


# Texts are what they are, a database may be called anything, and in a path case means something.
DRESSED = [
    (name, field.default)
    for name, field in FIELDS.items()
    if field.default not in (None, "")
    and not is_secret(field)
    and name not in ("site_title", "database_url")
    and not re.search("://.*/", str(field.default))
]


@examples(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_value_in_any_dress_is_the_same_value(data: st.DataObject) -> None:
    """Case, full-width characters, spaces and quotes around it mean nothing, whichever setting."""
    name, default = data.draw(st.sampled_from(DRESSED))
    text = "off" if default is False else str(default)
    for dress in data.draw(st.lists(st.sampled_from((_wide, str.title, str.upper, _in_quotes)))):
        text = dress(text)
    assert getattr(Settings(**{name: text}), name) == default, text


def _in_quotes(text: str) -> str:
    return f" “{text}” "


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(FIELDS)),
    text=st.text(alphabet="0123456789.,:;/-#kmgs 万千分天每次不限offnyes*@[]（）％é", max_size=12),
)
def test_any_text_is_taken_or_refused_in_both_languages(name: str, text: str) -> None:
    if text.strip() != unicodedata.normalize("NFC", text) or name == "zhiye_home":
        return
    try:
        load(name.upper(), text)
    except SettingsError as error:
        english_of(error)
