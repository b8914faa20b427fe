"""The settings of the platforms, `{PLATFORM}_{OPTION}`: derived from each platform's Options."""

from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo

from chat.settings.forgiving import PER_DAY, PER_SECOND, NoLimitAt
from providers import PLATFORMS, options
from providers.options import AgentOptions, chinese_help, example_of

# In what a limit of the account counts.
_UNITS = {"qps": (PER_SECOND,), "daily": (PER_DAY,)}


def platform_fields() -> dict[str, Any]:
    """(type, field) of every setting of a platform, as pydantic's create_model takes them."""
    return {
        f"{platform}_{name}": _as_setting(platform, name, field)
        for platform in PLATFORMS
        for name, field in ordered_options(platform)
        if chinese_help(field)
    }


def ordered_options(platform: str) -> list[tuple[str, FieldInfo]]:
    """The options of a platform by name; those that every platform has come last."""
    fields = options(platform).model_fields.items()
    return sorted(fields, key=lambda field: field[0] in AgentOptions.model_fields)


def _as_setting(platform: str, name: str, option: FieldInfo) -> tuple[Any, Any]:
    default = _default(platform, name, option)
    kind: Any
    if default is not None:
        # The platform's own limit is the default of one that may be unset.
        no_limit = (NoLimitAt(0),) if option.default is None else ()
        rules = (*option.metadata, *no_limit, *_UNITS.get(name, ()))
        kind = _without_none(option.annotation)
        kind = Annotated[(kind, *rules)] if rules else kind
    else:
        # Checked when the agent is made, where an address that was pasted for an id is understood.
        kind = (SecretStr if "SecretStr" in str(option.annotation) else str) | None
    extra: dict[str, Any] = {
        "group": platform,
        "chinese": chinese_help(option),
        "example": example_of(option),
    }
    return kind, Field(default, description=option.description, json_schema_extra=extra)


def _default(platform: str, name: str, option: FieldInfo) -> Any:
    if option.is_required():
        return None
    if option.default is None:
        return getattr(PLATFORMS[platform].limits, name, None)
    return option.default


def _without_none(annotation: Any) -> Any:
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if kinds and NoneType in get_args(annotation) else annotation
