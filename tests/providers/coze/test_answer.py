"""What a bot object says of its agent (platforms/coze.md §5)."""

from providers.coze.answer import about


def test_an_introduction_is_cut_to_what_a_page_has_room_for() -> None:
    bot = {
        "name": "名" * 100,
        "description": "述" * 400,
        "onboarding_info": {"prologue": "好" * 3000, "suggested_questions": ["问" * 300]},
    }
    introduction = about(bot)
    assert introduction.name == "名" * 60
    assert introduction.description == "述" * 300
    assert introduction.prologue == "好" * 2000
    assert introduction.suggestions == ("问" * 200,)
