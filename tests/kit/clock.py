"""A clock for what takes one as an argument."""


class Clock:
    """Stands still until a test moves it; in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
