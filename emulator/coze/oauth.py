"""Coze's OAuth: the consent page and the token endpoint with its three grants (platforms/coze.md
§6).
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, jsonify, redirect, render_template_string, request
from flask.typing import ResponseReturnValue

from emulator.accounts import DEMO, CozeToken
from emulator.coze.checks import bearer
from emulator.coze.jwt import Forged, claims_of
from emulator.coze.store import store
from emulator.faults import PAGE
from emulator.state import here, resolve_alias

bp = Blueprint("coze_oauth", __name__)

ACCOUNT = "1000000001"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CONSENT = """<!DOCTYPE html>
<html lang="zh"><head><meta charset="utf-8"><title>授权</title></head><body>
<h1>扣子（模拟器）</h1><p>允许 {{ client }} 使用你的智能体吗？
这是内置模拟器的页面，没有真实账号参与。</p>
<form method="post"><button name="decision" value="allow">允许</button>
<button name="decision" value="deny">拒绝</button></form></body></html>
"""


class OAuthRefused(Exception):
    """Ends a call of the token endpoint; there is no envelope here."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.body, self.status = {"error_code": code, "error_message": message or code}, status


@dataclass
class Grants:
    """Consents in progress, codes and refresh tokens; each is usable once."""

    consents: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    used_jwts: set[str] = field(default_factory=set)


@bp.errorhandler(OAuthRefused)
def refuse(error: OAuthRefused) -> ResponseReturnValue:
    return jsonify(error.body), error.status


@bp.get("/api/permission/oauth2/authorize")
def authorize() -> ResponseReturnValue:
    query = request.args.to_dict()
    for name in ("response_type", "client_id", "redirect_uri", "state"):
        if not query.get(name):
            raise OAuthRefused("invalid_request", f"invalid request: {name}")
    if query["response_type"] != "code":
        raise OAuthRefused("invalid_request", "invalid request: response_type")
    if query["client_id"] != DEMO["COZE_OAUTH_CLIENT_ID"]:
        raise OAuthRefused("invalid_client", "invalid client: client_id")
    key = secrets.token_urlsafe(16)
    _grants().consents[key] = query
    return redirect(f"/oauth/consent?{urlencode({'authorize_key': key})}")


@bp.get("/oauth/consent")
def consent() -> ResponseReturnValue:
    if here().settings.coze_consent == "page":
        return render_template_string(CONSENT, client=_consent_query()["client_id"])
    return decide()


@bp.post("/oauth/consent")
def decide() -> ResponseReturnValue:
    """Sends the browser back with a code, or with the refusal."""
    query = _consent_query()
    del _grants().consents[request.args["authorize_key"]]
    back = {"state": query["state"]}
    if request.form.get("decision", here().settings.coze_consent) == "allow":
        code = f"code_{secrets.token_urlsafe(24)}"
        _grants().codes[code] = query
        back = {"code": code, **back}
    else:
        back = {"error": "access_denied", **back}
    separator = "&" if "?" in query["redirect_uri"] else "?"
    return redirect(f"{query['redirect_uri']}{separator}{urlencode(back)}")


@bp.post("/api/permission/oauth2/token")
def token() -> ResponseReturnValue:
    body = _body()
    with here().lock:
        match body.get("grant_type"):
            case "authorization_code":
                return _grant(_redeem(body))
            case "refresh_token":
                return _grant(_refresh(body))
            case grant if grant == JWT_GRANT:
                return _grant_to_service(body)
            case grant:
                raise OAuthRefused("unsupported_grant_type", f"not supported grant type: {grant}")


def _grants() -> Grants:
    return here().store(Grants)


def _consent_query() -> dict[str, str]:
    query = _grants().consents.get(request.args.get("authorize_key", ""))
    if query is None:
        raise OAuthRefused("invalid_request", "invalid request: authorize_key")
    return query


def _body() -> dict[str, Any]:
    """A JSON object; forms are refused."""
    try:
        body = json.loads(request.get_data()) if request.mimetype == "application/json" else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise OAuthRefused("invalid_request", "invalid request: body")
    return body


def _redeem(body: dict[str, Any]) -> str:
    """The client of a good code; a code dies at its first use, good or bad."""
    query = _grants().codes.pop(str(body.get("code")), None)
    if query is None:
        raise OAuthRefused("invalid_request", "invalid request: code")
    challenge = query.get("code_challenge")
    if challenge is None:
        _check_secret()
    elif (
        _challenge(str(body.get("code_verifier")), query.get("code_challenge_method", "plain"))
        != challenge
    ):
        raise OAuthRefused("invalid_request", "invalid request: code_verifier")
    for name in ("client_id", "redirect_uri"):
        if body.get(name) != query[name]:
            raise OAuthRefused("invalid_request", f"invalid request: {name}")
    return "public" if challenge else "secret"


def _refresh(body: dict[str, Any]) -> str:
    """The kind of client whose refresh token this was."""
    if body.get("client_id") != DEMO["COZE_OAUTH_CLIENT_ID"]:
        raise OAuthRefused("invalid_client", "invalid client: client_id")
    kind = _grants().refresh_tokens.get(str(body.get("refresh_token")))
    if kind is None:
        raise OAuthRefused("invalid_request", "invalid request: refresh_token")
    if kind == "secret":
        _check_secret()
    del _grants().refresh_tokens[body["refresh_token"]]
    return kind


def _check_secret() -> None:
    if resolve_alias(bearer()) != DEMO["COZE_OAUTH_CLIENT_SECRET"]:
        raise OAuthRefused("invalid_client", "invalid client: client_secret", 401)


def _challenge(verifier: str, method: str) -> str:
    if method != "S256":
        return verifier
    return (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


def _grant(kind: str) -> ResponseReturnValue:
    refresh_token = secrets.token_urlsafe(32)
    _grants().refresh_tokens[refresh_token] = kind
    life_s = here().settings.coze_token_life_s
    access_token, until = _issue("czu_", CozeToken(ACCOUNT), life_s)
    return _granted(access_token, until, refresh_token=refresh_token)


def _grant_to_service(body: dict[str, Any]) -> ResponseReturnValue:
    try:
        claims = claims_of(bearer(), request.host)
    except Forged as error:
        raise OAuthRefused("invalid_client", str(error), 401) from None
    if claims["jti"] in _grants().used_jwts:
        raise OAuthRefused("invalid_request", "invalid request: jti")
    _grants().used_jwts.add(claims["jti"])
    duration = body.get("duration_seconds", here().settings.coze_token_life_s)
    if not isinstance(duration, int) or not 0 < duration <= 86399:
        raise OAuthRefused("invalid_request", "invalid request: duration_seconds")
    service = CozeToken(ACCOUNT, session=str(claims.get("session_name", "")))
    access_token, until = _issue("czs_", service, min(duration, here().settings.coze_token_life_s))
    return _granted(access_token, until, token_type="Bearer")


def _granted(access_token: str, until: int, **more: str) -> ResponseReturnValue:
    """A grant in the shape that the settings choose (platforms/coze.md §15)."""
    match here().settings.coze_token_answer:
        case "page":
            return PAGE.format(502), 502
        case "text":
            return jsonify(access_token=access_token, expires_in=str(until), **more)
        case "nested":
            grant = {"access_token": access_token, "expires_in": until, **more}
            return jsonify(code=0, msg="", data=grant)
        case "span":
            life_s = until - int(time.time())
            return jsonify(access_token=access_token, expires_in=life_s, **more)
    return jsonify(access_token=access_token, expires_in=until, **more)


def _issue(prefix: str, kind: CozeToken, life_s: int) -> tuple[str, int]:
    """A new access token and the Unix time at which it dies."""
    value, until = f"{prefix}{secrets.token_urlsafe(24)}", int(time.time()) + life_s
    store().issued[value] = (kind, until)
    return value, until
