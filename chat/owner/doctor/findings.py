"""What the doctor can find, each with what was seen and what to do about it, in Chinese and English."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from chat.agents import cures
from providers.errors import ProviderError

Level = Literal["ok", "warn", "fail"]
LANGUAGES = ("zh", "en")
PARTS = {
    "settings": "设置",
    "secret key": "密钥",
    "database": "数据库",
    "disk": "磁盘",
    "access": "访问",
}


class Words(NamedTuple):
    """The sentences of one finding: seen and to do, in Chinese and in English. Facts stand in braces."""

    level: Level
    zh: str
    zh_do: str
    en: str
    en_do: str


_NETWORK_ZH = "检查服务器的网络和防火墙；需要代理才能出网时，设 UPSTREAM_PROXY"
_NETWORK_EN = (
    "Check the server's network and firewall; where only a proxy leads out, set UPSTREAM_PROXY"
)

WORDS: dict[str, Words] = {
    "settings_ok": Words("ok", "设置都看得懂", "", "The settings make sense", ""),
    "settings_wrong": Words(
        "fail", "{zh}", "{help_zh}改好 .env（或环境变量）再试，每一项的说明在 config.example.env",
        "{en}", "{help_en}Correct it in .env or the environment; config.example.env explains each setting",
    ),
    "demo": Words(
        "ok", "没有设置任何平台：站点以演示方式启动，由内置模拟器作答",
        "要接入自己的智能体，把平台的设置写进 .env（见 README）",
        "No platform is set: the site starts as a demo, on the built-in emulator",
        "To connect agents of yours, put a platform's settings into .env (see README)",
    ),
    "key_set": Words("ok", "SECRET_KEY 已设置", "", "SECRET_KEY is set", ""),
    "key_kept": Words("ok", "密钥保存在 {path}", "", "The key is kept in {path}", ""),
    "key_new": Words(
        "ok", "还没有密钥，第一次启动时生成 {path}", "",
        "There is no key yet; the first start makes {path}", "",
    ),
    "key_damaged": Words(
        "fail", "{path} 里的密钥不完整", "删掉这个文件，启动时会重新生成（访客要重新开始会话）",
        "The key in {path} is damaged",
        "Remove the file; the next start makes a new one (visitors begin anew)",
    ),
    "key_unreadable": Words(
        "fail", "无法读取 {path}：{reason}", "把文件改为由运行本站的用户拥有，或设 SECRET_KEY",
        "{path} cannot be read: {reason}", "Give the file to the user who runs the site, or set SECRET_KEY",
    ),
    "key_open": Words(
        "warn", "其他用户可以读 {path}", "chmod 600 {path}", "Other users may read {path}", "chmod 600 {path}"
    ),
    "database_ok": Words("ok", "数据库正常：{path}", "", "The database is in order: {path}", ""),
    "database_new": Words(
        "ok", "还没有数据库，第一次启动时建立 {path}", "",
        "There is no database yet; the first start makes {path}", "",
    ),
    "database_old": Words(
        "ok", "数据库 {path} 是旧版本（{version}），下次启动时自动升级到 {newest}", "",
        "The database {path} is of an older version ({version}); the next start upgrades it to {newest}", "",
    ),
    "database_newer": Words(
        "fail", "数据库 {path} 来自更新的版本（{version}），本版本只认到 {newest}",
        "装回较新的版本，或换一个 DATABASE_URL",
        "The database {path} is of a newer version ({version}) than this one knows ({newest})",
        "Install the newer version again, or set another DATABASE_URL",
    ),
    "database_broken": Words(
        "fail", "数据库 {path} 打不开：{reason}", "从备份恢复这个文件，或把它移走（对话会清空），再启动",
        "The database {path} cannot be opened: {reason}",
        "Restore the file from a backup, or move it away (conversations are lost), and start again",
    ),
    "database_locked": Words(
        "fail", "数据库 {path} 不能写：{place} 是只读的",
        "把它改为由运行本站的用户拥有，或换一个 DATABASE_URL",
        "The database {path} cannot be written: {place} is read-only",
        "Give it to the user who runs the site, or set another DATABASE_URL",
    ),
    "database_placeless": Words(
        "fail", "数据库 {path} 没有地方放：{place} 不是文件夹", "把 DATABASE_URL 改到一个可写的文件夹里",
        "There is no place for the database {path}: {place} is no folder",
        "Set DATABASE_URL to a file in a folder that can be written",
    ),
    "disk_ok": Words("ok", "磁盘剩余 {free} MB", "", "{free} MB of disk are free", ""),
    "disk_low": Words(
        "warn", "磁盘只剩 {free} MB", "清理磁盘：对话保存在 {path}",
        "Only {free} MB of disk are free", "Free some space: conversations are kept in {path}",
    ),
    "disk_full": Words(
        "fail", "磁盘已满，只剩 {free} MB", "先清理磁盘：{path} 写不进去时，提问会失败",
        "The disk is full, {free} MB are free",
        "Free some space first: while {path} cannot be written, questions fail",
    ),
    "redis_ok": Words(
        "ok", "Redis 可用：在任一进程都能接着看、停止回答", "",
        "Redis can be used: answers are followed and stopped at every process", "",
    ),
    "redis_away": Words(
        "warn", "连不上 Redis：{reason}。本站照常回答，但别的进程只在答完后才显示，也停不下来",
        "检查 REDIS_URL 的主机和端口，以及 Redis 是否在运行；恢复后不必重启。只有一个进程时，删掉 REDIS_URL",
        "Redis cannot be reached: {reason}. The site answers; other processes show an answer only when it "
        "has ended, and cannot stop it",
        "Check host and port in REDIS_URL, and whether Redis runs; no restart is needed. With one process "
        "only, unset it",
    ),
    "redis_refused": Words(
        "fail", "Redis 拒绝：{reason}",
        "核对 REDIS_URL 里的用户名和密码（符号写成 %xx）；该用户要能读写 zhiye:answer:*、订阅 zhiye:stop",
        "Redis refuses: {reason}",
        "Check user and password in REDIS_URL (signs such as @ are written as %xx); the user needs the keys "
        "zhiye:answer:* and the channel zhiye:stop",
    ),
    "access_proxy": Words(
        "warn", "PUBLIC_URL 是 {url}，而 TRUSTED_PROXIES 为 0：Cookie 不带 Secure，所有访客算作同一个地址",
        "前面有一层代理（如 nginx）时设 TRUSTED_PROXIES=1，并让它传递 X-Forwarded-For 和 X-Forwarded-Proto",
        "PUBLIC_URL is {url}, and TRUSTED_PROXIES is 0: cookies are not Secure, visitors share an address",
        "With one proxy in front (nginx, say) set TRUSTED_PROXIES=1, and let it pass on X-Forwarded-For and "
        "X-Forwarded-Proto",
    ),
    "access_open": Words(
        "ok", "没有设访问码：能打开 {host} 的人都可以提问；API 密钥 {keys} 个", "",
        "No access codes: whoever reaches {host} may ask; {keys} API keys", "",
    ),
    "access_codes": Words(
        "ok", "要访问码才能提问：访问码 {codes} 个，API 密钥 {keys} 个", "",
        "Asking needs a code: {codes} access codes, {keys} API keys", "",
    ),
    "access_mixed": Words(
        "ok", "访问码 {codes} 个，API 密钥 {keys} 个；不用访问码也能问的智能体：{agents}", "",
        "{codes} access codes, {keys} API keys; agents that need none: {agents}", "",
    ),
    "access_exposed": Words(
        "warn", "本站监听 {host}，没有设访问码：网络上任何人都能提问，花的是你的额度",
        "设 ACCESS_CODES（写法见 config.example.env），或把 HOST 改回 127.0.0.1",
        "The site listens on {host} without access codes: anybody on the network may ask, at your expense",
        "Set ACCESS_CODES (config.example.env says how), or set HOST back to 127.0.0.1",
    ),
    "access_expired": Words(
        "warn", "已过期的访问码或密钥：{names}", "改掉日期，或从 ACCESS_CODES、API_KEYS 里删掉",
        "Codes or keys that have expired: {names}",
        "Give them another day, or take them out of ACCESS_CODES and API_KEYS",
    ),
    "host_ok": Words("ok", "可以连通，证书有效", "", "Can be reached, its certificate is good", ""),
    "host_plain": Words("ok", "可以连通（http，未加密）", "", "Can be reached (http, not encrypted)", ""),
    "host_unknown": Words(
        "fail", "找不到这个主机名（DNS）", "检查接口地址有没有写错，以及服务器的 DNS 设置",
        "There is no such host (DNS)", "Check the API address for typing errors, and the server's DNS",
    ),
    "host_refused": Words(
        "fail", "连接被拒绝", "检查接口地址和端口。" + _NETWORK_ZH,
        "The connection was refused", "Check the API address and port. " + _NETWORK_EN,
    ),
    "host_silent": Words("fail", "超时，没有回应", _NETWORK_ZH, "No answer in time", _NETWORK_EN),
    "host_tls": Words(
        "fail", "不信任它的 TLS 证书",
        "公司网络会替换证书时，把公司的 CA 证书（PEM）路径设为 CA_BUNDLE；并核对服务器时间",
        "Its TLS certificate is not trusted",
        "Where a company network replaces certificates, set CA_BUNDLE to its authority (a PEM file); check "
        "the server's clock as well",
    ),
    "host_not_tls": Words(
        "fail", "对方说的不是 TLS", "检查接口地址：https:// 还是 http://，端口对不对；代理也可能挡住了连接",
        "It does not speak TLS",
        "Check the API address: https:// or http://, and the port; a proxy may be in the way as well",
    ),
    "host_proxy": Words(
        "fail", "代理不通", "检查 UPSTREAM_PROXY 的地址、端口和账号，不需要代理就删掉这一项",
        "The proxy does not work", "Check address, port and login in UPSTREAM_PROXY, or unset it",
    ),
    "host_broken": Words(
        "fail", "连接中断：{reason}", _NETWORK_ZH, "The connection broke: {reason}", _NETWORK_EN
    ),
    "clock_ok": Words("ok", "时钟与平台一致", "", "The clock agrees with the platform's", ""),
    "clock_wrong": Words(
        "warn", "本机时钟与平台相差 {seconds} 秒", "打开时间同步：timedatectl set-ntp true",
        "This machine's clock differs from the platform's by {seconds} seconds",
        "Synchronise it: timedatectl set-ntp true",
    ),
    "agent_skipped": Words(
        "fail", "没有检查：连不上它的平台", "先解决上面的连接问题",
        "Not examined: its platform cannot be reached", "Mend the connection first, see above",
    ),
    "agent_credentials": Words("ok", "密钥有效", "", "The credentials are accepted", ""),
    "agent_agent": Words(
        "ok", "智能体存在并已发布到 API{name}", "", "The agent exists and is published to the API{name}", ""
    ),
    "agent_unseen": Words(
        "ok", "平台不提问就不说智能体是否可用", "要知道，运行 flask doctor --ask（会用掉一次提问）",
        "Without a question the platform does not tell whether the agent can be asked",
        "To know, run flask doctor --ask (it costs one question)",
    ),
    "agent_scope": Words(
        "fail", "令牌缺少权限 {scope}",
        "在 www.coze.cn/open/oauth/pats 编辑令牌，勾选 {scope}，并选中智能体所在的工作空间",
        "The token lacks the permission {scope}",
        "Edit the token at www.coze.cn/open/oauth/pats: tick {scope}, and choose the agent's workspace",
    ),
    "agent_stop_scope": Words(
        "warn", "令牌缺少权限 {scope}：“停止”只断开连接，平台还会继续回答并计费",
        "在 www.coze.cn/open/oauth/pats 编辑令牌，勾选 {scope}",
        "The token lacks the permission {scope}: Stop hangs up, but the platform goes on, and bills",
        "Edit the token at www.coze.cn/open/oauth/pats: tick {scope}",
    ),
    "agent_region": Words(
        "fail", "站点不对：{base} 不认这个令牌，{other} 认",
        "设 COZE_API_BASE={other}，智能体也要是那个站点上的",
        "The wrong site: {base} refuses the token, {other} accepts it",
        "Set COZE_API_BASE={other}; the agent has to be on that site too",
    ),
    "agent_short_lived": Words(
        "warn", "个人访问令牌（pat_）最长 30 天，到期后站点会停答",
        "在扣子新建服务访问令牌（sat_，可永久有效），填入 COZE_API_TOKEN",
        "A personal access token (pat_) ends within 30 days, and the site stops answering with it",
        "Make a service access token (sat_, may be permanent) at Coze, and put it into COZE_API_TOKEN",
    ),
    "agent_refused": Words("fail", "平台拒绝：{reason}", "{cure}", "Refused: {reason}", "{cure}"),
    "agent_busy": Words(
        "warn", "平台此刻忙：{reason}", "过一会儿再试", "Busy just now: {reason}", "Try again in a while"
    ),
    "agent_trouble": Words(
        "fail", "平台出了故障：{reason}", "过一会儿再试；一直这样就联系平台，附上 trace",
        "Trouble at the platform: {reason}",
        "Try again in a while; if it stays so, tell the platform, with the trace",
    ),
    "agent_strange": Words(
        "fail", "回应不像这个平台的接口：{reason}",
        "检查接口地址（*_API_BASE、HUAWEI_AGENT_URL）；也可能是代理或登录页面在中间作答",
        "What answers is not the API of this platform: {reason}",
        "Check the API address (*_API_BASE, HUAWEI_AGENT_URL); a proxy or a login page may be answering",
    ),
    "agent_empty": Words(
        "fail", "问了一个问题，回答是空的",
        "在平台上试用这个智能体：它的模型或工作流可能没有配置好、密钥过期或欠费",
        "A question got an empty answer",
        "Try the agent on its platform: its model or workflow may lack credentials or money",
    ),
    "agent_odd": Words(
        "warn", "问了一个问题，没有得到回答：{reason}", "在平台上试用这个智能体，看它为什么不回答",
        "A question got no answer: {reason}", "Try the agent on its platform to see why",
    ),
    "agent_answered": Words(
        "ok", "问了一个问题，{seconds} 秒后答完（{characters} 字）", "",
        "A question was answered in {seconds} seconds ({characters} characters)", "",
    ),
    "fault": Words(
        "fail", "检查时程序出错：{reason}", "请把这一行和版本号报告给作者",
        "A fault of this program: {reason}", "Please report this line and the version",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that was seen. `id` names its words; `about` is a part of the site, a host or an agent."""

    id: str
    about: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: ProviderError | None = None

    @property
    def level(self) -> Level:
        return WORDS[self.id].level

    def title(self, language: str) -> str:
        """What it is about."""
        return self.about if language == "en" else PARTS.get(self.about, self.about)

    def seen(self, language: str) -> str:
        """What was seen."""
        words = WORDS[self.id]
        return (words.en if language == "en" else words.zh).format_map(self._facts(language))

    def to_do(self, language: str) -> str:
        """What to click or set; empty when there is nothing to do."""
        words = WORDS[self.id]
        return (words.en_do if language == "en" else words.zh_do).format_map(self._facts(language))

    def _facts(self, language: str) -> Mapping[str, Any]:
        if self.error is None:
            return self.facts
        return {"reason": self.error, "cure": cures.cure(self.error, language) or "", **self.facts}
