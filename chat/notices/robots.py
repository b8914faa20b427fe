"""Robots of group chats: how each takes a message, and how it says that it took none.

By the owners' manuals: WeCom developer.work.weixin.qq.com/document/path/91770, DingTalk
open.dingtalk.com/document/orgapp/custom-robots-send-group-messages, Feishu
open.feishu.cn/document/ukTMukTMukTM/ucTM5YjL3ETO24yNxkjN. All answer HTTP 200 to what they refuse,
with the reason in the body. Any other address gets {"text": …} and answers with a status.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urlsplit

from chat.settings.words import Sentence, Words, sentence
from providers.errors import ProviderError
from providers.http import Http, Response, parse_json
from providers.payloads import fields

SEND_S = 10.0
# WeCom takes the least: 2048 bytes of text.
MOST_BYTES = 2000
MOST_ANSWER = 20_000

WECOM, DINGTALK, FEISHU = "wecom", "dingtalk", "feishu"
# By the path, so that a proxy of the owner's may stand before the platform.
_PATHS = {
    "/cgi-bin/webhook/send": WECOM,
    "/robot/send": DINGTALK,
    "/open-apis/bot/v2/hook/": FEISHU,
}
NAMES = {
    WECOM: Words("企业微信机器人", "the WeCom robot"),
    DINGTALK: Words("钉钉机器人", "the DingTalk robot"),
    FEISHU: Words("飞书机器人", "the Feishu robot"),
    "": Words("{host}", "{host}"),
}
_GONE = Words(
    "没有这个机器人：请从群里重新复制 Webhook 地址",
    "there is no such robot: copy its webhook address from the group again",
)
_TOO_OFTEN = Words("发送太频繁，过几分钟再试", "too many messages: try again in some minutes")
_GUARD = Words(
    "它的安全设置不放行：关键词填站名，加签的密钥用 # 接在地址后面，IP 白名单里加上本机",
    "its security settings refuse this: let the site's title be a keyword, put the signing secret "
    "behind the address after a #, list this machine's address",
)
_REASONS: dict[tuple[str, int], Words] = {
    (WECOM, 93000): _GONE,
    (WECOM, 45009): _TOO_OFTEN,
    (DINGTALK, 300001): _GONE,
    (DINGTALK, 310000): _GUARD,
    (DINGTALK, 130101): _TOO_OFTEN,
    (FEISHU, 19001): _GONE,
    (FEISHU, 19021): _GUARD,
    (FEISHU, 19022): _GUARD,
    (FEISHU, 19024): _GUARD,
    (FEISHU, 11232): _TOO_OFTEN,
    (FEISHU, 9499): _TOO_OFTEN,
}
_CODE = Words("它拒绝了消息，代码 {code}", "it refused the message with code {code}")
_STATUS = Words("它返回 HTTP {status}", "it answered HTTP {status}")
_AWAY = Words("连不上它，或它没有正常响应", "it cannot be reached, or gave no proper answer")


class RobotError(Exception):
    """A message did not arrive; `reason` is a sentence for the owner, without any secret."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason.say("en"))
        self.reason = reason

    def say(self, language: str) -> str:
        return self.reason.say(language)


@dataclass(frozen=True)
class Robot:
    """A robot by its address, with the signing secret after a # where it has one."""

    address: str

    @property
    def kind(self) -> str:
        """Whose robot it is; empty for another receiver."""
        path = urlsplit(self.address).path
        return next((kind for known, kind in _PATHS.items() if path.startswith(known)), "")

    @property
    def name(self) -> Sentence:
        """What the owner calls it; its address is a secret."""
        return sentence(NAMES[self.kind], host=urlsplit(self.address).hostname)

    def send(self, text: str, http: Http, clock: Callable[[], float] = time.time) -> None:
        """Sends a message, as much of it as all robots take. Raises RobotError."""
        url, secret = urldefrag(self.address)
        body, query = self._message(_shortened(text), secret, clock())
        deadline = time.monotonic() + SEND_S
        try:
            with http.open("POST", url, json=body, params=query, deadline=deadline) as response:
                self._check(response, response.read(MOST_ANSWER))
        except ProviderError as error:
            raise RobotError(sentence(_AWAY)) from error

    def _message(self, text: str, secret: str, at: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """The body and the query of a message."""
        if self.kind == FEISHU:
            body = {"msg_type": "text", "content": {"text": text}}
            stamp = str(int(at))
            # The text to sign is the key here, and what is signed is empty.
            sign = _sign(f"{stamp}\n{secret}", "")
            return {**body, **({"timestamp": stamp, "sign": sign} if secret else {})}, {}
        if not self.kind:
            return {"text": text}, {}
        body = {"msgtype": "text", "text": {"content": text}}
        if self.kind == DINGTALK and secret:
            stamp = str(int(at * 1000))
            return body, {"timestamp": stamp, "sign": _sign(secret, f"{stamp}\n{secret}")}
        return body, {}

    def _check(self, response: Response, content: bytes) -> None:
        if response.status >= 300:
            raise RobotError(sentence(_STATUS, status=response.status))
        if not self.kind:
            return
        payload = fields(parse_json(content, "robot"))
        code = payload.get("code" if self.kind == FEISHU else "errcode")
        if code != 0:
            words = _REASONS.get((self.kind, code)) if isinstance(code, int) else None
            number = code if isinstance(code, int) else "?"
            raise RobotError(sentence(words) if words else sentence(_CODE, code=number))


def _sign(key: str, text: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


def _shortened(text: str) -> str:
    content = text.encode()
    if len(content) <= MOST_BYTES:
        return text
    return content[: MOST_BYTES - 3].decode(errors="ignore") + "…"
