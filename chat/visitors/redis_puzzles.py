"""Which puzzles are used up, in Redis: a solution is good once in all processes together."""

from chat.shared.connection import Away, Connection
from chat.visitors.puzzles import LIFE_S, LocalUsedPuzzles


class RedisUsedPuzzles:
    """UsedPuzzles of all processes; while Redis is away, of each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._local = LocalUsedPuzzles()

    def add(self, id: str) -> bool:
        """Whether a puzzle was not used yet; from now on it is."""
        if not self._local.add(id):
            return False
        try:
            with self._connection.calling() as calls:
                return bool(calls.set(self._connection.key("puzzle", id), 1, nx=True, ex=LIFE_S))
        except Away:
            return True
