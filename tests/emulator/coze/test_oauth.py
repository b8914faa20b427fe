"""Coze's OAuth as emulated: the web flow with consent, rotation of refresh tokens, PKCE and
signed JWTs.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # cozepy still imports authlib.jose
    import cozepy

from emulator.accounts import DEMO

CLIENT, SECRET = DEMO["COZE_OAUTH_CLIENT_ID"], DEMO["COZE_OAUTH_CLIENT_SECRET"]
BACK = "http://localhost/back"
TOKEN = "/api/permission/oauth2/token"


def consented(address: str, decision: str = "allow") -> dict[str, str]:
    """What comes back to the site after the person has decided."""
    page = requests.get(address, timeout=5)
    assert "<form" in page.text
    answer = requests.post(page.url, data={"decision": decision}, allow_redirects=False, timeout=5)
    assert answer.headers["Location"].startswith(BACK)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    return {name: values[0] for name, values in query.items()}


def is_accepted(url: str, access_token: str) -> bool:
    headers = {"Authorization": f"Bearer {access_token}"}
    return (
        requests.get(f"{url}/v1/bots/{DEMO['COZE_BOT_ID']}", headers=headers, timeout=5).status_code
        == 200
    )


@pytest.fixture
def closing() -> Iterator[Callable]:
    """cozepy's OAuth apps make an HTTP client each, which only we close: `closing(app)` returns
    the app.
    """
    with ExitStack() as stack:

        def collect(app):
            stack.callback(app._requester.sync_client.close)
            return app

        yield collect


@pytest.fixture
def web_app(emulator, closing) -> cozepy.WebOAuthApp:
    return closing(
        cozepy.WebOAuthApp(CLIENT, SECRET, base_url=emulator.url, www_base_url=emulator.url)
    )


def test_web_flow_and_rotation(emulator, web_app):
    back = consented(web_app.get_oauth_url(BACK, state="s1"))
    assert back["state"] == "s1" and back["code"].startswith("code_")
    token = web_app.get_access_token(BACK, back["code"])
    assert token.access_token.startswith("czu_")
    assert token.expires_in > time.time() + 800
    assert is_accepted(emulator.url, token.access_token)
    renewed = web_app.refresh_access_token(token.refresh_token)
    assert is_accepted(emulator.url, renewed.access_token)
    for old in (
        lambda: web_app.refresh_access_token(token.refresh_token),
        lambda: web_app.get_access_token(BACK, back["code"]),
    ):
        with pytest.raises(cozepy.CozeAPIError):
            old()


def test_denied(web_app):
    assert consented(web_app.get_oauth_url(BACK, state="s"), "deny") == {
        "error": "access_denied",
        "state": "s",
    }


def test_consent_can_be_given_without_asking(start_emulator):
    url = start_emulator(coze_consent="allow").url
    query = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{BACK}?a=b",
        "state": "s",
    }
    step = requests.get(
        f"{url}/api/permission/oauth2/authorize", query, allow_redirects=False, timeout=5
    )
    result = requests.get(url + step.headers["Location"], allow_redirects=False, timeout=5)
    assert result.headers["Location"].startswith(f"{BACK}?a=b&code=code_")


def test_access_tokens_expire(start_emulator, closing):
    own = start_emulator(coze_token_life_s=0)
    app = closing(cozepy.WebOAuthApp(CLIENT, SECRET, base_url=own.url, www_base_url=own.url))
    token = app.get_access_token(BACK, consented(app.get_oauth_url(BACK, state="s"))["code"])
    assert not is_accepted(own.url, token.access_token)


@pytest.mark.parametrize("answer", ["", "page", "text", "nested", "span"])
def test_the_token_endpoint_answers_as_it_is_told(start_emulator, answer):
    url = start_emulator(coze_consent="allow", coze_token_answer=answer).url
    query = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "state": "s",
    }
    back = requests.get(
        f"{url}/api/permission/oauth2/authorize", query, allow_redirects=False, timeout=5
    )
    back = requests.get(url + back.headers["Location"], allow_redirects=False, timeout=5)
    code = parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]
    response = requests.post(
        url + TOKEN,
        json={
            "grant_type": "authorization_code",
            "code": code,
            "client_id": CLIENT,
            "redirect_uri": BACK,
        },
        headers={"Authorization": f"Bearer {SECRET}"},
        timeout=5,
    )
    if answer == "page":
        assert response.status_code == 502 and "<html>" in response.text
        return
    payload = response.json()
    ends = payload["data" if answer == "nested" else "expires_in"]
    ends = ends["expires_in"] if answer == "nested" else ends
    assert isinstance(ends, str) == (answer == "text")
    assert (int(ends) < 86_400) == (answer == "span")


@pytest.mark.filterwarnings("ignore")
def test_pkce_needs_no_secret(emulator, closing):
    app = closing(cozepy.PKCEOAuthApp(CLIENT, base_url=emulator.url, www_base_url=emulator.url))
    address = app.get_oauth_url(BACK, "the-verifier", "S256", state="s")
    token = app.get_access_token(BACK, consented(address)["code"], "the-verifier")
    assert is_accepted(emulator.url, app.refresh_access_token(token.refresh_token).access_token)
    with pytest.raises(cozepy.CozeAPIError):
        app.get_access_token(BACK, consented(address)["code"], "another-verifier")


GOOD = {
    "grant_type": "authorization_code",
    "code": "code_x",
    "client_id": CLIENT,
    "redirect_uri": BACK,
}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"data": GOOD}, "invalid_request"),
        ({"json": [GOOD]}, "invalid_request"),
        ({"json": GOOD}, "invalid_request"),
        ({"json": {**GOOD, "grant_type": "password"}}, "unsupported_grant_type"),
        ({"json": {"grant_type": "refresh_token", "client_id": "x"}}, "invalid_client"),
    ],
)
def test_token_errors_have_no_envelope(emulator, options, error):
    answer = requests.post(emulator.url + TOKEN, **options, timeout=5).json()
    assert answer["error_code"] == error
    assert answer["error_message"] and "code" not in answer


def test_a_wrong_secret(emulator, web_app):
    code = consented(web_app.get_oauth_url(BACK, state="s"))["code"]
    answer = requests.post(
        emulator.url + TOKEN,
        json={**GOOD, "code": code},
        headers={"Authorization": "Bearer no"},
        timeout=5,
    )
    assert answer.json()["error_code"] == "invalid_client"


@pytest.mark.parametrize("missing", ["response_type", "client_id", "redirect_uri", "state"])
def test_authorize_wants_all_four(emulator, missing):
    query = {"response_type": "code", "client_id": CLIENT, "redirect_uri": BACK, "state": "s"}
    del query[missing]
    answer = requests.get(f"{emulator.url}/api/permission/oauth2/authorize", query, timeout=5)
    assert answer.json()["error_message"] == f"invalid request: {missing}"


@pytest.fixture(scope="module")
def key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def service_app(url: str, private_key: str) -> cozepy.JWTOAuthApp:
    return cozepy.JWTOAuthApp(
        DEMO["COZE_JWT_APP_ID"], private_key, DEMO["COZE_JWT_KEY_ID"], base_url=url
    )


@pytest.mark.filterwarnings("ignore")  # authlib.jose again
def test_signed_jwts(start_emulator, closing, key_pair):
    private, public = key_pair
    own = start_emulator(coze_jwt_public_key=public)
    token = closing(service_app(own.url, private)).get_access_token(ttl=600, session_name="alice")
    assert token.access_token.startswith("czs_")
    assert time.time() + 500 < token.expires_in < time.time() + 700
    assert is_accepted(own.url, token.access_token)


@pytest.mark.filterwarnings("ignore")
def test_sessions_keep_conversations_apart(start_emulator, closing, key_pair):
    private, public = key_pair
    own = start_emulator(coze_jwt_public_key=public)

    def as_visitor(name: str) -> cozepy.Coze:
        token = closing(service_app(own.url, private)).get_access_token(session_name=name)
        return closing(cozepy.Coze(cozepy.TokenAuth(token.access_token), own.url))

    alice, bob = as_visitor("alice"), as_visitor("bob")
    conversation = alice.conversations.create()
    assert alice.conversations.retrieve(conversation_id=conversation.id)
    with pytest.raises(cozepy.CozeAPIError) as error:
        bob.conversations.retrieve(conversation_id=conversation.id)
    assert error.value.code == 4002


@pytest.mark.filterwarnings("ignore")
def test_forged_jwts(start_emulator, closing, key_pair):
    private, _ = key_pair
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = another.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for public in ("", pem.decode()):
        own = start_emulator(coze_jwt_public_key=public)
        with pytest.raises(cozepy.CozeAPIError):
            closing(service_app(own.url, private)).get_access_token()
