"""agents.toml: any number of agents, each checked at the start, each at its own address."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chat import storage
from chat.agents.offered import Agents, load_agents
from chat.agents.vault import Vault
from chat.settings import model as settings
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from providers import PLATFORMS, options
from tests.kit.emulator import Emulator
from tests.kit.sentences import english_of
from tests.kit.site import Site, Visitor, text

TOKEN = "pat_demo_only_not_a_secret"
KEY = "a-key-of-the-tests-0123456789"
FIRST, SECOND = "7480000000000000101", "7480000000000000103"

COZE = f"""
[[agents]]
id = "{{id}}"
platform = "coze"
bot_id = "{FIRST}"
"""

Offer = Callable[..., Agents]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[storage.Storage]:
    database = tmp_path_factory.mktemp("offered") / "chat.db"
    store = storage.connect(Settings(database_url=f"sqlite:///{database}"))
    yield store
    store.close()


@pytest.fixture
def offer(
    store: storage.Storage, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Offer:
    """The agents of a site with this agents.toml and these variables."""
    monkeypatch.chdir(tmp_path)
    # It is read much sooner than all authorities of the world.
    monkeypatch.setenv("CA_BUNDLE", str(bundle))

    def offered(document: str | bytes | None, **environment: str) -> Agents:
        if document is not None:
            raw = document if isinstance(document, bytes) else document.encode()
            (tmp_path / "agents.toml").write_bytes(raw)
            monkeypatch.setenv("AGENTS_FILE", "agents.toml")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_agents(settings.load(), store.days.spend, Vault(store.secrets, KEY))

    return offered


def refusal(offer: Offer, document: str | bytes | None, **environment: str) -> str:
    """The one line that ends a start."""
    with pytest.raises(SettingsError) as raised:
        offer(document, **environment)
    return english_of(raised.value)


def agent(more: str = "", id: str = "helper") -> str:
    return COZE.format(id=id) + more + "\n"


def test_agents_come_in_the_owner_s_order(offer: Offer) -> None:
    document = agent('name = "Shop"\nwelcome = "你好"\nsuggestions = ["a", "b"]', "shop") + agent(
        id="desk"
    )
    agents = offer(document, COZE_API_TOKEN=TOKEN)
    assert [one.id for one in agents.all] == ["shop", "desk"]
    assert agents.default.id == "shop" and not agents.is_demo
    shop = agents.get("shop")
    assert shop is not None and shop.handle == FIRST
    assert (shop.name, shop.welcome, shop.suggestions) == ("Shop", "你好", ("a", "b"))
    assert agents.get("nobody") is None


def test_an_agent_may_stand_in_a_group_with_a_short_name(offer: Offer) -> None:
    agents = offer(agent('group = "导览"', "guide") + agent(), COZE_API_TOKEN=TOKEN)
    assert [one.group for one in agents.all] == ["导览", ""]
    long = agent(f'group = "{"字" * 41}"')
    assert "at most 40 characters" in refusal(offer, long, COZE_API_TOKEN=TOKEN)


def test_an_agent_of_the_settings_comes_first(offer: Offer) -> None:
    agents = offer(agent(), COZE_API_TOKEN=TOKEN, COZE_BOT_ID=SECOND)
    assert [(one.id, one.handle) for one in agents.all] == [("coze", SECOND), ("helper", FIRST)]


def test_agents_of_one_token_share_their_account(offer: Offer) -> None:
    other = 'api_token = "pat_of_another_account"\n'
    agents = offer(agent(id="a") + agent(id="b") + agent(other, "c"), COZE_API_TOKEN=TOKEN)
    a, b, c = agents.all
    assert a.account is b.account and a.account is not c.account


def test_without_anything_it_is_the_demo(offer: Offer) -> None:
    agents = offer(None, DEMO_URL="http://127.0.0.1:9")
    assert agents.is_demo and {one.platform for one in agents.all} >= {"coze", "yuanqi"}


def test_a_secret_is_found_by_its_name(offer: Offer, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SHOP_TOKEN=pat_from_dotenv")
    (tmp_path / "token").write_text("pat_from_a_file\n")
    document = agent('api_token = { env = "SHOP_TOKEN" }', "a") + agent(
        'api_token = { env = "DESK" }', "b"
    )
    agents = offer(document, DESK_FILE="token")
    assert agents.secrets == {"pat_from_dotenv", "pat_from_a_file"}
    assert "pat_from" not in repr(agents), "what is printed holds no secret"


def test_a_file_that_notepad_saved(offer: Offer) -> None:
    assert offer("\ufeff" + agent(), COZE_API_TOKEN=TOKEN).default.id == "helper"


@pytest.mark.parametrize("charset", ["gbk", "utf-16"])
def test_a_file_of_another_charset_is_read(offer: Offer, charset: str) -> None:
    agents = offer(agent('name = "门店"').encode(charset), COZE_API_TOKEN=TOKEN)
    assert agents.default.name == "门店"


def test_signs_of_a_chinese_keyboard_are_signs(offer: Offer) -> None:
    document = agent('name＝“门店“\nwelcome = "你好，“朋友”"')
    agents = offer(document, COZE_API_TOKEN=TOKEN)
    assert (agents.default.name, agents.default.welcome) == ("门店", "你好，“朋友”")


@pytest.mark.parametrize(
    "pasted",
    [
        f"https://www.coze.cn/space/123/bot/{FIRST}",
        f"https://www.coze.cn/space/123/bot/{FIRST}?from=x",
        f" {FIRST} ",
        f"智能体ID：{FIRST}",
        f"bot_id={FIRST},",
        "".join(chr(0xFF10 + int(digit)) for digit in FIRST),
    ],
)
def test_a_pasted_address_is_understood(offer: Offer, pasted: str) -> None:
    document = agent().replace(f'"{FIRST}"', f'"{pasted}"')
    assert offer(document, COZE_API_TOKEN=TOKEN).default.handle == FIRST


def test_a_number_for_a_bot_id_is_understood(offer: Offer) -> None:
    document = agent().replace(f'"{FIRST}"', FIRST)
    assert offer(document, COZE_API_TOKEN=TOKEN).default.handle == FIRST


@pytest.mark.parametrize(
    "more",
    [
        'custom_variables = { city = "北京" }',
        "parameters = { number = 1, nested = { list = [1, 2] } }",
        'meta_data = { shop = "one" }',
        'extra_params = { latitude = "39.9", longitude = "116.4" }',
        'shortcut_command = { command_id = "7", parameters = { a = "b" } }',
    ],
)
def test_what_coze_offers_can_be_set_per_agent(offer: Offer, more: str) -> None:
    assert offer(agent(more), COZE_API_TOKEN=TOKEN).default.id == "helper"


@pytest.mark.parametrize(
    "pasted",
    [
        f"Authorization：Bearer {TOKEN}",
        f"Bearer:{TOKEN}",
        f"Bearer%20{TOKEN}",
        f"<{TOKEN}>",
        f"{TOKEN}；",
        f"\u202a{TOKEN[:6]}\u00ad{TOKEN[6:]}\u200f",
        f"«{TOKEN}»",
    ],
)
def test_a_token_is_the_word_itself_whatever_was_copied_with_it(offer: Offer, pasted: str) -> None:
    assert TOKEN in offer(agent(), COZE_API_TOKEN=pasted).secrets


@pytest.mark.parametrize(
    "example",
    ["sat_...", "pat_xxxxxxxxxx", "$TOKEN", "${TOKEN}", "%TOKEN%", "env:TOKEN", "<your-key>"],
)
def test_an_example_is_no_token(offer: Offer, example: str) -> None:
    line = refusal(offer, agent(f'api_token = "{example}"'))
    assert "api_token: this is a variable's name or an example" in line


@pytest.mark.parametrize("end", ["#mine", "\\", '"}'])
def test_what_is_written_behind_a_token_is_no_part_of_it(offer: Offer, end: str) -> None:
    line = refusal(offer, agent(), COZE_API_TOKEN=f"{TOKEN}{end}")
    assert "api_token: a token is one word" in line


@pytest.mark.parametrize("pasted", ["api.coze.com/v3/chat", "https://api.coze.com/v1/bots/x?y=1"])
def test_of_an_address_of_a_call_the_base_is_taken(offer: Offer, pasted: str) -> None:
    document = agent(f'api_base = "{pasted}"')
    assert offer(document, COZE_API_TOKEN=TOKEN).default.provider.addresses == (
        "https://api.coze.com",
    )


def test_an_id_of_two_words_is_refused_on_any_platform(offer: Offer) -> None:
    line = refusal(offer, None, YUANQI_API_TOKEN=TOKEN, YUANQI_ASSISTANT_ID="我的 智能体")
    assert "YUANQI_ASSISTANT_ID: an id is one word" in line


def test_one_key_in_two_spellings_is_refused(offer: Offer) -> None:
    line = refusal(offer, agent('BOT-ID = "7"'), COZE_API_TOKEN=TOKEN)
    assert "bot_id: it is written twice" in line


def test_brackets_without_end_are_no_toml(offer: Offer) -> None:
    line = refusal(offer, "x=" + "[" * 5000 + "]" * 5000, COZE_API_TOKEN=TOKEN)
    assert "nested too deeply" in line


WRONG_OPTIONS = [
    ('custom_variables = { "my city" = "x" }', "custom_variables"),
    ("custom_variables = { city = 1 }", "custom_variables"),
    ("parameters = { when = 2024-01-01 }", "parameters"),
    ('parameters = "a = 1"', "parameters"),
    ("meta_data = {" + ", ".join(f'k{number} = "v"' for number in range(17)) + "}", "meta_data"),
    ('meta_data = { k = "" }', "meta_data"),
    ('extra_params = { altitude = "1" }', "extra_params"),
    ("shortcut_command = { parameters = {} }", "shortcut_command"),
    ("poll_interval_s = 0.1", "poll_interval_s"),
    ('api_base = "ftp://api.coze.cn"', "api_base"),
    ('api_token = "two words"', "api_token"),
    ("api_token = 5", "api_token"),
    ('assistant_id = "x"', "assistant_id"),
    ('nmae = "typo"', "nmae"),
]


@pytest.mark.parametrize(
    ("more", "key"), WRONG_OPTIONS, ids=[more[:30] for more, _ in WRONG_OPTIONS]
)
def test_a_wrong_option_is_named_with_its_place(offer: Offer, more: str, key: str) -> None:
    line = refusal(offer, agent(id="good") + agent(more), COZE_API_TOKEN=TOKEN)
    assert re.match(rf'agents\.toml: \[\[agents\]\] number 2 \("helper"\): {key}', line), line
    assert "two words" not in line and TOKEN not in line


WRONG_CARDS = [
    ('platform = "coze"', "id"),
    ('id = "Upper Case"\nplatform = "coze"', "id"),
    ('id = ""\nplatform = "coze"', "id"),
    ("id = 5\nplatform = 'coze'", "id"),
    ("id = 2024-01-01\nplatform = 'coze'", "id"),
    (f'id = "{"a" * 41}"\nplatform = "coze"', "id"),
    ('id = "a"', "platform"),
    ('id = "a"\nplatform = "chatgpt"', "platform: must be one of coze, "),
    ('id = "a"\nplatform = "coze"\nname = 5', "name"),
    (f'id = "a"\nplatform = "coze"\nname = "{"x" * 61}"', "name"),
    ('id = "a"\nplatform = "coze"\nsuggestions = "why?"', "suggestions"),
    ('id = "a"\nplatform = "coze"\nsuggestions = [1]', "suggestions.0"),
    ('id = "a"\nplatform = "coze"', "bot_id"),
]


@pytest.mark.parametrize(("table", "key"), WRONG_CARDS)
def test_a_wrong_table_is_named_with_its_place(offer: Offer, table: str, key: str) -> None:
    line = refusal(offer, f"[[agents]]\n{table}\n", COZE_API_TOKEN=TOKEN)
    assert re.match(rf"agents\.toml: \[\[agents\]\] number 1 \(\".*\"\): {re.escape(key)}", line), (
        line
    )


VALUES = ("5", "-1", "true", '"X Y"', "[1]", "{ a = 1 }")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_any_value_of_any_option_is_answered_in_both_languages(
    platform: str, value: str, offer: Offer
) -> None:
    """Whatever stands there is taken, or refused in a sentence of ours that names the option."""
    card = ("id", "platform", "name", "welcome", "suggestions", "access")
    for option in (*card, *options(platform).model_fields):
        head = {"id": '"a"', "platform": f'"{platform}"', option: value}
        table = "\n".join(f"{name} = {text}" for name, text in head.items())
        try:
            offer(f"[[agents]]\n{table}\n")
        except SettingsError as error:
            for part in error.parts:
                assert english_of(part).startswith("agents.toml: [[agents]] number 1")


PASTED = "pat_demo_only_not_a_secret_op"


@pytest.mark.parametrize(
    "variables",
    [
        {"COZE_BOT_ID": PASTED, "COZE_API_TOKEN": FIRST},
        {"COZE_API_TOKEN": FIRST},
        {"COZE_BOT_ID": PASTED},
    ],
    ids=lambda variables: " ".join(variables),
)
def test_a_token_in_the_place_of_an_id_is_moved_in_the_lines_to_paste(
    offer: Offer, variables: dict[str, str]
) -> None:
    line = refusal(offer, None, **variables)
    assert ("COZE_API_TOKEN=pat_...op" in line) == ("COZE_BOT_ID" in variables)
    assert (f"COZE_BOT_ID={FIRST}" in line) == ("COZE_API_TOKEN" in variables)
    assert PASTED not in line


def test_id_and_token_of_a_table_may_be_swapped_as_well(offer: Offer) -> None:
    table = f'api_token = "{FIRST}"\nbot_id = "{PASTED}"'
    line = refusal(offer, f'[[agents]]\nid = "a"\nplatform = "coze"\n{table}\n')
    assert f"api_token = pat_...op, bot_id = {FIRST}" in line and PASTED not in line


def test_values_of_a_table_are_read_as_people_write_them(offer: Offer) -> None:
    more = 'Access = "公开"\nQPS = "2次"\ndaily-limit = "2千"'
    (one,) = offer(agent(more), COZE_API_TOKEN=TOKEN).all
    assert (one.is_open, one.account.limits.qps, one.daily_limit) == (True, 2, 2000)


@pytest.mark.parametrize(
    ("key", "meant"), [("bot", "bot_id"), ("nmae", "name"), ("token", "api_token")]
)
def test_a_key_that_is_none_comes_with_the_nearest(offer: Offer, key: str, meant: str) -> None:
    assert f"perhaps {meant} is meant" in refusal(
        offer, agent(f'{key} = "x"'), COZE_API_TOKEN=TOKEN
    )


@pytest.mark.parametrize("platform", ["Coze", "COZE", "扣子", "ｃｏｚｅ"])
def test_a_platform_has_several_names(offer: Offer, platform: str) -> None:
    document = agent().replace('"coze"', f'"{platform}"')
    assert offer(document, COZE_API_TOKEN=TOKEN).default.platform == "coze"


def test_an_id_that_is_none_comes_with_one_that_is(offer: Offer) -> None:
    assert 'Write id = "my-shop"' in refusal(offer, agent(id="My Shop"), COZE_API_TOKEN=TOKEN)


def test_all_wrong_tables_are_said_at_once(offer: Offer) -> None:
    document = agent("qps = -3") + agent("name = 5\nwelcome = 6", "b") + agent("qps = true", "c")
    with pytest.raises(SettingsError) as raised:
        offer(document, COZE_API_TOKEN=TOKEN)
    lines = [english_of(part) for part in raised.value.parts]
    assert [line.split(": ")[2] for line in lines] == ["qps", "name", "welcome", "qps"]


def test_a_half_filled_agent_is_named(offer: Offer) -> None:
    line = refusal(offer, agent())
    assert 'number 1 ("helper")' in line and "api_token" in line


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "SHOP_TOKEN is empty"),
        ({"SHOP_TOKEN": ""}, "SHOP_TOKEN is empty"),
        ({"SHOP_TOKEN_FILE": "no"}, "no"),
    ],
)
def test_a_secret_that_is_not_there_is_named(
    offer: Offer, environment: dict[str, str], words: str
) -> None:
    line = refusal(offer, agent('api_token = { env = "SHOP_TOKEN" }'), **environment)
    assert 'number 1 ("helper"): api_token' in line and words in line


def test_a_secret_file_that_is_no_text_is_named(offer: Offer, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe\x00")
    line = refusal(offer, agent('api_token = { env = "SHOP" }'), SHOP_FILE="token")
    assert 'number 1 ("helper"): api_token' in line


def test_twins_are_refused(offer: Offer) -> None:
    assert '"helper" is used twice' in refusal(offer, agent() + agent(), COZE_API_TOKEN=TOKEN)
    own = refusal(offer, agent(id="coze"), COZE_API_TOKEN=TOKEN, COZE_BOT_ID=SECOND)
    assert '"coze" is used twice' in own


@pytest.mark.parametrize(
    "document",
    ["", "agents = 1", "agents = []", "agents = [1]", "[agents]\nid = 'a'", "[[agent]]\nid = 'a'"],
)
def test_a_file_without_agents_says_what_is_missing(offer: Offer, document: str) -> None:
    assert refusal(offer, document).startswith("agents.toml: no [[agents]] table.")


@pytest.mark.parametrize("document", ["[[agents]", "id = ", b"\xff\xff"])
def test_a_file_that_is_no_toml_is_named(offer: Offer, document: str | bytes) -> None:
    assert refusal(offer, document).startswith("AGENTS_FILE: agents.toml: ")


def test_a_missing_or_unreadable_file_is_named(offer: Offer, tmp_path: Path) -> None:
    assert refusal(offer, None, AGENTS_FILE="nowhere.toml").startswith(
        "AGENTS_FILE: nowhere.toml: "
    )
    assert refusal(offer, None, AGENTS_FILE=str(tmp_path)).startswith("AGENTS_FILE: ")


@pytest.fixture(scope="module")
def two_agents(
    emulator: Emulator, keep_site: Callable[..., Site], tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """A site with one token in .env and two agents in agents.toml."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "agents.toml").write_text(
        agent('name = "门店助手"\nwelcome = "欢迎光临"\nsuggestions = ["几点开门？"]', "shop")
        + agent('name = "Service desk"', "desk").replace(FIRST, SECOND),
        encoding="utf-8",
    )
    return keep_site(
        folder,
        AGENTS_FILE="agents.toml",
        COZE_API_TOKEN=TOKEN,
        COZE_API_BASE=emulator.url,
        COZE_QPS=0,
    )


def asked_last(emulator: Emulator) -> str:
    chats = [one for one in emulator.journal()["requests"] if one["path"] == "/v3/chat"]
    return str(chats[-1]["body"]["bot_id"])


def test_each_agent_has_its_address_and_its_bot(two_agents: Site, emulator: Emulator) -> None:
    visitor = Visitor(two_agents.url)
    home = visitor.get("/").text
    assert "门店助手" in home and "欢迎光临" in home and "几点开门？" in home
    assert "Service desk" in visitor.get("/?agent=desk").text
    assert "欢迎光临" not in visitor.get("/?agent=desk").text

    told = list(visitor.hear("hello desk", agent="desk"))
    assert told[0].data["agent"] == "desk" and "hello desk" in text(told)
    assert asked_last(emulator) == SECOND

    visitor.ask("and again")
    assert asked_last(emulator) == SECOND, (
        "a conversation stays with its agent, whichever the default is"
    )
    refused = visitor.ask("now you", agent="shop")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_input")

    Visitor(two_agents.url).ask("hello default")
    assert asked_last(emulator) == FIRST


def test_coze_s_own_body_finds_its_agent(two_agents: Site, emulator: Emulator) -> None:
    words = [{"role": "user", "content": "你好", "content_type": "text"}]
    for bot in (FIRST, SECOND):
        response = Visitor(two_agents.url).post(json={"bot_id": bot, "additional_messages": words})
        assert response.ok and asked_last(emulator) == bot


def test_an_agent_that_was_taken_away_leaves_its_conversations(two_agents: Site) -> None:
    visitor = Visitor(two_agents.url)
    assert visitor.ask("remember me", agent="desk").ok
    two_agents.end()
    (two_agents.folder / "agents.toml").write_text(agent(id="shop"), encoding="utf-8")
    two_agents.start()
    page = visitor.get(f"/c/{visitor.conversation}")
    assert page.status_code == 200 and "remember me" in page.text
    refused = visitor.ask("are you there?")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


def test_the_site_s_own_key_is_no_platform_s(offer: Offer) -> None:
    """Wenxin's option has the name of our own setting."""
    document = (
        '[[agents]]\nid = "w"\nplatform = "wenxin"\napp_id = "EmuAgentAAAAAAAAAAAAAAAAAAAAAA01"\n'
    )
    assert "secret_key: it has to be set" in refusal(offer, document, SECRET_KEY=KEY)


def test_a_wrong_secret_key_is_named_by_its_setting(offer: Offer) -> None:
    wrong = refusal(offer, None, SECRET_KEY=KEY, WENXIN_APP_ID="a", WENXIN_SECRET_KEY="two words")
    assert wrong.startswith("WENXIN_SECRET_KEY: a token is one word")
