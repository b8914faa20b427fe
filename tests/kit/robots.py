"""Robots of group chats as their manuals describe them: strict about formats, HTTP 200 to all."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from emulator.serving import serve

KEY = "693a91f6-7a0b-4bc4-97a0-0ec2c0a5aaaa"
SECRET = "SEC0123456789abcdef0123456789abcdef"
STALE_S = 3600


@dataclass
class Robots:
    """Robots at one address, and the texts that have arrived in their groups."""

    url: str = ""
    texts: list[str] = field(default_factory=list)

    @property
    def wecom(self) -> str:
        return f"{self.url}/cgi-bin/webhook/send?key={KEY}"

    @property
    def dingtalk(self) -> str:
        """One that wants signed messages."""
        return f"{self.url}/robot/send?access_token={KEY}#{SECRET}"

    @property
    def feishu(self) -> str:
        """One that wants signed messages."""
        return f"{self.url}/open-apis/bot/v2/hook/{KEY}#{SECRET}"

    def app(self) -> Flask:
        app = Flask("robots")
        app.post("/cgi-bin/webhook/send")(self._wecom)
        app.post("/robot/send")(self._dingtalk)
        app.post("/open-apis/bot/v2/hook/<key>")(self._feishu)
        app.post("/plain")(self._plain)
        app.post("/instead/<what>")(self._instead)
        return app

    def _wecom(self) -> AnyResponse:
        if request.args.get("key") == "broken":
            return Response("<html>")
        if request.args.get("key") != KEY:
            return jsonify(errcode=93000, errmsg="invalid webhook url, hint: [1]")
        body = _body()
        if set(body) != {"msgtype", "text"} or body["msgtype"] != "text":
            return jsonify(errcode=40008, errmsg="invalid message type")
        text = body["text"]["content"]
        if not text or len(text.encode()) > 2048:
            return jsonify(errcode=45002, errmsg="content size out of limit")
        self.texts.append(text)
        return jsonify(errcode=0, errmsg="ok")

    def _dingtalk(self) -> AnyResponse:
        if request.args.get("access_token") != KEY:
            return jsonify(errcode=300001, errmsg="token is not exist")
        stamp = request.args.get("timestamp", "0")
        is_signed = request.args.get("sign") == _sign(SECRET, f"{stamp}\n{SECRET}")
        if not is_signed or abs(time.time() - int(stamp) / 1000) > STALE_S:
            return jsonify(errcode=310000, errmsg="sign not match")
        body = _body()
        if body.get("msgtype") != "text" or not body.get("text", {}).get("content"):
            return jsonify(errcode=400105, errmsg="unsupported msgtype")
        self.texts.append(body["text"]["content"])
        return jsonify(errcode=0, errmsg="ok")

    def _feishu(self, key: str) -> AnyResponse:
        if key != KEY:
            return jsonify(code=19001, msg="param invalid: incoming webhook access token invalid")
        body = _body()
        stamp = body.get("timestamp", "0")
        is_signed = body.get("sign") == _sign(f"{stamp}\n{SECRET}", "")
        if not is_signed or abs(time.time() - int(stamp)) > STALE_S:
            return jsonify(code=19021, msg="sign match fail or timestamp is not within one hour")
        if body.get("msg_type") != "text" or not body.get("content", {}).get("text"):
            return jsonify(code=9499, msg="Bad Request", data={})
        self.texts.append(body["content"]["text"])
        return jsonify(code=0, msg="success", data={}, StatusCode=0, StatusMessage="success")

    def _instead(self, what: str) -> AnyResponse:
        if what == "redirect":
            return redirect(self.wecom, 307)
        return Response(" " * 10_000_000) if what == "huge" else Response(status=500)

    def _plain(self) -> AnyResponse:
        self.texts.append(_body()["text"])
        return Response(status=204)


@contextmanager
def robots() -> Iterator[Robots]:
    group = Robots()
    with serve(group.app()) as url:
        group.url = url
        yield group


def _body() -> dict[str, Any]:
    body = request.get_json()
    assert isinstance(body, dict)
    return body


def _sign(key: str, text: str) -> str:
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
