"""The owner shuts out visitors and networks while the site runs, and reads what was done."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.kit.emulator import Emulator, coze
from tests.kit.members import HTML, KEY
from tests.kit.patience import eventually
from tests.kit.site import Site, Visitor, visitor_from
from tests.storage.copies.test_backup import command

# A process looks once a second.
SOON_S = 2


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    """A site behind one proxy, that lets a visitor ask three times a minute."""
    return keep_site(
        **coze(emulator), TRUSTED_PROXIES=1, VISITOR_RATE="3/minute", API_KEYS=f"kiosk:{KEY}"
    )


def is_shut_out(response: requests.Response) -> bool:
    if response.status_code != 429 or "does not serve" not in response.json()["error"]:
        return False
    assert response.json()["code"] == "rate_limited"
    assert "Retry-After" not in response.headers, "there is no use in waiting"
    return True


def english(visitor: Visitor) -> Visitor:
    visitor.session.headers["Accept-Language"] = "en"
    return visitor


def becomes(visitor: Visitor, shut_out: bool) -> bool:
    return eventually(lambda: is_shut_out(visitor.get("/healthz2")) is shut_out, SOON_S)


def test_a_network_is_shut_out_at_once_and_let_in_again(site: Site) -> None:
    alice = english(visitor_from(site, "203.0.113.9"))
    bob = english(visitor_from(site, "198.51.100.7"))
    assert alice.ask("hi").ok
    code, output = command(site.folder, "block", "203.0.113.77/24")
    assert code == 0 and "203.0.113.0/24" in output
    assert becomes(alice, shut_out=True)
    for response in (
        alice.ask("hi"),
        alice.get("/"),
        alice.get(f"/c/{alice.conversation}"),
        alice.get("/s/nothing"),
        alice.get("/pictures/nothing"),
        alice.post("/files", data={}),
    ):
        assert is_shut_out(response), response.url
    page = alice.get("/", headers={**HTML, "Accept-Language": "zh"})
    assert page.status_code == 429 and "本站不再为你" in page.text
    assert "Set-Cookie" not in english(visitor_from(site, "203.0.113.10")).get("/").headers
    assert alice.get("/healthz").ok and alice.get("/static/any/css/page.css").ok
    assert bob.ask("hi").ok
    assert command(site.folder, "unblock", "203.0.113.0/24")[0] == 0
    assert becomes(alice, shut_out=False) and alice.ask("hi").ok


def test_a_visitor_is_shut_out_by_the_name_in_the_log(site: Site) -> None:
    mallory = english(visitor_from(site, "203.0.113.66"))
    while mallory.ask("again").ok:
        pass
    (name, address) = re.findall(r"\(visitor ([0-9a-f]{12}), ([\d.]+)\)", site.log)[-1]
    assert address == "203.0.113.66"
    code, output = command(site.folder, "block", name)
    assert code == 0 and name in output
    assert eventually(lambda: is_shut_out(mallory.ask("again")), SOON_S)
    mallory.session.headers["X-Forwarded-For"] = "198.51.100.66"
    assert is_shut_out(mallory.get("/")), "wherever the visitor goes"
    other = english(visitor_from(site, "203.0.113.66"))
    assert other.get("/").ok, "the address is not blocked"
    code, output = command(site.folder, "unblock", name[:8])
    assert code == 0 and name in output
    assert eventually(lambda: mallory.get("/").ok, SOON_S)


def test_a_visitor_is_shut_out_by_a_conversation_and_a_program_by_its_name(site: Site) -> None:
    mallory = english(visitor_from(site, "203.0.113.67"))
    assert mallory.ask("hi").ok
    path = f"https://chat.example.com/c/{mallory.conversation}"
    assert command(site.folder, "block", path)[0] == 0
    assert eventually(lambda: is_shut_out(mallory.get("/")), SOON_S)
    assert command(site.folder, "block", path)[0] == 2, "already"
    assert command(site.folder, "unblock", path)[0] == 0

    kiosk = english(visitor_from(site, "203.0.113.68"))
    kiosk.session.headers["Authorization"] = f"Bearer {KEY}"
    while kiosk.ask("again").ok:
        pass
    name = re.findall(r"\(visitor ([0-9a-f]{12}), 203.0.113.68\)", site.log)[-1]
    assert command(site.folder, "block", name)[0] == 0
    assert eventually(lambda: is_shut_out(kiosk.ask("again")), SOON_S)
    assert command(site.folder, "unblock", name)[0] == 0


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_mistake_is_refused_in_words(site: Site, language: str) -> None:
    mistakes = [
        ["block", "127.0.0.1"],
        ["block", "127.0.0.1", "--force"],
        ["block", "::1"],
        ["block", "0.0.0.0/0", "--force"],
        ["block", "2000::/3"],
        ["block", "10.0.0.1"],
        ["block", "172.17.0.1/16"],
        ["block", "nobody"],
        ["block", "3f2a"],
        ["block", "0" * 29],
        ["unblock", "203.0.113.200"],
        ["unblock", "ffffffffffff"],
    ]
    for words in mistakes:
        code, output = command(site.folder, *words, language=language)
        assert code == 2 and len(output) > 10, (words, output)
        assert bool(re.search("[\u4e00-\u9fff]", output)) == (language == "zh"), output
    code, output = command(site.folder, "block", "--list", language=language)
    assert code == 0 and len(output.splitlines()) == 1, output


def test_a_private_address_needs_force(site: Site) -> None:
    assert command(site.folder, "block", "192.168.1.55", "--force")[0] == 0
    listed = command(site.folder, "block", "--list")[1]
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  192\.168\.1\.55/32$", listed, re.M), listed
    assert command(site.folder, "unblock", "192.168.1.55")[0] == 0


def test_the_log_says_what_the_owner_did_and_outlives_a_restore(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    assert alice.ask("a deepest wish").ok
    assert "Nothing has been recorded yet" in command(site.folder, "log")[1]
    site.end()
    assert command(site.folder, "backup", "copy.db")[0] == 0
    assert command(site.folder, "block", "203.0.113.9")[0] == 0
    code, output = command(site.folder, "forget", f"/c/{alice.conversation}")
    assert code == 0, output
    (visitor,) = re.findall(r"visitor (\S+) was deleted", output)
    assert command(site.folder, "restore", "copy.db")[0] == 0
    assert command(site.folder, "backup", "copy.db")[0] == 2
    lines = command(site.folder, "log")[1].splitlines()
    assert [line.split()[2] for line in lines] == ["backup", "block", "forget", "restore"]
    assert "203.0.113.9/32" in lines[1] and "conversations 1" in lines[2]
    assert visitor not in "".join(lines) and "wish" not in "".join(lines)
    assert "Nobody is blocked" in command(site.folder, "block", "--list")[1], "as in the backup"


def test_where_there_is_no_database_nothing_is_made(tmp_path: Path) -> None:
    for words in (["block", "203.0.113.9"], ["block"], ["unblock", "203.0.113.9"], ["log"]):
        code, output = command(tmp_path, *words)
        assert code == 2 and "There is no database" in output
    assert not (tmp_path / "instance" / "chat.db").exists()
