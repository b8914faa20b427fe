"""The owner shuts out addresses and visitors at the desk, by the rules of the command."""

from collections.abc import Callable

import pytest

from tests.kit.desk import HTML, PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, visitor_from

ENGLISH = {**HTML, "Accept-Language": "en"}


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD, TRUSTED_PROXIES=1)


@pytest.fixture(scope="module")
def owner(site: Site) -> OwnerBrowser:
    return OwnerBrowser(site).sign_in()


def test_an_address_is_shut_out_at_once_and_let_in_again(site: Site, owner: OwnerBrowser) -> None:
    alice = visitor_from(site, "203.0.113.7")
    assert alice.get("/").ok
    assert owner.post("/admin/blocked", data={"who": "203.0.113.0/24"}).status_code == 303
    assert alice.get("/").status_code == 429
    assert owner.post("/admin/blocked", data={"who": "203.0.113.0/24"}).status_code == 409
    let_in = owner.post("/admin/blocked/end", data={"subject": "203.0.113.0/24"})
    assert let_in.status_code == 303 and alice.get("/").ok


def test_one_address_is_shown_without_the_length_of_its_network(owner: OwnerBrowser) -> None:
    for who in ("203.0.113.40", "2001:db8:7::/48"):
        assert owner.post("/admin/blocked", data={"who": who}).status_code == 303
    for path in ("/admin/blocked", "/admin/log"):
        page = owner.get(path).text
        assert "203.0.113.40<" in page and "2001:db8:7::/48<" in page
    again = owner.post("/admin/blocked", data={"who": "203.0.113.40"})
    assert again.status_code == 409 and "203.0.113.40/32 " not in again.text
    form = {"subject": "203.0.113.40/32"}
    assert owner.post("/admin/blocked/end", data=form).status_code == 303


def test_a_visitor_is_shut_out_by_a_conversation(site: Site, owner: OwnerBrowser) -> None:
    alice, bob = visitor_from(site, "203.0.113.8"), visitor_from(site, "203.0.113.8")
    alice.ask("hello"), bob.ask("hello")
    form = {"who": f"/c/{alice.conversation}"}
    assert owner.post("/admin/blocked", data=form).status_code == 303
    assert alice.ask("again").status_code == 429 and bob.ask("again").ok


@pytest.mark.parametrize("who", ["127.0.0.1", "0.0.0.0/0", "nobody", "", "10.0.0.1"])
def test_a_mistake_is_said_and_changes_nothing(owner: OwnerBrowser, who: str) -> None:
    before = owner.get("/admin/blocked").text.count("/admin/blocked/end")
    answer = owner.post("/admin/blocked", data={"who": who}, headers=ENGLISH)
    assert answer.status_code == 400 and 'role="alert"' in answer.text
    assert ('name="is_meant"' in answer.text) == (who == "10.0.0.1")
    assert owner.get("/admin/blocked").text.count("/admin/blocked/end") == before
