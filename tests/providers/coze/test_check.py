"""What a look at the set-up of a Coze agent leaves behind, and what it says of a token."""

import time

import pytest

from emulator.accounts import DEMO
from tests.kit.coze_agent import BOT, agent
from tests.providers.coze.test_poll import CHAT, GOOD, Platform


def test_half_a_question_that_runs_after_all_is_not_left_running():
    answers = {name: [good] for name, good in GOOD.items()}
    bot = {BOT: [(200, {"name": "demo"})]}
    server = Platform(chat=[(200, CHAT)], cancel=[(200, CHAT)], **answers, **bot)
    observations = list(agent(server.url).check(time.monotonic() + 10))
    cancelled = [body for body in server.requests if b"POST /v3/chat/cancel" in body]
    server.close()
    assert any(b'"chat_id": "1"' in body or b'"chat_id":"1"' in body for body in cancelled)
    assert {one.subject for one in observations} >= {"credentials", "agent"}


@pytest.mark.parametrize(
    ("token", "is_short_lived"),
    [("pat_x", True), ("cztei_x", True), ("sat_x", False)],
)
def test_a_token_that_ends_soon_is_named(start_emulator, token, is_short_lived):
    emulator = start_emulator(aliases={token: DEMO["COZE_API_TOKEN"]})
    coze = agent(emulator.url, api_token=token)
    subjects = {one.subject for one in coze.check(time.monotonic() + 10)}
    assert "agent" in subjects and ("short_lived" in subjects) == is_short_lived
