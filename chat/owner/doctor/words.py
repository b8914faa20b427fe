"""What the doctor can find: how bad it is, what was seen, and what to do about it."""

from typing import Literal, NamedTuple

from chat.settings.words import Words

Level = Literal["ok", "warn", "fail"]
NOTHING = Words("", "")


class Diagnosis(NamedTuple):
    """The words of one finding."""

    level: Level
    seen: Words
    to_do: Words = NOTHING


def _ok(seen: Words, to_do: Words = NOTHING) -> Diagnosis:
    return Diagnosis("ok", seen, to_do)


def _warn(seen: Words, to_do: Words) -> Diagnosis:
    return Diagnosis("warn", seen, to_do)


def _fail(seen: Words, to_do: Words) -> Diagnosis:
    return Diagnosis("fail", seen, to_do)


PARTS = {
    "settings": Words("设置", "Settings"),
    "secret key": Words("密钥", "Secret key"),
    "database": Words("数据库", "Database"),
    "disk": Words("磁盘", "Disk"),
    "access": Words("访问", "Access"),
}

_NETWORK = Words(
    "检查服务器的网络和防火墙；需要代理才能出网时，设置 UPSTREAM_PROXY",
    "Check the server's network and firewall; where only a proxy leads out, set UPSTREAM_PROXY",
)

DIAGNOSES: dict[str, Diagnosis] = {
    "settings_ok": _ok(
        Words(
            "没有问题",
            "No problems found",
        ),
    ),
    "settings_wrong": _fail(
        Words(
            "{error}",
            "{error}",
        ),
        Words(
            "{help}改好 .env（或环境变量）再试，每一项的说明在 {settings_help}",
            "{help}Correct it in .env or the environment; {settings_help} explains each setting",
        ),
    ),
    "settings_unread": _warn(
        Words(
            "{seen}",
            "{seen}",
        ),
        Words(
            "{to_do}",
            "{to_do}",
        ),
    ),
    "demo": _ok(
        Words(
            "没有设置任何平台：站点以演示方式启动，由内置模拟器作答",
            "No platform is set: the site starts as a demo, on the built-in emulator",
        ),
        Words(
            "要接入自己的智能体，打开管理后台 /admin 的“智能体”，"
            "或把平台的设置写进 .env（见 README）",
            "To connect agents of yours, open Agents at the desk, /admin, or put a platform's "
            "settings into .env (see README)",
        ),
    ),
    "key_set": _ok(
        Words(
            "SECRET_KEY 已设置",
            "SECRET_KEY is set",
        ),
    ),
    "key_kept": _ok(
        Words(
            "密钥保存在 {path}",
            "The key is kept in {path}",
        ),
    ),
    "key_new": _ok(
        Words(
            "还没有密钥，第一次启动时生成 {path}",
            "There is no key yet; the first start makes {path}",
        ),
    ),
    "key_damaged": _fail(
        Words(
            "{path} 里的密钥不完整",
            "The key in {path} is damaged",
        ),
        Words(
            "删掉这个文件，启动时会重新生成（访客将打不开以前的对话）",
            "Remove the file; the next start makes a new one (visitors lose their conversations)",
        ),
    ),
    "key_unreadable": _fail(
        Words(
            "无法读取 {path}：{reason}",
            "{path} cannot be read: {reason}",
        ),
        Words(
            "把文件改为由运行本站的用户拥有，或设置 SECRET_KEY",
            "Give the file to the user who runs the site, or set SECRET_KEY",
        ),
    ),
    "key_open": _warn(
        Words(
            "其他用户可以读 {path}",
            "Other users may read {path}",
        ),
        Words(
            "chmod 600 {path}",
            "chmod 600 {path}",
        ),
    ),
    "database_ok": _ok(
        Words(
            "正常：{path}",
            "In order: {path}",
        ),
    ),
    "database_new": _ok(
        Words(
            "还没有数据库，第一次启动时建立 {path}",
            "There is no database yet; the first start makes {path}",
        ),
    ),
    "database_old": _ok(
        Words(
            "数据库 {path} 是旧版本（{version}），下次启动时自动升级到 {newest}",
            "The database {path} is of an older version ({version}); the next start upgrades it "
            "to {newest}",
        ),
    ),
    "database_newer": _fail(
        Words(
            "数据库 {path} 来自更新的版本（{version}），本版本只支持到 {newest}",
            "The database {path} is of a newer version ({version}) than this one knows ({newest})",
        ),
        Words(
            "装回较新的版本，或换一个 DATABASE_URL",
            "Install the newer version again, or set another DATABASE_URL",
        ),
    ),
    "server_empty": _ok(
        Words(
            "数据库 {path} 还是空的，第一次启动时建表",
            "The database {path} is empty; the first start makes its tables",
        ),
    ),
    "server_away": _fail(
        Words(
            "数据库服务器 {path} 不可用：{reason}",
            "The database server {path} cannot be used: {reason}",
        ),
        Words(
            "启动 PostgreSQL，检查 DATABASE_URL 里的地址、用户、密码和数据库名",
            "Start PostgreSQL, and check the address, user, password and database in DATABASE_URL",
        ),
    ),
    "database_broken": _fail(
        Words(
            "数据库 {path} 打不开：{reason}",
            "The database {path} cannot be opened: {reason}",
        ),
        Words(
            "从备份恢复这个文件，或把它移走（对话会清空），再启动",
            "Restore the file from a backup, or move it away (conversations are lost), and "
            "start again",
        ),
    ),
    "database_locked": _fail(
        Words(
            "数据库 {path} 不能写：{place} 是只读的",
            "The database {path} cannot be written: {place} is read-only",
        ),
        Words(
            "把它改为由运行本站的用户拥有，或换一个 DATABASE_URL",
            "Give it to the user who runs the site, or set another DATABASE_URL",
        ),
    ),
    "database_placeless": _fail(
        Words(
            "数据库 {path} 无处存放：{place} 不是文件夹",
            "There is no place for the database {path}: {place} is not a folder",
        ),
        Words(
            "把 DATABASE_URL 改到一个可写的文件夹里",
            "Set DATABASE_URL to a file in a folder that can be written",
        ),
    ),
    "disk_ok": _ok(
        Words(
            "剩余 {free}",
            "{free} free",
        ),
    ),
    "disk_low": _warn(
        Words(
            "只剩 {free}",
            "Only {free} free",
        ),
        Words(
            "清理磁盘：对话保存在 {path}",
            "Free some space: conversations are kept in {path}",
        ),
    ),
    "disk_full": _fail(
        Words(
            "已满，只剩 {free}",
            "Full: only {free} free",
        ),
        Words(
            "先清理磁盘：{path} 写不进去时，提问会失败",
            "Free some space first: while {path} cannot be written, questions fail",
        ),
    ),
    "redis_ok": _ok(
        Words(
            "Redis 可用：在任一进程都能接着看、停止回答",
            "Redis can be used: answers are followed and stopped at every process",
        ),
    ),
    "redis_away": _warn(
        Words(
            "连不上 Redis：{reason}。平台限制并发的智能体暂不接受新问题，其余照常回答；"
            "别的进程只在答完后才显示，也停不下来；各进程的限额各算一份",
            "Redis cannot be reached: {reason}. Agents of platforms that limit the answers at "
            "once take no new question, others answer; other processes show an answer only "
            "when it has ended, and cannot stop it; each process allows its part of the limits",
        ),
        Words(
            "检查 REDIS_URL 的主机和端口，以及 Redis 是否在运行；恢复后不必重启。"
            "只有一个进程时，删掉 REDIS_URL",
            "Check host and port in REDIS_URL, and whether Redis runs; no restart is needed. "
            "With one process only, unset it",
        ),
    ),
    "redis_refused": _fail(
        Words(
            "Redis 拒绝：{reason}",
            "Redis refuses: {reason}",
        ),
        Words(
            "核对 REDIS_URL 里的用户名和密码（符号写成 %xx）；该用户要能读写 zhiye:* 的键、"
            "收发 zhiye:* 的频道、运行脚本：~zhiye:* &zhiye:* +@all -@admin -@dangerous",
            "Check user and password in REDIS_URL (signs such as @ are written as %xx); the "
            "user needs the keys and channels zhiye:* and scripts: "
            "~zhiye:* &zhiye:* +@all -@admin -@dangerous",
        ),
    ),
    "access_proxy": _warn(
        Words(
            "PUBLIC_URL 是 {url}，而 TRUSTED_PROXIES 为 0：Cookie 不带 Secure，"
            "所有访客算作同一个地址",
            "PUBLIC_URL is {url}, and TRUSTED_PROXIES is 0: cookies are not Secure, visitors "
            "share an address",
        ),
        Words(
            "前面有一层代理（如 nginx）时，设置 TRUSTED_PROXIES=1，并让它传递 X-Forwarded-For 和 "
            "X-Forwarded-Proto",
            "With one proxy in front (nginx, say) set TRUSTED_PROXIES=1, and let it pass on "
            "X-Forwarded-For and X-Forwarded-Proto",
        ),
    ),
    "access_share": _ok(
        Words(
            "一个网络地址算作 {share} 个访客：同时最多 {answers} 个回答；"
            "学校、公司共用一个地址时，把 ADDRESS_SHARE 设为同时提问的大致人数",
            "ADDRESS_SHARE is {share}: a network address has the limits of that many visitors "
            "(answers at once: {answers}); for a school or an office behind one address, set it "
            "to about how many ask at a time",
        ),
    ),
    "access_open": _ok(
        Words(
            "没有设置访问码：能打开 {host} 的人都可以提问；API 密钥 {keys} 个",
            "No access codes: whoever reaches {host} may ask; API keys: {keys}",
        ),
    ),
    "access_codes": _ok(
        Words(
            "要有访问码才能提问：访问码 {codes} 个，API 密钥 {keys} 个",
            "Asking needs a code; access codes: {codes}, API keys: {keys}",
        ),
    ),
    "access_mixed": _ok(
        Words(
            "访问码 {codes} 个，API 密钥 {keys} 个；不用访问码也能问的智能体：{agents}",
            "Access codes: {codes}, API keys: {keys}; agents that need none: {agents}",
        ),
    ),
    "access_exposed": _warn(
        Words(
            "本站监听 {host}，没有设置访问码：网络上任何人都能提问，花的是你的额度",
            "The site listens on {host} without access codes: anybody on the network may ask, "
            "at your expense",
        ),
        Words(
            "设置 ACCESS_CODES（写法见 {settings_help}），或只让本机连得到：HOST 改回 127.0.0.1，"
            "在容器里则只把端口发布到 127.0.0.1",
            "Set ACCESS_CODES ({settings_help} says how), or let only this machine in: set HOST "
            "back to 127.0.0.1, or publish the port of a container on 127.0.0.1 only",
        ),
    ),
    "access_expired": _warn(
        Words(
            "已过期的访问码或密钥：{names}",
            "Codes or keys that have expired: {names}",
        ),
        Words(
            "改掉日期，或从 ACCESS_CODES、API_KEYS 里删掉",
            "Give them a later day, or take them out of ACCESS_CODES and API_KEYS",
        ),
    ),
    "access_salts": _warn(
        Words(
            "{setting} 里的哈希值用了 {salts} 种不同的盐：每输错一次要算 {salts} 次，"
            "有人猜访问码时会拖慢登录",
            "The hashes in {setting} have {salts} different salts: each wrong try costs {salts} "
            "hashes, so guessers slow down signing in",
        ),
        Words(
            "用 {program} hash 把这些访问码重新生成一遍：新的哈希值沿用同一种盐，每次尝试只算一次",
            "Make them anew with {program} hash: its hashes share one salt, so that a try costs "
            "one",
        ),
    ),
    "agent_polls": _ok(
        Words(
            "扣子账号每秒最多调用 {calls} 次，而 {keys} 个 API 密钥的程序要整段回答时，"
            "每个回答每秒查询一次：约 {answers} 个同时进行就用完了，其余排队；"
            "设置 COZE_ASK=stream，一个回答只用一次调用",
            "The Coze account may make {calls} calls a second, and programs (API keys: {keys}) "
            "that want whole answers poll once a second for each: about {answers} at once use "
            "all up, and others wait; with COZE_ASK=stream an answer takes one call",
        ),
    ),
    "host_ok": _ok(
        Words(
            "可以连通，证书有效",
            "Can be reached, its certificate is good",
        ),
    ),
    "host_plain": _ok(
        Words(
            "可以连通（http，未加密）",
            "Can be reached (http, not encrypted)",
        ),
    ),
    "host_unknown": _fail(
        Words(
            "找不到这个主机名（DNS）",
            "There is no such host (DNS)",
        ),
        Words(
            "检查接口地址有没有写错，以及服务器的 DNS 设置",
            "Check the API address for typing errors, and the server's DNS",
        ),
    ),
    "host_refused": _fail(
        Words(
            "连接被拒绝",
            "The connection was refused",
        ),
        Words(
            "检查接口地址和端口。检查服务器的网络和防火墙；需要代理才能出网时，设置 UPSTREAM_PROXY",
            "Check the API address and port. Check the server's network and firewall; where "
            "only a proxy leads out, set UPSTREAM_PROXY",
        ),
    ),
    "host_silent": _fail(
        Words(
            "超时，没有回应",
            "No answer in time",
        ),
        _NETWORK,
    ),
    "host_tls": _fail(
        Words(
            "不信任它的 TLS 证书",
            "Its TLS certificate is not trusted",
        ),
        Words(
            "公司网络会替换证书时，把公司的 CA 证书（PEM）路径设为 CA_BUNDLE；并核对服务器时间",
            "Where a company network replaces certificates, set CA_BUNDLE to its authority (a "
            "PEM file); check the server's clock as well",
        ),
    ),
    "host_not_tls": _fail(
        Words(
            "对方没有使用 TLS",
            "It does not speak TLS",
        ),
        Words(
            "检查接口地址：https:// 还是 http://，端口对不对；代理也可能挡住了连接",
            "Check the API address: https:// or http://, and the port; a proxy may be in the "
            "way as well",
        ),
    ),
    "host_proxy": _fail(
        Words(
            "代理不通",
            "The proxy does not work",
        ),
        Words(
            "检查 UPSTREAM_PROXY 的地址、端口和账号，不需要代理就删掉这一项",
            "Check address, port and login in UPSTREAM_PROXY, or unset it",
        ),
    ),
    "host_broken": _fail(
        Words(
            "连接中断：{reason}",
            "The connection broke: {reason}",
        ),
        _NETWORK,
    ),
    "clock_ok": _ok(
        Words(
            "时钟与平台一致",
            "The clock agrees with the platform's",
        ),
    ),
    "clock_wrong": _warn(
        Words(
            "本机时钟与平台相差 {seconds} 秒",
            "This machine's clock differs from the platform's by {seconds} seconds",
        ),
        Words(
            "开启时间同步：timedatectl set-ntp true",
            "Synchronise it: timedatectl set-ntp true",
        ),
    ),
    "agent_unmade": _fail(
        Words(
            "在管理后台接入的这个智能体无法使用：{problem}",
            "This agent of the desk cannot be used: {problem}",
        ),
        Words(
            "在 /admin/agents 打开它，改好后保存",
            "Open it at /admin/agents, correct it and save",
        ),
    ),
    "agent_skipped": _fail(
        Words(
            "没有检查：连不上它的平台",
            "Not checked: its platform cannot be reached",
        ),
        Words(
            "先解决上面的连接问题",
            "Fix the connection first, see above",
        ),
    ),
    "agent_credentials": _ok(
        Words(
            "密钥有效",
            "The credentials are accepted",
        ),
    ),
    "agent_agent": _ok(
        Words(
            "智能体存在并已发布到 API{name}",
            "The agent exists and is published to the API{name}",
        ),
    ),
    "agent_unseen": _ok(
        Words(
            "不提问，就无法从平台得知智能体是否可用",
            "Without a question the platform does not tell whether the agent can be asked",
        ),
        Words(
            "想确认，请运行 {program} doctor --ask（会用掉一次提问）",
            "To find out, run {program} doctor --ask (it costs one question)",
        ),
    ),
    "agent_scope": _fail(
        Words(
            "令牌缺少权限 {scope}",
            "The token lacks the permission {scope}",
        ),
        Words(
            "在 www.coze.cn/open/oauth/pats 编辑令牌，勾选 {scope}，并选中智能体所在的工作空间",
            "Edit the token at www.coze.cn/open/oauth/pats: tick {scope}, and choose the "
            "agent's workspace",
        ),
    ),
    "agent_stop_scope": _warn(
        Words(
            "令牌缺少权限 {scope}：点“停止生成”只断开连接，平台还会继续回答并计费",
            "The token lacks the permission {scope}: Stop hangs up, but the platform goes on, "
            "and bills",
        ),
        Words(
            "在 www.coze.cn/open/oauth/pats 编辑令牌，勾选 {scope}",
            "Edit the token at www.coze.cn/open/oauth/pats: tick {scope}",
        ),
    ),
    "agent_region": _fail(
        Words(
            "站点不对：{base} 不接受这个令牌，{other} 接受",
            "The wrong site: {base} refuses the token, {other} accepts it",
        ),
        Words(
            "设置 COZE_API_BASE={other}，智能体也要是那个站点上的",
            "Set COZE_API_BASE={other}; the agent has to be on that site too",
        ),
    ),
    "agent_short_lived": _warn(
        Words(
            "个人访问令牌（pat_）最长 30 天，到期后站点将无法回答",
            "A personal access token (pat_) ends within 30 days, and the site stops answering "
            "with it",
        ),
        Words(
            "在扣子新建服务访问令牌（sat_，可永久有效），填入 COZE_API_TOKEN",
            "Make a service access token (sat_, which may be permanent) at Coze, and put it into "
            "COZE_API_TOKEN",
        ),
    ),
    "agent_refused": _fail(
        Words(
            "平台拒绝：{reason}",
            "Refused: {reason}",
        ),
        Words(
            "{cure}",
            "{cure}",
        ),
    ),
    "agent_busy": _warn(
        Words(
            "平台正忙：{reason}",
            "Busy just now: {reason}",
        ),
        Words(
            "过一会儿再试",
            "Try again in a while",
        ),
    ),
    "agent_trouble": _fail(
        Words(
            "平台出现故障：{reason}",
            "Trouble at the platform: {reason}",
        ),
        Words(
            "过一会儿再试；如果仍然不行，请联系平台，并附上 trace（日志里也有）",
            "Try again in a while; if it keeps happening, tell the platform, with the trace (the "
            "log has it too)",
        ),
    ),
    "agent_strange": _fail(
        Words(
            "回应不像这个平台的接口：{reason}",
            "What answers is not the API of this platform: {reason}",
        ),
        Words(
            "检查接口地址（*_API_BASE、HUAWEI_AGENT_URL）；也可能是代理或登录页面在中间作答",
            "Check the API address (*_API_BASE, HUAWEI_AGENT_URL); a proxy or a login page may "
            "be answering",
        ),
    ),
    "agent_empty": _fail(
        Words(
            "试问了一个问题，回答是空的",
            "A question got an empty answer",
        ),
        Words(
            "在平台上试用这个智能体：它的模型或工作流可能没有配置好、密钥过期或欠费",
            "Try the agent on its platform: its model or workflow may lack credentials or money",
        ),
    ),
    "agent_odd": _warn(
        Words(
            "试问了一个问题，没有得到回答：{reason}",
            "A question got no answer: {reason}",
        ),
        Words(
            "在平台上试用这个智能体，看它为什么不回答",
            "Try the agent on its platform to see why",
        ),
    ),
    "agent_answered": _ok(
        Words(
            "试问了一个问题，{seconds} 秒后答完（{characters} 字）",
            "A question was answered in {seconds} seconds ({characters} characters)",
        ),
    ),
    "fault": _fail(
        Words(
            "检查时程序出错：{reason}",
            "The check itself failed: {reason}",
        ),
        Words(
            "请把这一行和版本号报告给作者",
            "Please report this line and the version",
        ),
    ),
}
