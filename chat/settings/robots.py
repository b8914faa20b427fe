"""The robots that NOTIFY_URL names: the addresses of group chats that hear when something fails."""

import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, SecretStr

from providers.options import QUOTES, bilingual_error

MOST = 5
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Shorter parts of an address, such as "send", are words that the log needs.
_SHORTEST_KEY = 16


def addresses(setting: SecretStr | None) -> list[str]:
    """The addresses of a setting that has been checked; none when it is unset."""
    return _split(setting.get_secret_value()) if setting else []


def secret_parts(setting: SecretStr | None) -> list[str]:
    """Each address by itself and the key in it, for the log to blank out."""
    parts = []
    for address in addresses(setting):
        url = urlsplit(address)
        # Behind the # is the secret that messages are signed with (chat/notices/robots.py).
        keys = [*url.path.split("/"), *(value for _, value in parse_qsl(url.query)), url.fragment]
        parts += [address, *(key for key in keys if len(key) >= _SHORTEST_KEY)]
    return parts


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;，；、]+", text.strip(QUOTES)) if part]


def _check(setting: SecretStr) -> SecretStr:
    parts = _split(setting.get_secret_value())
    if not 1 <= len(parts) <= MOST or not all(map(_is_address, parts)):
        raise bilingual_error(
            f"填群机器人的 Webhook 地址，以 https:// 开头，最多 {MOST} 个，用逗号分隔",
            f"it takes Webhook addresses of robots that begin with https://, at most {MOST}, "
            "separated by commas",
        )
    return setting


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
        return is_secure and bool(url.hostname) and url.port != 0 and text.isascii()
    except ValueError:
        return False


NotifyUrl = Annotated[SecretStr, AfterValidator(_check)]
