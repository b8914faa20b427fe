"""Why answers failed, as the desk says it: the reason, how often, and what to do."""

from dataclasses import dataclass

from flask_babel import lazy_gettext as _

from chat.owner.desk.usage import Usage
from chat.owner.doctor.agents import remedies
from chat.web import services
from chat.web.desk.labels import agent_name, as_sentence, at_desk, is_of_desk
from chat.web.frame.language import language

# What each reason of the contract means for the owner.
REASONS = {
    "bad_input": _("The platform rejected the question"),
    "busy": _("The conversation was still being answered"),
    "rate_limited": _("Too many questions at once"),
    "quota_exhausted": _("The allowance is used up"),
    "unavailable": _("Unreachable or cut off"),
    "unexpected": _("The answer could not be understood"),
    "blocked": _("Refused by the platform's moderation"),
    "needs_action": _("The agent asked for a step that this site cannot take"),
    "empty": _("Ended without an answer"),
    "misconfigured": _("Refused: check token, id and publication"),
    "timeout": _("Took too long"),
}


@dataclass(frozen=True)
class Row:
    """How often an agent failed for one reason, and what the owner can do."""

    agent: str
    code: str
    reason: str
    times: int
    remedies: list[str]


def rows(usage: Usage) -> list[Row]:
    """All failures of a period, the most frequent first."""
    return [
        Row(
            agent=agent_name(agent),
            code=code,
            reason=reason(code),
            times=times,
            remedies=_remedies(agent, code),
        )
        for agent, code, times in usage.failures
    ]


def reason(code: str) -> str:
    """Why an answer failed, in words."""
    return str(REASONS.get(code, code))


def _remedies(agent_id: str, code: str) -> list[str]:
    agent = services().agents_desk.get(agent_id) or services().agents.get(agent_id)
    platform = agent.platform if agent else ""
    sentences = [words.say(language()) for words in remedies(platform, code)]
    if is_of_desk(agent_id):
        sentences = [at_desk(platform, sentence) for sentence in sentences]
    return [as_sentence(sentence) for sentence in sentences]
