"""The key that signs cookies: the owner's, or one made once and stored with mode 0600."""

import os
import secrets
from pathlib import Path

from chat.settings.errors import SettingsError
from chat.settings.model import INSTANCE, Settings


def secret_key(settings: Settings, folder: Path = INSTANCE) -> str:
    """The key of this site. Raises SettingsError when it can be neither read nor made."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = folder / "secret_key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _read(path)
        except FileNotFoundError:
            return _make(path)
    except OSError as error:
        raise SettingsError("key_unkept", path=path, reason=error) from error


def _read(path: Path) -> str:
    key = path.read_text(encoding="ascii").strip()
    if len(key) < 16:
        raise SettingsError("key_damaged", path=path)
    return key


def _make(path: Path) -> str:
    """Writes beside and links into place: two processes starting at once agree on one key."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return _read(path)
