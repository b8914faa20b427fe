"""What an owner pastes is understood, however it is dressed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.owner.desk.pasting import LONGEST, PasteTooLong, recognise
from providers import PLATFORMS, options, signs
from tests.kit.effort import effort

COZE = {"bot_id": "7480000000000000101", "api_token": "pat_demo_only_not_a_secret"}
QINGYAN = {
    "api_key": "0a1b2c3d4e5f6071",
    "api_secret": "00112233445566778899aabbccddeeff",
    "assistant_id": "aaaaaaaaaaaaaaaaaaaaaa01",
}
WENXIN = {
    "app_id": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA01",
    "secret_key": "EmuSecretBBBBBBBBBBBBBBBBBBBBB01",
}
YUANQI = {"assistant_id": "EmuAgent0001", "api_token": "Qk7DemoOnlyNotASecret00000000001"}
HUAWEI = {
    "agent_url": "https://aiae.appstage.myhuaweicloud.com/v1/routes/open/7c0e-a001/execute",
    "api_key": "sk-demo-only-not-a-secret",
}
ID, TOKEN = COZE["bot_id"], COZE["api_token"]
PASTES = [
    # Pages of agents.
    (f"https://www.coze.cn/space/7330000000000000001/bot/{ID}", "coze", {"bot_id": ID}),
    (f"code.coze.cn/space/733/bot/{ID}?from=x", "coze", {"bot_id": ID}),
    (
        f"https://www.coze.com/store/bot/{ID}",
        "coze",
        {"bot_id": ID, "api_base": "https://api.coze.com"},
    ),
    (
        f"https://chatglm.cn/main/gdetail/{QINGYAN['assistant_id']}?lang=zh",
        "qingyan",
        {"assistant_id": QINGYAN["assistant_id"]},
    ),
    (
        f"https://agents.baidu.com/agent/preview/{WENXIN['app_id']}",
        "wenxin",
        {"app_id": WENXIN["app_id"]},
    ),
    (
        "https://yuanqi.tencent.com/agent/EmuAgent0001",
        "yuanqi",
        {"assistant_id": "EmuAgent0001"},
    ),
    (
        "https://yuanqi.tencent.com/webim/#/chat/x?appid=1234567890123456789&experience=true",
        "yuanqi",
        {"assistant_id": "1234567890123456789"},
    ),
    (HUAWEI["agent_url"], "huawei", {"agent_url": HUAWEI["agent_url"]}),
    # A word alone.
    (TOKEN, "coze", {"api_token": TOKEN}),
    (f"Bearer {TOKEN}", "coze", {"api_token": TOKEN}),
    (HUAWEI["api_key"], "huawei", {"api_key": HUAWEI["api_key"]}),
    (QINGYAN["assistant_id"], "qingyan", {"assistant_id": QINGYAN["assistant_id"]}),
    ("\n".join(QINGYAN.values()), "qingyan", QINGYAN),
    # Lines with labels.
    (f"智能体ID：{ID}  token：{TOKEN}", "coze", COZE),
    (f"我的智能体 ID 是 {ID}，令牌是{TOKEN}。", "coze", COZE),
    (f"访问令牌：\n{TOKEN}\nBot ID：\n{ID}", "coze", COZE),
    ("智能体ID：EmuAgent0001　Token：Qk7DemoOnlyNotASecret00000000001", "yuanqi", YUANQI),
    (f"appId: {WENXIN['app_id']}\nSecret Key: {WENXIN['secret_key']}", "wenxin", WENXIN),
    # Under each other's names.
    (f"智能体ID：{TOKEN}  token：{ID}", "coze", COZE),
    (f"COZE_BOT_ID={TOKEN}\nCOZE_API_TOKEN={ID}", "coze", COZE),
    (
        "assistant_id=Qk7DemoOnlyNotASecret00000000001\nappkey=EmuAgent0001",
        "yuanqi",
        YUANQI,
    ),
    # .env, with what is not filled in.
    (f"COZE_API_TOKEN=\nCOZE_BOT_ID={ID}\n", "coze", {"bot_id": ID}),
    (
        f"COZE_API_BASE=http://127.0.0.1:4567\nCOZE_BOT_ID={ID}\nexport COZE_API_TOKEN='{TOKEN}'",
        "coze",
        {**COZE, "api_base": "http://127.0.0.1:4567"},
    ),
    # What the platforms' documents show.
    (
        "curl --location --request POST 'https://api.coze.cn/v3/chat?conversation_id=737' \\\n"
        f"--header 'Authorization: Bearer {TOKEN}' \\\n--data-raw '{{\n"
        f'    "bot_id": "{ID}", "user_id": "123456789", "stream": false,\n'
        '    "additional_messages": [{"role": "user", "content": "早上好", '
        '"content_type": "text"}]\n}\'',
        "coze",
        COZE,
    ),
    (
        "curl https://yuanqi.tencent.com/openapi/v1/agent/chat/completions "
        f'-H "X-Source: openapi" -H "Authorization: Bearer {YUANQI["api_token"]}" '
        '-d "{\\"assistant_id\\": \\"EmuAgent0001\\", \\"user_id\\": \\"username\\"}"',
        "yuanqi",
        YUANQI,
    ),
    (
        "https://agentapi.baidu.com/assistant/getAnswer?appId={app_id}&secretKey={secret_key}".format(
            **WENXIN
        ),
        "wenxin",
        WENXIN,
    ),
    (
        f"new CozeWebSDK.WebChatClient({{ config: {{ bot_id: '{ID}' }}, auth: {{ type: 'token', "
        f"token: '{TOKEN}', onRefreshToken: () => '{TOKEN}' }} }});",
        "coze",
        COZE,
    ),
    (
        f'coze = Coze(auth=TokenAuth(token="{TOKEN}"), base_url=COZE_CN_BASE_URL)\nbot_id = "{ID}"',
        "coze",
        COZE,
    ),
    (
        f"curl {HUAWEI['agent_url']} -H 'Authorization: Bearer {HUAWEI['api_key']}'",
        "huawei",
        HUAWEI,
    ),
    # Another address of the API: a deployment, or the emulator.
    (
        f"http://127.0.0.1:4567/v3/chat {TOKEN} {ID}",
        "coze",
        {**COZE, "api_base": "http://127.0.0.1:4567"},
    ),
    (
        f"http://127.0.0.1:4567/chatglm/assistant-api/v1/stream api_key={QINGYAN['api_key']}",
        "qingyan",
        {
            "api_base": "http://127.0.0.1:4567/chatglm/assistant-api/v1",
            "api_key": QINGYAN["api_key"],
        },
    ),
]


@pytest.mark.parametrize(("text", "platform", "found"), PASTES, ids=[row[0][:40] for row in PASTES])
def test_a_paste_is_understood(text: str, platform: str, found: dict[str, str]) -> None:
    paste = recognise(text)
    assert (paste.platform, dict(paste.options)) == (platform, found)


def test_values_under_each_others_names_are_put_right_and_it_is_noticed() -> None:
    assert recognise(f"智能体ID：{TOKEN}  token：{ID}").is_swapped
    assert not recognise(f"智能体ID：{ID}  token：{TOKEN}").is_swapped


def test_an_id_that_may_be_of_two_platforms_is_not_guessed() -> None:
    paste = recognise(ID)
    assert (paste.platform, paste.candidates, paste.options) == (None, ("coze", "yuanqi"), {})


@pytest.mark.parametrize("platform", ["coze", "yuanqi"])
def test_once_the_owner_has_named_the_platform_the_id_is_taken(platform: str) -> None:
    paste = recognise(ID, platform)
    assert ID in paste.options.values()
    assert paste.platform == platform


@pytest.mark.parametrize("text", ["", "你好", "hello world", "https://example.com/bot", "a = b"])
def test_what_is_of_no_platform_is_not_guessed(text: str) -> None:
    assert recognise(text) == recognise("")


def test_a_service_app_needs_no_token() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"
    paste = recognise(f"COZE_JWT_APP_ID=1180000000001\nCOZE_JWT_KEY_ID=fingerprint\n{key}")
    assert paste.options["jwt_private_key"] == key
    assert paste.missing == ("bot_id",)


def test_what_is_missing_is_named() -> None:
    assert recognise(TOKEN).missing == ("bot_id",)
    assert recognise("扣子").missing == ("bot_id", "api_token")


def test_a_secret_is_not_in_the_paste_as_text() -> None:
    assert TOKEN not in repr(recognise(f"智能体ID：{ID}  token：{TOKEN}"))


def test_a_paste_that_is_too_long_is_refused() -> None:
    recognise("x" * LONGEST)
    with pytest.raises(PasteTooLong):
        recognise("x" * (LONGEST + 1))


HOSTILE = [
    *("a:", "https://", "a ", "=", "-----BEGIN PRIVATE KEY-----", "www.coze.cn/bot/", "是"),
    *("token=pat_aaaa ", "a", "智能体id", "a.b", '"a', "\\", "＝", "bearer ", "a\n=", "appid=1&"),
    *("https://chatglm.cn/a", "0123456789abcdef", "x-=", "：\n"),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_takes_long(unit: str) -> None:
    text = (unit * LONGEST)[:LONGEST]
    assert effort(lambda: recognise(text)) < 200


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _words(alphabet: str, *lengths: int) -> st.SearchStrategy[str]:
    return st.one_of([st.text(alphabet, min_size=size, max_size=size) for size in lengths])


CREDENTIALS = {
    "coze": st.fixed_dictionaries(
        {
            "bot_id": st.integers(10**18, 10**19 - 1).map(str),
            "api_token": st.tuples(st.sampled_from(["pat_", "sat_"]), _words(LETTERS, 64)).map(
                "".join
            ),
        }
    ),
    "qingyan": st.fixed_dictionaries(
        {
            "api_key": _words("0123456789abcdef", 16),
            "api_secret": _words("0123456789abcdef", 32),
            "assistant_id": _words("0123456789abcdef", 24),
        }
    ),
    "wenxin": st.fixed_dictionaries(
        {"app_id": _words(LETTERS, 32), "secret_key": _words(LETTERS, 32)}
    ),
    "yuanqi": st.fixed_dictionaries(
        {"assistant_id": _words(LETTERS, 12), "api_token": _words(LETTERS, 32)}
    ),
    "huawei": st.fixed_dictionaries(
        {
            "agent_url": _words(LETTERS, 36).map(
                lambda id: f"https://aiae.appstage.myhuaweicloud.com/v1/routes/open/{id}/execute"
            ),
            "api_key": _words(LETTERS, 40).map("sk-{}".format),
        }
    ),
}
WIDE = {ord(char): chr(ord(char) + 0xFEE0) for char in "=:,;\"'()"}
DRESSES = {
    "as .env": lambda platform, given: "\n".join(
        f"{platform}_{name}".upper() + f"={value}" for name, value in given.items()
    ),
    "as .env, quoted and exported": lambda platform, given: "\r\n".join(
        f"export {platform.upper()}_{name.upper()} = '{value}'  # ok"
        for name, value in given.items()
    ),
    "as JSON": lambda platform, given: platform + json.dumps(given),
    "as JSON within a string": lambda platform, given: platform + json.dumps(json.dumps(given)),
    "as YAML": lambda platform, given: (
        platform + "".join(f"\n  {name}: {value}" for name, value in given.items())
    ),
    "with full-width signs": lambda platform, given: (
        f"{PLATFORMS[platform].title}："
        + "，".join(f"{name}：“{value}”" for name, value in given.items())
    ),
    "as a list": lambda platform, given: (
        platform + "\n" + "\n".join(f"- **{name}**: `{value}`" for name, value in given.items())
    ),
    "as arguments": lambda platform, given: (
        f"{platform}(" + ", ".join(f'{name}="{value}"' for name, value in given.items()) + ")"
    ),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=20)
@given(data=st.data())
def test_credentials_are_found_in_any_dress(platform: str, dress: str, data: st.DataObject) -> None:
    given = data.draw(CREDENTIALS[platform])
    names = data.draw(st.permutations(sorted(given)))
    paste = recognise(DRESSES[dress](platform, {name: given[name] for name in names}))
    assert (paste.platform, dict(paste.options), paste.missing) == (platform, given, ())


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    paste = recognise(text)
    assert paste.platform in (None, *PLATFORMS)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_signs_of_a_platform_name_its_options(platform: str) -> None:
    own, fields = signs(platform), options(platform).model_fields
    needed = {name for group in own.needs for name in group}
    named = {*needed, *own.labels, *own.shapes, *own.blocks, *(row[1] for row in own.implied)}
    assert named <= set(fields)
    assert {name for name, option in fields.items() if option.is_required()} <= needed
