"""The platforms' wire formats on loopback: for the demo, for tests and for bug reports."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from emulator import control
from emulator.coze import api as coze
from emulator.faults import apply_mistyped
from emulator.huawei import api as huawei
from emulator.qingyan import api as qingyan
from emulator.settings import EmulatorSettings
from emulator.state import State
from emulator.wenxin import api as wenxin
from emulator.yuanqi import api as yuanqi

__all__ = ["EmulatorSettings", "create_emulator"]


class Platform(NamedTuple):
    """One platform's routes, the paths that are its own, and what it says to an unknown one among
    them.
    """

    bp: Blueprint
    prefixes: tuple[str, ...]
    unknown: Callable[[], ResponseReturnValue]


# A platform is one folder and one row; its name is its blueprint's name.
PLATFORMS = [
    Platform(coze.bp, ("/v1", "/v2", "/v3", "/api", "/oauth/consent"), coze.unknown_endpoint),
    Platform(qingyan.bp, ("/chatglm",), qingyan.unknown_endpoint),
    Platform(wenxin.bp, ("/assistant", "/oauth/2.0"), wenxin.unknown_endpoint),
    Platform(yuanqi.bp, ("/openapi",), yuanqi.unknown_endpoint),
    Platform(huawei.bp, (huawei.PREFIX,), huawei.unknown_endpoint),
]


def create_emulator(settings: EmulatorSettings | None = None) -> Flask:
    """All platforms on one port; their paths do not collide."""
    app = Flask(__name__, static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["emulator"] = State(settings or EmulatorSettings())
    control.watch(app, _name_of)
    app.register_blueprint(control.bp)
    for platform in PLATFORMS:
        app.register_blueprint(platform.bp)
    app.register_error_handler(HTTPException, _refuse)
    app.after_request(apply_mistyped)
    return app


def _owner_of(path: str) -> Platform | None:
    """The platform with the longest prefix of this path."""
    owners = [
        (len(prefix), platform)
        for platform in PLATFORMS
        for prefix in platform.prefixes
        if path == prefix or path.startswith(prefix + "/")
    ]
    return max(owners, key=lambda owner: owner[0])[1] if owners else None


def _name_of(path: str) -> str:
    owner = _owner_of(path)
    return owner.bp.name if owner else ""


def _refuse(error: HTTPException) -> ResponseReturnValue:
    """An unknown path, a wrong method or a failure, in the words of the platform whose path it
    is.
    """
    owner = _owner_of(request.path)
    if owner and error.code in (404, 405):
        return owner.unknown()
    return jsonify(error=error.name), error.code or 500
