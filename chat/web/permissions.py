"""Who is let in: without a code or key only where this file says so; a new route is closed to them."""

from collections.abc import Callable, Sequence
from functools import partial

from flask import Flask, request

from chat.agents.offered import Agent
from chat.refusals import SignInNeeded
from chat.web import services
from chat.web.visitors import asker

# For everybody. Some have locks of their own: a link, a signed address, a password.
OPEN = {
    "signing_in.sign_in",
    "signing_in.enter",
    "signing_in.leave",
    "sharing.shared",
    "static.file",
    "static.manifest",
    "pictures.show",
    "files.fetch",
    "oauth.start",
    "oauth.callback",
    "ops.healthz",
    "ops.readyz",
    "ops.metrics",
    "ops.openapi",
}
# For visitors without a code too, as far as an agent is concerned that is for all.
WITH_OPEN_AGENTS = {
    "pages.home",
    "pages.conversation",
    "chat.ask",
    "chat.follow",
    "chat.stop",
    "conversations.clear",
    "conversations.rename",
    "conversations.delete",
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


def init_app(app: Flask) -> None:
    """Asks of every request whether it may come in, before anything looks at it."""

    @app.before_request
    def admit() -> None:
        if request.endpoint is None or request.endpoint in OPEN:
            return
        if not is_restricted():
            return
        if request.endpoint not in WITH_OPEN_AGENTS or not agents():
            raise SignInNeeded(f"{request.endpoint} without a code")
        for id in (request.view_args or {}).values():
            _check_conversation(str(id))


def is_restricted() -> bool:
    """Whether the site has codes and this visitor has given none. Raises SignInNeeded for a wrong key."""
    is_known = asker().code is not None
    return services().access.is_closed and not is_known


def agents() -> Sequence[Agent]:
    """The agents that this visitor may ask."""
    every = services().agents.all
    return [one for one in every if one.is_open] if is_restricted() else every


def agent(agent_id: str | None) -> Agent:
    """The agent of this id; without one, the first that this visitor may ask.

    Raises Refusal not_found, SignInNeeded.
    """
    return checked(services().agents.named(agent_id) if agent_id is not None else agents()[0])


def checked(one: Agent) -> Agent:
    """The same agent. Raises SignInNeeded when this visitor may not ask it."""
    if one not in agents():
        raise SignInNeeded(f"the agent {one.id} without a code")
    return one


def listed() -> list[str] | None:
    """The agents whose conversations this visitor may see; None for all, those long gone too."""
    return [one.id for one in agents()] if is_restricted() else None


def may_see(agent_id: str) -> bool:
    """Whether this visitor may see what was said with this agent, which may be gone."""
    ids = listed()
    return ids is None or agent_id in ids


def check_talk(agent_id: str) -> None:
    """Raises SignInNeeded when this visitor may not see what was said with this agent."""
    if not may_see(agent_id):
        raise SignInNeeded(f"a conversation with {agent_id} without a code")


def budget() -> Callable[[], Callable[[], None]]:
    """Counts a question against the day of the visitor's code when it is called: see Access.spend."""
    return partial(services().access.spend, asker())


def _check_conversation(id: str) -> None:
    """Of the visitor's own, by its agent; what is another's the route itself does not find."""
    found = services().storage.conversations.agent_of(asker().visitor, id)
    if found is not None:
        check_talk(found)
