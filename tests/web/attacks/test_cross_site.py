"""Pages of other sites change nothing and read nothing."""

import pytest

from tests.kit.attacks import WRITES
from tests.kit.site import Site, Visitor
from tests.kit.sockets import SOON_S


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "{url}"},
        {"Origin": "null"},
        {"Origin": "{url}.evil.example"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://evil.example@127.0.0.1:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "{url}", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "{url} {url}"},
    ],
    ids=str,
)
def test_another_site_s_page_changes_nothing(
    site: Site, alice: Visitor, talk: str, headers: dict[str, str]
) -> None:
    spelled = {name: value.format(url=site.url, port=site.port) for name, value in headers.items()}
    for path in (
        "/chat",
        "/files",
        "/device",
        "/device/claim",
        f"/chat/{alice.message}/stop",
        f"/chat/{alice.message}/feedback",
        *(f"/c/{talk}/{write}" for write in WRITES),
    ):
        for form in ({"data": {"message": "hi", "title": "stolen"}}, {"json": {"message": "hi"}}):
            assert alice.post(path, headers=spelled, **form).status_code == 403, path
    assert "stolen" not in alice.get(f"/c/{talk}").text


def test_a_form_cannot_pass_for_json(alice: Visitor) -> None:
    disguised = alice.post(data='{"message":"hi"}', headers={"Content-Type": "text/plain"})
    assert disguised.status_code == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_another_method_changes_nothing(alice: Visitor, talk: str, method: str) -> None:
    override = {
        "X-HTTP-Method-Override": "POST",
        "X-Method-Override": "POST",
        "X-HTTP-Method": "POST",
    }
    for write in WRITES:
        refused = alice.session.request(
            method,
            f"{alice.url}/c/{talk}/{write}?_method=POST&title=stolen",
            headers=override,
            timeout=SOON_S,
        )
        assert refused.status_code in (400, 405)
    page = alice.get(f"/c/{talk}")
    assert page.ok and "stolen" not in page.text


def test_private_responses_are_not_cached_or_readable_by_other_sites(
    alice: Visitor, talk: str
) -> None:
    link = alice.post(f"/c/{talk}/share").json()["url"]
    export = f"/c/{talk}/export.json"
    paths = ["/", f"/c/{talk}", "/conversations", "/search?q=own", "/device", link, export]
    for path in [*paths, f"/c/{talk}/export.md", f"/chat/{alice.message}/events", "/nowhere"]:
        answer = alice.get(path)
        assert "no-store" in answer.headers["Cache-Control"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
    taken = alice.get(export)
    assert taken.headers["Content-Type"] == "application/json" and taken.text.startswith("{")
    assert taken.headers["Content-Disposition"].startswith("attachment")
