"""The engine's error codes in our names (platforms/huawei.md)."""

from providers.errors import (
    AuthRejected,
    BadQuestion,
    ContentBlocked,
    NotConfigured,
    ProviderError,
    Unavailable,
    Unexpected,
)

NO_CREDENTIALS = "no_credentials"
# A refusal that the platform says in words alone has a code of ours.
OWN_CODES: dict[str, type[ProviderError]] = {NO_CREDENTIALS: NotConfigured}

# Their code, with a status where that matters -> our name.
ERRORS: dict[str, type[ProviderError]] = {
    "AIAE.22001001": NotConfigured,  # wrong address or method, or somebody else's agent
    "AIAE.22001002": AuthRejected,
    "AIAE.22001003": AuthRejected,
    "AIAE.22001004": NotConfigured,  # a parameter: of ours only the agent's variables can be wrong
    "AIAE.22001005": Unavailable,  # something the agent calls has failed
    "AIAE.22001006": Unavailable,  # file upload
    "AIAE.22001007": NotConfigured,  # a skill has no credentials
    "AIAE.22001008": NotConfigured,  # the key's user may not use this agent
    "AIAE.22001009": Unexpected,  # a running flow cannot be deleted
    "AIAE.22009001": Unavailable,
    "AIAE.31001001": Unavailable,
    "AIAE.31001003": Unavailable,
    "AIAE.31001004": Unavailable,
    "AIAE.31001106": AuthRejected,
    "AIAE.31001601": ContentBlocked,
    "AIAE.31001602": ContentBlocked,
    "AIAE.31001603": ContentBlocked,
    "AIAE.31001701": Unexpected,
    "AIAE.31001702": NotConfigured,  # the agent's model does not exist
    "AIAE.40001001": Unexpected,
    "APIGW.0101": NotConfigured,
    "APIGW.0201": Unexpected,
    "APIGW.0201 413": BadQuestion,
    "APIGW.0201 502": Unavailable,
    "APIGW.0201 504": Unavailable,
    "APIGW.0301": AuthRejected,
    "APIGW.0302": AuthRejected,
    "APIGW.0303": AuthRejected,
}
