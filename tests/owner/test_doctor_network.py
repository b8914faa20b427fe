"""The doctor on the way to a platform: certificates, proxies, names, silence, clocks, the wrong
region.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3
from trustme import CA

from chat.owner.doctor.agents import failure, reach
from chat.owner.doctor.findings import Finding
from emulator import create_emulator
from emulator.serving import serve
from providers.errors import Unavailable
from providers.http import Http, Network, translate_error
from tests.kit.certificates import certified
from tests.kit.emulator import quick
from tests.kit.raw import Server
from tests.owner.test_doctor import both, settings

CN, COM = "api.coze.cn", "api.coze.com"


@pytest.fixture(scope="module")
def secure(authority: CA) -> Iterator[str]:
    context = certified(authority, "localhost", "127.0.0.1", COM)
    with serve(create_emulator(quick()), ssl_context=context) as url:
        yield url


def test_an_unknown_authority(secure: str, bundle: Path, tmp_path: Path) -> None:
    code, chinese, english = both(tmp_path, settings("coze", secure))
    assert code == 2
    assert "不信任它的 TLS 证书" in chinese and "CA_BUNDLE" in chinese
    assert "not trusted" in english and "CA_BUNDLE" in english
    code, chinese, english = both(tmp_path, settings("coze", secure, CA_BUNDLE=bundle))
    assert code == 0 and "证书有效" in chinese and "certificate is good" in english


def test_https_where_there_is_none(secure: str, tmp_path: Path) -> None:
    with serve(create_emulator(quick())) as url:
        ours = settings("coze", url.replace("http://", "https://"))
        code, chinese, english = both(tmp_path, ours)
    assert code == 2 and "没有使用 TLS" in chinese and "does not speak TLS" in english


def test_the_wrong_region_is_named(
    authority: CA, secure: str, bundle: Path, tmp_path: Path
) -> None:
    """Both names of Coze lead to this machine; only api.coze.cn refuses the token."""
    refusal = b'{"code":700012006,"msg":"access token invalid"}'
    answer = (
        b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b"
    )
    china = Server(
        lambda line, _: line.sendall(answer % (len(refusal), refusal)) or True,
        certified(authority, CN),
    )
    ways = {CN: china.port, COM: int(secure.rpartition(":")[2])}
    with Tunnel(ways) as tunnel:
        ours = settings("coze", f"https://{CN}", CA_BUNDLE=bundle, UPSTREAM_PROXY=tunnel.url)
        code, chinese, english = both(tmp_path, ours)
        assert code == 2
        assert "设置 COZE_API_BASE=https://api.coze.com" in chinese, chinese
        assert "Set COZE_API_BASE=https://api.coze.com" in english
        there = {**ours, "COZE_API_BASE": f"https://{COM}"}
        assert both(tmp_path, there)[0] == 0
    china.close()


def test_a_name_that_is_unknown_and_an_answer_that_never_comes() -> None:
    nobody = urllib3.exceptions.NameResolutionError("nobody", None, socket.gaierror(-2, "unknown"))  # type: ignore[arg-type]
    unknown = translate_error(nobody, "coze")
    assert isinstance(unknown, Unavailable)
    assert failure(unknown, "nobody").id == "host_unknown"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert [one.id for one in reach(door(), silent, 0.3)] == ["host_silent"]


def test_a_clock_that_is_wrong() -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nDate: {}\r\n\r\n"
    for date, found in (
        ("Thu, 01 Jan 2026 00:00:00 GMT", ["host_plain", "clock_wrong"]),
        ("yesterday", ["host_plain"]),
    ):
        server = Server(lambda line, _, date=date: line.sendall(head.format(date).encode()))  # type: ignore[misc]
        assert [one.id for one in reach(door(), server.url + "/")] == found
        server.close()
    wrong = Finding("clock_wrong", "api.coze.cn", {"seconds": 90})
    assert "90 秒" in wrong.seen("zh") and "timedatectl" in wrong.to_do("en")


def door() -> Http:
    return Http("doctor", Network())


class Tunnel:
    """An HTTP proxy that knows where each name is on this machine."""

    def __init__(self, ways: dict[str, int]) -> None:
        self._ways = ways
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Tunnel":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(4096)
        name = head.split()[1].decode().partition(":")[0]
        with near, socket.create_connection(("127.0.0.1", self._ways[name])) as far:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pour, args=(far, near), daemon=True)
            back.start()
            _pour(near, far)
            back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
