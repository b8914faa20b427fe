"""Who we are to Coze: a fixed token, a service app that signs JWTs, or a web app its owner has
authorised.

The facts are in platforms/coze.md §6.
"""

import secrets
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from providers.bodies import object_in
from providers.coze.options import Options
from providers.errors import (
    AuthRejected,
    ProviderError,
    RateLimited,
    Unavailable,
    Unexpected,
)
from providers.http import Http, Response, refusal
from providers.payloads import Fields, fields, seconds, text, told_error
from providers.tokens import Token, Tokens, Vault

TOKEN_PATH = "/api/permission/oauth2/token"
AUTHORIZE_PATH = "/api/permission/oauth2/authorize"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Of the token that is granted; the platform's default is 900, its most 86399.
JWT_LIFE_S = 3600
ASSERTION_LIFE_S = 600
EARLY_S = 120.0
CALL_S = 30.0
TEXT_LIMIT = 200
# The platform's default, for a grant that does not say how long it is good.
DEFAULT_LIFE_S = 900.0
# A larger number of seconds is a point in time.
SPAN_LIMIT_S = 400 * 86400.0

# Codes of our own: Coze has not been called yet.
UNAUTHORISED = "unauthorised"
UNREADABLE_KEY = "unreadable_key"
OWNER_ERRORS = {"invalid_request", "invalid_client", "unsupported_grant_type", "access_deny"}


class Credentials(Protocol):
    """Where the bearer token of a call comes from."""

    def current(self, refused_token: str | None = None) -> str:
        """A token, never the one in `refused_token`.

        Raises AuthRejected, Unavailable, Unexpected.
        """


class FixedToken:
    """A personal or service access token: there is no other when it is refused."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def current(self, refused_token: str | None = None) -> str:
        return self._secret


class ServiceApp:
    """A JWT app: each token is granted for a JWT that is signed for it and used once."""

    def __init__(self, base: str, app_id: str, key_id: str, private_key: str, http: Http) -> None:
        self._base = base
        self._app_id = app_id
        self._key_id = key_id
        self._private_key = private_key
        self._http = http
        self._tokens = Tokens(self._fetch, http.provider, early_s=EARLY_S)

    def current(self, refused_token: str | None = None) -> str:
        return self._tokens.current(refused_token)

    def _fetch(self) -> Token:
        body = {"grant_type": JWT_GRANT, "duration_seconds": JWT_LIFE_S}
        grant = _request_grant(self._http, self._base, self._assertion(), body)
        return Token(grant["access_token"], grant["expires_in"])

    def _assertion(self) -> str:
        import jwt

        now, host = int(time.time()), urlsplit(self._base).hostname or ""
        claims = {
            "iss": self._app_id,
            # Through a proxy, too, it is one of these two.
            "aud": "api.coze.com" if host.endswith(".coze.com") else "api.coze.cn",
            "iat": now,
            "exp": now + ASSERTION_LIFE_S,
            "jti": secrets.token_hex(32),
        }
        try:
            return jwt.encode(
                claims, self._private_key, algorithm="RS256", headers={"kid": self._key_id}
            )
        except (ValueError, TypeError, jwt.PyJWTError):
            raise AuthRejected(
                "the private key of the service app cannot be read",
                provider=self._http.provider,
                code=UNREADABLE_KEY,
            ) from None


class WebApp:
    """A web OAuth app.

    Its refresh token is good for one renewal, so that only one may be made at a time.
    """

    def __init__(
        self,
        base: str,
        web_base: str,
        client_id: str,
        client_secret: str,
        http: Http,
        vault: Vault,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = base
        self._web_base = web_base
        self._client_id = client_id
        self._client_secret = client_secret
        self._http = http
        self._vault = vault
        self._clock = clock
        self._name = f"coze-oauth:{client_id}"

    def address(self, redirect_uri: str, state: str) -> str:
        """Where the owner's browser goes to authorise this site."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self._web_base}{AUTHORIZE_PATH}?{urlencode(query)}"

    def redeem(self, code: str, redirect_uri: str) -> None:
        """Turns the code that came back into tokens and stores them. Raises like `current`."""
        with self._vault.lock(self._name):
            self._request_grant(
                {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
            )

    def current(self, refused_token: str | None = None) -> str:
        grant = self._vault.load(self._name)
        if grant is None or not self._is_good(grant, refused_token):
            grant = self._renew(refused_token)
        # The log's filter does not know a token that was granted before a restart.
        self._http.learn(str(grant["access_token"]))
        return str(grant["access_token"])

    def _renew(self, refused_token: str | None) -> dict[str, Any]:
        with self._vault.lock(self._name):
            # Another process may have renewed it while we waited for the lock.
            grant = self._vault.load(self._name)
            if grant is None:
                raise AuthRejected(
                    "its owner has not authorised this site yet",
                    provider=self._http.provider,
                    code=UNAUTHORISED,
                )
            if self._is_good(grant, refused_token):
                return grant
            return self._request_grant(
                {"grant_type": "refresh_token", "refresh_token": grant["refresh_token"]}
            )

    def _is_good(self, grant: dict[str, Any], refused_token: str | None) -> bool:
        is_fresh = grant["expires_in"] - EARLY_S > self._clock()
        return bool(is_fresh and grant["access_token"] != refused_token)

    def _request_grant(self, body: dict[str, Any]) -> dict[str, Any]:
        body = {**body, "client_id": self._client_id}
        grant = _request_grant(self._http, self._base, self._client_secret, body)
        if not isinstance(grant.get("refresh_token"), str):
            raise Unexpected("granted no refresh token", provider=self._http.provider)
        # Stored as the time of its end by our clock, which is the one it is compared with.
        grant["expires_in"] += self._clock()
        self._vault.save(self._name, grant)
        return grant


def _request_grant(http: Http, base: str, bearer: str, body: dict[str, Any]) -> dict[str, Any]:
    """The token endpoint's grant; its `expires_in` is for how many seconds it is good (§6.2).

    Raises AuthRejected when the owner has to act, Unavailable or Unexpected.
    """
    response, content = http.call(
        "POST",
        base + TOKEN_PATH,
        json=body,
        headers={"Authorization": f"Bearer {bearer}"},
        deadline=time.monotonic() + CALL_S,
    )
    payload = _payload_of(response, content)
    # The grant stands at the top, or as in the rest of the API under `data`.
    grant = payload if payload.get("access_token") else fields(payload.get("data"))
    if not isinstance(grant.get("access_token"), str):
        raise _refusal(payload, response.status, http.provider)
    for name in ("access_token", "refresh_token"):
        if isinstance(grant.get(name), str):
            http.learn(grant[name])
    return {**grant, "expires_in": _life_of(grant, response)}


def _payload_of(response: Response, content: bytes) -> Fields:
    """The endpoint's JSON object. Of a failure that is none the status says what it is."""
    try:
        return object_in(content, response.provider)
    except (Unavailable, Unexpected):
        if response.status < 400:
            raise
        raise refusal(response, "from the token endpoint") from None


def _life_of(grant: Fields, response: Response) -> float:
    """For how many seconds a grant is good, whatever our clock says.

    `expires_in` is the time of its end (§6.2), which the endpoint's own clock tells how far away;
    as a small number it is a span of time, as elsewhere in OAuth.
    """
    end = seconds(grant.get("expires_in"), 0.0)
    life = end - _now_of(response) if end > SPAN_LIMIT_S else end
    return life if 0 < life < SPAN_LIMIT_S else DEFAULT_LIFE_S


def _now_of(response: Response) -> float:
    """The time by the clock of the endpoint, or by ours when it does not say."""
    try:
        return parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return time.time()


def _refusal(payload: Fields, status: int, provider: str) -> ProviderError:
    error = told_error(payload)
    # OAuth has its code as the text of `error`.
    code = error.code or text(payload.get("error")) or status
    kind: type[ProviderError]
    if str(code) in OWNER_ERRORS:
        kind = AuthRejected
    elif status == 429:
        kind = RateLimited
    else:
        kind = Unavailable if status >= 500 else AuthRejected
    return kind(error.message[:TEXT_LIMIT], provider=provider, code=code)


def credentials(options: Options, http: Http, vault: Vault | None) -> Credentials:
    """How calls are signed. `vault` keeps what the owner of a web app has granted."""
    base = options.api_base
    if options.api_token is not None:
        return FixedToken(options.api_token.get_secret_value())
    if options.jwt_private_key is not None:
        key = options.jwt_private_key.get_secret_value()
        return ServiceApp(base, options.jwt_app_id or "", options.jwt_key_id or "", key, http)
    assert options.oauth_client_id and options.oauth_client_secret
    if vault is None:
        raise ValueError("a web app needs a place to keep its tokens")
    secret = options.oauth_client_secret.get_secret_value()
    return WebApp(base, options.web_base, options.oauth_client_id, secret, http, vault)
