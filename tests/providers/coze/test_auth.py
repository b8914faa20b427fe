"""Tokens of a service app from an endpoint in trouble (platforms/coze.md §6)."""

import json
import time
from email.utils import formatdate

import pytest

from providers.coze.auth import DEFAULT_LIFE_S, ServiceApp, _life_of
from providers.errors import AuthRejected, ProviderError, RateLimited, Unavailable, Unexpected
from providers.http import Http, Network
from tests.kit.canary import PEM
from tests.kit.raw import Server

HOUR = 3600
NETWORK = Network()


class EndPoint(Server):
    """A token endpoint that answers each call with these bytes."""

    def __init__(self, body: bytes, status: str = "200 OK", date: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{date}\r\n"

        def answer(line, request):
            line.sendall(head.encode() + body)
            return True

        super().__init__(answer)

    def app(self) -> ServiceApp:
        return ServiceApp(self.url, "1", "key", PEM, Http("coze", NETWORK))


def grant(**fields: object) -> bytes:
    return json.dumps({"access_token": "czs_x", **fields}).encode()


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>Bad Gateway</html>", "502 Bad Gateway", Unavailable),
        (b"", "503 x", Unavailable),
        (b"<html>", "401 x", AuthRejected),
        (b"<html>", "200 OK", Unexpected),
        (b'{"error_code":"internal_error"}', "500 x", Unavailable),
        (b'{"error_code":"too_many_requests"}', "429 x", RateLimited),
        (b'{"error_code":"access_deny"}', "500 x", AuthRejected),
        (b'{"error_code":"invalid_client","error_message":"x"}', "400 x", AuthRejected),
    ],
)
def test_a_refusal_is_sorted_by_its_code_or_else_by_its_status(body, status, kind):
    server = EndPoint(body, status)
    with pytest.raises(ProviderError) as caught:
        server.app().current()
    server.close()
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_in": int(time.time()) + HOUR},
        {"expires_in": str(int(time.time()) + HOUR)},
        {"expires_in": HOUR},
        {"expires_in": "3600"},
        {"access_token": None, "data": {"access_token": "czs_x", "expires_in": HOUR}},
    ],
)
def test_a_grant_is_read_in_any_dress_and_fetched_once(fields):
    server = EndPoint(grant(**fields))
    app = server.app()
    assert [app.current() for _ in range(3)] == ["czs_x"] * 3
    assert len(server.requests) == 1
    server.close()


def test_a_clock_two_hours_ahead_does_not_fetch_a_token_for_each_call():
    """The endpoint's own clock says how far away the end of the token is."""
    theirs = time.time() - 2 * HOUR
    date = f"Date: {formatdate(theirs, usegmt=True)}\r\n"
    server = EndPoint(grant(expires_in=int(theirs) + HOUR), date=date)
    app = server.app()
    assert [app.current() for _ in range(3)] == ["czs_x"] * 3
    assert len(server.requests) == 1
    server.close()


@pytest.mark.parametrize("end", [None, "soon", 0, -5, [], 10**12])
def test_a_life_that_makes_no_sense_is_the_platforms_default(end):
    server = EndPoint(b"{}")
    with Http("coze", NETWORK).open("GET", server.url) as response:
        assert _life_of({"expires_in": end}, response) == DEFAULT_LIFE_S
    server.close()
