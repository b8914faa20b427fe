"""The owner reads what was done, and takes changes back."""

import re
from collections.abc import Callable

import pytest

from chat.storage import Storage
from chat.storage.owner.values import Entry
from tests.kit.desk import PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD)


@pytest.fixture
def owner(site: Site) -> OwnerBrowser:
    return OwnerBrowser(site).sign_in()


def change(store: Storage, name: str, before: str | None, after: str) -> int:
    """A change as the desk stores it; the number of its entry."""
    facts = {"name": name, "before": before, "after": after}
    store.owner_values.put(name, after, Entry("set", {"name": name}, facts))
    return store.owner_log.version()


def test_a_change_is_read_and_taken_back(site: Site, store: Storage, owner: OwnerBrowser) -> None:
    number = change(store, "site_title", None, EVIL)
    page = owner.get("/admin/log?lang=en").text
    assert EVIL not in page and "&lt;img" in page and "Name of the site" in page
    answer = owner.post(f"/admin/log/{number}/take-back")
    assert answer.headers["Location"] == "/admin/log?done=taken_back"
    assert store.owner_values.get("site_title").value is None
    page = owner.get("/admin/log?done=taken_back&lang=en").text
    assert "Undone." in page and f"/admin/log/{number}/take-back" not in page


def test_what_was_changed_again_is_not_taken_back(store: Storage, owner: OwnerBrowser) -> None:
    number = change(store, "site_footer", None, "first")
    change(store, "site_footer", "first", "second")
    answer = owner.post(f"/admin/log/{number}/take-back")
    assert answer.status_code == 409 and 'role="alert"' in answer.text
    assert store.owner_values.get("site_footer").value == "second"


def test_a_block_is_taken_back_and_its_end_too(store: Storage, owner: OwnerBrowser) -> None:
    store.blocks.add("192.0.2.0/24")
    number = store.owner_log.version()
    assert owner.post(f"/admin/log/{number}/take-back").status_code == 303
    assert not store.blocks.all()
    assert owner.post(f"/admin/log/{number}/take-back").status_code == 409
    assert owner.post(f"/admin/log/{number + 1}/take-back").status_code == 303
    assert [block.subject for block in store.blocks.all()] == ["192.0.2.0/24"]


def test_what_cannot_be_taken_back_offers_no_button(store: Storage, owner: OwnerBrowser) -> None:
    store.owner_log.add("backup", path="chat.copy", conversations=3)
    number = store.owner_log.version()
    page = owner.get("/admin/log?lang=en").text
    assert f"/admin/log/{number}/take-back" not in page and "Cannot be undone" in page
    assert owner.post(f"/admin/log/{number}/take-back").status_code == 400
    for nothing in (number + 99, 2**63):
        assert owner.post(f"/admin/log/{nothing}/take-back").status_code == 404


def test_pages_of_the_log_show_every_entry_once(store: Storage, owner: OwnerBrowser) -> None:
    undone = change(store, "ai_label", None, "of an earlier page")
    assert owner.post(f"/admin/log/{undone}/take-back").status_code == 303
    for number in range(120):
        store.owner_log.add("backup", path=f"copy-{number}", conversations=0)
    found: list[str] = []
    path = "/admin/log"
    while path:
        page = owner.get(path).text
        found += re.findall(r"copy-\d+", page)
        older = re.search(r"/admin/log\?before=\d+", page)
        path = older[0] if older else ""
    assert found == [f"copy-{number}" for number in reversed(range(120))]
    last = owner.get(f"/admin/log?before={undone + 1}&lang=en").text
    assert "Undone" in last and f"/admin/log/{undone}/take-back" not in last


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "１²"])
def test_nonsense_in_the_address_is_bad_input(owner: OwnerBrowser, before: str) -> None:
    assert owner.get(f"/admin/log?before={before}").status_code == 400
