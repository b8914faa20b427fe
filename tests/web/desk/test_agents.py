"""The owner connects an agent by a paste, changes and removes it; visitors see it at once."""

import re
from collections.abc import Callable, Iterator

import pytest
import requests

from chat.storage import Storage
from emulator.picture import png
from tests.kit.desk import PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator
from tests.kit.site import Site, Visitor

TOKEN, BOT = "pat_demo_only_not_a_secret", "7480000000000000101"
EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def site(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(DEMO_URL=emulator.url, ADMIN_PASSWORD=PASSWORD)


@pytest.fixture(scope="module")
def owner(site: Site) -> OwnerBrowser:
    return OwnerBrowser(site).sign_in()


@pytest.fixture
def paste(emulator: Emulator) -> str:
    """The call of an example in a platform's documents, to the emulator."""
    return (
        f"curl -X POST '{emulator.url}/v3/chat' -H 'Authorization: Bearer {TOKEN}' "
        f"""-d '{{"bot_id": "{BOT}", "stream": false}}'"""
    )


@pytest.fixture(autouse=True)
def as_before(site: Site, owner: OwnerBrowser) -> Iterator[None]:
    """Each test begins and ends with the demo."""
    yield
    for id in re.findall(r'href="/admin/agents/([\w-]+)" dir', owner.get("/admin/agents").text):
        owner.post(
            f"/admin/agents/{id}/remove", data={"version": version(owner, id), "sure": "yes"}
        )


def version(owner: OwnerBrowser, id: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', owner.get(f"/admin/agents/{id}").text)
    assert found is not None
    return found[1]


def connected(owner: OwnerBrowser, paste: str, **fields: str) -> str:
    """Connects an agent; its id."""
    answer = owner.post("/admin/agents", data={"paste": paste, **fields})
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(r"/admin/agents/([\w-]+)\?done=connected", answer.headers["Location"])
    assert found is not None
    return found[1]


def names(site: Site) -> str:
    return Visitor(site.url).get("/").text


def test_a_pasted_agent_is_live_at_once_and_the_demo_is_gone(
    site: Site, owner: OwnerBrowser, paste: str
) -> None:
    assert "/admin" in names(site)
    id = connected(owner, paste, name="馆长")
    visitor = Visitor(site.url)
    assert "馆长" in visitor.get("/").text
    assert visitor.ask("你好", agent=id).status_code == 200
    assert visitor.ask("hi", agent="qingyan").status_code == 404


def test_what_is_missing_is_asked_for_and_no_page_holds_the_secret(
    site: Site, owner: OwnerBrowser, emulator: Emulator
) -> None:
    first = owner.post("/admin/agents?lang=en", data={"paste": TOKEN})
    assert first.status_code == 422 and TOKEN not in first.text and "ret." in first.text
    assert "the digits after /bot/" in first.text
    sealed = re.search(r'name="sealed" value="([^"]+)"', first.text)
    assert sealed is not None
    form = {
        "platform": "coze",
        "sealed": sealed[1],
        "option-bot_id": f"https://www.coze.cn/space/1/bot/{BOT}",
        "option-api_base": emulator.url,
    }
    second = owner.post("/admin/agents", data=form)
    assert second.status_code == 303
    page = owner.get(second.headers["Location"].partition("?")[0])
    assert TOKEN not in page.text and "cret" in page.text and BOT in page.text


def test_an_id_of_several_platforms_is_asked_about(owner: OwnerBrowser) -> None:
    page = owner.post("/admin/agents", data={"paste": BOT}).text
    assert 'value="coze"' in page and 'value="yuanqi"' in page and 'value="huawei"' not in page


def test_a_refused_token_has_its_cure_beside_the_field(
    site: Site, owner: OwnerBrowser, paste: str
) -> None:
    answer = owner.post(
        "/admin/agents?lang=en", data={"paste": paste.replace(TOKEN, "pat_wrong12345")}
    )
    assert answer.status_code == 422
    field = answer.text[answer.text.index('id="option-api_token"') :]
    wrong = re.search(r'id="option-api_token-wrong"[^>]*>([^<]+)', field)
    assert wrong is not None and "make a new one" in wrong[1]
    assert "COZE_API_TOKEN" not in answer.text, "the desk has no .env"
    assert "pat_wrong12345" not in answer.text + site.log
    assert "/admin" in names(site), "nothing was connected"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n" * 10_000},
        {"id": "UPPER"},
        {"id": "coze"},
        {"option-api_base": "ftp://nowhere"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_an_agent_does_not_take_is_said_beside_the_field(
    owner: OwnerBrowser, paste: str, fields: dict[str, str]
) -> None:
    answer = owner.post("/admin/agents", data={"paste": paste, **fields})
    assert answer.status_code == 422
    assert f'id="{next(iter(fields))}-wrong"' in answer.text


def test_an_id_that_was_ever_used_is_not_given_again(owner: OwnerBrowser, paste: str) -> None:
    connected(owner, paste, id="guide")
    again = owner.post("/admin/agents", data={"paste": paste, "id": "guide"})
    assert again.status_code == 422 and 'id="id-wrong"' in again.text
    owner.post("/admin/agents/guide/remove", data={"version": "1", "sure": "yes"})
    again = owner.post("/admin/agents", data={"paste": paste, "id": "guide"})
    assert again.status_code == 422


def test_html_is_text_and_a_stale_form_overwrites_nothing(
    site: Site, owner: OwnerBrowser, paste: str
) -> None:
    id = connected(owner, paste)
    old = version(owner, id)
    saved = owner.post(f"/admin/agents/{id}", data={"version": old, "name": EVIL, "welcome": EVIL})
    assert saved.status_code == 303
    for page in (
        owner.get("/admin/agents").text,
        owner.get(f"/admin/agents/{id}").text,
        names(site),
    ):
        assert EVIL not in page and "&lt;img" in page
    stale = owner.post(f"/admin/agents/{id}", data={"version": old, "name": "zu spät"})
    assert stale.status_code == 409 and "zu spät" in stale.text
    assert "zu spät" not in names(site)


def test_a_form_without_the_key_keeps_it(site: Site, owner: OwnerBrowser, paste: str) -> None:
    id = connected(owner, paste)
    form = {"version": "1", "option-bot_id": "7480000000000000103", "option-api_base": ""}
    base = re.search(
        r'name="option-api_base"[^>]*value="([^"]+)"', owner.get(f"/admin/agents/{id}").text
    )
    assert base is not None
    form["option-api_base"] = base[1]
    assert owner.post(f"/admin/agents/{id}", data=form).status_code == 303
    assert Visitor(site.url).ask("hi", agent=id).status_code == 200


def test_a_removed_agent_s_conversations_stay_readable_and_asking_says_so(
    site: Site, owner: OwnerBrowser, paste: str
) -> None:
    id = connected(owner, paste)
    visitor = Visitor(site.url)
    conversation = visitor.ask("记住我", agent=id).json()["conversation_id"]
    owner.post(f"/admin/agents/{id}/remove", data={"version": version(owner, id), "sure": "yes"})
    page = visitor.get(f"/c/{conversation}", headers={"Accept-Language": "en"})
    assert (
        page.status_code == 200 and "记住我" in page.text and "no longer offered here" in page.text
    )
    answer = visitor.ask("hi", conversation_id=conversation)
    assert answer.status_code == 404 and answer.json()["code"] == "not_found"


def test_changes_are_taken_back_a_removal_too(
    site: Site, owner: OwnerBrowser, store: Storage, paste: str
) -> None:
    id = connected(owner, paste, name="旧名")
    owner.post(f"/admin/agents/{id}", data={"version": "1", "name": "新名"})
    changed = store.owner_log.version()
    owner.post(f"/admin/agents/{id}/remove", data={"version": version(owner, id), "sure": "yes"})
    removed = store.owner_log.version()
    assert "新名" not in names(site)
    assert owner.post(f"/admin/log/{changed}/take-back").status_code == 409, "it is gone"
    assert owner.post(f"/admin/log/{removed}/take-back").status_code == 303
    assert "新名" in names(site)
    assert Visitor(site.url).ask("hi", agent=id).status_code == 200, "with its keys"


def test_agents_are_moved_and_switched_off_and_one_stays(
    site: Site, owner: OwnerBrowser, paste: str
) -> None:
    first, second = connected(owner, paste, name="甲"), connected(owner, paste, name="乙")
    seen = f"{first},{second}"
    assert (
        owner.post(f"/admin/agents/{second}/move", data={"to": "up", "seen": seen}).status_code
        == 303
    )
    assert (
        owner.post(f"/admin/agents/{second}/move", data={"to": "up", "seen": seen}).status_code
        == 409
    )
    assert names(site).index("乙") < names(site).index("甲")
    off = {"on": "no", "version": "1"}
    assert owner.post(f"/admin/agents/{second}/switch", data=off).status_code == 303
    assert "乙" not in names(site)
    last = owner.post(f"/admin/agents/{first}/switch", data=off)
    assert last.status_code == 409 and "甲" in names(site)


def test_a_test_is_free_and_asks_only_when_it_is_told_to(
    owner: OwnerBrowser, emulator: Emulator, paste: str
) -> None:
    id = connected(owner, paste)

    def chats() -> int:
        return sum(asked == "/v3/chat" for asked in emulator.asked())

    before = chats()
    page = owner.post(f"/admin/agents/{id}/test")
    assert page.status_code == 200 and 'data-level="ok"' in page.text and "模拟助手" in page.text
    # The look at the token is a call without a question.
    for_nothing = chats() - before
    assert owner.post(f"/admin/agents/{id}/test", data={"ask": "yes"}).status_code == 200
    assert chats() - before == 2 * for_nothing + 1


def test_a_picture_is_an_agent_s_icon_until_another_or_a_sign_takes_its_place(
    site: Site, owner: OwnerBrowser, store: Storage, paste: str
) -> None:
    id = connected(owner, paste)

    def save(picture: bytes = b"", **fields: str) -> requests.Response:
        form = {"version": version(owner, id), "icon": "", **fields}
        files = {"picture": ("icon.png", picture)} if picture else {"picture": ("", b"")}
        return owner.post(f"/admin/agents/{id}", data=form, files=files)

    for wrong in (b"GIF89a", b"<!doctype html><svg onload=alert(1)>", png() + bytes(300_000)):
        answer = save(wrong, name="still typed")
        assert answer.status_code == 422 and 'id="picture-wrong"' in answer.text
        assert "still typed" in answer.text and "/icons/" not in names(site)
    assert save(png()).status_code == 303
    address = re.search(r'src="(/icons/\w+)"', names(site))
    assert address and address[1] in owner.get("/admin/agents").text
    picture = Visitor(site.url).get(address[1])
    assert picture.content == png() and picture.headers["Content-Type"] == "image/png"
    assert "sandbox" in picture.headers["Content-Security-Policy"]
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert save(name="改名").status_code == 303 and address[1] in names(site)
    for elsewhere in ("//evil.example/a.png", "/\\evil.example/a.png"):
        assert save(icon=elsewhere).status_code == 303
        assert f'src="{elsewhere}' not in names(site)
    assert save(icon=address[1]).status_code == 303 and address[1] in names(site)
    assert save(icon="馆").status_code == 303 and "/icons/" not in names(site)
    entry = store.owner_log.version()
    assert owner.post(f"/admin/log/{entry}/take-back").status_code == 303
    assert address[1] in names(site)
    assert save(**{"remove-picture": "yes"}).status_code == 303 and "/icons/" not in names(site)
    assert Visitor(site.url).get("/icons/nothing").status_code == 404


def test_the_secret_is_in_no_log_and_unsealed_in_no_database(
    site: Site, owner: OwnerBrowser, store: Storage, paste: str
) -> None:
    id = connected(owner, paste)
    owner.post(f"/admin/agents/{id}", data={"version": "1", "name": "改名"})
    pages = [
        owner.get(path).text for path in ("/admin/agents", f"/admin/agents/{id}", "/admin/log")
    ]
    assert TOKEN not in "".join(pages) + site.log
    for path in (site.folder / "instance").iterdir():
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path.name


def test_nonsense_is_refused(owner: OwnerBrowser, paste: str) -> None:
    id = connected(owner, paste)
    assert owner.post(f"/admin/agents/{id}", data={"version": "x"}).status_code == 400
    assert owner.post(f"/admin/agents/{id}/remove", data={"version": "1"}).status_code == 400
    assert (
        owner.post("/admin/agents", data={"paste": "x", "platform": "nothing"}).status_code == 400
    )
    assert owner.post("/admin/agents", data={"paste": "x" * 70_000}).status_code == 413
    assert owner.get("/admin/agents/nobody").status_code == 404
    assert (
        owner.post("/admin/agents", data={"platform": "coze", "sealed": "not ours"}).status_code
        == 422
    )
