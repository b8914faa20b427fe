"""The widely copied page, for comparison: create, poll in a loop, take the first of the list."""

import os
import time

import requests
from flask import Flask, jsonify, request
from werkzeug.wrappers import Response

app = Flask(__name__)
BASE = os.environ.get("COZE_API_BASE", "")
HEADERS = {"Authorization": "Bearer " + os.environ.get("COZE_API_TOKEN", "")}


@app.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@app.post("/chat")
def chat() -> Response:
    question = {"role": "user", "content": request.json["message"], "content_type": "text"}
    body = {"bot_id": "1", "user_id": "user", "stream": False, "additional_messages": [question]}
    created = requests.post(f"{BASE}/v3/chat", json=body, headers=HEADERS).json()["data"]
    ids = {"chat_id": created["id"], "conversation_id": created["conversation_id"]}
    while True:
        chat = requests.get(f"{BASE}/v3/chat/retrieve", params=ids, headers=HEADERS).json()["data"]
        if chat["status"] == "completed":
            break
        time.sleep(1)
    messages = requests.get(f"{BASE}/v3/chat/message/list", params=ids, headers=HEADERS).json()[
        "data"
    ]
    return jsonify(replies=[messages[0]["content"]])
