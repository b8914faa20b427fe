"""The emulator's frame: words, framing, journal, switches, and a server whose connections really
die.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
import requests

from emulator import EmulatorSettings, create_emulator, speech
from emulator.request_log import without_credentials
from emulator.serving import serve
from emulator.stream import Cut, Wait, answer_steps, reframe, seconds_of
from emulator.words import read
from tests.kit.certificates import certified
from tests.kit.patience import eventually, soon

AUTHORIZED = {"Authorization": "Bearer pat_demo_only_not_a_secret"}
OPENING, CLOSING = [b"event:a\ndata:{}\n\n"], [b"event:z\ndata:{}\n\n"]
PIECES = [f'event:p\ndata:{{"t":"第{n}块"}}\n\n'.encode() for n in range(4)]


def chat_body(question: str, stream: bool = True) -> dict:
    message = {"role": "user", "type": "question", "content": question, "content_type": "text"}
    return {
        "bot_id": "7480000000000000101",
        "user_id": "u",
        "stream": stream,
        "additional_messages": [message],
    }


def steps(question: str, **more) -> list:
    words = read(question)
    return list(reframe(answer_steps(words, OPENING, PIECES, CLOSING, **more), words))


def raw(url: str, question: str) -> bytes:
    """Everything the server sends, as it is on the wire, until the connection is gone."""
    payload = json.dumps(chat_body(question)).encode()
    head = f"POST /v3/chat HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZED['Authorization']}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5) as wire:
        wire.sendall(head.encode() + payload)
        received = b""
        while part := wire.recv(65536):
            received += part
    return received


def chunks(answer: bytes) -> list[bytes]:
    """The chunks of a chunked body, complete ones only."""
    _, _, rest = answer.partition(b"\r\n\r\n")
    numbers = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        numbers.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return numbers


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        ("你好!cut", {"cut": ()}),
        ("!slow 3 then !pieces 5 20", {"slow": (3.0,), "pieces": (5.0, 20.0)}),
        ("wow!great !!no ![alt](x) !", {}),
        ("!html 502 3rd !Late-Error", {"html": (502.0,), "late-error": ()}),
        ("!code 4028.", {"code": ()}),
    ],
)
def test_words(question, numbers):
    assert read(question).numbers == numbers


def test_an_ordinary_answer_is_its_frames_and_gaps():
    assert steps("hi") == [*OPENING, *PIECES, *CLOSING]
    assert seconds_of(steps("hi", gap_s=0.5)) == 2.0
    assert steps("!slow 2")[1] == Wait(2.0)
    assert steps("!pause 2").index(Wait(2.0)) == 3


def test_answers_that_end_badly():
    assert steps("!short") == [*OPENING, *PIECES[:2]]
    *before, half, cut = steps("!cut")
    assert before == [*OPENING, *PIECES[:2]] and cut == Cut()
    with pytest.raises(UnicodeDecodeError):
        half.decode()
    assert steps("hi", instead=[b"failed"]) == [*OPENING, *PIECES[:2], b"failed"]
    assert steps("!strange", middle=[b"odd"])[3] == b"odd"
    assert steps("!silent", silence_s=9) == [*OPENING, Wait(9)]


def test_an_endless_answer_goes_on():
    endless = reframe(answer_steps(read("!endless"), OPENING, PIECES, CLOSING), read("!endless"))
    assert sum(isinstance(next(endless), bytes) for _ in range(200)) > 90


def test_framings():
    whole = b"".join([*OPENING, *PIECES, *CLOSING])
    assert steps("!burst", gap_s=1) == [whole]
    bytewise = steps("!chop")
    assert b"".join(bytewise) == whole and {len(step) for step in bytewise} == {1}
    assert b"".join(steps("!crlf")) == whole.replace(b"\n", b"\r\n")
    assert steps("!space")[0] == b"event: a\ndata: {}\n\n"
    assert steps("!comment")[0].startswith(b": ")
    assert list(reframe([b"data: {}\n\n"], read("!space"))) == [b"data:{}\n\n"]
    assert list(reframe([b'{"a":1}\n'], read("!space !comment"), is_sse=False)) == [b'{"a":1}\n']


@pytest.mark.parametrize("question", ["图书馆几点开门？", "When does the library open?"])
def test_the_demo_answer_is_pleasant(question):
    text = speech.compose(question, read(question), ["earlier"]).text
    assert f"> {question}" in text and "2" in text and "- " in text and "```" in text
    assert 150 <= len(text) <= 340
    pieces = speech.pieces(text, read(question), EmulatorSettings())
    assert len(pieces) == 40 and "".join(pieces) == text


def test_the_words_of_an_agent():
    assert speech.compose("!recall", read("!recall"), ["a", "b"]).text == "a | b"
    assert len(speech.compose("!huge 5000", read("!huge 5000")).text.encode()) == 5000
    assert "这是第 2 个问题" in speech.compose("你好 !think", read("你好 !think"), ["x"]).text
    assert len(speech.pieces("一二三四五", read("!pieces 3"), EmulatorSettings())) == 3


def test_the_request_log_hides_credentials():
    payload = {
        "client_secret": "s",
        "api_key": "k",
        "usage": {"token_count": 1},
        "text": "my sk-abc and pat_abc",
    }
    cleaned = without_credentials(payload)
    assert cleaned == {
        "client_secret": "***",
        "api_key": "***",
        "usage": {"token_count": 1},
        "text": "my *** and ***",
    }


def test_the_request_log_holds_each_request(start_emulator):
    own = start_emulator()
    answer = requests.post(
        f"{own.url}/v3/chat?secretKey=x", json=chat_body("hi", False), headers=AUTHORIZED, timeout=5
    )
    (entry,) = own.journal()["requests"]
    assert (entry["method"], entry["path"], entry["platform"], entry["status"]) == (
        "POST",
        "/v3/chat",
        "coze",
        200,
    )
    assert entry["query"] == {"secretKey": "***"}
    assert entry["ids"]["chat_id"] == answer.json()["data"]["id"]
    assert entry["body"]["additional_messages"][0]["content"] == "hi"
    assert "pat_demo" not in json.dumps(own.journal())
    requests.delete(f"{own.url}/_emulator/journal", timeout=5)
    assert own.journal() == {"requests": [], "violations": [], "disconnected": []}


def test_switches_change_while_it_runs(emulator):
    switches = f"{emulator.url}/_emulator/settings"
    assert (
        requests.post(switches, json={"coze_list_order": 2}, timeout=5).json()["coze_list_order"]
        == 2
    )
    requests.delete(switches, timeout=5)
    assert requests.get(switches, timeout=5).json()["coze_list_order"] == 1
    for wrong in ({"coze_list_orders": 1}, {"coze_list_order": "1"}, {"coze_done_bare": 1}):
        assert requests.post(switches, json=wrong, timeout=5).status_code == 400


def test_state_is_forgotten_on_demand(start_emulator):
    own = start_emulator(coze_free_calls=1)
    for code in (0, 4028):
        assert (
            requests.post(
                f"{own.url}/v3/chat", json=chat_body("hi", False), headers=AUTHORIZED, timeout=5
            ).json()["code"]
            == code
        )
    requests.delete(f"{own.url}/_emulator/state", timeout=5)
    assert (
        requests.post(
            f"{own.url}/v3/chat", json=chat_body("hi", False), headers=AUTHORIZED, timeout=5
        ).json()["code"]
        == 0
    )


def test_connections_stay_open_and_foreign_paths_are_json(emulator):
    with closing(HTTPConnection("127.0.0.1", urlsplit(emulator.url).port, timeout=5)) as connection:
        for _ in range(3):
            connection.request("POST", "/nowhere", b"left over")
            local = connection.sock.getsockname()
            assert json.loads(connection.getresponse().read()) == {"error": "Not Found"}
            assert connection.sock.getsockname() == local


def test_a_redirect_that_is_followed_is_a_violation(start_emulator):
    own = start_emulator()
    requests.post(f"{own.url}/v3/chat", json=chat_body("!redirect"), headers=AUTHORIZED, timeout=5)
    (violation,) = own.violations("redirect_followed")
    assert violation["detail"].endswith("without credentials")


def test_each_frame_travels_at_once(start_emulator):
    own = start_emulator(pace_s=1.0)
    with requests.post(
        f"{own.url}/v3/chat",
        json=chat_body("hi !pieces 4 100"),
        headers=AUTHORIZED,
        stream=True,
        timeout=5,
    ) as answer:
        arrived = [time.monotonic() for _ in answer.iter_content(None)]
    # Six frames within five seconds; a reader that stood still for a while finds some of them
    # together.
    assert sum(later - earlier > 0.05 for earlier, later in pairwise(arrived)) >= 3


def test_cut_kills_the_connection_inside_a_character(emulator):
    answer = raw(emulator.url, "你好 !cut")
    assert not answer.endswith(b"0\r\n\r\n")
    with pytest.raises(UnicodeDecodeError):
        b"".join(chunks(answer)).decode()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.post(
            f"{emulator.url}/v3/chat", json=chat_body("你好 !cut"), headers=AUTHORIZED, timeout=5
        )


def test_short_ends_properly_before_the_end(emulator):
    answer = raw(emulator.url, "你好 !short")
    assert answer.endswith(b"0\r\n\r\n") and b"event:done" not in answer


def test_chop_and_burst_on_the_wire(emulator):
    bytewise = chunks(raw(emulator.url, "你好 !chop"))
    assert {len(chunk) for chunk in bytewise[:-1]} == {1} and bytewise[-1] == b""
    assert b"".join(bytewise).decode().endswith('data:"[DONE]"\n\n')
    burst = chunks(raw(emulator.url, "你好 !burst"))
    assert len(burst) == 2 and burst[0].endswith(b'data:"[DONE]"\n\n')


@pytest.mark.parametrize("question", ["!silent", "!endless", "!slow 60"])
def test_a_client_that_leaves_is_noticed(start_emulator, question):
    own = start_emulator()
    with requests.post(
        f"{own.url}/v3/chat", json=chat_body(question), headers=AUTHORIZED, stream=True, timeout=5
    ):
        pass
    assert eventually(lambda: own.journal()["disconnected"])


def test_tls(authority, bundle):
    context = certified(authority, "127.0.0.1")
    with serve(create_emulator(EmulatorSettings(pace_s=0)), ssl_context=context) as url:
        assert url.startswith("https://")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=5)
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(bundle)
            session.headers.update(AUTHORIZED)
            assert session.post(f"{url}/v3/chat", json=chat_body("hi"), timeout=5).text.endswith(
                '"[DONE]"\n\n'
            )
            with session.post(f"{url}/v3/chat", json=chat_body("!slow 60"), timeout=5, stream=True):
                pass
            journal = f"{url}/_emulator/journal"
            assert eventually(lambda: session.get(journal, timeout=5).json()["disconnected"])


@pytest.fixture
def child():
    """python -m emulator with more arguments, ended with the test."""
    started = []

    def start(*arguments: str, **more) -> subprocess.Popen:
        command = [sys.executable, "-m", "emulator", *arguments]
        started.append(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_command_serves_an_inherited_socket(child):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = child("--fd", str(listener.fileno()), "--pace", "0", pass_fds=[listener.fileno()])
    settings = requests.get(f"http://127.0.0.1:{port}/_emulator/settings", timeout=soon(10))
    assert settings.json()["pace_s"] == 0
    assert process.stdout.readline() == f"http://127.0.0.1:{port}\n"


def test_the_command_ends_with_its_parent(child, tmp_path):
    """The parent is killed outright, so only the end of the pipe can tell."""
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'emulator', '--with-parent'], "
        "stdin=subprocess.PIPE, "
        "stdout=subprocess.PIPE, text=True)\n"
        "print(p.stdout.readline(), end='', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as parent:
        url = parent.stdout.readline().strip()
        assert requests.get(f"{url}/_emulator/journal", timeout=5).ok
        os.kill(parent.pid, signal.SIGKILL)
    until = time.monotonic() + soon(5)
    # It may end in the middle of an answer.
    with pytest.raises(
        (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
    ):
        while time.monotonic() < until:
            requests.get(f"{url}/_emulator/journal", timeout=5)
