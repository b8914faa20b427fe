"""Pictures of every state of the page, at every size, in both languages, by day and by night, and
sheets of them to look through: `make screenshots`, or `make screenshots STATES="welcome drawer"`.
"""

import html
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from emulator import EmulatorSettings, create_emulator
from emulator.serving import serve
from tests.browser.states import DESK_STATES, STATES, State, go, row_menu, say
from tests.kit.browsing import CHROMIUM, PHONE, Person, has_ended, prose
from tests.kit.desk import PASSWORD
from tests.kit.emulator import DEMO, PICTURE
from tests.kit.site import ROOT, Site, Visitor

FOLDER = ROOT / "screenshots"
SCHEMES = ("light", "dark")
LANGUAGES = {"zh": "zh-CN", "en": "en-US"}
# Under a thumb, and with a pointer.
SIZES = {
    "touch": ((360, 740), (390, 844), (844, 390)),
    "pointer": ((768, 1024), (1440, 900), (2560, 1440)),
}
# Each size once, each scheme and language twice or more.
FEW = {
    (390, 844): (("light", "zh"),),
    (844, 390): (("dark", "en"),),
    (768, 1024): (("light", "en"),),
    (1440, 900): (("light", "zh"), ("dark", "en")),
}
STYLE = """
body { margin: 16px; font: 14px sans-serif; background: #888 }
div { display: flex; flex-wrap: wrap; gap: 12px; align-items: flex-start }
figure { margin: 0 }
img { display: block; height: 420px }
"""
NAMES = """
小满门店助手 青铜馆讲解员 书画鉴赏 唐三彩小助手 竹编手艺 茶文化顾问 丝绸之路向导 灯会策划 风铃文创
团扇课堂 餐具礼仪 春节习俗 风筝工坊 偶戏剧场 香道入门 航海罗盘 古籍检索 书法练习 提琴启蒙 民乐欣赏
鼓乐课堂 本草图鉴 面食地图 饺子食谱 山水写生 潮汐预报 中秋诗会 建筑漫游 莲花养护 熊猫科普
""".split()
GROUPS = ("门店与展厅", "手艺与课堂", "四时与生活")
QUESTIONS = """
青铜器在哪个展厅？ 周末有亲子活动吗？ 怎么预约讲解？ 茶饼应该怎么保存？ 会员日有什么优惠？
团扇课要自带材料吗？ 中秋诗会还有名额吗？ 写一段端午活动的文案 唐三彩为什么多是骆驼和马？
竹篮能放在室外吗？ 把闭馆通知译成英文 适合带老人看的路线 门票可以改期吗？ 饺子馅咸了怎么办？
莲花冬天怎么养？
""".split()
# The emulator knows what to say to these.
WISHES = """
用表格比较一下三种会员套餐
满 200 减 30 相当于打几折？写出公式
画一张店铺门口的海报
慢慢想：双十一备多少货合适？
""".strip().splitlines()


@dataclass(frozen=True)
class Place:
    """A site, and a visitor of it with so many conversations."""

    site: str = "demo"
    conversations: int = 0


@dataclass(frozen=True)
class Scene:
    """A state somewhere, in many ways or in a few."""

    state: State
    place: Place = field(default_factory=Place)
    is_in_every_way: bool = True

    @property
    def name(self) -> str:
        return self.state.name.replace(" ", "-")


def talked(page: Page) -> None:
    """A conversation as a shop's owner would have it: a table, a formula, a picture."""
    if page.locator(".gallery").count():
        go(page, "/?agent=a0")
    for text in page.locator(".welcome [data-ask] button").all_inner_texts()[:3]:
        has_ended(say(page, text))
    expect(prose(page.locator(".exchange").last).locator("img")).to_be_visible()


def from_its_begin(page: Page) -> None:
    talked(page)
    page.locator(".scroller").evaluate("scroller => scroller.scrollTo(0, 0)")


def growing(page: Page) -> None:
    is_english = page.locator("html").get_attribute("lang") == "en"
    question = "Compare three plans in a table" if is_english else "用表格比较三种会员套餐"
    # As slow as many pictures take.
    exchange = say(page, f"{question} !table !pieces 60 400")
    expect(prose(exchange).locator("tr").nth(1)).to_be_visible(timeout=30_000)


def drawer_or_sidebar(page: Page) -> None:
    if page.locator("label.menu").is_visible():
        page.locator("label.menu").click()
    expect(page.locator(".sidebar")).to_be_visible()
    page.locator(".sidebar .row").first.hover()


def settings_open(page: Page) -> None:
    if page.locator("label.menu").is_visible():
        page.locator("label.menu").click()
    page.locator(".settings > summary").click()


def refused(page: Page) -> None:
    has_ended(say(page, page.locator(".welcome [data-ask] button").nth(4).inner_text()), "failed")


def scenes() -> Iterator[Scene]:
    """All of them."""
    for agents in ("one", "demo", "thirty"):
        for conversations in (0, 200):
            home = f"home, {agents}, {conversations} conversations"
            yield Scene(State(home, lambda page: None), Place(agents, conversations))
    yield Scene(State("gallery", lambda page: go(page, "/agents")), Place("thirty", 200))
    yield Scene(State("conversation", talked))
    yield Scene(State("conversation's begin", from_its_begin), Place("thirty", 12))
    yield Scene(State("growing", growing))
    yield Scene(State("refused", refused))
    yield Scene(State("sidebar", drawer_or_sidebar), Place("demo", 200))
    yield Scene(State("settings open", settings_open), Place("thirty", 200))
    yield Scene(State("row menu", row_menu), Place("demo", 200))
    yield Scene(State("signing in", lambda page: go(page, "/sign-in")), Place("closed"))
    for state in (*STATES, *DESK_STATES):
        is_main = state.name in ("passing on", "not found", "all conversations")
        yield Scene(state, is_in_every_way=is_main)


def agents_file() -> str:
    """Thirty agents under two headings and none, as they would be called somewhere."""
    return "".join(
        f'[[agents]]\nid = "a{number}"\nplatform = "coze"\nname = "{name}"\n'
        f'icon = "{name[0]}"\n'
        f'group = "{GROUPS[number % 3]}"\nwelcome = "你好，我是{name}，想聊点什么？"\n'
        f'description = "{name}：可以问展品、活动、课程，也可以请我出题。"\n'
        f"suggestions = {WISHES if number == 0 else QUESTIONS[number % 9 :][:4]}\n"
        f'bot_id = "{DEMO["COZE_BOT_ID"]}"\n\n'
        for number, name in enumerate(NAMES)
    )


class Sites:
    """The sites that there are pictures of, each begun when the first is wanted."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._address = address
        self._sites: dict[str, Site] = {}
        self._cookies: dict[Place, list[dict[str, Any]]] = {}

    def at(self, name: str) -> Site:
        if name not in self._sites:
            folder = self._folder / name
            folder.mkdir()
            site = Site(folder, {"GRACE_S": 0, **self._settings(name, folder)})
            self._sites[name] = site.start()
        return self._sites[name]

    def _settings(self, name: str, folder: Path) -> dict[str, object]:
        owner: dict[str, object] = {"ADMIN_PASSWORD": PASSWORD, "OWNER_READS": "on"}
        one = {
            "COZE_API_TOKEN": DEMO["COZE_API_TOKEN"],
            "COZE_BOT_ID": DEMO["COZE_BOT_ID"],
            "COZE_API_BASE": self._address,
            "PICTURE_PATH": PICTURE,
        }
        if name == "thirty":
            (folder / "agents.toml").write_text(agents_file(), encoding="utf-8")
            del one["COZE_BOT_ID"]
            return {**one, **owner, "AGENTS_FILE": "agents.toml"}
        if name == "closed":
            return {
                **one,
                "ACCESS_CODES": "brass-lantern",
                "SITE_NOTICE": "馆内使用，口令在前台领取",
            }
        return one if name == "one" else {"DEMO_URL": self._address, **owner}

    def cookies(self, place: Place) -> list[dict[str, Any]]:
        """Of somebody who has had these conversations there."""
        if place not in self._cookies:
            visitor = Visitor(self.at(place.site).url)
            agents = [f"a{number}" for number in range(30)] if place.site == "thirty" else [""]

            def ask(number: int) -> None:
                question = QUESTIONS[number % len(QUESTIONS)]
                agent = agents[number * 7 % len(agents)]
                body = {"message": question, "agent": agent or None, "stream": True}
                visitor.post(json=body).raise_for_status()

            # The first gets the cookie.
            ask(0)
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(ask, range(1, place.conversations)))
            self._cookies[place] = [
                {"name": cookie.name, "value": cookie.value, "url": visitor.url}
                for cookie in visitor.session.cookies
            ]
        return self._cookies[place]

    def end(self) -> None:
        for site in self._sites.values():
            site.end()


def take(scene: Scene, browser: Browser, sites: Sites) -> Iterator[str]:
    """Takes the pictures of a scene; whatever the page did wrong meanwhile."""
    for kind in ("touch",) if scene.state.is_for_phones else SIZES:
        for language in LANGUAGES:
            ways = [
                (size, scheme)
                for size in SIZES[kind]
                for scheme in SCHEMES
                if scene.is_in_every_way or (scheme, language) in FEW.get(size, ())
            ]
            if ways:
                yield from _take_at(scene, browser, sites, kind, language, ways)


def _take_at(
    scene: Scene,
    browser: Browser,
    sites: Sites,
    kind: str,
    language: str,
    ways: list[tuple[tuple[int, int], str]],
) -> Iterator[str]:
    (width, height), scheme = ways[0]
    device: dict[str, Any] = PHONE if kind == "touch" else {}
    context = browser.new_context(
        **{**device, "viewport": {"width": width, "height": height}},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale=LANGUAGES[language],
        java_script_enabled=scene.state.has_script,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    if scene.place.conversations:
        context.add_cookies(sites.cookies(scene.place))  # type: ignore[arg-type]
    person = Person(sites.at(scene.place.site), context)
    try:
        page = person.open()
        scene.state.reach(page)
        for (width, height), scheme in ways:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            # A frame for the size, and one for what follows it.
            page.evaluate("new Promise(go => requestAnimationFrame(() => setTimeout(go, 50)))")
            name = f"{scene.name}-{width}-{language}-{scheme}.png"
            page.screenshot(path=FOLDER / name)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                yield f"{name}: scrolls sideways"
    except Exception as error:
        yield f"{scene.name} {kind} {language}: {str(error)[:300]}"
    finally:
        context.close()
    yield from (f"{scene.name}: {fault}" for fault in person.faults)


def sheet(scene: Scene) -> str:
    """A page that shows all pictures of a scene."""
    names = sorted(path.name for path in FOLDER.glob(f"{scene.name}-[0-9]*.png"))
    names.sort(key=lambda name: int(name.removeprefix(f"{scene.name}-").split("-")[0]))
    figures = [
        f'<figure><img src="{html.escape(name)}" alt=""><figcaption>'
        f"{html.escape(name.removeprefix(scene.name))}</figcaption></figure>"
        for name in names
    ]
    title = f"<h2>{html.escape(scene.state.name)}</h2>"
    return f"{title}<div>{''.join(figures)}</div>"


def save_sheet(scene: Scene, browser: Browser) -> None:
    """A scene's pictures in one, to look at."""
    head = f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
    path = FOLDER / f"{scene.name}.html"
    path.write_text(f"{head}{sheet(scene)}", encoding="utf-8")
    page = browser.new_page(viewport={"width": 2400, "height": 800})
    page.goto(path.as_uri())
    page.screenshot(path=FOLDER / f"sheet-{scene.name}.png", full_page=True)
    page.close()


def main() -> int:
    if not Path(CHROMIUM).exists():
        print(
            f"Needs {CHROMIUM}: apt-get install chromium-headless-shell fonts-noto-cjk",
            file=sys.stderr,
        )
        return 1
    wanted = set(os.environ.get("STATES", "").split())
    chosen = [scene for scene in scenes() if not wanted or scene.name in wanted]
    FOLDER.mkdir(exist_ok=True)
    began, wrong = time.monotonic(), []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = stack.enter_context(serve(create_emulator(EmulatorSettings(pace_s=0.02))))
        playwright = stack.enter_context(sync_playwright())
        sites = Sites(Path(folder), address)
        stack.callback(sites.end)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for scene in chosen:
            for old in FOLDER.glob(f"{scene.name}-[0-9]*.png"):
                old.unlink()
            wrong += list(take(scene, browser, sites))
            save_sheet(scene, browser)
        browser.close()
    head = f'<!doctype html><meta charset="utf-8"><title>智页</title><style>{STYLE}</style>'
    body = "".join(sheet(scene) for scene in scenes())
    (FOLDER / "index.html").write_text(head + body, encoding="utf-8")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(chosen)} states in {time.monotonic() - began:.0f} s: screenshots/index.html")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
