"""Canaries: secrets that nothing else looks like, put wherever a site keeps one, and looked for later."""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chat.settings.model import Settings
from emulator.accounts import DEMO
from tests.kit.site import Visitor

# Each holds what addresses, JSON and HTML spell otherwise; a token is one word of ASCII. Those that the
# emulator has to take for a demo account's are named as emulator/accounts.py names them.
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


def arrive(url: str) -> Visitor:
    """A visitor who has signed in with the code."""
    visitor = Visitor(url)
    assert visitor.post("/sign-in", data={"code": CODE}).ok
    return visitor


def planted() -> dict[str, str]:
    """A canary for each setting that is a secret, also for those that come after this was written."""
    names = [
        name.upper()
        for name, field in Settings.model_fields.items()
        if "Secret" in str(field.annotation)
    ]
    known = {**TOKENS, **OURS, "COZE_JWT_PRIVATE_KEY": PEM}
    return {name: known.get(name, f"canary-{name.lower()}-4799") for name in names}


def words_of(secret: str) -> list[str]:
    """What to look for: the secret; of a key of many lines each of them, of an address its password."""
    if secret == OURS["ACCESS_CODES"]:
        return [CODE]
    password = urlsplit(secret).password if secret.startswith("redis://") else None
    lines = [line for line in secret.splitlines() if "-----" not in line]
    return [unquote(password), password] if password else lines


def spellings(word: str) -> dict[bytes, str]:
    """The same word as it may be written, and the name of the way."""
    raw = word.encode()
    found = {
        raw.hex().encode(): "as hexadecimal",
        json.dumps(word)[1:-1].encode(): "in JSON",
        quote(word).encode(): "in a path",
        quote_plus(word).encode(): "in a form",
        quote(word, safe="").encode(): "in an address",
        raw: "plain",
    }
    for before in range(
        3
    ):  # where the word begins in what is encoded; at its edges there is something else
        for encode in (base64.urlsafe_b64encode, base64.b64encode):
            coded = encode(b"x" * before + raw)
            found[coded[4 if before else 0 : len(coded) // 4 * 4 - 4]] = "in Base64"
    return found


@dataclass
class Harvest:
    """Everything that came out of a site, and where."""

    kept: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, what: bytes | str) -> None:
        self.kept.append(
            (where, what if isinstance(what, bytes) else what.encode("utf-8", "surrogatepass"))
        )

    def add_response(self, response: requests.Response) -> requests.Response:
        """A response with its headers and whole body, and those that led to it."""
        for one in [*response.history, response]:
            head = "\n".join(f"{name}: {value}" for name, value in one.headers.items())
            self.add(
                f"{one.request.method} {one.request.path_url[:80]}",
                head.encode() + b"\n\n" + one.content,
            )
        return response

    def add_folder(self, folder: Path) -> None:
        """All files a site has written, and its database as SQL."""
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            self.add(str(path.relative_to(folder)), path.read_bytes())
        with closing(sqlite3.connect(folder / "instance" / "chat.db")) as database:
            self.add("dump of the database", "\n".join(database.iterdump()))

    def find(self, word: str, only: str = "") -> list[str]:
        """Where a word is, and how it is spelled there; `only` in places whose name begins so."""
        return list(self._found(word, only))

    def _found(self, word: str, only: str) -> Iterator[str]:
        for spelled, how in spellings(word).items():
            for where, what in self.kept:
                if where.startswith(only) and spelled in what:
                    yield f"{where}: {how}"
