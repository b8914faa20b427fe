"""Faults below every platform's own format: wrong statuses, pages, broken JSON, another host."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from emulator.control import OWN
from emulator.words import MagicWords, read

PAGE = (
    "<!DOCTYPE html>\n<html><head><title>{0}</title></head>"
    "<body><h1>{0} 网关错误</h1></body></html>\n"
)

# Errors as other houses write them (platforms/yuanqi.md and wenxin.md, the additions).
ENVELOPES: tuple[Any, ...] = (
    {"code": 1003, "msg": "坏了"},
    {"message": "坏了", "code": "1003"},
    {"errno": 110, "msg": "坏了"},
    {"error_code": 110, "error_msg": "坏了"},
    [{"error": {"code": 110, "message": "坏了"}}],
    {"detail": "坏了"},
)


def transport_fault(
    words: MagicWords, error_body: Callable[[int], dict[str, Any]]
) -> ResponseReturnValue | None:
    """Obeys !http !html !nothing !garbage !redirect !envelope !leaky.

    `error_body` is the platform's JSON for a status.
    """
    if words.has("http"):
        status = int(words.number("http", 500))
        return Response(
            json.dumps(error_body(status), ensure_ascii=False), status, mimetype="application/json"
        )
    if words.has("html"):
        status = int(words.number("html", 502))
        return Response(PAGE.format(status), status, mimetype="text/html")
    if words.has("nothing"):
        return Response(b"", int(words.number("nothing", 200)))
    if words.has("garbage"):
        return Response('{"code":0,"msg":"","data":{"id":"74800', 200, mimetype="application/json")
    if words.has("envelope"):
        return jsonify(ENVELOPES[int(words.number("envelope", 1)) - 1])
    if words.has("leaky"):
        token = request.headers.get("Authorization", "").split(" ")[-1]
        credentials = " ".join((token, *request.args.values()))
        return jsonify(_append(error_body(500), f" for {credentials}")), 500
    if words.has("redirect"):
        return redirect(f"{_another_host()}{OWN}/elsewhere")
    return None


def apply_mistyped(response: Response) -> Response:
    """For !mistyped: the same body under a wrong content type."""
    if request.is_json and read(request.get_data(as_text=True)).has("mistyped"):
        response.headers["Content-Type"] = "text/plain"
    return response


def _another_host() -> str:
    """This same server by another of its names: another host to a client, yet still on loopback."""
    here = urlsplit(request.host_url)
    name = "localhost" if here.hostname != "localhost" else "127.0.0.1"
    return f"{here.scheme}://{name}:{here.port}"


def _append(value: dict[str, Any], suffix: str) -> dict[str, Any]:
    """A JSON object with this at the end of each of its texts."""
    result = dict(value)
    for name, inner in value.items():
        if isinstance(inner, str):
            result[name] = inner + suffix
        elif isinstance(inner, dict):
            result[name] = _append(inner, suffix)
    return result


class OncePerQuestion:
    """For !expired: refuses the first time a question is seen, lets the second time pass, and so
    on.
    """

    def __init__(self) -> None:
        self._keys: set[object] = set()

    def refuses(self, key: object) -> bool:
        if key in self._keys:
            self._keys.remove(key)
            return False
        self._keys.add(key)
        return True
