"""Introductions of agents, for all processes: one asks the platform, and the others read it."""

import json
from collections.abc import Callable
from dataclasses import asdict

from chat.agents.introductions import AGAIN_S, FRESH_S, PATIENCE_S
from chat.shared.connection import Away, Connection
from providers.base import About

# Longer than a platform may take.
ASKING_S = int(PATIENCE_S) + 5
# In place of an introduction: it was asked for in vain.
NONE = b""


class RedisAbouts:
    """Abouts of all processes; while Redis is away each asks for itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, mark: str, ask: Callable[[], About]) -> About | None:
        """An agent's introduction; None while another process asks, or was refused a moment ago.

        Raises ProviderError.
        """
        try:
            key = self._connection.key("about", mark)
            with self._connection.calling() as calls:
                text = calls.get(key)
                if text is not None:
                    return _about(text) if text != NONE else None
                if not calls.set(f"{key}:asking", 1, nx=True, ex=ASKING_S):
                    return None
        except (Away, ValueError, TypeError):
            return ask()
        return self._ask(key, ask)

    def _ask(self, key: str, ask: Callable[[], About]) -> About:
        text, seconds = NONE, AGAIN_S
        try:
            about = ask()
            text, seconds = json.dumps(asdict(about)).encode(), FRESH_S
            return about
        finally:
            self._keep(key, text, seconds)

    def _keep(self, key: str, text: bytes, seconds: float) -> None:
        try:
            with self._connection.calling() as calls:
                calls.set(key, text, ex=int(seconds))
                calls.delete(f"{key}:asking")
        except Away:
            return


def _about(text: str | bytes) -> About:
    """Raises ValueError or TypeError for one of another release."""
    fields = json.loads(text)
    return About(**{**fields, "suggestions": tuple(fields["suggestions"])})
