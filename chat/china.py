"""The platforms' day: from midnight to midnight in China."""

from datetime import datetime, timedelta, timezone

# No platform says which day it counts by; all of them are Chinese.
CHINA = timezone(timedelta(hours=8))


def until_tomorrow(today: datetime) -> float:
    """Seconds from a moment in China until the platforms' next day."""
    midnight = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - today).total_seconds()
