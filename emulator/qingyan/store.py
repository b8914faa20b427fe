"""What the emulated Qingyan remembers: tokens, conversations, files."""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from uuid import uuid4

from emulator.faults import OncePerQuestion


def new_id() -> str:
    """24 hex digits, as the platform's ids look."""
    return secrets.token_hex(12)


@dataclass(frozen=True)
class Grant:
    """A token: the key it was given to, and when it ends (time.monotonic)."""

    api_key: str
    ends_at: float


@dataclass
class Turn:
    """One question; `suggestions` once they were made."""

    question: str
    history_id: str
    is_finished: bool = False
    suggestions: list[str] | None = None


@dataclass
class Conversation:
    """One thread of a developer with one of his agents."""

    id: str
    owner: str
    assistant_id: str
    turns: list[Turn] = field(default_factory=list)


@dataclass
class QingyanStore:
    """All of it; State.lock is held while it is read or changed."""

    grants: dict[str, Grant] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    refusals: OncePerQuestion = field(default_factory=OncePerQuestion)

    def grant(self, api_key: str, life_s: int) -> tuple[str, int]:
        """A new token for a key, and when it ends as the world's clock counts."""
        now = int(time.time())
        claims = {
            "fresh": False,
            "iat": now,
            "nbf": now,
            "exp": now + life_s,
            "jti": str(uuid4()),
            "type": "access",
            "upplatform": "",
            "api_role": "developer",
            "roles": ["authed_user"],
        }
        head = _encode({"alg": "HS256", "typ": "JWT"})
        token = f"{head}.{_encode(claims)}.{secrets.token_urlsafe(24)}"
        self.grants[token] = Grant(api_key, time.monotonic() + life_s)
        return token, now + life_s

    def revoke(self, api_key: str) -> None:
        """Ends all tokens of a key."""
        for token, grant in list(self.grants.items()):
            if grant.api_key == api_key:
                del self.grants[token]

    def begin(self, owner: str, assistant_id: str) -> Conversation:
        conversation = Conversation(new_id(), owner, assistant_id)
        self.conversations[conversation.id] = conversation
        return conversation


def _encode(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
