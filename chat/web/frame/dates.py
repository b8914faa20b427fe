"""Days, times and numbers as people say them, in their language and in the site's time zone."""

from datetime import date, datetime, timedelta

from babel.dates import format_skeleton
from babel.numbers import format_compact_decimal
from flask import Flask
from flask_babel import (
    format_date,
    format_datetime,
    format_decimal,
    format_time,
    get_locale,
    gettext,
    to_user_timezone,
)

from chat.storage.models import now

# From here on nobody needs the last digit.
SHORTENED = 10_000


def init_app(app: Flask) -> None:
    """Gives templates these ways to say a day, a time and a number."""
    app.jinja_env.globals.update(
        moment=moment,
        clock=clock,
        calendar_day=calendar_day,
        last_day=last_day,
        number=number,
        short_number=short_number,
    )


def day(at: datetime) -> str:
    """Today, Yesterday, a weekday, or a date."""
    today, then = to_user_timezone(now()).date(), to_user_timezone(at).date()
    ago = (today - then).days
    if ago <= 0:
        return str(gettext("Today"))
    if ago == 1:
        return str(gettext("Yesterday"))
    if ago < 7:
        return str(format_date(at, "EEEE"))
    skeleton = "MMMMd" if today.year == then.year else "yMMMd"
    return str(format_skeleton(skeleton, to_user_timezone(at), locale=get_locale()))


def calendar_day(at: date) -> str:
    """A day without its year, such as 5月3日."""
    return str(format_skeleton("MMMd", at, locale=get_locale()))


def last_day(end: datetime) -> str:
    """The last day of what ends at a midnight, with its year."""
    return str(format_date(to_user_timezone(end - timedelta(seconds=1)), "short"))


def moment(at: datetime) -> str:
    """A date and a time of day."""
    return str(format_datetime(at, "short"))


def short_number(value: float) -> str:
    """A large number as it is said, such as 226.8万; a small one whole."""
    if value < SHORTENED:
        return number(value)
    return str(format_compact_decimal(value, fraction_digits=1, locale=get_locale()))


def clock(at: datetime) -> str:
    """A time of day."""
    return str(format_time(at, "short"))


def number(value: float) -> str:
    """With the separators of the language."""
    return str(format_decimal(value))
