"""Demo credentials: the accounts and agents an emulator starts with, all plainly invented.

For the demo: `DEMO` is what a site would put into its .env for each platform. The rest of a
platform's table (agents that are not published, tokens with few scopes) is here too, under the
platform's name."""

from dataclasses import dataclass, field

DEMO = {
    "COZE_API_TOKEN": "pat_demo_only_not_a_secret",
    "COZE_BOT_ID": "7480000000000000101",
    "COZE_OAUTH_CLIENT_ID": "74800000000000000001.app.coze",
    "COZE_OAUTH_CLIENT_SECRET": "demo-only-client-secret",
    "COZE_JWT_APP_ID": "1180000000001",
    "COZE_JWT_KEY_ID": "demo-only-key-fingerprint",
    "QINGYAN_API_KEY": "0a1b2c3d4e5f6071",
    "QINGYAN_API_SECRET": "00112233445566778899aabbccddeeff",
    "QINGYAN_ASSISTANT_ID": "aaaaaaaaaaaaaaaaaaaaaa01",
    "WENXIN_APP_ID": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA01",
    "WENXIN_SECRET_KEY": "EmuSecretBBBBBBBBBBBBBBBBBBBBB01",
    "YUANQI_API_TOKEN": "Qk7DemoOnlyNotASecret00000000001",
    "YUANQI_ASSISTANT_ID": "EmuAgent0001",
    "HUAWEI_API_KEY": "sk-demo-only-not-a-secret",
    "HUAWEI_AGENT_PATH": "/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a001/execute",
}

COZE_SCOPES = frozenset({"chat", "getChat", "listMessage", "cancelChat", "submitToolChat"}) | {
    *("createConversation", "retrieveConversation", "listConversation", "editConversation"),
    *("createMessage", "retrieveMessage", "uploadFile", "retrieveFile", "getMetadata"),
}


@dataclass(frozen=True)
class CozeToken:
    """What a token may do: its account, its scopes, whether its time is over, the workspaces it
    includes.
    """

    account: str
    scopes: frozenset[str] = COZE_SCOPES
    is_expired: bool = False
    workspaces: frozenset[str] = frozenset({"main"})
    # A JWT's session_name, which keeps its conversations apart.
    session: str = ""

    @property
    def owner(self) -> str:
        """Whose conversations it sees."""
        return f"{self.account}/{self.session}"


@dataclass(frozen=True)
class CozeBot:
    """An agent; `is_published` means to the API."""

    name: str
    is_published: bool = True
    workspace: str = "main"
    description: str = "内置模拟器里的智能体，会把你的问题说一遍。"
    prologue: str = "你好{{user_name}}，我是模拟器里的智能体。写点什么，我会重复一遍。"
    suggestions: tuple[str, ...] = field(
        default=("你能做什么？", "请用 !markdown 展示排版", "!recall")
    )


COZE_TOKENS = {
    "pat_demo_only_not_a_secret": CozeToken("1000000001"),
    "sat_demo_only_not_a_secret": CozeToken("1000000001"),
    "pat_demo_other_account": CozeToken("1000000002"),
    "pat_demo_expired": CozeToken("1000000001", is_expired=True),
    "pat_demo_chat_only": CozeToken("1000000001", scopes=frozenset({"chat"})),
    "pat_demo_no_chat": CozeToken("1000000001", scopes=COZE_SCOPES - {"chat"}),
    "pat_demo_other_workspace": CozeToken("1000000001", workspaces=frozenset({"second"})),
}

COZE_BOTS = {
    "7480000000000000101": CozeBot("模拟助手"),
    "7480000000000000102": CozeBot("未发布的智能体", is_published=False),
    "7480000000000000103": CozeBot("第二个智能体", prologue="", suggestions=()),
}


@dataclass(frozen=True)
class QingyanKey:
    """A developer's key: its secret, whose it is, and whether it is "active", "disabled" or
    "deleted".
    """

    secret: str
    owner: str
    state: str = "active"


@dataclass(frozen=True)
class QingyanAgent:
    """An agent, which only its owner may call."""

    owner: str
    is_deleted: bool = False


QINGYAN_KEYS = {
    "0a1b2c3d4e5f6071": QingyanKey("00112233445566778899aabbccddeeff", "developer-1"),
    "0a1b2c3d4e5f6072": QingyanKey("00112233445566778899aabbccddee02", "developer-2"),
    "0a1b2c3d4e5f6073": QingyanKey("00112233445566778899aabbccddee03", "developer-1", "disabled"),
    "0a1b2c3d4e5f6074": QingyanKey("00112233445566778899aabbccddee04", "developer-1", "deleted"),
}

QINGYAN_AGENTS = {
    "aaaaaaaaaaaaaaaaaaaaaa01": QingyanAgent("developer-1"),
    "aaaaaaaaaaaaaaaaaaaaaa02": QingyanAgent("developer-2"),
    "aaaaaaaaaaaaaaaaaaaaaa03": QingyanAgent("developer-1", is_deleted=True),
}


@dataclass(frozen=True)
class WenxinAgent:
    """An agent, its secret, and whether it is published."""

    secret: str
    is_online: bool = True


WENXIN_AGENTS = {
    "EmuAgentAAAAAAAAAAAAAAAAAAAAAA01": WenxinAgent("EmuSecretBBBBBBBBBBBBBBBBBBBBB01"),
    "EmuAgentAAAAAAAAAAAAAAAAAAAAAA02": WenxinAgent(
        "EmuSecretBBBBBBBBBBBBBBBBBBBBB02", is_online=False
    ),
    "EmuAgentAAAAAAAAAAAAAAAAAAAAAA03": WenxinAgent("EmuSecretBBBBBBBBBBBBBBBBBBBBB03"),
}


@dataclass(frozen=True)
class YuanqiAgent:
    """An agent and the account it belongs to."""

    account: str = "account-1"
    is_published: bool = True


YUANQI_TOKENS = {
    "Qk7DemoOnlyNotASecret00000000001": "account-1",
    "Qk7DemoOnlyNotASecret00000000002": "account-2",
}

YUANQI_AGENTS = {
    "EmuAgent0001": YuanqiAgent(),
    "EmuAgent0002": YuanqiAgent(is_published=False),
    "EmuAgent0003": YuanqiAgent("account-2"),
    "1780000000000000101": YuanqiAgent(),
}


@dataclass(frozen=True)
class HuaweiAgent:
    """An agent, the user whose keys may call it, and the variables that each call has to bring."""

    owner: str = "user-1"
    is_published: bool = True
    sensitive_variables: tuple[str, ...] = ()


HUAWEI_KEYS = {
    "sk-demo-only-not-a-secret": "user-1",
    "sk-demo-only-another-user": "user-2",
}

HUAWEI_AGENTS = {
    "7c0e1d52-0000-4a00-9000-00000000a001": HuaweiAgent(),
    "7c0e1d52-0000-4a00-9000-00000000a002": HuaweiAgent(is_published=False),
    "7c0e1d52-0000-4a00-9000-00000000a003": HuaweiAgent("user-2"),
    "7c0e1d52-0000-4a00-9000-00000000a004": HuaweiAgent(sensitive_variables=("student_pass",)),
}
