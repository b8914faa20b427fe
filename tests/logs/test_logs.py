"""The log: no secret gets in whoever writes it and how, one record is one line, each line is found
again.
"""

import base64
import contextlib
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from chat.logs import logging as logs
from chat.logs import request_id
from chat.logs.redaction import HINTS, LEARNED, SHAPES, Redaction, passwords
from tests.kit.effort import effort
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

SECRETS = ["secret-token", "secret-token-long", 'with "quotes" & a\\slash, ä+/=%', "short"]
Install = Callable[..., Redaction]


@pytest.fixture
def install() -> Iterator[Install]:
    """`install("json", "debug")`: the log of a process, which afterwards is as it was."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    handlers, level, hooks = list(root.handlers), root.level, (sys.excepthook, threading.excepthook)
    # An earlier test in this process may have worked for a request, whose number is on each line.
    request_id.work_for(None)
    yield lambda kind="text", level="info": logs.install(kind, level, SECRETS)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    request_id.work_for(None)


@pytest.fixture
def lines(install: Install, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What was logged since, a line each."""
    install()
    return lambda: capsys.readouterr().err.splitlines()


# what is blanked out


def test_a_message_holds_no_secret(lines: Callable[[], list[str]]) -> None:
    log = logging.getLogger("tests.logs")
    log.warning("asked with %s", "secret-token")
    log.warning("asked with secret-token-long!")
    log.warning("%(a)s", {"a": "secret-token"})
    log.warning(ValueError("secret-token"))
    log.warning("twice secret-token and secret-token")
    log.warning("in short: 100%% of %d", 3)
    # Threads that earlier tests left may log as well.
    told = [line.partition("tests.logs: ")[2] for line in lines() if "tests.logs: " in line]
    assert told[:2] == ["asked with ***", "asked with ***!"]
    assert told[2:] == ["***", "***", "twice *** and ***", "in short: 100% of 3"]


def test_a_traceback_and_a_stack_hold_no_secret_and_no_locals(
    lines: Callable[[], list[str]],
) -> None:
    def fail(local: str) -> None:
        raise ValueError("refused secret-token") from KeyError("secret-token-long")

    try:
        fail("a local value" * 2)
    except ValueError:
        logging.getLogger("tests.logs").exception("it was %r", sys.exc_info()[1], stack_info=True)
    text = "\n".join(lines())
    assert "secret-token" not in text and "-long" not in text and "a local valuea local" not in text
    assert (
        "ValueError: refused ***" in text and "Traceback" in text and "Stack (most recent" in text
    )


def test_nothing_goes_around_it(install: Install) -> None:
    """A logger that does not propagate, a later handler, a formatter that knows better."""
    install()
    written = io.StringIO()

    class Curious(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            record.message = record.getMessage()
            return f"{self._style.format(record)} {vars(record)} {record.exc_info} {record.args}"

    handler = logging.StreamHandler(written)
    handler.setFormatter(Curious("%(message)s %(token)s"))
    logger = logging.getLogger("tests.logs.apart")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        raise KeyError("secret-token")
    except KeyError:
        more = {"token": "secret-token", "deep": {"token": ["secret-token"]}, "number": 7}
        logger.exception("%s", "secret-token", extra=more)
    finally:
        logger.removeHandler(handler)
    assert written.getvalue().count("***") >= 5 and "'number': 7" in written.getvalue()
    assert "secret-token" not in written.getvalue()


def test_what_cannot_be_formatted_shows_no_arguments(lines: Callable[[], list[str]]) -> None:
    class Awkward:
        def __str__(self) -> str:
            raise ValueError("secret-token")

    logging.getLogger("tests.logs").error("%d", "secret-token")
    logging.getLogger("tests.logs").error("%s", Awkward())
    logging.getLogger("tests.logs").error("fine", extra={"odd": Awkward()})
    told = lines()
    assert len(told) == 3 and "cannot be written (TypeError), test_logs.py:" in told[0]
    assert "secret-token" not in "".join(told)


def test_faults_that_nobody_caught_and_warnings_are_logged(lines: Callable[[], list[str]]) -> None:
    def fail() -> None:
        raise ValueError("secret-token")

    thread = threading.Thread(target=fail, name="a thread")
    thread.start()
    thread.join()
    with contextlib.suppress(ValueError):
        fail()
    sys.excepthook(ValueError, ValueError("secret-token"), None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("secret-token is old", stacklevel=1)
    text = "\n".join(lines())
    assert "CRITICAL chat: thread a thread ended by a fault" in text and "*** is old" in text
    assert "CRITICAL chat: ended by a fault" in text and "secret-token" not in text


@pytest.mark.parametrize("secret", [one for one in SECRETS if one != "short"])
def test_a_secret_is_known_in_every_spelling(secret: str) -> None:
    blank = Redaction(SECRETS).blank
    basic = [
        base64.b64encode(f"{user}:{secret}@".encode()).decode()
        for user in ("", "me", "you", "them")
    ]
    for spelled in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
        repr(secret.encode()),
    ):
        assert blank(f"<{spelled}>").strip("<>b\"'") == "***", spelled
    for spelled in basic:
        text = blank(f"<{spelled}>")
        assert "***" in text and len(text) < 20, text


def test_each_line_of_a_key_is_a_secret_and_its_frame_is_none() -> None:
    body = "MIIEvQIBADANBgkq"
    frame = "-----BEGIN OPENSSH KEY-----"
    blank = Redaction([f"{frame}\n{body}\nAQEF\n-----END OPENSSH KEY-----\n"]).blank_known
    assert blank(f"{frame} {body} AQEF") == f"{frame} *** AQEF"


def test_a_secret_is_known_in_base64_of_both_alphabets() -> None:
    secret = "a???>>>~~~z"
    blank = Redaction([secret]).blank_known
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(secret.encode()).decode()
        assert {*"/+"} < set(text) or {*"_-"} < set(text)
        assert blank(text).startswith("***"), text


def test_what_is_no_address_has_no_password() -> None:
    assert passwords("redis://[::1") == passwords("no address") == []
    assert passwords("redis://:a%2Fb@host/?password=c") == ["a%2Fb", "a/b", "c", "c"]


@given(st.text(min_size=6, max_size=60))
def test_no_secret_gets_through_however_odd(secret: str) -> None:
    told = Redaction([secret]).blank(
        f"1{secret}2 {json.dumps(secret)} {quote(secret, errors='replace')}"
    )
    assert secret not in told or secret in "1***2 "


def test_a_token_that_is_granted_later_is_learned_and_at_last_forgotten() -> None:
    redaction = Redaction(["from-the-start"])
    redaction.know(["of-an-agent"])
    for number in range(LEARNED + 1):
        redaction.learn(f"granted-{number:04}")
    redaction.learn("granted-0007")
    told = redaction.blank("from-the-start of-an-agent granted-0200 granted-0007 granted-0000")
    assert told == "*** *** *** *** granted-0000"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Authorization: Bearer abc.d-e, code 4", "Authorization: ***, code 4"),
        ("'authorization': 'Basic YTpi' end", "'authorization': *** end"),
        ("sent Bearer abcdefgh to", "sent Bearer *** to"),
        ("Cookie: a=b; visitor=c", "Cookie:***"),
        ("[('Set-Cookie', 'visitor=c')]", "[('Set-Cookie',***"),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("GET /x?appId=1&secretKey=abc&y=2", "GET /x?appId=1&secretKey=***&y=2"),
        ("?access_token=abc", "?access_token=***"),
        ("api_key=abc token='a b' n=1", "api_key=*** token=*** n=1"),
        ('{"api_key": "a, b", "n": 1}', '{"api_key": ***, "n": 1}'),
        ('{\\"token\\":\\"abc\\"}', '{\\"token\\":***}'),
        ("GET /device?code=ABCD-EFGH HTTP", "GET /device?code=*** HTTP"),
        ("/oauth/coze/callback?code=abc&state=def", "/oauth/coze/callback?code=***&state=***"),
        ("GET /s/0123456789abcdefXYZ HTTP", "GET /s/*** HTTP"),
        ("GET /files/0123456789abcdefXYZ", "GET /files/***"),
        ("visitor=abc.def; x", "visitor=***; x"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- x", "*** x"),
        ("eyJhbGciOiJI.eyJpc3MiOiI.abc x", "*** x"),
        ("czu_0123456789abcdef and sk-0123456789abcdef", "*** and ***"),
        ("pat_0123456789abcdef", "***"),
        ("sat_0123456789abcdef", "***"),
        ("czs_0123456789abcdef", "***"),
        ("czr_0123456789abcdef", "***"),
        ("password=abc", "password=***"),
        ("passwd='a b'", "passwd=***"),
        ("code_verifier=abc", "code_verifier=***"),
        ("assertion=abc", "assertion=***"),
        ("signature=abc", "signature=***"),
        ("/callback?state=def", "/callback?state=***"),
        ("GET /pictures/0123456789abcdefXYZ", "GET /pictures/***"),
    ],
)
def test_what_looks_like_a_secret_is_blanked_out(text: str, told: str) -> None:
    assert Redaction().blank(text) == told


def test_each_shape_has_a_hint_and_needs_little_time() -> None:
    """Whoever chooses what is logged must not be able to hold up the site with it."""
    assert len(HINTS) > 10
    for part in (
        "a-",
        "token",
        "cookie",
        "bearer ",
        'token"  ',
        "-----BEGIN PRIVATE KEY-----",
        "eyJaaaaaaaaa.",
    ):
        text = part * (100_000 // len(part))
        assert effort(lambda text=text: SHAPES.sub("", text)) < 500


def test_ordinary_lines_are_left_alone() -> None:
    for line in (
        "answer 0123456789abcdef: done by coze, 12 characters in 3.2 s, chat 748, trace 20260101",
        "qingyan: HTTP 401 the token: it has expired, code 4028",
        "used 12 tokens; 5 keys of a cookie jar; the state is good, the code too",
        "COZE_API_TOKEN: a token is one word of letters, digits and signs: copy it again",
    ):
        assert Redaction(SECRETS).blank(line) == line


# how lines look


HOSTILE = "one\ntwo\r2026-01-01 ERROR made up\x1b[2J\x9b2J\x7f\u2028\u202e\t\0"


def test_a_record_is_one_line(lines: Callable[[], list[str]]) -> None:
    logging.getLogger("tests.logs").warning("said %s", HOSTILE)
    (line,) = lines()
    assert r"one\ntwo\r2026-01-01 ERROR made up\x1b[2J\x9b2J\x7f\u2028\u202e\t\x00" in line


def test_half_a_character_is_written_too(install: Install) -> None:
    install()
    ours = [
        one
        for one in logging.getLogger().handlers
        if not type(one).__module__.startswith("_pytest")
    ]
    record = logging.makeLogRecord({"msg": "\udc80"})  # not logged: pytest could not pass it on
    assert ascii(ours[0].format(record)).endswith(r"\\udc80'")


def test_the_lines_of_a_traceback_are_indented(lines: Callable[[], list[str]]) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("tests.logs").exception("it failed")
    first, *rest = lines()
    assert first.endswith("ERROR tests.logs: it failed") and len(rest) >= 4
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_json_is_one_object_a_line(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("json")
    request_id.work_for("abcd2345")
    try:
        raise ValueError(HOSTILE + "secret-token")
    except ValueError:
        logging.getLogger("tests.logs").exception("说 %s secret-token", HOSTILE)
    written = capsys.readouterr().err
    assert written.count("\n") == 1 and written[:-1].isprintable() and "说" in written
    told = json.loads(written)
    assert datetime.fromisoformat(told.pop("time")).utcoffset() is not None
    assert told.pop("exception").startswith("Traceback")
    assert told == {
        "level": "error",
        "logger": "tests.logs",
        "message": f"说 {HOSTILE} ***",
        "request_id": "abcd2345",
    }


@pytest.mark.parametrize(("level", "seen"), [("debug", 3), ("info", 2), ("warning", 1)])
def test_the_level_is_the_owner_s(
    install: Install, capsys: pytest.CaptureFixture[str], level: str, seen: int
) -> None:
    install("text", level)
    for write in (logging.debug, logging.info, logging.warning):
        write("hello")
    assert len(capsys.readouterr().err.splitlines()) == seen


def test_installed_twice_it_writes_once(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install()
    install()
    logging.warning("hello")
    assert capsys.readouterr().err.count("hello") == 1


# a site


@pytest.fixture(scope="module")
def talkative(emulator: Emulator, keep_site: Callable[..., Site]) -> Site:
    return keep_site(**coze(emulator), LOG_FORMAT="json", LOG_LEVEL="debug")


def test_all_lines_of_a_site_are_json_gunicorn_s_too(talkative: Site) -> None:
    Visitor(talkative.url).ask("!quota")
    told = [json.loads(line) for line in talkative.log.splitlines()]
    assert {"gunicorn.error", "chat.turns"} <= {one["logger"] for one in told}
    assert {"debug", "info", "warning"} <= {one["level"] for one in told}


def test_a_streamed_failure_is_found_by_its_number(talkative: Site) -> None:
    visitor = Visitor(talkative.url)
    told = list(visitor.hear("!late-error"))[-1]
    found = [json.loads(line) for line in talkative.log.splitlines()]
    warned = [
        one
        for one in found
        if one.get("request_id") == told.data["id"] and one["level"] == "warning"
    ]
    assert visitor.message is not None and [
        visitor.message in one["message"] for one in warned
    ] == [True]


def test_every_answer_has_a_number_of_its_own(talkative: Site) -> None:
    with requests.Session() as line:  # one connection
        paths = ("/", "/healthz", "/nowhere", "/", "/manifest.webmanifest")
        numbers = [
            line.get(
                talkative.url + path, headers={"X-Request-Id": "mine0000"}, timeout=10
            ).headers["X-Request-Id"]
            for path in paths
        ]
    assert len({*numbers}) == 5 and "mine0000" not in numbers
    assert all(len(one) == request_id.LENGTH for one in numbers)


def test_in_text_gunicorn_s_lines_look_like_ours(site: Site) -> None:
    assert " INFO gunicorn.error: Listening at" in site.log
