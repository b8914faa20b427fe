"""An id and a token in each other's place are recognised, on every platform where they differ."""

import pytest

from chat.agents.swapped import swapped

PAT = "pat_demo_only_not_a_secret_op"
BOT = "7480000000000000101"
HEX16, HEX24, HEX32 = "0a1b2c3d4e5f6071", "aaaaaaaaaaaaaaaaaaaaaa01", "0" * 31 + "f"
PAGE = "https://x.example/v1/routes/open/7c0e/execute"

SWAPPED = [
    ("coze", {"bot_id": PAT, "api_token": BOT}),
    ("coze", {"bot_id": f"Bearer {PAT}", "api_token": BOT}),
    ("qingyan", {"api_key": HEX24, "assistant_id": HEX16, "api_secret": HEX32}),
    ("qingyan", {"api_key": HEX32, "api_secret": HEX16, "assistant_id": HEX24}),
    ("yuanqi", {"api_token": BOT, "assistant_id": HEX32}),
    ("huawei", {"api_key": PAGE, "agent_url": "sk-demo-only-not-a-secret"}),
]


@pytest.mark.parametrize(("platform", "values"), SWAPPED)
def test_what_stands_in_the_place_of_another_is_moved(
    platform: str, values: dict[str, str]
) -> None:
    moved = swapped(platform, values)
    assert len(moved) == 2
    assert not swapped(platform, {**values, **moved}), "now all is where it belongs"


@pytest.mark.parametrize(
    ("platform", "values"),
    [
        ("coze", {"bot_id": BOT, "api_token": PAT}),
        ("coze", {"bot_id": "my bot", "api_token": PAT}),
        ("coze", {"bot_id": f"https://www.coze.cn/space/1/bot/{BOT}", "api_token": PAT}),
        ("wenxin", {"app_id": HEX32, "secret_key": HEX32}),
        ("yuanqi", {"api_token": "another-kind-of-token", "assistant_id": BOT}),
    ],
)
def test_what_may_be_right_is_left_where_it_is(platform: str, values: dict[str, str]) -> None:
    assert not swapped(platform, values)
