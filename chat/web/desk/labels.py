"""What the desk calls the settings that can be changed there, and the facts of the log."""

from flask_babel import lazy_gettext as _

SETTINGS = {
    "site_title": _("Name of the site"),
    "site_logo": _("Logo"),
    "accent_color": _("Colour"),
    "site_notice": _("Notice"),
    "site_footer": _("Line at the bottom"),
    "icp_number": _("ICP number"),
    "ai_label": _("Label of generated content"),
    "default_language": _("Language"),
    "access_codes": _("Access codes"),
    "keep_days": _("How long conversations are kept"),
    "owner_reads": _("Reading questions and answers"),
    "daily_limit": _("Questions a day"),
    "notify_url": _("Robots that are told"),
}
FACTS = {
    "subject": _("Who"),
    "path": _("File"),
    "conversations": _("Conversations"),
    "answers": _("Answers"),
    "files": _("Files"),
    "agent": _("Agent"),
    "browsers": _("Browsers"),
    "name": _("Name"),
    "takes_back": _("takes back no."),
}
