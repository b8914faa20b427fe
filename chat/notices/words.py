"""What robots tell the owner, in both languages: never a secret, never a visitor's words."""

from chat.settings.words import Words

# By the reasons of the HTTP contract that only the owner or time can put right.
REASONS = {
    "unavailable": Words("连不上平台，或回答中断", "the platform cannot be reached, or breaks off"),
    "timeout": Words("平台响应超时", "the platform takes too long"),
    "misconfigured": Words(
        "平台不接受令牌，或智能体没有发布",
        "the platform refuses the token, or nothing is published",
    ),
    "quota_exhausted": Words("额度已用完", "its allowance is used up"),
    "unexpected": Words("平台返回的内容无法识别", "the platform's answers cannot be read"),
    "needs_action": Words(
        "智能体要求执行本站不支持的操作", "it asks for a step that this site cannot take"
    ),
    "empty": Words("平台返回的回答是空的", "the platform gives empty answers"),
}
WORDS = {
    "failing": Words(
        "智能体「{name}」已连续 {minutes} 分钟回答失败：{reason}。"
        "运行 {program} doctor 可以看到原因和办法。",
        "The agent “{name}” has been failing for {minutes} minutes: {reason}. {program} doctor "
        "shows the cause and the cure.",
    ),
    "well": Words("智能体「{name}」已恢复正常。", "The agent “{name}” answers again."),
    "token": Words(
        "智能体「{name}」的访问令牌最长 {days} 天有效，最迟在 {day} 到期，到期后将无法回答。"
        "请更换令牌，最好换成长期有效的服务访问令牌。",
        "The token of the agent “{name}” is good for {days} days and ends on {day} at the latest; "
        "after that the agent answers nobody. Replace it, best with a service token that lasts.",
    ),
    "disk": Words(
        "磁盘快满了，只剩 {free} MB：访客无法再上传文件，对话也可能保存不了。请清理或扩容磁盘。",
        "The disk is nearly full, {free} MB are left: visitors can send no more files, and "
        "conversations may not be stored. Make room, or use a larger disk.",
    ),
    "room": Words("磁盘空间已恢复。", "There is room on the disk again."),
    "day": Words(
        "{name}今天的提问已用 {count} 次，上限 {limit} 次。",
        "{count} of {limit} questions of today are used up: {name}.",
    ),
    "site": Words("全站", "the whole site"),
    "account": Words("智能体「{name}」所用平台账号", "the platform's account of “{name}”"),
    "test": Words(
        "这是一条测试消息：智能体出错、令牌快到期、磁盘快满、当天次数快用完时，会在这里通知。",
        "This is a test. You will be told here when an agent fails, a token is about to end, the "
        "disk is nearly full, or a day's questions are nearly used up.",
    ),
    "message": Words("【{title}】{text}", "[{title}] {text}"),
}
