"""The settings as text: config.example.env, and the tables of the READMEs."""

from pydantic.fields import FieldInfo

from chat.settings.model import Settings
from providers import PLATFORMS
from providers.options import chinese_help

# In English and in Chinese, in the order of config.example.env.
GROUPS = {
    "site": ("Site", "站点"),
    "look": ("Look", "外观"),
    "upstream": ("The way to the platforms", "到平台的网络"),
    "storage": ("Storage", "存储"),
    "access": ("Access", "访问"),
    "limits": ("Limits", "限制"),
    "agents": ("Agents beyond one per platform", "更多智能体"),
    **{platform: (row.english, row.title) for platform, row in PLATFORMS.items()},
}


def published() -> list[tuple[str, str, FieldInfo]]:
    """(group, NAME, field) of each setting that people may set, in the order of GROUPS."""
    settings = [
        (str(extra["group"]), name.upper(), field)
        for name, field in Settings.model_fields.items()
        if isinstance(extra := field.json_schema_extra, dict)
    ]
    groups = list(GROUPS)
    return sorted(settings, key=lambda setting: groups.index(setting[0]))


def example() -> str:
    """The text of config.example.env."""
    lines = [
        "# Copy this file to .env and fill in what you need. Everything has a default.",
        "# 复制为 .env，填写需要的项；每一项都有默认值。",
        "# Each secret may also be given as <NAME>_FILE, the path of a file that holds it.",
        "# 每个密钥也可以用 <NAME>_FILE 指定存放它的文件。",
    ]
    last = ""
    for group, name, field in published():
        if group != last:
            lines += ["", f"# == {GROUPS[group][1]} / {GROUPS[group][0]} =="]
            last = group
        lines += [
            "",
            f"# {chinese_help(field)}",
            f"# {field.description}",
            f"# {name}={_default(field)}",
        ]
    return "\n".join(lines) + "\n"


def table(chinese: bool) -> str:
    """The settings as a Markdown table, in Chinese or English, for the README."""
    head = "| 名称 | 默认值 | 说明 |" if chinese else "| Name | Default | What it does |"
    rows = [head, "|---|---|---|"]
    for _, name, field in published():
        default = f"`{_default(field)}`" if _default(field) else ""
        rows.append(
            f"| `{name}` | {default} | {chinese_help(field) if chinese else field.description} |"
        )
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    return "" if field.default is None else str(field.default)
