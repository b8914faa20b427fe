"""The settings as text: config.example.env, and the tables of the READMEs."""

from pydantic.fields import FieldInfo

from chat.settings.model import Settings

GROUPS = {
    "site": ("Site", "站点"),
    "look": ("Look", "外观"),
    "upstream": ("The way to the platforms", "到平台的网络"),
    "storage": ("Storage", "存储"),
    "access": ("Access", "访问"),
    "limits": ("Limits", "限制"),
    "agents": ("Agents beyond one per platform", "更多智能体"),
    "coze": ("Coze", "扣子 Coze"),
    "qingyan": ("Qingyan", "智谱清言"),
    "wenxin": ("Wenxin agents", "文心智能体"),
    "yuanqi": ("Yuanqi", "腾讯元器"),
    "huawei": ("Huawei Cloud's AI-native application engine", "华为云 AI 原生应用引擎"),
}


def published() -> list[tuple[str, str, FieldInfo]]:
    """(group, NAME, field) of each setting that people may set, in order."""
    return [
        (extra["group"], name.upper(), field)
        for name, field in Settings.model_fields.items()
        if isinstance(extra := field.json_schema_extra, dict) and isinstance(extra["group"], str)
    ]


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


def chinese_help(field: FieldInfo) -> str:
    """What a setting does, in Chinese."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    return str(extra["chinese"])


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else str(field.default)
