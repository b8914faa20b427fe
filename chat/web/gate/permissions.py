"""Who is let in, and which agents they may ask: without a code or key what is named here."""

from collections.abc import Callable, Sequence
from functools import partial

from flask import request

from chat.agents.offered import Agent
from chat.refusals import SignInNeeded
from chat.web import services
from chat.web.gate.blocking import refuse_blocked_visitor
from chat.web.gate.visitors import asker, turn_away

# Open to everybody. Some check a link, a signed address or a password themselves.
OPEN = {
    "signing_in.sign_in",
    "signing_in.enter",
    "signing_in.leave",
    "sharing.shared",
    "static.file",
    "static.icon",
    "static.manifest",
    "pictures.show",
    "files.fetch",
    "csp_reports.take",
    "oauth.start",
    "oauth.callback",
    "ops.healthz",
    "ops.readyz",
    "ops.metrics",
    "ops.openapi",
}
# Of these the ones by which a visitor becomes another: who is shut out stays so.
ENTRANCES = {"signing_in.enter"}
# Open to visitors without a code too, for agents that need none.
WITH_OPEN_AGENTS = {
    "pages.home",
    "pages.conversation",
    "pages.agents",
    "pages.sheets",
    "pages.agent",
    "chat.ask",
    "chat.follow",
    "chat.stop",
    "feedback.rate",
    "conversations.clear",
    "conversations.rename",
    "conversations.pin",
    "conversations.delete",
    "conversations.delete_several",
    "conversations.restore",
    "conversations.forget",
    "history.search",
    "history.conversations",
    "history.markdown",
    "history.document",
    "sharing.share",
    "sharing.unshare",
    "files.upload",
}


def require_admission() -> None:
    """Raises SignInNeeded or BlockRefusal when the request at hand may not come in; before any
    route sees it.
    """
    if request.endpoint is None or request.endpoint in OPEN - ENTRANCES or is_desk():
        return
    refuse_blocked_visitor()
    if request.endpoint in ENTRANCES:
        # Who gives a wrong code gets no cookie; who gives a right one gets another.
        turn_away()
        return
    if not is_restricted():
        return
    if request.endpoint not in WITH_OPEN_AGENTS or not allowed_agents():
        raise SignInNeeded(f"{request.endpoint} without a code")
    for id in (request.view_args or {}).values():
        _require_conversation(str(id))


def is_desk() -> bool:
    """Whether it goes to the owner's desk, which has its own lock (chat/web/desk/session.py)."""
    return (request.endpoint or "").startswith("desk.")


def is_restricted() -> bool:
    """Whether the site has codes and this visitor gave none.

    Raises SignInNeeded for a wrong key.
    """
    has_code = asker().code is not None
    return services().access.is_closed and not has_code


def allowed_agents() -> Sequence[Agent]:
    """The agents that this visitor may ask."""
    agents = services().agents.all
    return [agent for agent in agents if agent.is_open] if is_restricted() else agents


def choose_agent(agent_id: str | None) -> Agent:
    """The agent of this id; without one, the first that this visitor may ask.

    Raises Refusal not_found, SignInNeeded.
    """
    if agent_id is None:
        return require_agent(allowed_agents()[0])
    return require_agent(services().agents.named(agent_id))


def require_agent(agent: Agent) -> Agent:
    """The same agent. Raises SignInNeeded when this visitor may not ask it."""
    # By its id: the owner may have changed it since it was looked up.
    if agent.id not in (allowed.id for allowed in allowed_agents()):
        raise SignInNeeded(f"the agent {agent.id} without a code")
    return agent


def visible_agent_ids() -> list[str] | None:
    """The agents whose conversations this visitor may see; None for all, former agents too."""
    return [agent.id for agent in allowed_agents()] if is_restricted() else None


def may_see(agent_id: str) -> bool:
    """Whether this visitor may see conversations with this agent, which may be a former one."""
    agent_ids = visible_agent_ids()
    return agent_ids is None or agent_id in agent_ids


def require_visible(agent_id: str) -> None:
    """Raises SignInNeeded when this visitor may not see conversations with this agent."""
    if not may_see(agent_id):
        raise SignInNeeded(f"a conversation with {agent_id} without a code")


def day_budget() -> Callable[[], Callable[[], None]]:
    """A function that counts a question against the day of the visitor's code: see Access.spend."""
    return partial(services().access.spend, asker())


def _require_conversation(id: str) -> None:
    """Checks the agent of the visitor's own conversation; the routes refuse those of others."""
    agent_id = services().storage.conversations.agent_of(asker().visitor, id)
    if agent_id is not None:
        require_visible(agent_id)
