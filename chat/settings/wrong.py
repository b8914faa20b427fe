"""The one line of a wrong setting as a finding: in Chinese too, and with what the setting is."""

import re

from chat.owner.doctor.findings import Finding
from chat.settings.help import chinese_help, published


def wrong_setting(message: str) -> Finding:
    """The finding for the one line that a wrong setting ends the start with."""
    helps = {name: field for _, name, field in published()}
    named = re.findall(r"\b[A-Z][A-Z0-9_]+\b", message)
    names = [name if name in helps else name.removesuffix("_FILE") for name in named]
    known = [name for name in dict.fromkeys(names) if name in helps][:2]
    chinese = [f"{name}：{chinese_help(helps[name])}。" for name in known]
    english = [f"{name}: {helps[name].description}. " for name in known]
    facts = {"en": message.replace(" Value error,", "").rstrip("."), "zh": in_chinese(message)}
    facts |= {"help_zh": "".join(chinese), "help_en": "".join(english)}
    return Finding("settings_wrong", "settings", facts)


def in_both(message: str) -> str:
    """The one line of a wrong setting in English and in Chinese, for whoever starts the site."""
    return f"{message} / {in_chinese(message)}。运行 make doctor 查看说明。"


def in_chinese(message: str) -> str:
    """The one line of a wrong setting in Chinese, as far as it is made of sentences of ours."""
    for pattern, chinese in CHINESE:
        message = re.sub(pattern, chinese, message)
    return message.rstrip(". 。")


CHINESE: list[tuple[str, str]] = [  # what settings, agents and options say, and the same in Chinese
    (r"See config\.example\.env.*$|Set it in \.env.*$|Name a .*$|Unset it to use.*$|Add one for.*$", ""),
    (r"Mend it, or unset.*$|Check the file and its folder.*$|Use at least.*$|Save it as.*$", ""),
    (r"(Set \w+, or )?make the folder writable.*$|Remove it and a new one is made.*$|Give each agent.*$", ""),
    (r"(.+?) is not set up: (.+) is empty", r"\1 没有配置完整：\2 为空"),
    (r"([A-Z_]+) is empty", r"\1 为空"),
    (r", and so (?:is|are) (.+), of which one may stand instead", r"，\1 也为空（填其中之一即可）"),
    (r" and (?=[A-Z])", "、"),
    (r"(\S+) is none\. Use a name such as (\S+)\.$", r"没有时区 \1，写作 \2 这样的名字"),
    (r"(\S+) is no rate\. Write it as (\S+), or 0 for no limit\.$", r"\1 不是频率，写作 \2，0 为不限"),
    (r"String should match pattern '\^#\S+'", "颜色写作 # 加六位十六进制数，如 #0f6b62"),
    (r"String should have at most (\d+) characters?", r"最多 \1 个字"),
    (r"(\S+) is no PNG, JPEG, WebP or SVG\. Use one of these\.$", r"\1 不是 PNG、JPEG、WebP 或 SVG 图片"),
    (r"(\S+) has (\d+) kB\. Use one of at most 200 kB\.$", r"\1 有 \2 kB，最多 200 kB"),
    (r"[Ww]rite code, name:code, .*?:200", "写法：访问码，或 名称:访问码:2027-01-01:200"),
    (r"entries (\d+) and (\d+) have the same name\. Rename one", r"第 \1 项和第 \2 项同名，请改一个"),
    (r"entries (\d+) and (\d+) are the same code\. Remove one", r"第 \1 项和第 \2 项相同，请删一个"),
    (r"entry (\d+)(?=[: ])", r"第 \1 项"),
    (r"it has to have (\d+) to (\d+) characters", r"应有 \1 到 \2 个字符"),
    (r" has more than four parts\.", "多于四段。"),
    (r" has no code\.", "没有访问码。"),
    (r"no code in it\.", "里面没有访问码。"),
    (r"a name has at most 40 characters and begins with a letter", "名称最多 40 个字，以字母或汉字开头"),
    (r"a key has only letters, digits and signs", "密钥只能用英文字母、数字和符号"),
    (r"a day is written (\S+?)(?=\.)", r"日期写作 \1"),
    (r"the questions a day are a number", "每天提问数应是数字"),
    (r"a damaged hash: make it again with flask hash", "散列值不完整，请用 flask hash 重新生成"),
    (r"access: there is no code\. Set ACCESS_CODES", "access：没有访问码，请设 ACCESS_CODES"),
    (r"too short: it takes at least (\d+) characters", r"太短，至少要 \1 个字符"),
    (r"no address of a Redis\. Write it as (\S+)\.$", r"不是 Redis 的地址，写作 \1"),
    (r"not UTF-8", "不是 UTF-8 编码"),
    (r"too short", "太短，至少要 16 个字符"),
    (r"there is no file (\S+)\.", r"没有这个文件：\1"),
    (r"(\S+) holds no certificate", r"\1 里没有证书"),
    (r"cannot read", "无法读取"),
    (r"cannot keep one in", "密钥无法保存在"),
    (r"is damaged", "已损坏"),
    (r"no \[\[agents\]\] table", "没有 [[agents]] 表"),
    (r"\[\[agents\]\] number (\d+) \((.+?)\)", r"第 \1 个 [[agents]]（\2）"),
    (r"none of (.+)\.", r"只能是 \1 之一"),
    (r'The agent id (".+?") is used twice', r"智能体 id \1 重复"),
    (r"there is no such option on this platform", "这个平台没有这个选项"),
    (r"(Value error, )?an address begins with https://", "网址要以 https:// 开头"),
    (r"a token is one word of letters, digits and signs: copy it again", "令牌不含空格和汉字，请重新复制"),
    (r"a bot id is the digits after /bot/ in the address of.* page", "应是智能体网址里 /bot/ 后面的数字"),
    (r"no agent id in this address: copy it from", "网址里没有智能体 ID，请从这里复制："),
    (r"no agent id in this address: copy the (\S+) under", r"网址里没有智能体 ID，请复制\1："),
    (r"copy the whole 发布地址 of the agent: it begins with", "请复制完整的发布地址，开头是"),
    (r"only sqlite:///path is supported", "只支持 sqlite:///路径"),
    (r"\[Errno \d+\] ", ""),
    (r"No such file or directory", "没有这个文件或文件夹"),
    (r"Permission denied", "没有权限"),
    (r"Not a directory", "不是文件夹"),
    (r"Field required", "必须填写"),
    (r"Input should be a valid integer.*?(?=\.\s*$|$)", "应是整数"),
    (r"Input should be a valid number.*?(?=\.\s*$|$)", "应是数字"),
    (r"Input should be greater than or equal to ([\d.]+\d|\d)", r"不能小于 \1"),
    (r"Input should be less than or equal to ([\d.]+\d|\d)", r"不能大于 \1"),
    (r"Input should be greater than (\d+)", r"要大于 \1"),
    (r"Input should be (.+? or .+?)(?=\.|$)", r"应是 \1"),
    (r"(?<=') or (?=')", " 或 "),
    (r": (?!//)", "："),
]  # fmt: skip
