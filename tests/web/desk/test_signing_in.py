"""Only the owner comes to the desk: by the password, or once by the link of the start."""

import re
import time
from collections.abc import Callable

import pyotp
import pytest
import requests
from flask import Flask

from chat.web import desk
from chat.web.desk import session
from tests.kit.desk import HTML, PASSWORD, OwnerBrowser, links, owner_of
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site
from tests.storage.acting import command

Start = Callable[..., Site]
SET = "correct horse battery"


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Start) -> Site:
    """Its owner's password is set, and its visitors need a code."""
    codes = "ann:a-code-of-ann"
    return keep_site(**coze(emulator), ADMIN_PASSWORD=SET, ACCESS_CODES=codes, TRUSTED_PROXIES=1)


def rules() -> list[tuple[str, str, str]]:
    """Method, address and endpoint of everything at the desk."""
    app = Flask("desk", static_folder=None)
    desk.init_app(app)
    return [
        (method, re.sub("<[^>]+>", "1", rule.rule), rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


@pytest.mark.parametrize("method, path, endpoint", rules())
def test_every_page_of_the_desk_refuses_a_stranger(
    site: Site, method: str, path: str, endpoint: str
) -> None:
    program = requests.request(method, site.url + path, allow_redirects=False, timeout=30)
    person = OwnerBrowser(site)
    page = person.get(path) if method == "GET" else person.post(path)
    if endpoint in session.OPEN:
        assert page.status_code in (200, 401)
    elif method == "POST" and endpoint != "desk.signing_in.leave":
        assert page.status_code == 401 and 'href="/admin/sign-in"' in page.text
    else:
        assert page.status_code == 303 and page.headers["Location"].startswith("/admin/sign-in?")
    if endpoint not in session.OPEN:
        assert program.status_code == 401 and program.json()["code"] == "sign_in"
    assert not person.session.cookies


def test_who_may_sign_in_without_a_password_is_named_and_no_other() -> None:
    assert {endpoint for _, _, endpoint in rules()} > session.OPEN


def test_the_owner_signs_in_by_the_password_of_the_settings(site: Site) -> None:
    owner = OwnerBrowser(site)
    answer = owner.post("/admin/sign-in", data={"password": SET, "next": "/admin/log?before=9"})
    assert answer.status_code == 303 and answer.headers["Location"] == "/admin/log?before=9"
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/admin"):
        assert part in cookie
    page = owner.get("/admin/log")
    assert page.status_code == 200 and page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "target", ["//elsewhere.example", "https://elsewhere.example", "/c/1", "/admin\\evil", "/adm"]
)
def test_nobody_is_led_away_from_the_desk(site: Site, target: str) -> None:
    answer = OwnerBrowser(site).post("/admin/sign-in", data={"password": SET, "next": target})
    assert answer.headers["Location"] == "/admin"


def test_a_wrong_password_opens_nothing(site: Site) -> None:
    stranger = OwnerBrowser(site)
    stranger.session.headers["X-Forwarded-For"] = "203.0.113.7"
    answer = stranger.post("/admin/sign-in", data={"password": "correct horse batterY"})
    assert answer.status_code == 401 and not stranger.session.cookies
    assert "This password is wrong" in answer.text or "密码不对" in answer.text


def test_who_guesses_has_to_wait(site: Site) -> None:
    guesser = OwnerBrowser(site)
    guesser.session.headers["X-Forwarded-For"] = "203.0.113.8"
    answers = [
        guesser.post("/admin/sign-in", data={"password": f"guess number {number}"})
        for number in range(6)
    ]
    assert answers[-1].status_code == 429 and int(answers[-1].headers["Retry-After"]) > 0


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://x.cn"}])
def test_no_other_site_s_page_does_anything_at_the_desk(
    site: Site, headers: dict[str, str]
) -> None:
    owner = OwnerBrowser(site).sign_in(SET)
    for path in [path for method, path, _ in rules() if method == "POST"]:
        answer = owner.post(path, data={"password": SET}, headers={**HTML, **headers})
        assert answer.status_code == 403
    assert owner.get("/admin/log").ok


def test_a_form_that_comes_after_the_session_is_sent_again_from_the_browser(site: Site) -> None:
    owner = OwnerBrowser(site).sign_in(SET)
    owner.get("/admin/site")
    ended = dict(owner.session.cookies)
    owner.post("/admin/sign-out")
    form = {"data": {"version-icp_number": "0-", "icp_number": "京ICP备42号"}}
    refused = OwnerBrowser(site).post("/admin/site", cookies=ended, **form)
    assert refused.status_code == 401 and "?lang=" not in refused.text
    assert "京ICP备42号" not in requests.get(f"{site.url}/sign-in", headers=HTML, timeout=10).text
    assert owner.sign_in(SET).post("/admin/site", **form).status_code == 303
    assert "京ICP备42号" in owner.get("/admin/site").text


def test_signing_out_ends_this_browser_s_session_alone(site: Site) -> None:
    here, there = OwnerBrowser(site).sign_in(SET), OwnerBrowser(site).sign_in(SET)
    copy = dict(here.session.cookies)
    assert here.post("/admin/sign-out").status_code == 303
    assert OwnerBrowser(site).get("/admin/log", cookies=copy).status_code == 303
    assert there.get("/admin/log").status_code == 200


def test_one_button_ends_all_sessions(site: Site) -> None:
    here, there = OwnerBrowser(site).sign_in(SET), OwnerBrowser(site).sign_in(SET)
    here.post("/admin/sign-out", data={"everywhere": "yes"})
    assert there.get("/admin/log").status_code == 303


def test_a_password_of_the_settings_is_not_changed_in_the_browser(site: Site) -> None:
    owner = OwnerBrowser(site).sign_in(SET)
    assert "ADMIN_PASSWORD" in owner.get("/admin/password").text
    form = {"current": SET, "password": PASSWORD, "again": PASSWORD}
    assert owner.post("/admin/password", data=form).status_code == 400
    assert OwnerBrowser(site).sign_in(SET)


# the first start


@pytest.fixture
def new_site(start_site: Start) -> Site:
    """Nothing is configured."""
    return start_site()


def test_the_link_of_the_start_lets_the_owner_choose_a_password_once(new_site: Site) -> None:
    key = links(new_site)[-1]
    owner = OwnerBrowser(new_site)
    guess = {"key": "a" * 32, "password": PASSWORD, "again": PASSWORD}
    assert owner.post("/admin/welcome", data=guess).status_code == 401
    assert owner.get("/admin/welcome").status_code == 401 and not owner.session.cookies
    assert 'name="again"' in owner.get(f"/admin/welcome?key={key}").text
    weak = {"key": key, "password": "password1234", "again": "password1234"}
    assert owner.post("/admin/welcome", data=weak).status_code == 400
    assert not owner.session.cookies
    assert owner_of(new_site).get("/admin/log").status_code == 200
    late = {"key": key, "password": PASSWORD + "!", "again": PASSWORD + "!"}
    assert owner.post("/admin/welcome", data=late).status_code == 401
    assert owner.get(f"/admin/welcome?key={key}").status_code == 401
    assert OwnerBrowser(new_site).sign_in()


def test_who_changes_the_password_ends_all_other_sessions(new_site: Site) -> None:
    owner = owner_of(new_site)
    there = OwnerBrowser(new_site).sign_in()
    new = "paper kite behind the mill"
    wrong = {"current": "something else", "password": new, "again": new}
    assert owner.post("/admin/password", data=wrong).status_code == 400
    form = {"current": PASSWORD, "password": new, "again": new}
    assert owner.post("/admin/password", data=form).status_code == 303
    assert owner.get("/admin/log").status_code == 200
    assert there.get("/admin/log").status_code == 303
    assert OwnerBrowser(new_site).sign_in(new)


def test_with_one_time_codes_the_password_alone_opens_nothing(new_site: Site) -> None:
    owner = owner_of(new_site)
    there = OwnerBrowser(new_site).sign_in()
    page = owner.get("/admin/one-time").text
    secret = re.findall(r">([A-Z2-7]{32})<", page)[0]
    sealed = re.findall(r'name="sealed" value="([^"]+)"', page)[0]
    app, at = pyotp.TOTP(secret), int(time.time())
    wrong = {"sealed": sealed, "code": "000000"}
    assert owner.post("/admin/one-time", data=wrong).status_code == 400
    right = {"sealed": sealed, "code": app.at(at)}
    assert owner.post("/admin/one-time", data=right).status_code == 303
    assert owner.get("/admin/log").status_code == 200
    assert there.get("/admin/log").status_code == 303
    form = {"password": PASSWORD}
    assert there.post("/admin/sign-in", data=form).status_code == 401
    assert there.post("/admin/sign-in", data={**form, "code": app.at(at)}).status_code == 401
    assert there.post("/admin/sign-in", data={**form, "code": app.at(at + 30)}).status_code == 303
    code, said = command(new_site.folder, "admin-link", "--forget-codes")
    assert code == 0 and "no one-time codes" in said
    assert there.get("/admin/log").status_code == 303
    assert OwnerBrowser(new_site).sign_in()


def test_who_forgot_the_password_chooses_another_by_a_link_of_the_shell(new_site: Site) -> None:
    owner = owner_of(new_site)
    code, said = command(new_site.folder, "admin-link")
    assert code == 0
    key = re.findall(r"/admin/welcome\?key=([\w-]+)", said)[0]
    new = "paper kite behind the mill"
    form = {"key": key, "password": new, "again": new}
    assert OwnerBrowser(new_site).post("/admin/welcome", data=form).status_code == 303
    assert owner.get("/admin/log").status_code == 303
    assert OwnerBrowser(new_site).sign_in(new)
