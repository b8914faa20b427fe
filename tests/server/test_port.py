"""The port is tried before gunicorn tries it: who has it, and which one is free."""

import os
import re
import socket

import pytest

from chat.server import port


def test_a_free_port_is_no_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    assert port.problem("127.0.0.1", number) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_taken_has_a_holder_and_a_free_neighbour(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        text = port.problem(host, number, patience_s=0) or ""
    chinese, english = text.split(" / ")
    free = re.findall(r"PORT=(\d+)", text)
    assert f"进程 {os.getpid()}" in chinese and f"process {os.getpid()}" in english
    assert len(free) == 2 and number < int(free[0]) < number + 50


def test_a_port_that_comes_free_in_time_is_no_problem() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    number = server.getsockname()[1]
    server.close()
    assert port.problem("127.0.0.1", number) is None


@pytest.mark.parametrize("host", ["203.0.113.9", "2001:db8::1"])
def test_an_address_of_another_machine_is_no_host(host: str) -> None:
    assert "HOST=0.0.0.0" in (port.problem(host, 8000) or "")


def test_loopback_of_ipv6_can_be_listened_at() -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.bind(("::1", 0))
        number = server.getsockname()[1]
    assert port.problem("::1", number) is None
