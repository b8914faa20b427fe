"""The environment and .env: the only place where they are read."""

import os
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from chat.settings import charset, env_file
from chat.settings.env_file import EnvFile
from chat.settings.errors import SettingsError
from chat.settings.home import HOME

DOTENV = HOME / ".env"


def read_env_file() -> EnvFile:
    """The file .env of this site, empty where there is none. Raises SettingsError."""
    try:
        return env_file.read(DOTENV)
    except IsADirectoryError:
        # Docker makes a folder of a file that it should mount and does not find.
        return EnvFile()
    except UnicodeDecodeError as error:
        raise SettingsError("dotenv") from error
    except OSError as error:
        raise SettingsError("dotenv_unreadable", path=DOTENV, reason=error) from error


def process_names() -> list[str]:
    """The names of the variables that this process was started with, and that are not empty."""
    return [name for name, text in os.environ.items() if text]


def environment() -> dict[str, str]:
    """All variables that are set and not empty; those of the process win over those of .env.

    Raises SettingsError.
    """
    variables = {name: text for name, text in read_env_file().values.items() if text}
    # docker run --env-file takes quotes for a part of the value.
    process = {name: env_file.unquoted(text) for name, text in os.environ.items()}
    return variables | {name: text for name, text in process.items() if text}


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


class Variables(PydanticBaseSettingsSource):
    """Each setting from the environment or .env, by its name in any case.

    A secret that is in neither may be in the file that `<NAME>_FILE` names, as container platforms
    mount them.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self._variables = _by_setting(environment())

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = field_name.upper()
        if name in self._variables:
            return self._variables[name], field_name, False
        path = self._variables.get(name + "_FILE") if is_secret(field) else None
        if path is None:
            return None, field_name, False
        try:
            return _read(path), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            reason = {"name": name + "_FILE", "path": path, "reason": error}
            raise SettingsError("secret_file", **reason) from error

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def setting_name(name: str) -> str:
    """A name as settings are named: COZE_BOT_ID for coze-bot-id."""
    return name.upper().replace("-", "_").replace(".", "_")


def _by_setting(variables: Mapping[str, str]) -> dict[str, str]:
    """The same by the names of settings; who is named exactly wins."""
    others = {setting_name(name): text for name, text in variables.items()}
    return {**others, **variables}


def _read(path: str) -> str:
    return charset.read(HOME / path).text.strip()
