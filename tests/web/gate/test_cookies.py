"""Behind TLS cookies have names that only this host can set; those of before are good once."""

from collections.abc import Callable

import pytest
import requests

from tests.kit.emulator import Emulator, coze
from tests.kit.members import ANN, CODES, HTML, set_cookies
from tests.kit.site import Site

TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
PLAIN = {"X-Forwarded-For": "203.0.113.9"}
NAMES = {"visitor", "session", "browser"}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """Needs a code for everything, and has a proxy that says whether it is TLS."""
    return keep_site(**coze(emulator), ACCESS_CODES=CODES, TRUSTED_PROXIES=1)


def request(
    site: Site, path: str, cookies: dict[str, str], headers: dict[str, str], **options: object
) -> requests.Response:
    """One request with exactly these cookies."""
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    method = "POST" if "data" in options else "GET"
    head = {**HTML, **headers, **({"Cookie": pairs} if pairs else {})}
    return requests.request(
        method,
        site.url + path,
        headers=head,
        timeout=20,
        allow_redirects=False,
        **options,  # type: ignore[arg-type]
    )


def values(response: requests.Response) -> dict[str, str]:
    """The cookies that a response sets, without those that it takes away."""
    cookies = set_cookies(response)
    return {name: cookie.value for name, cookie in cookies.items() if cookie["max-age"] != "0"}


def deleted(response: requests.Response) -> set[str]:
    cookies = set_cookies(response)
    return {name for name, cookie in cookies.items() if cookie["max-age"] == "0"}


def signed_in(site: Site, headers: dict[str, str]) -> dict[str, str]:
    response = request(site, "/sign-in", {}, headers, data={"code": ANN})
    assert response.status_code == 303, response.text
    return values(response)


def is_let_in(site: Site, cookies: dict[str, str], headers: dict[str, str]) -> bool:
    response = request(site, "/", cookies, headers)
    assert response.status_code in (200, 401)
    return response.status_code == 200


def test_behind_tls_only_this_host_can_set_them(site: Site) -> None:
    response = request(site, "/sign-in", {}, TLS, data={"code": ANN})
    cookies = set_cookies(response)
    assert set(cookies) == {f"__Host-{name}" for name in NAMES}
    for cookie in cookies.values():
        assert cookie["secure"] and cookie["httponly"] and cookie["samesite"] == "Lax"
        assert cookie["path"] == "/" and not cookie["domain"]
    assert is_let_in(site, values(response), TLS)
    assert not values(request(site, "/", values(response), TLS)), "they are not sent again"


def test_over_plain_http_they_have_their_plain_names(site: Site) -> None:
    cookies = signed_in(site, PLAIN)
    assert set(cookies) == NAMES and is_let_in(site, cookies, PLAIN)
    hosts = {f"__Host-{name}": value for name, value in cookies.items()}
    assert not is_let_in(site, hosts, PLAIN), "no browser sends these without TLS"


def test_those_of_before_are_good_once_and_replaced(site: Site) -> None:
    before = signed_in(site, PLAIN)
    response = request(site, "/", before, TLS)
    assert response.status_code == 200
    after = values(response)
    assert set(after) == {f"__Host-{name}" for name in NAMES} and deleted(response) == NAMES
    assert after["__Host-session"] == before["session"]
    assert after["__Host-visitor"] == before["visitor"]
    again = request(site, "/", after, TLS)
    assert again.status_code == 200 and not set_cookies(again)


@pytest.mark.parametrize("name", ["session", "visitor"])
def test_of_both_the_one_that_only_this_host_can_set_wins(site: Site, name: str) -> None:
    ours, planted = signed_in(site, TLS), signed_in(site, PLAIN)
    both = {**ours, name: planted[name]}
    response = request(site, "/conversations", both, TLS)
    assert response.status_code == 200 and not values(response)
    alone = {name: planted[name], f"__Host-{name}": "forged"}
    if name == "session":
        assert not is_let_in(site, alone, TLS), "the planted session is not looked at"
    else:
        response = request(site, "/sign-in", alone, TLS)
        assert values(response)["__Host-visitor"] != planted["visitor"]


def test_signing_out_takes_both_away(site: Site) -> None:
    before = signed_in(site, PLAIN)
    response = request(site, "/sign-out", before, TLS, data={})
    assert {"session", "__Host-session"} <= deleted(response)
    assert not is_let_in(site, before, TLS) and not is_let_in(site, before, PLAIN)
