"""The demo: with no platform set, the emulator runs beside the site, and ends with it."""

import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from chat.release import ROOT

if TYPE_CHECKING:
    # gunicorn's master starts the emulator, and is to stay small.
    from chat.settings.model import Settings

# All that the emulator has of pictures.
PICTURE = "/_emulator/picture.png"


def start() -> tuple[str, subprocess.Popen[bytes]]:
    """Starts the emulator on a free loopback port.

    Returns its address, which already takes connections.

    The emulator watches its standard input, a pipe whose other end only we hold: it ends when we
    do, even when we are killed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "--fd", str(listener.fileno()), "--with-parent"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
    return f"http://127.0.0.1:{port}", process


def accounts(settings: "Settings") -> dict[str, dict[str, Any]]:
    """The options of one agent per platform, as the emulator knows them (emulator/accounts.py)."""
    base = settings.demo_url
    assert base, "demo mode without an emulator: start() comes first"
    accounts: dict[str, dict[str, Any]] = {
        "coze": {
            "api_token": "pat_demo_only_not_a_secret",
            "bot_id": "7480000000000000101",
            "api_base": base,
        },
        "qingyan": {
            "api_key": "0a1b2c3d4e5f6071",
            "api_secret": "00112233445566778899aabbccddeeff",
            "assistant_id": "aaaaaaaaaaaaaaaaaaaaaa01",
            "api_base": f"{base}/chatglm/assistant-api/v1",
        },
        "wenxin": {
            "app_id": "EmuAgentAAAAAAAAAAAAAAAAAAAAAA01",
            "secret_key": "EmuSecretBBBBBBBBBBBBBBBBBBBBB01",
            "api_base": base,
            "token_base": base,
        },
        "yuanqi": {
            "api_token": "Qk7DemoOnlyNotASecret00000000001",
            "assistant_id": "EmuAgent0001",
            "api_base": f"{base}/openapi/v1",
        },
        "huawei": {
            "api_key": "sk-demo-only-not-a-secret",
            "agent_url": f"{base}/v1/routes/open/7c0e1d52-0000-4a00-9000-00000000a001/execute",
        },
    }
    return {
        platform: {**account, "picture_path": PICTURE} for platform, account in accounts.items()
    }
