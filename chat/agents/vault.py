"""Tokens at rest: sealed with a key made from the site's own, changed by one process at a time."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chat.storage.engine.kinds import StorageError
from chat.storage.secrets import Secrets
from providers.errors import Unavailable


class Vault:
    """Keeps small documents sealed in the database, by name: `<platform>-<what>:<whose>`.

    Everything with a name raises Unavailable while the database cannot be used.
    """

    def __init__(self, secrets: Secrets, secret_key: str) -> None:
        self._secrets = secrets
        self._key = secret_key
        self._lock = threading.Lock()

    def load(self, name: str) -> dict[str, Any] | None:
        """What was saved under a name; None when nothing was, or under another SECRET_KEY."""
        with _available(name):
            sealed = self._secrets.get(name)
        return None if sealed is None else self.unseal(sealed)

    def save(self, name: str, value: dict[str, Any]) -> None:
        """Seals a document, and keeps it in place of what the name had."""
        with _available(name):
            self._secrets.put(name, self.seal(value))

    def seal(self, document: dict[str, Any]) -> bytes:
        """A document as it may be stored anywhere."""
        sealed: bytes = self._fernet().encrypt(json.dumps(document).encode())
        return sealed

    def unseal(self, sealed: bytes) -> dict[str, Any] | None:
        """What was sealed; None when it was under another SECRET_KEY."""
        from cryptography.fernet import InvalidToken

        try:
            document: dict[str, Any] = json.loads(self._fernet().decrypt(sealed))
        except InvalidToken:
            return None
        return document

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Lets in one thread at a time, of all processes."""
        with self._lock, _available(name), self._secrets.alone(name):
            yield

    def _fernet(self) -> Any:
        return fernet(self._key)


def fernet(secret_key: str) -> Any:
    """What seals and opens, with a key made from the site's own."""
    # Megabytes, which only the few sites that seal something need.
    from cryptography.fernet import Fernet

    digest = hashlib.sha256(b"vault:" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


@contextmanager
def _available(name: str) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        platform = name.partition("-")[0]
        raise Unavailable("the database keeps no token just now", provider=platform) from error
