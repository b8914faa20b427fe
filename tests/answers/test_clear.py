"""Clear: the agent forgets what was said, the visitor does not."""

import pytest

from providers import PLATFORMS
from tests.kit.emulator import Emulator
from tests.kit.site import Visitor


@pytest.mark.parametrize("agent", PLATFORMS)
def test_the_agent_forgets_and_the_page_does_not(
    emulator: Emulator, start_site, agent: str
) -> None:
    visitor = Visitor(start_site(DEMO_URL=emulator.url).url)
    assert visitor.ask("my first words", agent=agent).ok
    assert "my first words" in visitor.ask("!recall").json()["replies"][0]
    assert visitor.post(f"/c/{visitor.conversation}/clear").status_code == 204
    assert "my first words" not in visitor.ask("!recall").json()["replies"][0]
    page = visitor.get(f"/c/{visitor.conversation}").text
    assert "my first words" in page.partition("智能体不再记得以上内容")[0], "above the mark"


def test_who_has_nothing_to_forget_asks_nothing_of_the_platform(
    alice: Visitor, emulator: Emulator
) -> None:
    """Else anybody could spend the owner's calls without asking a question."""
    alice.ask("hi")
    before = emulator.mark()
    for _ in range(5):
        assert alice.post(f"/c/{alice.conversation}/clear").status_code == 204
    assert len([path for path in emulator.asked(before) if path.endswith("/clear")]) == 1
    assert alice.ask("go on").ok


def test_not_while_it_answers_and_not_for_others(alice: Visitor, bob: Visitor) -> None:
    hearing = alice.hear("!pieces 10 100")
    next(hearing)
    assert alice.post(f"/c/{alice.conversation}/clear").status_code == 409
    assert list(hearing)[-1].name == "done"
    assert bob.post(f"/c/{alice.conversation}/clear").status_code == 404
    back = alice.post(
        f"/c/{alice.conversation}/clear", headers={"Accept": "text/html"}, allow_redirects=False
    )
    assert back.status_code == 303
