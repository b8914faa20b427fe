"""Days and times as people say them, in their language and the site's time zone."""

from datetime import datetime

from flask_babel import format_date, format_datetime


def day(moment: datetime) -> str:
    return str(format_date(moment))


def moment(at: datetime) -> str:
    return str(format_datetime(at, "short"))
