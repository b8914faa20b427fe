"""Which agents cannot be reached, known to all processes: one may have failed, another shows it."""

import time
from collections.abc import Callable
from typing import Any

from chat.agents.health import FRESH_S, WINDOW_S, Health, Trouble
from chat.shared.connection import Away, Connection
from providers.errors import ProviderError

# KEYS: a hash, by agent the first and the last failure in a row and their count.
# ARGV: seconds between two in a row, seconds until all are forgotten, the agent.
_FAIL = """
local first, last, count = now, 0, 0
local row = redis.call('HGET', KEYS[1], ARGV[3])
if row then
  first, last, count = string.match(row, '(%S+) (%S+) (%S+)')
end
if now - last > tonumber(ARGV[1]) then
  first, count = now, 0
end
row = string.format('%.6f %.6f %d', first, now, count + 1)
redis.call('HSET', KEYS[1], ARGV[3], row)
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
# Returns the time, then agents and their rows.
_ALL = """
local rows = redis.call('HGETALL', KEYS[1])
table.insert(rows, 1, string.format('%.6f', now))
return rows
"""


class RedisHealth(Health):
    """Health of all processes; while Redis is away each goes by its own questions.

    A page reads what was known at the last beat.
    """

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._connection = connection
        self._key = connection.key("health")
        self._fail = connection.script(_FAIL)
        self._all = connection.script(_ALL)
        connection.at_each_beat(self.look)

    def note(self, agent_id: str, error: ProviderError | None) -> None:
        """Notes how a question went; `error` is None when the agent answered."""
        if not self.is_failure(error) and agent_id not in self._troubles:
            # As nearly always: nothing has to be told.
            return
        super().note(agent_id, error)
        try:
            if self.is_failure(error):
                self._connection.run(
                    self._fail, [self._key], [int(WINDOW_S), int(FRESH_S), agent_id]
                )
                self.look()
            else:
                with self._connection.calling() as calls:
                    calls.hdel(self._key, agent_id)
        except Away:
            return

    def look(self) -> None:
        """Reads what all processes know. Raises Away."""
        now, *rows = self._connection.run(self._all, [self._key], [])
        ahead = self._clock() - float(now)
        self._troubles = {
            agent_id.decode(): _trouble(row, ahead)
            for agent_id, row in zip(rows[::2], rows[1::2], strict=True)
        }


def _trouble(row: Any, ahead: float) -> Trouble:
    first, last, count = row.split()
    return Trouble(float(first) + ahead, float(last) + ahead, int(count))
