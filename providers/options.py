"""What an agent of any platform is given: checked at the start, frozen, its secrets hidden."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

QUOTES = " \t\r\n\"'`“”‘’"
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _base_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError("an address begins with https://")
    return value.rstrip("/")


def _token(value: SecretStr) -> SecretStr:
    """The token itself, also out of a copied header or with the quotes of an example around it."""
    copied = value.get_secret_value().strip(QUOTES)
    secret = re.sub(r"^(authorization:)?\s*bearer\s+", "", copied, flags=re.IGNORECASE).strip(
        QUOTES
    )
    if not secret or not secret.isascii() or any(char.isspace() for char in secret):
        raise ValueError("a token is one word of letters, digits and signs: copy it again")
    return SecretStr(secret)


Address = Annotated[str, AfterValidator(_base_address)]
Token = Annotated[SecretStr, AfterValidator(_token)]


class AgentOptions(BaseModel):
    """Base of each platform's `Options`: an unknown key is an error, an error never repeats what
    was given.

    The limits of the account are the platform's own (providers/__init__.py) unless given here; 0
    means none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    qps: float | None = Field(None, ge=0, description="Calls a second that the account may make")
    concurrency: int | None = Field(
        None, ge=0, description="Answers that the account may get at once"
    )
    daily: int | None = Field(
        None, ge=0, description="Questions that the account may be asked in a day"
    )
