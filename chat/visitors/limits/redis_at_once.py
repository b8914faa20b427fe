"""How many of somebody's things go on at once in all processes, counted in Redis.

Each process has a hash of its own, which lapses with its lease: what a dead process did is over.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence

from chat.shared.connection import LEASE_S, Away, Connection
from chat.visitors.limits.at_once import Bound, take_back

# KEYS: the processes, our hash. ARGV: what the hashes' names begin with, our process, seconds of
# its lease, then names and their bounds. Returns the number of the first full name, or 0.
_BEGIN = """
local hashes = {KEYS[2]}
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  if process ~= ARGV[2] then
    hashes[#hashes + 1] = ARGV[1] .. process
  end
end
for place = 4, #ARGV - 2, 2 do
  local most, count = tonumber(ARGV[place + 1]), 0
  if most > 0 then
    for _, hash in ipairs(hashes) do
      count = count + (redis.call('HGET', hash, ARGV[place]) or 0)
    end
    if count >= most then
      return (place - 2) / 2
    end
  end
end
for place = 4, #ARGV - 2, 2 do
  redis.call('HINCRBY', KEYS[2], ARGV[place], 1)
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 0
"""
# KEYS: our hash. ARGV: seconds of the lease, names.
_END = """
for place = 2, #ARGV - 1 do
  if redis.call('HINCRBY', KEYS[1], ARGV[place], -1) <= 0 then
    redis.call('HDEL', KEYS[1], ARGV[place])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
# KEYS: our hash. ARGV: seconds of the lease, names and counts.
_REWRITE = """
redis.call('DEL', KEYS[1])
for place = 2, #ARGV - 2, 2 do
  redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""


class RedisAtOnce:
    """AtOnce of all processes. While Redis is away each process has its share of a bound.

    What goes on here is counted here too, so that Redis can be told again when it is back.
    """

    look_s = 0.2

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Held while Redis is called, so that it hears of everything in the order in which it came.
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._begin = connection.script(_BEGIN)
        self._end = connection.script(_END)
        self._rewrite = connection.script(_REWRITE)
        connection.at_return(self._come_back)
        connection.at_each_beat(self._renew)

    def begin(self, bounds: Sequence[Bound]) -> str | None:
        """Counts one of each name; or none, and returns the name that has as many as it may."""
        with self._lock:
            try:
                full_name = self._begin_shared(bounds)
            except Away:
                full_name = self._begin_alone(bounds)
            if full_name is None:
                self._counts.update(bound.name for bound in bounds)
            return full_name

    def add(self, names: Iterable[str]) -> None:
        """Counts one of each name, bound or not: it goes on already."""
        self.begin([Bound(name, 0) for name in names])

    def end(self, names: Iterable[str]) -> None:
        """Takes one of each name back."""
        names = list(names)
        with self._lock:
            take_back(self._counts, names)
            try:
                self._connection.run(self._end, [self._hash], [int(LEASE_S), *names])
            except Away:
                # It is told when it is back.
                return

    @property
    def _hash(self) -> str:
        return self._connection.key("at-once", self._connection.process)

    def _begin_shared(self, bounds: Sequence[Bound]) -> str | None:
        process = self._connection.process
        keys = [self._connection.key("processes"), self._hash]
        args: list[str | int] = [self._hash.removesuffix(process), process, int(LEASE_S)]
        for bound in bounds:
            args += bound
        number = int(self._connection.run(self._begin, keys, args))
        return bounds[number - 1].name if number else None

    def _begin_alone(self, bounds: Sequence[Bound]) -> str | None:
        for name, most in bounds:
            share = max(1, most // self._connection.processes)
            if most and self._counts[name] >= share:
                return name
        return None

    def _renew(self) -> None:
        with self._connection.calling() as calls:
            calls.expire(self._hash, int(LEASE_S))

    def _come_back(self) -> None:
        with self._lock:
            counts = [part for pair in self._counts.items() for part in pair]
            self._connection.run(self._rewrite, [self._hash], [int(LEASE_S), *counts])
