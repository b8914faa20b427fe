"""Coze's Open API (platforms/coze.md): the routes."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

bp = Blueprint("coze", __name__)


def unknown_endpoint() -> ResponseReturnValue:
    text = f"The requested API endpoint {request.method} {request.path} does not exist."
    return jsonify(code=4000, msg=text), 404
