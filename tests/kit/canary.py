"""Canaries: secrets that nothing else looks like, put wherever a site keeps one, and looked for
later.
"""

import base64
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from chat.settings.model import Settings
from emulator.accounts import DEMO
from emulator.coze.oauth import Grants
from emulator.coze.store import CozeStore
from emulator.qingyan.store import QingyanStore
from tests.kit.site import Visitor

# Each holds what addresses, JSON and HTML spell otherwise; a token is one word of ASCII. Those
# that the emulator has to take for a demo account's are named as emulator/accounts.py names them.
TOKENS = {
    "COZE_API_TOKEN": "pat_canary/coze&token+4711=%41",
    "COZE_OAUTH_CLIENT_SECRET": "canary/oauth&secret+4712=%42",
    "QINGYAN_API_KEY": "canary/qingyan&key+4713=%43",
    "QINGYAN_API_SECRET": "canary/qingyan&secret+4714=%44",
    "WENXIN_SECRET_KEY": "canary/wenxin&secret+4715=%45",
    "YUANQI_API_TOKEN": "canary/yuanqi&token+4716=%46",
    "HUAWEI_API_KEY": "sk-canary/huawei&key+4717=%47",
}
CODE = "canary/our&code+4722=%4A"
OURS = {
    "ACCESS_CODES": f"canary:{CODE}",
    "SECRET_KEY": 'canary/our "key" & <more> + 4718 = %48',
    "NOTIFY_URL": "https://127.0.0.1:9/robot/canary-notification-4723?key=canary-robot-4723%4B",
    "REDIS_URL": "redis://:canary%2Fredis+4722=%2541@127.0.0.1:9/0",
    "ADMIN_PASSWORD": 'canary/our "password" & <more> + 4719 = %49',
}
COOKIE = "canary.cookie-of-a-visitor-4720"
ADDRESS = "canary-in-an-address-4721"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC_PEM = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
ALIASES = {canary: DEMO[name] for name, canary in TOKENS.items()}


def sign_in(url: str) -> Visitor:
    """A visitor who has signed in with the code."""
    visitor = Visitor(url)
    assert visitor.post("/sign-in", data={"code": CODE}).ok
    return visitor


def secret_settings() -> dict[str, str]:
    """A canary for each setting that is a secret, also for those that come after this was
    written.
    """
    names = [
        name.upper()
        for name, field in Settings.model_fields.items()
        if "Secret" in str(field.annotation)
    ]
    known = {**TOKENS, **OURS, "COZE_JWT_PRIVATE_KEY": PEM}
    return {name: known.get(name, f"canary-{name.lower()}-4799") for name in names}


def site_secrets() -> dict[str, str]:
    """The canaries of a site that is open to everybody and runs alone; no platform's."""
    secrets = secret_settings()
    closing_names = {"ACCESS_CODES", "REDIS_URL"}
    of_platforms = {name for name in secrets if name in TOKENS or name.startswith("COZE_")}
    return {name: secrets[name] for name in secrets.keys() - closing_names - of_platforms}


def coze_settings(url: str) -> dict[str, object]:
    """The emulator's Coze agent, without anything to sign in with."""
    return {
        "COZE_BOT_ID": DEMO["COZE_BOT_ID"],
        "COZE_API_BASE": url,
        "COZE_WEB_BASE": url,
        "COZE_QPS": 0,
    }


def platform_settings(url: str) -> dict[str, object]:
    """An agent on each platform of an emulator, by its canary; no platform limits anything."""
    agents = ("QINGYAN_ASSISTANT_ID", "WENXIN_APP_ID", "YUANQI_ASSISTANT_ID")
    tokens = {name: TOKENS[name] for name in TOKENS if name != "COZE_OAUTH_CLIENT_SECRET"}
    return {
        **coze_settings(url),
        **tokens,
        **{name: DEMO[name] for name in agents},
        "QINGYAN_API_BASE": f"{url}/chatglm/assistant-api/v1",
        "QINGYAN_CONCURRENCY": 0,
        "QINGYAN_DAILY": 0,
        "WENXIN_API_BASE": url,
        "WENXIN_TOKEN_BASE": url,
        "WENXIN_DAILY": 0,
        "YUANQI_API_BASE": f"{url}/openapi/v1",
        "YUANQI_CONCURRENCY": 0,
        "HUAWEI_AGENT_URL": url + DEMO["HUAWEI_AGENT_PATH"],
    }


def granted_tokens(emulator: Flask) -> list[str]:
    """The tokens that an emulator has handed out so far."""
    state = emulator.extensions["emulator"]
    return [
        *state.store(CozeStore).issued,
        *state.store(Grants).refresh_tokens,
        *state.store(QingyanStore).grants,
    ]


def parts_of(secret: str) -> list[str]:
    """What to look for: the secret; of a key of many lines each of them, of an address its
    password.
    """
    if secret == OURS["ACCESS_CODES"]:
        return [CODE]
    if secret.startswith("redis://"):
        password = urlsplit(secret).password
        assert password
        return [unquote(password), password]
    return [line for line in secret.splitlines() if "-----" not in line]


def spellings(word: str) -> dict[bytes, str]:
    """The same word as it may be written, and the name of the way."""
    raw = word.encode()
    names = {
        raw.hex().encode(): "as hexadecimal",
        json.dumps(word)[1:-1].encode(): "in JSON",
        quote(word).encode(): "in a path",
        quote_plus(word).encode(): "in a form",
        quote(word, safe="").encode(): "in an address",
        raw: "plain",
    }
    # Base64 depends on where the word begins in what is encoded; at its edges there is something
    # else.
    for before in range(3):
        for encode in (base64.urlsafe_b64encode, base64.b64encode):
            encoded = encode(b"x" * before + raw)
            first = 4 if before else 0
            last = len(encoded) // 4 * 4 - 4
            names[encoded[first:last]] = "in Base64"
    return names


@dataclass
class Output:
    """Everything that came out of a site: (where, bytes)."""

    items: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, content: bytes | str) -> None:
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogatepass")
        self.items.append((where, content))

    def add_response(self, response: requests.Response) -> requests.Response:
        """A response with its headers and whole body, and those that led to it."""
        for each in [*response.history, response]:
            head = "\n".join(f"{name}: {value}" for name, value in each.headers.items())
            where = f"{each.request.method} {each.request.path_url[:80]}"
            self.add(where, head.encode() + b"\n\n" + each.content)
        return response

    def add_folder(self, folder: Path) -> None:
        """All files a site has written, and its database as SQL."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.add(str(path.relative_to(folder)), path.read_bytes())
        with closing(sqlite3.connect(folder / "instance" / "chat.db")) as database:
            self.add("dump of the database", "\n".join(database.iterdump()))

    def find(self, word: str, only: str = "") -> list[str]:
        """Where a word is, and how it is spelled there; `only` in places whose name begins so."""
        return [
            f"{where}: {name}"
            for spelling, name in spellings(word).items()
            for where, content in self.items
            if where.startswith(only) and spelling in content
        ]
