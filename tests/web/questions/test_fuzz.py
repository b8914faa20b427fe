"""Random requests to /chat get an answer in the contract's shape, and never a fault."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.web.errors import STATUS
from tests.kit.emulator import Emulator
from tests.kit.site import Site
from tests.kit.sockets import Heard, send

FIELDS = (
    "message agent conversation_id files after instead stream bot_id user_id "
    "additional_messages role content content_type"
).split()
BESIDES = {("bad_input", 405), ("bad_input", 415)}
CLOSE = b"Connection: close\r\n"
JSON = ("Content-Type", b"application/json")
OF_A_SHARED_SITE = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def quick_site(emulator: Emulator, keep_site: Callable[..., Site]) -> Iterator[Site]:
    """One whose agent answers at once."""
    agent = f"{emulator.url}/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a001/execute"
    site = keep_site(
        HUAWEI_API_KEY="sk-demo-only-not-a-secret", HUAWEI_AGENT_URL=agent, VISITOR_RATE=0
    )
    yield site
    assert "a fault of ours" not in site.log and "Traceback" not in site.log


def post(
    site: Site, body: bytes, *headers: tuple[str, bytes], length: bytes | None = None
) -> Heard | None:
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    size = b"%d" % len(body) if length is None else length
    head = b"POST /chat HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + lines
    return send(site.port, head + b"Content-Length: " + size + b"\r\n\r\n" + body)


def assert_contract(heard: Heard | None) -> None:
    """One of the answers that docs/api.md names, and no fault."""
    assert heard is not None, "no answer"
    assert heard.status < 500, heard
    kind = heard.headers["content-type"].partition(";")[0]
    if heard.status == 303:
        assert heard.headers["location"].startswith("/c/")
    elif heard.status == 200 and kind == "text/event-stream":
        assert b"event: done" in heard.body
    elif heard.status == 200:
        assert {"replies", "conversation_id", "message_id"} <= set(json.loads(heard.body))
    elif kind == "text/html":
        assert b"</html>" in heard.body
    else:
        told = json.loads(heard.body)
        assert set(told) <= {"error", "code", "retry_after", "id"} and told["error"]
        assert STATUS[told["code"]] == heard.status or (told["code"], heard.status) in BESIDES


# JSON as it is written, not as a library would: the same name twice, numbers of any size, half
# characters


class Raw(str):
    """A number as it stands."""


raw = [*"1e999999 -1e-999999 0.1 -0 01 NaN Infinity -Infinity".split(), "9" * 5000]
numbers = st.integers() | st.floats() | st.sampled_from(raw).map(Raw)
words = (
    st.text(max_size=20)
    | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=5)
    | st.sampled_from(
        ["hi", "你好", "", " ", "0" * 29, "x" * 9000, "object_string", "user", "huawei", "\ufffe"]
    )
)
names = st.sampled_from(FIELDS) | st.text(max_size=5)
# An object is a tuple of pairs, so that a name may come twice.
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(st.tuples(names, inner), max_size=5).map(tuple)
    ),
    max_leaves=12,
)
questions = st.tuples(
    st.just(("message", "hi")), st.tuples(st.sampled_from(FIELDS), values), st.tuples(names, values)
)


def written(value: Any) -> str:
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(name)}:{written(one)}" for name, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return value if isinstance(value, Raw) else json.dumps(value)


@OF_A_SHARED_SITE
@given(values | questions, st.sampled_from(["utf-8", "utf-16", "utf-32-be", "utf-8-sig"]))
def test_any_json_gets_its_answer(quick_site: Site, value: Any, encoding: str) -> None:
    assert_contract(post(quick_site, written(value).encode(encoding), JSON))


@OF_A_SHARED_SITE
@given(values | questions, st.integers(0, 200), st.binary(max_size=4), st.integers(0, 3))
def test_broken_json_gets_its_answer(
    quick_site: Site, value: Any, at: int, garbage: bytes, lost: int
) -> None:
    text = written(value).encode()
    assert_contract(post(quick_site, text[:at] + garbage + text[at + lost :], JSON))


@pytest.mark.parametrize("depth", [50, 900, 1100, 100_000])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_any_depth_gets_its_answer(quick_site: Site, depth: int, pair: str) -> None:
    inner = pair[0] + ('"a":' if pair == "{}" else "")
    deep = inner * depth + "1" + pair[1] * depth
    for body in (
        deep,
        f'{{"message":"hi","files":{deep}}}',
        f'{{"message":"hi","unknown":{deep}}}',
    ):
        assert_contract(post(quick_site, body.encode(), JSON))


# the head of the request

legal = st.binary(max_size=60).map(
    lambda some: bytes(byte for byte in some if byte >= 32 and byte != 127)
)
header_values = legal | st.sampled_from(
    [
        *(
            b"text/html",
            b"text/event-stream",
            b"*/*;q=0",
            b"application/json;q=9, text/html;q=-1",
            b',;="',
        ),
        *(
            b"0",
            b"-1",
            b"9" * 400,
            "١٢".encode(),
            b"visitor=",
            b"visitor=a; visitor=b",
            b"null",
            b"http://[",
        ),
        *(
            b"multipart/form-data",
            b"multipart/form-data; boundary=",
            b"application/json; charset=nonsense",
        ),
        *(b"bytes=0-", b"gzip, br;q=nan", b"zh-" + b"x-" * 100, b"Basic AAAA", b"http://\xff/"),
    ]
)
header_names = st.sampled_from(
    (
        "Accept Accept-Language Accept-Encoding Last-Event-ID Cookie Origin Referer Range "
        "If-None-Match Authorization X-Forwarded-For X-HTTP-Method-Override Sec-Fetch-Site "
        "User-Agent X-Requested-With"
    ).split()
)
heads = st.lists(st.tuples(header_names, header_values), max_size=5)


@OF_A_SHARED_SITE
@given(heads, header_values)
def test_any_headers_get_their_answer(
    quick_site: Site, head: list[tuple[str, bytes]], kind: bytes
) -> None:
    assert_contract(post(quick_site, b'{"message":"hi"}', *head, JSON))
    assert_contract(post(quick_site, b'{"message":"hi"}', *head, ("Content-Type", kind)))


@OF_A_SHARED_SITE
@given(heads)
def test_any_headers_get_the_events(quick_site: Site, head: list[tuple[str, bytes]]) -> None:
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in head)
    request = b"GET /chat/nowhere/events HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + lines + b"\r\n"
    assert_contract(send(quick_site.port, request))


@pytest.mark.parametrize(
    "length", [b"0", b"1", b"15", b"17", b"4000000", b"999999999999", b"9" * 300]
)
def test_a_length_that_is_not_true_gets_its_answer(quick_site: Site, length: bytes) -> None:
    assert_contract(post(quick_site, b'{"message":"hi"}', JSON, length=length))


@pytest.mark.parametrize(
    "length", [b"-1", b"+1", b"1_0", b"0x10", b" ", b"1, 2", "١".encode(), b"NaN"]
)
def test_a_length_that_is_none_is_refused(quick_site: Site, length: bytes) -> None:
    heard = post(quick_site, b'{"message":"hi"}', JSON, length=length)
    assert heard is not None and heard.status == 400


# forms


@OF_A_SHARED_SITE
@given(
    st.lists(st.tuples(names, words | st.binary(max_size=12)), max_size=6),
    st.booleans(),
    st.binary(max_size=20),
)
def test_any_form_gets_its_answer(
    quick_site: Site, fields: list[tuple[str, str | bytes]], is_page: bool, garbage: bytes
) -> None:
    spelled = [
        (_bytes(name), value if isinstance(value, bytes) else _bytes(value))
        for name, value in fields
    ]
    accept = ("Accept", b"text/html" if is_page else b"*/*")
    kind = ("Content-Type", b"application/x-www-form-urlencoded")
    assert_contract(post(quick_site, urlencode(spelled).encode() + garbage, kind, accept))


@OF_A_SHARED_SITE
@given(
    st.lists(st.tuples(names, st.none() | words, st.binary(max_size=40)), max_size=4),
    st.booleans(),
    st.binary(max_size=20),
)
def test_any_parts_get_their_answer(
    quick_site: Site, parts: list[tuple[str, str | None, bytes]], is_closed: bool, garbage: bytes
) -> None:
    body = b""
    for name, file, content in parts:
        more = b"" if file is None else b'; filename="' + _bytes(file) + b'"'
        disposition = b'Content-Disposition: form-data; name="' + _bytes(name) + b'"' + more
        body += b"--edge\r\n" + disposition + b"\r\n\r\n" + content + b"\r\n"
    body += garbage + (b"--edge--\r\n" if is_closed else b"")
    kind = ("Content-Type", b"multipart/form-data; boundary=edge")
    assert_contract(post(quick_site, body, kind, ("Accept", b"text/html")))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
