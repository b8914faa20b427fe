"""Each thing is told once, by one of all processes, and told again only when there is reason to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chat.agents.ceilings import SITE
from chat.agents.offered import Agents, load_agents
from chat.agents.vault import Vault
from chat.notices.notifying import Notifier
from chat.notices.watch import Watch
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.engine.disk import ServerDisk
from providers.http import Http, Network
from tests.kit.robots import KEY, Robots, robots
from tests.storage.acting import Connect, ask, end, together

TOKEN = "pat_0123456789abcdefghij"
BEGIN = datetime(2026, 3, 1, 4, tzinfo=UTC)


class SmallDisk(ServerDisk):
    """As much room as a test says, in megabytes."""

    megabytes = 10_000

    @property
    def free(self) -> int:
        return self.megabytes * 1_000_000


@dataclass
class Scene:
    """A site at a time that a test moves on, and the group that hears of it."""

    group: Robots
    storage: Storage
    disk: SmallDisk
    settings: Settings
    agents: Agents
    at: datetime = BEGIN
    heard: int = field(default=0)

    def notifier(self, storage: Storage | None = None) -> Notifier:
        store, settings = storage or self.storage, lambda: self.settings
        watch = Watch(settings, lambda: self.agents, store, lambda: self.at)
        http = Http("notices", Network())
        return Notifier(settings, watch, store.notices, http, lambda: self.at)

    def hear(self, **later: float) -> list[str]:
        """What the group hears at a later time."""
        self.at += timedelta(**later)
        before = len(self.group.texts)
        self.notifier().look()
        return self.group.texts[before:]

    def answer(self, code: str | None = None, **later: float) -> None:
        """An answer ends, now or later, in a failure or well."""
        self.at += timedelta(**later)
        state = "failed" if code else "done"
        end(self.storage, ask(self.storage), "text", state=state, code=code, ended_at=self.at)


@pytest.fixture(scope="module")
def group() -> Iterator[Robots]:
    with robots() as group:
        yield group


@pytest.fixture
def scene(store: Storage, group: Robots, tmp_path: Path) -> Scene:
    settings = Settings(
        coze_api_token=TOKEN,  # type: ignore[arg-type]
        coze_bot_id="7300000000000000001",
        notify_url=group.wecom,  # type: ignore[arg-type]
        site_title="博物馆",
    )
    agents = load_agents(settings, store.days.spend, Vault(store.secrets, "k" * 16))
    disk = SmallDisk(lambda: 0)
    store.disk = disk
    scene = Scene(group, store, disk, settings, agents)
    scene.hear()
    return scene


def test_an_agent_that_fails_for_five_minutes_is_told_of_once_and_when_it_is_well(
    scene: Scene,
) -> None:
    for _ in range(3):
        scene.answer("misconfigured", seconds=10)
    assert scene.hear(minutes=4) == []
    (text,) = scene.hear(minutes=1)
    assert text.startswith("【博物馆】智能体「扣子」已连续 5 分钟回答失败：平台不接受令牌")
    scene.answer("misconfigured", minutes=1)
    assert scene.hear(minutes=10) == []
    scene.answer(minutes=1)
    assert scene.hear() == ["【博物馆】智能体「扣子」已恢复正常。"]
    assert scene.hear(minutes=1) == []


def test_two_failures_and_an_answer_in_between_are_no_alarm(scene: Scene) -> None:
    for code in ("timeout", "timeout", None, "timeout", "timeout"):
        scene.answer(code, minutes=3)
    assert scene.hear(minutes=9) == []


def test_what_a_visitor_can_put_right_is_no_failure_of_the_agent(scene: Scene) -> None:
    for _ in range(5):
        scene.answer("blocked", minutes=3)
    assert scene.hear(minutes=9) == []


def test_silence_is_not_being_well(scene: Scene) -> None:
    for _ in range(3):
        scene.answer("timeout")
    assert len(scene.hear(minutes=6)) == 1
    assert scene.hear(hours=3) == []


def test_an_agent_that_comes_and_goes_is_told_of_once_an_hour(scene: Scene) -> None:
    told = []
    for _ in range(12):
        for code in ("timeout", "timeout", "timeout"):
            scene.answer(code)
        told += scene.hear(minutes=6)
        scene.answer(None, minutes=1)
        told += scene.hear(minutes=3)
    assert len(told) == 4, "in two hours two alarms, and twice that it is well"


def test_a_personal_token_is_told_of_a_week_before_its_end(scene: Scene) -> None:
    assert scene.hear(days=22) == []
    (text,) = scene.hear(days=1)
    assert "最迟在 2026-03-31 到期" in text and TOKEN not in text
    assert scene.hear(hours=20) == []
    assert len(scene.hear(hours=5)) == 1, "reminded a day later"


def test_a_full_disk_is_told_of_and_when_there_is_room_again(scene: Scene) -> None:
    scene.disk.megabytes = 90
    assert "只剩 90 MB" in scene.hear()[0]
    scene.disk.megabytes = 150
    assert scene.hear(minutes=1) == []
    scene.disk.megabytes = 900
    assert scene.hear(minutes=1) == ["【博物馆】磁盘空间已恢复。"]


def test_a_day_is_told_of_at_four_fifths_and_once(scene: Scene) -> None:
    scene.settings = scene.settings.model_copy(update={"daily_limit": 10})
    for _ in range(7):
        scene.storage.days.spend(SITE, "2026-03-01", 10)
    assert scene.hear() == []
    scene.storage.days.spend(SITE, "2026-03-01", 10)
    assert scene.hear() == ["【博物馆】全站今天的提问已用 8 次，上限 10 次。"]
    scene.storage.days.spend(SITE, "2026-03-01", 10)
    assert scene.hear(hours=2) == []


def test_of_two_processes_one_tells(scene: Scene, connect: Connect) -> None:
    others = [scene.storage, connect()]
    others[1].disk = scene.disk
    for megabytes in (1, 900, 1):
        scene.at += timedelta(hours=2)
        scene.disk.megabytes = megabytes
        before = len(scene.group.texts)
        assert together(lambda n: scene.notifier(others[n % 2]).look(), 6) == [True] * 6
        assert len(scene.group.texts) == before + 1


def test_what_did_not_arrive_is_told_later(scene: Scene, group: Robots) -> None:
    scene.disk.megabytes = 1
    scene.settings = scene.settings.model_copy(update={"notify_url": None})
    gone = Settings(notify_url="http://127.0.0.1:1/robot/send?access_token=" + KEY)  # type: ignore[arg-type]
    scene.settings = scene.settings.model_copy(update={"notify_url": gone.notify_url})
    assert not scene.notifier().look()
    well = Settings(notify_url=group.wecom)  # type: ignore[arg-type]
    scene.settings = scene.settings.model_copy(update={"notify_url": well.notify_url})
    assert len(scene.hear(minutes=5)) == 1


def test_a_robot_that_works_is_not_told_twice_because_another_does_not(
    scene: Scene, group: Robots
) -> None:
    both = Settings(notify_url=f"http://127.0.0.1:1/plain,{group.wecom}")  # type: ignore[arg-type]
    scene.settings = scene.settings.model_copy(update={"notify_url": both.notify_url})
    scene.disk.megabytes = 1
    assert len(scene.hear()) == 1
    assert scene.hear(minutes=5) == []


def test_the_test_says_of_each_robot_what_became_of_it(scene: Scene, group: Robots) -> None:
    both = Settings(notify_url=f"http://127.0.0.1:1/plain,{group.wecom}")  # type: ignore[arg-type]
    scene.settings = scene.settings.model_copy(update={"notify_url": both.notify_url})
    assert [error is None for _, error in scene.notifier().test()] == [False, True]
    assert "测试消息" in group.texts[-1]
