"""Signing in to Coze: a service app by JWT, and a web app that the owner authorises once."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kit.desk import OwnerBrowser
from tests.kit.emulator import Emulator
from tests.kit.site import Site, Visitor
from tests.storage.copies.test_backup import command

PASSWORD = "correct horse battery"
OLIVIA = ("olivia", PASSWORD)


def web_app(emulator: Emulator) -> dict[str, object]:
    return {
        "COZE_OAUTH_CLIENT_ID": "74800000000000000001.app.coze",
        "COZE_OAUTH_CLIENT_SECRET": "demo-only-client-secret",
        "COZE_BOT_ID": "7480000000000000101",
        "COZE_API_BASE": emulator.url,
        "COZE_WEB_BASE": emulator.url,
        "ADMIN_PASSWORD": PASSWORD,
    }


def authorise(site: Site, owner: tuple[str, str] = OLIVIA) -> requests.Response:
    """The owner's browser: our start, Coze's consent, our callback."""
    browser = requests.Session()
    browser.auth = owner
    there = browser.get(f"{site.url}/oauth/coze/start", allow_redirects=False, timeout=10)
    assert there.status_code == 302
    return browser.get(agree(there.headers["Location"]), timeout=10)


def agree(there: str) -> str:
    """Agrees on Coze's page: the address of our callback."""
    back = requests.get(there, allow_redirects=False, timeout=10)
    while "/oauth/coze/callback" not in back.headers["Location"]:
        on = urljoin(there, back.headers["Location"])
        back = requests.get(on, allow_redirects=False, timeout=10)
    return back.headers["Location"]


@pytest.fixture
def emulator(start_emulator: Callable[..., Emulator]) -> Emulator:
    return start_emulator(coze_consent="allow")


@pytest.fixture
def site(emulator: Emulator, start_site: Callable[..., Site]) -> Site:
    return start_site(**web_app(emulator))


def test_the_owner_authorises_and_visitors_ask(site: Site) -> None:
    before = Visitor(site.url).ask("hi")
    assert (before.status_code, before.json()["code"]) == (503, "misconfigured")
    assert authorise(site).status_code == 200
    assert Visitor(site.url).ask("hi").ok
    code, output = command(site.folder, "log")
    assert code == 0 and re.fullmatch(r"\S+ \S+  oauth    agent coze\n", output), output


def test_tokens_are_sealed_and_survive_a_restart(site: Site) -> None:
    authorise(site)
    kept = b"".join(path.read_bytes() for path in (site.folder / "instance").glob("chat.db*"))
    assert b"czu_" not in kept and b"refresh_token" not in kept
    assert "czu_" not in site.log
    site.end()
    site.start()
    assert Visitor(site.url).ask("hi").ok


def test_the_owner_who_is_signed_in_at_the_desk_types_no_other_password(site: Site) -> None:
    owner = OwnerBrowser(site)
    led = owner.get("/oauth/coze/start?agent=coze").headers["Location"]
    assert led == "/admin/oauth/coze?agent=coze"
    assert owner.get(led).headers["Location"].startswith("/admin/sign-in?next=")
    owner.sign_in(PASSWORD)
    assert led in owner.get("/admin/agents/coze").text
    there = owner.get(led).headers["Location"]
    callback = agree(there)
    stranger = requests.get(callback, cookies={"oauth": "guess"}, timeout=10)
    assert stranger.status_code == 403, "the state alone proves nothing"
    assert owner.get(callback.removeprefix(site.url)).status_code == 200
    assert Visitor(site.url).ask("hi").ok


def test_nobody_but_the_owner_may_start(site: Site) -> None:
    for auth in (None, ("olivia", "wrong"), ("olivia", "")):
        response = requests.get(f"{site.url}/oauth/coze/start", auth=auth, timeout=10)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic")


def test_passwords_cannot_be_tried_forever(site: Site) -> None:
    tries = [
        requests.get(
            f"{site.url}/oauth/coze/start", auth=("x", f"wrong {number}"), timeout=10
        ).status_code
        for number in range(12)
    ]
    assert tries[:5] == [401] * 5 and tries[5:] == [429] * 7


def test_a_state_of_another_browser_is_refused(site: Site) -> None:
    there = requests.get(
        f"{site.url}/oauth/coze/start", auth=OLIVIA, allow_redirects=False, timeout=10
    )
    state = there.headers["Location"].partition("state=")[2]
    callback = f"{site.url}/oauth/coze/callback?code=code_x&state="
    assert requests.get(callback + state, auth=OLIVIA, timeout=10).status_code == 403
    assert requests.get(callback + "forged", auth=OLIVIA, timeout=10).status_code == 400


def test_without_a_password_there_is_no_owner(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**{**web_app(emulator), "ADMIN_PASSWORD": ""})
    assert requests.get(f"{site.url}/oauth/coze/start", timeout=10).status_code == 404


def test_one_renewal_at_a_time_across_threads_and_processes(
    emulator: Emulator, start_site: Callable[..., Site], tmp_path: Path
) -> None:
    emulator.change(coze_token_life_s=1)  # each call finds its token too old
    first = start_site(folder=tmp_path, **web_app(emulator))
    second = start_site(folder=tmp_path, **web_app(emulator))
    authorise(first)
    statuses: list[int] = []

    def ask(url: str) -> None:
        statuses.append(Visitor(url).ask("hi").status_code)

    threads = [threading.Thread(target=ask, args=(one.url,)) for one in (first, second) * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12, (first.log, statuses)


def test_a_service_app_signs_and_renews(
    start_emulator: Callable[..., Emulator], start_site: Callable[..., Site], tmp_path: Path
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    emulator = start_emulator(coze_jwt_public_key=public.decode())
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    site = start_site(
        COZE_JWT_APP_ID="1180000000001",
        COZE_JWT_KEY_ID="demo-only-key-fingerprint",
        COZE_JWT_PRIVATE_KEY_FILE=tmp_path / "key.pem",
        COZE_BOT_ID="7480000000000000101",
        COZE_API_BASE=emulator.url,
    )
    for _ in range(3):
        assert Visitor(site.url).ask("hi").ok, site.log
    assert list(Visitor(site.url).hear("!expired hi"))[-1].name == "done", (
        "a refused token is replaced once"
    )
    grants = [
        one for one in emulator.journal()["requests"] if one["path"].endswith("/oauth2/token")
    ]
    assert len(grants) == 2
