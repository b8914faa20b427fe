"""Whatever a platform sends, a provider ends with Done or an error of the contract, and in time."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chat.web.errors import STATUS
from providers import PLATFORMS, sse
from providers.base import About, Observation
from providers.bodies import read_frames
from providers.coze.auth import ServiceApp
from providers.errors import ProviderError
from providers.http import Http, Network
from tests.kit.asking import saying
from tests.kit.canary import PEM
from tests.kit.contract import WAYS, agent, platforms_and_ways
from tests.kit.emulator import Emulator
from tests.kit.patience import ALLOWANCE
from tests.providers.replaying import (
    Change,
    Record,
    Response,
    altered_by,
    outcome,
    recording,
    replaying,
)
from tests.providers.test_bodies import cut_at

QUESTIONS = (
    "!tool !cite !think !two !image !suggest !pieces 3 0 今天好",
    "!late-error !pieces 4 0 今天好",
)
ENDS = {"Done", *STATUS}
WITHIN_S = 1.6  # a poll comes after a second
LATE_S = 5.0 * ALLOWANCE  # what a busy machine may add
AT_ONCE = 24
FEW = settings(max_examples=6, suppress_health_check=list(HealthCheck))

pairs = pytest.mark.parametrize(("platform", "way"), platforms_and_ways())
places = st.lists(st.integers(0, 400), max_size=12)
changes = st.builds(
    Change, st.integers(0, 1_000_000), st.sampled_from(Change.KINDS), st.integers(0, 1000)
)


# Streams


@given(
    st.binary(max_size=400)
    | st.lists(
        st.sampled_from(
            [b"data", b":", b" ", b"\n", b"\r", b"\xff", b"event", b"{}", "好".encode()]
        )
    ).map(b"".join),
    places,
)
def test_random_bytes_are_the_same_events_however_they_are_cut(
    body: bytes, cuts: list[int]
) -> None:
    whole = list(read_frames([body]))
    assert list(read_frames(cut_at(body, cuts))) == whole
    assert all("\n" not in frame.name for frame in whole)


@given(st.lists(st.binary(max_size=60), max_size=20), st.integers(8, 64))
def test_random_bytes_raise_nothing_but_too_long(pieces: list[bytes], limit: int) -> None:
    try:
        for frame in read_frames(pieces, limit):
            assert len(frame.name) <= limit
    except sse.TooLong:
        assert len(b"".join(pieces)) > limit


@pytest.mark.parametrize("platform", PLATFORMS)
@FEW
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=60).map(lambda text: f"data: {text}\n\n".encode()),
    kind=st.sampled_from(["text/event-stream", "application/json", "text/html", "", "x"]),
    status=st.sampled_from(["200 OK", "404 X", "429 X", "502 X", "299 X", "600 X"]),
    way=st.sampled_from(list(WAYS)),
)
def test_a_platform_that_says_anything_at_all(
    platform: str, body: bytes, kind: str, status: str, way: str
) -> None:
    with saying(body, status, kind) as url:
        got = outcome(agent(platform, url), "你好", WITHIN_S, WAYS[way])
    assert got.ended in ENDS and got.seconds < WITHIN_S + LATE_S


# Answers with something changed


@pytest.fixture(scope="module")
def records(emulator: Emulator) -> dict[tuple[str, str], list[Record]]:
    """The emulator's own answers, of each platform in both ways."""
    found: dict[tuple[str, str], list[Record]] = {}
    for platform, way in platforms_and_ways():
        for question in QUESTIONS:
            record = Record()
            with recording(emulator.url, record) as url:
                got = outcome(agent(platform, url), question, 10.0, WAYS[way])
            assert got.ended == ("unavailable" if "late" in question else "Done")
            found.setdefault((platform, way), []).append(record)
    return found


@pairs
def test_an_answer_on_record_is_read_again(
    records: dict[tuple[str, str], list[Record]], platform: str, way: str
) -> None:
    """The proof that the changed ones are read at all."""
    for record, ends in zip(records[platform, way], ("Done", "unavailable"), strict=True):
        with replaying(record, ()) as url:
            got = outcome(agent(platform, url), "你好", 5.0, WAYS[way])
        assert got.ended == ends
        assert got.events > 2 or ends != "Done"


@pairs
@FEW
@given(
    batch=st.lists(
        st.tuples(st.integers(0, 1), st.lists(changes, min_size=1, max_size=3)),
        min_size=8,
        max_size=AT_ONCE,
    )
)
def test_an_answer_with_anything_changed_ends_as_the_contract_says(
    records: dict[tuple[str, str], list[Record]],
    platform: str,
    way: str,
    batch: list[tuple[int, list[Change]]],
) -> None:
    def read(which: tuple[int, list[Change]]) -> None:
        number, made = which
        with replaying(records[platform, way][number], tuple(made)) as url:
            got = outcome(agent(platform, url), "你好", WITHIN_S, WAYS[way])
        assert got.ended in ENDS, made
        assert got.seconds < WITHIN_S + LATE_S, made

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(read, batch))


@pytest.mark.parametrize("platform", PLATFORMS)
@FEW
@given(made=st.lists(changes, min_size=1, max_size=3))
def test_a_look_at_an_agent_with_anything_changed_is_a_look_or_an_error(
    looks: dict[str, Record], platform: str, made: list[Change]
) -> None:
    with replaying(looks[platform], tuple(made)) as url, suppress(ProviderError):
        look(agent(platform, url))


@pytest.fixture(scope="module")
def looks(emulator: Emulator) -> dict[str, Record]:
    """What is told of each agent to who asks nothing of it."""
    found = {platform: Record() for platform in PLATFORMS}
    for platform, record in found.items():
        with recording(emulator.url, record) as url:
            look(agent(platform, url))
    assert found["coze"].responses
    return found


def look(provider: Any) -> None:
    for observation in provider.check(time.monotonic() + WITHIN_S):
        assert isinstance(observation, Observation)
    if hasattr(provider, "about"):
        assert isinstance(provider.about(time.monotonic() + WITHIN_S), About)


# Grants


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=3,
)
NAMES = ("access_token", "expires_in", "error_code", "error", "code", "error_message", "msg")


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    grant=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, values)), is_refused=st.booleans()
)
@example(grant={"access_token": "好\n: x", "expires_in": 2_000_000_000}, is_refused=False)
@example(grant={"access_token": "x", "expires_in": 10**400}, is_refused=False)
@example(grant={"error_code": ["access_deny"]}, is_refused=True)
def test_whatever_grants_a_token_says_is_a_token_or_an_error(
    grant: dict[str, Any], is_refused: bool
) -> None:
    status = "401 X" if is_refused else "200 OK"
    with (
        saying(json.dumps(grant).encode(), status, "application/json") as url,
        suppress(ProviderError),
    ):
        door = Http("coze", Network())
        token = ServiceApp(url, "1", "2", PEM, door).current()
        assert token == grant["access_token"]
        door.call("GET", url, headers={"Authorization": f"Bearer {token}"})


def test_a_change_changes_something_and_leaves_the_rest() -> None:
    body = b'data: {"a": [1, {"b": 2}]}\n\ndata: [DONE]\n\n'
    record = Record({"GET /x": [Response(200, "text/event-stream", body)]})

    def said(*made: Change) -> list[Any]:
        (grant,) = altered_by(record, made).responses["GET /x"]
        return [
            json.loads(line[6:]) for line in grant.body.splitlines() if line.startswith(b"data: {")
        ]

    assert said() == [{"a": [1, {"b": 2}]}]
    assert said(Change(0, "twice", 0)) == said() * 2
    assert said(Change(0, "unframe", 0)) == []
    made = [said(Change(place, "delete", 0)) for place in range(1, 5)]
    assert [{}] in made and [{"a": [1, {}]}] in made and [{"a": [{"b": 2}]}] in made
    assert [{"a": [1, {"b": None}]}] in [said(Change(place, "replace", 0)) for place in range(1, 5)]
