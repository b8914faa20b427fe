"""How many answers a visitor may have under way, and how many may be read at once."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests

from chat.refusals import StreamRefusal
from chat.visitors.limits.streams import PER_ADDRESS, Streams, places_for
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor, visitor_from

Start = Callable[..., Site]


# live answers


def test_a_visitor_has_at_most_three_live_answers(site: Site) -> None:
    alice = Visitor(site.url)
    alice.get("/")
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in alice.session.cookies.items())
    }
    with ExitStack() as open_answers, ThreadPoolExecutor(20) as pool:

        def ask(_: int) -> requests.Response:
            return open_answers.enter_context(
                requests.post(
                    f"{site.url}/chat",
                    json={"message": "!pieces 20 200", "stream": True},
                    headers=headers,
                    stream=True,
                    timeout=60,
                )
            )

        answers = list(pool.map(ask, range(20)))
        assert sorted(one.status_code for one in answers) == [200] * 3 + [429] * 17
        refused = next(one for one in answers if one.status_code == 429)
        assert refused.json()["code"] == "rate_limited" and int(refused.headers["Retry-After"]) > 0
        assert refused.json()["error"].startswith(("你之前的问题", "Your earlier questions"))
        assert Visitor(site.url).ask("hi").status_code == 200, "others may"
        for one in answers:
            one.content  # noqa: B018 - heard to its end
    assert alice.ask("hi").status_code == 200


def test_an_ended_answer_frees_its_place(site: Site) -> None:
    alice = Visitor(site.url)
    for _ in range(10):
        assert list(alice.hear("hi"))[-1].name == "done"
        alice.conversation = None
    assert list(alice.hear("!unauthorized"))[-1].name == "error"
    assert [alice.ask("!quota").status_code for _ in range(4)] == [429] * 4
    assert alice.ask("hi", conversation_id=None).status_code == 200


# streams


def test_streams_are_limited_by_address_and_in_all() -> None:
    streams = Streams(3, per_address=2)
    first, _ = streams.enter("a"), streams.enter("a")
    with pytest.raises(StreamRefusal):
        streams.enter("a")
    streams.enter("b")
    with pytest.raises(StreamRefusal):
        streams.enter("c")
    first()
    first()
    streams.enter("c")
    with pytest.raises(StreamRefusal):
        streams.enter("c")


def test_pages_answer_while_all_stream_places_are_taken(
    emulator: Emulator, start_site: Start
) -> None:
    site = start_site(**coze(emulator), MAX_STREAMS=3, VISITOR_LIVE_ANSWERS=0)
    alice = Visitor(site.url)
    told = alice.hear("!pieces 30 100")
    next(told)
    path = f"{site.url}/chat/{alice.message}/events"
    with ExitStack() as readers:
        for _ in range(2):
            reader = readers.enter_context(alice.session.get(path, stream=True, timeout=30))
            assert reader.status_code == 200
        refused = alice.session.get(path, timeout=30)
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
        assert json.loads(refused.text)["code"] == "rate_limited"
        before = emulator.mark()
        assert Visitor(site.url).post(json={"message": "hi", "stream": True}).status_code == 429
        assert emulator.asked(before) == [], "nothing is asked that nobody can read"
        for place in ("/", "/healthz", "/readyz", f"/c/{alice.conversation}"):
            assert alice.get(place).status_code == 200
        list(told)
    until = time.monotonic() + 10
    while (
        status := alice.session.get(path, timeout=30).status_code
    ) == 429 and time.monotonic() < until:
        time.sleep(0.1)
    assert status == 200, "who has gone has given the place back"


def test_one_address_cannot_take_all_streams(emulator: Emulator, start_site: Start) -> None:
    counted = {"VISITOR_RATE": "1000/minute", "ADDRESS_SHARE": 3, "TRUSTED_PROXIES": 1}
    site = start_site(**coze(emulator), **counted)
    alice = visitor_from(site, "192.0.2.1")
    told = alice.hear("!pieces 50 200")
    next(told)
    path = f"{site.url}/chat/{alice.message}/events"
    with ExitStack() as readers:
        codes = [
            readers.enter_context(alice.session.get(path, stream=True, timeout=30)).status_code
            for _ in range(PER_ADDRESS)
        ]
        assert codes == [200] * (PER_ADDRESS - 1) + [429]
        other = alice.session.get(
            path, stream=True, headers={"X-Forwarded-For": "192.0.2.2"}, timeout=30
        )
        with other:
            assert other.status_code == 200
    alice.stop()
    list(told)


@pytest.mark.parametrize(
    ("wished", "open_files", "fit"),
    [(5000, 65536, 5000), (5000, 10240, 3246), (5000, 256, 1), (5000, -1, 5000)],
)
def test_streams_fit_into_the_limit_of_open_files(wished: int, open_files: int, fit: int) -> None:
    """What is refused in a friendly way must be refused before the process runs out of them."""
    assert places_for(wished, open_files) == fit
