"""Who we are to Coze: a fixed token, a service app that signs JWTs, or a web app its owner has authorised.

The facts are in platforms/coze.md §6.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from providers import http
from providers.errors import AuthRejected, ProviderError, Unavailable, Unexpected
from providers.http import Http
from providers.payloads import seconds
from providers.tokens import Token, Tokens

TOKEN_PATH = "/api/permission/oauth2/token"
AUTHORIZE_PATH = "/api/permission/oauth2/authorize"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_LIFE_S = 3600  # of what is granted; the platform's default is 900, its most 86399
ASSERTION_LIFE_S = 600
EARLY_S = 120.0
CALL_S = 30.0

UNAUTHORISED, UNREADABLE_KEY = (
    "unauthorised",
    "unreadable_key",
)  # codes of our own: nobody was asked yet
OWNER_ERRORS = {"invalid_request", "invalid_client", "unsupported_grant_type", "access_deny"}


class Credentials(Protocol):
    """Where the bearer token of a call comes from."""

    def current(self, refused: str | None = None) -> str:
        """A token, never the one that was `refused`. Raises AuthRejected, Unavailable, Unexpected."""


class Vault(Protocol):
    """Keeps a secret text between restarts, sealed, and lets one process at a time change it."""

    def load(self, name: str) -> dict[str, Any] | None: ...

    def save(self, name: str, value: dict[str, Any]) -> None: ...

    def lock(self, name: str) -> AbstractContextManager[None]: ...


class FixedToken:
    """A personal or service access token: there is no other when it is refused."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def current(self, refused: str | None = None) -> str:
        return self._secret


class ServiceApp:
    """A JWT app: each token is granted for a JWT that is signed for it and used once."""

    def __init__(self, base: str, app_id: str, key_id: str, private_key: str, http_: Http) -> None:
        self._base = base
        self._app_id = app_id
        self._key_id = key_id
        self._private_key = private_key
        self._http = http_
        self._tokens = Tokens(self._fetch, http_.provider, early_s=EARLY_S)

    def current(self, refused: str | None = None) -> str:
        return self._tokens.current(refused)

    def _fetch(self) -> Token:
        body = {"grant_type": JWT_GRANT, "duration_seconds": JWT_LIFE_S}
        granted = _grant(self._http, self._base, self._assertion(), body)
        return Token(granted["access_token"], granted["expires_in"] - time.time())

    def _assertion(self) -> str:
        import jwt

        now, host = int(time.time()), urlsplit(self._base).hostname or ""
        claims = {
            "iss": self._app_id,
            "aud": "api.coze.com"
            if host.endswith(".coze.com")
            else "api.coze.cn",  # also through a proxy
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
    """A web OAuth app. Its refresh token is good for one renewal, so that only one may be made at a time."""

    def __init__(
        self,
        base: str,
        web_base: str,
        client_id: str,
        client_secret: str,
        http_: Http,
        vault: Vault,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = base
        self._web_base = web_base
        self._client_id = client_id
        self._client_secret = client_secret
        self._http = http_
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
        """Turns the code that came back into tokens, and keeps them. Raises as `current`."""
        with self._vault.lock(self._name):
            self._ask(
                {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
            )

    def current(self, refused: str | None = None) -> str:
        kept = self._vault.load(self._name)
        if kept is None or not self._is_good(kept, refused):
            kept = self._renewed(refused)
        self._http.learn(str(kept["access_token"]))  # granted before a restart, it is news
        return str(kept["access_token"])

    def _renewed(self, refused: str | None) -> dict[str, Any]:
        with self._vault.lock(self._name):
            kept = self._vault.load(self._name)  # somebody else may have renewed it while we waited
            if kept is None:
                raise AuthRejected(
                    "its owner has not authorised this site yet",
                    provider=self._http.provider,
                    code=UNAUTHORISED,
                )
            if self._is_good(kept, refused):
                return kept
            return self._ask(
                {"grant_type": "refresh_token", "refresh_token": kept["refresh_token"]}
            )

    def _is_good(self, kept: dict[str, Any], refused: str | None) -> bool:
        return bool(
            kept["access_token"] != refused and kept["expires_in"] - EARLY_S > self._clock()
        )

    def _ask(self, body: dict[str, Any]) -> dict[str, Any]:
        granted = _grant(
            self._http, self._base, self._client_secret, {**body, "client_id": self._client_id}
        )
        if not isinstance(granted.get("refresh_token"), str):
            raise Unexpected("granted no refresh token", provider=self._http.provider)
        self._vault.save(self._name, granted)
        return granted


def _grant(door: Http, base: str, bearer: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the token endpoint grants; `expires_in` is the absolute time of its end (sheet §6.2)."""
    response, text = door.call(
        "POST",
        base + TOKEN_PATH,
        json=body,
        headers={"Authorization": f"Bearer {bearer}"},
        deadline=time.monotonic() + CALL_S,
    )
    told = http.parse_json(text, door.provider)
    if not isinstance(told, dict):
        raise Unexpected("the token endpoint sent no object", provider=door.provider)
    ends_at = seconds(told.get("expires_in"), 0.0)
    if isinstance(told.get("access_token"), str) and ends_at:
        for name in ("access_token", "refresh_token"):
            if isinstance(told.get(name), str):
                door.learn(told[name])
        return {**told, "expires_in": ends_at}
    raise _refusal(told, response.status, door.provider)


def _refusal(told: dict[str, Any], status: int, provider: str) -> ProviderError:
    code = told.get("error_code") or told.get("error") or told.get("code") or status
    kind = AuthRejected if status < 500 or str(code) in OWNER_ERRORS else Unavailable
    return kind(
        str(told.get("error_message") or told.get("msg") or "")[:200], provider=provider, code=code
    )
