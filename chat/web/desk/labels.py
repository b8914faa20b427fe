"""What the desk calls the settings that can be changed there, and the facts of the log."""

import re

from flask_babel import lazy_gettext as _

from chat.owner.words import counted
from chat.settings.words import COLON
from chat.web import services
from chat.web.frame.language import language
from providers import options

SETTINGS = {
    "site_title": _("Name of the site"),
    "site_logo": _("Logo"),
    "accent_color": _("Colour"),
    "site_notice": _("Notice"),
    "notice_until": _("Last day of the notice"),
    "site_footer": _("Footer"),
    "icp_number": _("ICP number"),
    "ai_label": _("Label for AI content"),
    "default_language": _("Language"),
    "access_codes": _("Access codes"),
    "keep_days": _("Days to keep conversations"),
    "owner_reads": _("Reading questions and answers"),
    "daily_limit": _("Questions a day"),
    "notify_url": _("Notification robots"),
    "banned_words": _("Banned words"),
}
FACTS = {
    "subject": _("Who"),
    "code": _("Access code"),
    "path": _("File"),
    "conversations": _("Conversations"),
    "answers": _("Answers"),
    "files": _("Files"),
    "agent": _("Agent"),
    "browsers": _("Browsers"),
    "name": _("Name"),
    "takes_back": _("undoes no."),
}

# Options of platforms, as their own pages call them.
OPTIONS = {
    "bot_id": _("Agent id"),
    "assistant_id": _("Agent id"),
    "app_id": _("Agent id (appId)"),
    "agent_url": _("Published address"),
    "api_token": _("Token"),
    "api_key": _("API key"),
    "api_secret": _("API secret"),
    "secret_key": _("Secret Key"),
    "api_base": _("Address of the API"),
    "token_base": _("Address that checks the keys"),
    "web_base": _("Address for authorising"),
    "jwt_app_id": _("Service app: id"),
    "jwt_key_id": _("Service app: fingerprint of the key"),
    "jwt_private_key": _("Service app: private key"),
    "oauth_client_id": _("Web app: client id"),
    "oauth_client_secret": _("Web app: client secret"),
    "qps": _("Calls a second"),
    "concurrency": _("Answers at once"),
    "daily": _("Questions a day on the platform"),
    "ask": _("How whole answers are fetched"),
}
# Why a picture that was sent is not taken, by the id of the settings' error.
PICTURE_PROBLEMS = {
    "logo_large": _("This file is too large: a picture has at most 200 kB."),
    "logo_kind": _("This is not a PNG, JPEG, WebP or SVG picture."),
    "logo_pixels": _("This picture has too many pixels: at most 4096 by 4096."),
}
LOCKED_AGENT = _(
    "This agent is declared on the server, in .env or agents.toml. Remove it there, or switch it "
    "off here."
)


def at_desk(platform: str, text: str) -> str:
    """A sentence of the platforms' cures and helps, with the names of fields for those of .env."""
    for name in options(platform).model_fields:
        label = f"“{OPTIONS.get(name, name)}”"
        # In Chinese a name of .env has a space before it, and a field has none.
        setting = f"{platform}_{name}".upper()
        pattern = rf"(?:(?<=[\u3000-\uffff]) )?\b{setting}(?![A-Z_])"
        # A value is assigned in a file, and typed into a field.
        text = re.sub(f"{pattern}=", f"{label}{colon()}", text)
        text = re.sub(pattern, label, text)
    return text


def fact_label(name: str) -> str:
    """What a fact of the log is called; rows that were deleted as the command calls them."""
    label = FACTS.get(name)
    return str(label) if label else counted(name).say(language())


def colon() -> str:
    """The colon between a name and its value."""
    return COLON.say(language())


def help_beside(label: str, help: str) -> str:
    """The help of an option without its name, which stands above it.

    A name that its sentence needs as a subject stays.
    """
    rest = help.removeprefix(label)
    if rest == help or rest.startswith(" "):
        return help
    rest = rest.lstrip("：，；,:; ")
    return rest[:1].upper() + rest[1:]


def as_sentence(reason: str) -> str:
    """What is wrong with a value as a sentence of its own, without the name of the setting."""
    end = "." if language() == "en" else "。"
    return f"{reason[:1].upper()}{reason[1:].rstrip('.。')}{end}"


def agent_name(id: str) -> str:
    """The name of an agent, on or off; the id of one that this site does not have any more."""
    listed = services().agents_desk.get(id)
    agent = listed.agent if listed else services().agents.get(id)
    if agent is not None:
        return services().introductions.of(agent).name
    return (listed.card.name if listed else None) or id


def is_of_desk(id: str) -> bool:
    """Whether an agent was connected here, so that its options are fields and not settings."""
    listed = services().agents_desk.get(id)
    return listed is not None and listed.declared is None
