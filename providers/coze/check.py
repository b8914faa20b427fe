"""Checking the set-up of a Coze agent without asking it anything (platforms/coze.md §1, §5, §6.5,
§7)."""

from collections.abc import Callable, Iterator

from providers.base import Observation
from providers.coze.api import Api
from providers.coze.auth import Credentials
from providers.coze.options import Options
from providers.errors import AuthRejected, BadQuestion, NotConfigured, ProviderError
from providers.http import Http
from providers.stop import Stop

SIBLINGS = {
    "https://api.coze.cn": "https://api.coze.com",
    "https://api.coze.com": "https://api.coze.cn",
}
# It looks like one of Coze's ids and belongs to nobody.
UNUSED_ID = "7000000000000000001"
ABOUT_UNUSED_ID = {4001, 4002, 4104, 4200}
FORBIDDEN = {4100, 4101}
# Tokens that end within a month; of cztei_ that is inferred (§15).
SHORT_LIVED = ("pat_", "cztei_")


def check(
    options: Options, credentials: Credentials, http: Http, deadline: float
) -> Iterator[Observation]:
    """Yields what the token may do, by calls about an unused id, and the agent's name."""
    api, stop = Api(options.api_base, credentials, http), Stop()
    try:
        lacks_poll = _lacking(lambda: api.retrieve(UNUSED_ID, UNUSED_ID, stop, deadline))
        lacks_chat = _lacking(
            lambda: api.probe_chat(options.bot_id, deadline), is_about_the_agent=True
        )
        if lacks_poll and lacks_chat:
            raise lacks_chat
    except AuthRejected as refusal:
        other = SIBLINGS.get(options.api_base)
        if not (other and _is_accepted(Api(other, credentials, http), deadline)):
            raise
        yield Observation("region", other, refusal)
        return
    yield Observation("credentials")
    # Reading messages takes the permission to chat as well (§6.5): without that, the call shows
    # nothing.
    lacks_list = not lacks_chat and _lacking(
        lambda: api.messages(UNUSED_ID, UNUSED_ID, stop, deadline)
    )
    lacks_cancel = _lacking(lambda: api.cancel(UNUSED_ID, UNUSED_ID))
    for scope, error in (
        ("chat", lacks_chat),
        ("getChat", lacks_poll),
        ("listMessage", lacks_list),
    ):
        if error:
            yield Observation("scope", scope, error)
    if lacks_cancel:
        yield Observation("stop_scope", "cancelChat", lacks_cancel)
    if not lacks_chat:
        yield Observation("agent", _name(api, options.bot_id, deadline))
    if credentials.current().startswith(SHORT_LIVED):
        yield Observation("short_lived")


def _lacking(call: Callable[[], object], is_about_the_agent: bool = False) -> AuthRejected | None:
    """Why the token may not make a call; None when it may. Raises whatever else is wrong."""
    try:
        call()
    except AuthRejected as error:
        if error.code not in FORBIDDEN:
            raise
        return error
    except BadQuestion:
        pass
    except ProviderError as error:
        if is_about_the_agent or error.code not in ABOUT_UNUSED_ID:
            raise
    return None


def _is_accepted(api: Api, deadline: float) -> bool:
    try:
        return _lacking(lambda: api.retrieve(UNUSED_ID, UNUSED_ID, Stop(), deadline)) is None
    except ProviderError:
        return False


def _name(api: Api, bot_id: str, deadline: float) -> str:
    """What the agent is called, where the token may know; raises when there is nothing
    published."""
    try:
        return str(api.bot(bot_id, deadline).get("name") or "")
    except NotConfigured:
        raise
    except ProviderError:
        return ""
