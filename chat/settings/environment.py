"""The environment and .env: the only place where they are read."""

import os
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from chat.settings.errors import SettingsError
from chat.settings.home import HOME

DOTENV = HOME / ".env"
# Notepad begins a file with a mark.
ENCODING = "utf-8-sig"


def environment() -> dict[str, str]:
    """All variables that are set and not empty; those of the process win over those of .env."""
    dotenv = dotenv_values(DOTENV, encoding=ENCODING)
    variables = {name: text for name, text in dotenv.items() if text}
    variables |= {name: text for name, text in os.environ.items() if text}
    return variables


def named_secret(name: str) -> str | None:
    """What `{ env = "NAME" }` in agents.toml stands for: from the environment, .env or NAME_FILE.

    Raises OSError or UnicodeDecodeError when the file cannot be read.
    """
    variables = environment()
    if name in variables:
        return variables[name]
    path = variables.get(name + "_FILE")
    return _read(path) if path else None


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting's value, or a password in it, has to be hidden."""
    extra = field.json_schema_extra
    holds_password = isinstance(extra, dict) and extra.get("holds_password")
    return "SecretStr" in str(field.annotation) or bool(holds_password)


class SecretFiles(PydanticBaseSettingsSource):
    """`<NAME>_FILE` for each secret: the path of a file, as container platforms mount them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = field_name.upper() + "_FILE"
        path = environment().get(name) if is_secret(field) else None
        if not path:
            return None, field_name, False
        try:
            return _read(path), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError("secret_file", name=name, path=path, reason=error) from error

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def _read(path: str) -> str:
    return (HOME / path).read_text(encoding=ENCODING).strip()
