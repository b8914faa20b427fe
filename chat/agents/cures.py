"""What the owner clicks or sets when a platform refuses: a sentence for each code, in both
languages.
"""

from collections.abc import Iterator

from chat.settings.words import Words
from providers import PLATFORMS
from providers.errors import AuthRejected, NotConfigured, ProviderError, QuotaExhausted

# What only the owner can do something about.
OWNERS = (NotConfigured, AuthRejected, QuotaExhausted)


_COZE_TOKEN = Words(
    "令牌无效、已过期或属于另一个站点：在 www.coze.cn/open/oauth/pats（国际版 "
    "www.coze.com/open/oauth/pats）新建令牌，填入 COZE_API_TOKEN；国际版还要设置 "
    "COZE_API_BASE=https://api.coze.com",
    "The token is wrong, has ended or belongs to the other site: make a new one at "
    "www.coze.cn/open/oauth/pats (www.coze.com/open/oauth/pats) and put it into COZE_API_TOKEN; "
    "for coze.com set COZE_API_BASE=https://api.coze.com as well",
)
_COZE_SCOPE = Words(
    "令牌没有权限：编辑令牌，勾选 chat、getChat、listMessage、cancelChat 等权限，并选中智能体所在"
    "的工作空间；若令牌已删除或过期，新建后填入 COZE_API_TOKEN",
    "The token may not do this: edit it, tick chat, getChat, listMessage and cancelChat, and "
    "choose the workspace of the agent; if it was deleted or has ended, put a new one into "
    "COZE_API_TOKEN",
)
_COZE_APP = Words(
    "OAuth 应用被拒绝：在 www.coze.cn/open/oauth/apps 核对应用 ID、公钥指纹和密钥（COZE_JWT_*、"
    "COZE_OAUTH_*）以及应用是否启用，并核对服务器时间；网页应用可在 /oauth/coze/start 重新授权",
    "The OAuth app was refused: at www.coze.cn/open/oauth/apps compare its id, key fingerprint "
    "and secret (COZE_JWT_*, COZE_OAUTH_*), see that it is active, and check the server's clock; "
    "a web app can be authorised anew at /oauth/coze/start",
)
_COZE_AGENT = Words(
    "找不到智能体：COZE_BOT_ID 填编辑页网址里 /bot/ 后面的数字，并确认令牌和智能体在同一个站点、同"
    "一个工作空间",
    "There is no such agent: COZE_BOT_ID is the number after /bot/ in the editor's address; token "
    "and agent have to be on the same site and in the same workspace",
)
_COZE_BILL = Words(
    "账号欠费：登录火山引擎控制台 console.volcengine.com 充值后再试",
    "The account has an unpaid bill: pay at console.volcengine.com and try again",
)
_COZE_CREDITS = Words(
    "额度已用完：在 console.volcengine.com/coze-pro 购买套餐或资源点，或等额度恢复",
    "The credits are used up: buy a plan or credits at console.volcengine.com/coze-pro, or wait "
    "for new ones",
)
_QINGYAN_KEY = Words(
    "API Key 无效、已停用或已删除：在 chatglm.cn/developersPanel/apiSet 查看或新建，把成对的 Key "
    "和 Secret 填入 QINGYAN_API_KEY、QINGYAN_API_SECRET",
    "The API key is wrong, disabled or deleted: look it up or make a new one at "
    "chatglm.cn/developersPanel/apiSet, and put the pair into QINGYAN_API_KEY and "
    "QINGYAN_API_SECRET",
)
_QINGYAN_DAY = Words(
    "今天的调用次数已用完：明天再试；若平台给的次数更多，调大 QINGYAN_DAILY",
    "Today's calls are used up: try again tomorrow; if the platform allows more, raise "
    "QINGYAN_DAILY",
)
_WENXIN_KEYS = Words(
    "智能体 ID 与 Secret Key 不匹配：到“管理中心 › 智能体 › 部署 › API 调用”重新复制两项，填入 "
    "WENXIN_APP_ID、WENXIN_SECRET_KEY",
    "Id and Secret Key do not belong together: copy both again from 管理中心 › 智能体 › 部署 › "
    "API 调用 into WENXIN_APP_ID and WENXIN_SECRET_KEY",
)
_WENXIN_OFFLINE = Words(
    "智能体未上线：在 agents.baidu.com 发布并等审核通过",
    "The agent is offline: publish it at agents.baidu.com and wait for the review",
)
_WENXIN_DAY = Words(
    "今天的次数已用完（每个智能体每天 500 次）：明天再试；若平台给的次数更多，调大 WENXIN_DAILY",
    "Today's questions are used up (500 a day for each agent): try again tomorrow; if the "
    "platform allows more, raise WENXIN_DAILY",
)
_YUANQI_TOKEN = Words(
    "令牌无效：在“应用发布 › API管理”复制 appkey，填入 YUANQI_API_TOKEN",
    "The token is wrong: copy the appkey from 应用发布 › API管理 into YUANQI_API_TOKEN",
)
_YUANQI_AGENT = Words(
    "智能体不存在、未发布，或不属于这个令牌的账号：发布并等审核通过，再从“应用发布 › 服务状态 "
    "› 体验链接”复制 appid，填入 YUANQI_ASSISTANT_ID",
    "The agent does not exist, is not published, or belongs to another account than the token: "
    "publish it, wait for the review, and copy its appid from 应用发布 › 服务状态 › 体验链接 into "
    "YUANQI_ASSISTANT_ID",
)
_YUANQI_TOKENS = Words(
    "免费的 Token 额度已用完：在元器里绑定腾讯云账号并开通付费，或换一个账号",
    "The free tokens are used up: link a Tencent Cloud account in Yuanqi and pay, or use another "
    "account",
)
_HUAWEI_KEY = Words(
    "API Key 无效：在“凭证管理 › 我的凭证 › 平台API Key”新建（以 sk- 开头，不是 AK/SK），填入 "
    "HUAWEI_API_KEY",
    "The API key is wrong: make one under 凭证管理 › 我的凭证 › 平台API Key (it begins with sk-, "
    "it is not AK/SK) and put it into HUAWEI_API_KEY",
)
_HUAWEI_ADDRESS = Words(
    "地址不对或智能体未发布到 API：到“Agent编排中心 › 我的Agent › 我创建的”发布，复制整个发布地址"
    "填入 HUAWEI_AGENT_URL",
    "The address is wrong or the agent is not published to the API: publish it under Agent编排中心"
    " › 我的Agent › 我创建的 and copy the whole 发布地址 into HUAWEI_AGENT_URL",
)
_HUAWEI_OTHERS = Words(
    "这个 API Key 的用户无权调用该智能体：用创建者的 Key，或改填自己智能体的发布地址（"
    "HUAWEI_AGENT_URL）",
    "The user of this API key may not call the agent: take its maker's key, or the 发布地址 of an "
    "agent of your own (HUAWEI_AGENT_URL)",
)

# By a platform's code, or by the name of our error when it gave none.
CURES: dict[str, dict[str, Words]] = {
    "coze": {
        "401": _COZE_TOKEN,
        "4006": _COZE_AGENT,
        "4008": Words(
            "今天对该智能体的调用已达上限：明天再试，或升级套餐",
            "Today's use of the agent has reached its limit: try again tomorrow, or take a larger "
            "plan",
        ),
        "4011": _COZE_CREDITS,
        "4012": Words(
            "智能体用的模型已下线：在编辑页换一个模型，重新发布",
            "The agent's model was taken offline: choose another one in the editor and publish "
            "again",
        ),
        "4015": Words(
            "未发布到 API 渠道：扣子 → 发布 → 勾选 API（Agent As API）→ 发布",
            "Not published to the API channel: Coze → 发布 (Publish) → tick API (Agent As API) → "
            "publish",
        ),
        "4019": _COZE_BILL,
        "4021": Words(
            "工作流没有配置好：在编辑页检查智能体的工作流，重新发布",
            "The workflow is not set up: check the agent's workflow in the editor and publish "
            "again",
        ),
        "4022": Words(
            "方舟模型账号欠费：登录火山方舟控制台充值",
            "The model's account at Volcengine Ark has an unpaid bill: pay in Ark's console",
        ),
        "4027": _COZE_BILL,
        "4028": _COZE_CREDITS,
        "4033": _COZE_CREDITS,
        "4100": _COZE_TOKEN,
        "4101": _COZE_SCOPE,
        "4200": _COZE_AGENT,
        "720702": Words(
            "工作流配置或运行有误：在扣子里试运行工作流，改好后重新发布",
            "The workflow is set up wrongly: try it out at Coze, mend it and publish again",
        ),
        "700012006": _COZE_TOKEN,
        "788788103": _COZE_BILL,
        "NotConfigured": Words(
            "这个地址没有扣子的接口：COZE_API_BASE 应为 https://api.coze.cn（国际版 "
            "https://api.coze.com）",
            "Coze's API is not at this address: COZE_API_BASE is https://api.coze.cn or "
            "https://api.coze.com",
        ),
        "unauthorised": Words(
            "网页应用还没有授权本站：启动站点，管理员打开 /oauth/coze/start，登录管理后台后授权",
            "The web app has not been authorised for this site: start the site, open "
            "/oauth/coze/start, sign in to the desk, and authorise it",
        ),
        "unreadable_key": Words(
            "服务类应用的私钥读不出来：把下载的 .pem 文件原样保存，用 COZE_JWT_PRIVATE_KEY_FILE 指"
            "向它",
            "The private key of the service app cannot be read: save the downloaded .pem file as "
            "it is, and name it in COZE_JWT_PRIVATE_KEY_FILE",
        ),
        **dict.fromkeys(
            ("invalid_client", "invalid_request", "access_deny", "unsupported_grant_type"),
            _COZE_APP,
        ),
        "AuthRejected": _COZE_TOKEN,
        "QuotaExhausted": _COZE_CREDITS,
    },
    "qingyan": {
        "1001": _QINGYAN_KEY,
        "1002": _QINGYAN_KEY,
        "10003": _QINGYAN_KEY,
        "10004": _QINGYAN_KEY,
        "10008": _QINGYAN_DAY,
        "10010": Words(
            "智能体已被删除：换一个，把它聊天页网址里的 24 位编号填入 QINGYAN_ASSISTANT_ID",
            "The agent was deleted: take another one, and put the 24 characters in its chat "
            "page's address into QINGYAN_ASSISTANT_ID",
        ),
        "10018": Words(
            "智能体不是这个账号创建的：只能调用自己的智能体，把它聊天页网址里的编号填入 "
            "QINGYAN_ASSISTANT_ID，并用同一账号的 API Key",
            "The agent is another account's: only its maker may call it. Put the id of an agent "
            "of your own into QINGYAN_ASSISTANT_ID, with an API key of the same account",
        ),
        "NotConfigured": Words(
            "这个地址没有清言的接口：QINGYAN_API_BASE 应为 "
            "https://chatglm.cn/chatglm/assistant-api/v1",
            "Qingyan's API is not at this address: QINGYAN_API_BASE is "
            "https://chatglm.cn/chatglm/assistant-api/v1",
        ),
        "AuthRejected": _QINGYAN_KEY,
        "QuotaExhausted": _QINGYAN_DAY,
    },
    "wenxin": {
        "1006": _WENXIN_OFFLINE,
        "1115": _WENXIN_DAY,
        "1116": _WENXIN_KEYS,
        "NotConfigured": Words(
            "这个地址没有文心智能体的接口：WENXIN_API_BASE 应为 https://agentapi.baidu.com，"
            "WENXIN_TOKEN_BASE 应为 https://openapi.baidu.com",
            "The API of Wenxin agents is not at this address: WENXIN_API_BASE is "
            "https://agentapi.baidu.com, WENXIN_TOKEN_BASE is https://openapi.baidu.com",
        ),
        "AuthRejected": _WENXIN_KEYS,
        "QuotaExhausted": _WENXIN_DAY,
    },
    "yuanqi": {
        "401": _YUANQI_TOKEN,
        "403": _YUANQI_AGENT,
        "404": Words(
            "这个地址没有元器的接口：YUANQI_API_BASE 应为 https://yuanqi.tencent.com/openapi/v1；"
            "也可能是 YUANQI_ASSISTANT_ID 不对",
            "Yuanqi's API is not at this address: YUANQI_API_BASE is "
            "https://yuanqi.tencent.com/openapi/v1; or YUANQI_ASSISTANT_ID is wrong",
        ),
        "quota": _YUANQI_TOKENS,
        "NotConfigured": _YUANQI_AGENT,
        "AuthRejected": _YUANQI_TOKEN,
        "QuotaExhausted": _YUANQI_TOKENS,
    },
    "huawei": {
        "AIAE.22001001": _HUAWEI_ADDRESS,
        "AIAE.22001002": _HUAWEI_KEY,
        "AIAE.22001003": _HUAWEI_KEY,
        "AIAE.22001004": Words(
            "智能体的变量没有给全：在 agents.toml 里为它写 variables；敏感变量（"
            "sensitive_variables）每次提问都要给",
            "Variables of the agent are missing: give them as `variables` in agents.toml; those "
            "it calls sensitive (sensitive_variables) go with every question",
        ),
        "AIAE.22001007": Words(
            "智能体用的某个工具没有配置凭证：在 AI 原生应用引擎里给该工具（技能）填上凭证，再重新"
            "发布",
            "A tool of the agent has no credentials: give it some in the engine and publish again",
        ),
        "no_credentials": Words(
            "智能体的模型没有配置凭证，只会道歉：在 AI 原生应用引擎里给它的模型服务商填上凭证，再"
            "重新发布",
            "The agent only apologises, because its model has no credentials: give its model "
            "provider some in the engine and publish again",
        ),
        "AIAE.22001008": _HUAWEI_OTHERS,
        "AIAE.31001106": _HUAWEI_KEY,
        "AIAE.31001702": Words(
            "智能体用的模型不存在：在编辑页换一个模型，重新发布",
            "The agent's model does not exist: choose another one in the editor and publish again",
        ),
        "APIGW.0101": _HUAWEI_ADDRESS,
        "APIGW.0301": _HUAWEI_KEY,
        "APIGW.0302": _HUAWEI_OTHERS,
        "APIGW.0303": _HUAWEI_KEY,
        "NotConfigured": _HUAWEI_ADDRESS,
        "AuthRejected": _HUAWEI_KEY,
        "QuotaExhausted": Words(
            "额度已用完：在华为云控制台查看 AI 原生应用引擎的资源与账单",
            "The quota is used up: look at the engine's resources and bills in Huawei Cloud's "
            "console",
        ),
    },
}


def cure(error: ProviderError) -> Words | None:
    """What the owner can do about an error; None when it is not the owner's to cure."""
    if not isinstance(error, OWNERS):
        return None
    cures, code = CURES.get(error.provider, {}), str(error.code)
    kinds = (kind.__name__ for kind in type(error).__mro__)
    # Coze has families of codes: 720702204 is one of 720702.
    names = (code, code[:-3], *kinds)
    return next((cures[name] for name in names if name in cures), None)


def with_cure(error: ProviderError, language: str) -> str:
    """An error with its cure, for the log."""
    words = cure(error)
    return f"{error}. {words.say(language)}" if words else str(error)


def table(chinese: bool) -> str:
    """All cures as Markdown tables, one for each platform."""
    lines: list[str] = []
    for platform, row in PLATFORMS.items():
        lines += ["", f"### {row.title} {row.english}", ""]
        lines += ["| 错误码 | 怎么办 |" if chinese else "| Code | What to do |", "|---|---|"]
        lines += _rows(platform, chinese)
    return "\n".join(lines[1:]) + "\n"


def _rows(platform: str, chinese: bool) -> Iterator[str]:
    """One line for each cure, with all codes that it belongs to."""
    codes: dict[Words, list[str]] = {}
    for code, remedy in CURES[platform].items():
        codes.setdefault(remedy, []).append(code)
    for remedy, names in codes.items():
        list_of_names = ", ".join(
            f"`{name}`" for name in names if not name[:1].isupper() or "." in name
        )
        yield f"| {list_of_names or '–'} | {remedy.zh if chinese else remedy.en} |"
