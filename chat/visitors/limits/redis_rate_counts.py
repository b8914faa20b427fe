"""What was done lately, counted in Redis for all processes, by its clock.

The windows move like those of `limits`, whose rates and keys these are. Its own storage for Redis
is not used, because it goes by the clock of each host, takes nothing back, and needs a call for
each rate: twelve a question, 1.4 ms of CPU, where these are two calls and 0.3 ms, and a question
counts at all of its rates or at none.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

from limits import RateLimitItem

from chat.shared.connection import Away, Connection
from chat.visitors.limits.rate_counts import Claim, LocalRateCounts

# A list has the times of a key, the latest first. `is_full` looks at the time that has to leave
# the window before there is room for the cost.
_WINDOWS = """
local function wait_of(window)
  local time = redis.call('LINDEX', window.key, window.amount - window.cost)
  return time and math.max(0, time + window.seconds - now) or 0
end

local function count(window)
  local times = {}
  for _ = 1, window.cost do
    times[#times + 1] = string.format('%.6f', now)
    -- Lua takes no more than some thousands of arguments.
    if #times == 1000 then
      redis.call('LPUSH', window.key, unpack(times))
      times = {}
    end
  end
  if #times > 0 then
    redis.call('LPUSH', window.key, unpack(times))
  end
  redis.call('LTRIM', window.key, 0, window.amount - 1)
  redis.call('EXPIRE', window.key, window.seconds)
end

local windows = {}
for amount, seconds, cost in string.gmatch(ARGV[1], '(%d+) (%d+) (%d+)') do
  windows[#windows + 1] = {
    key = KEYS[#windows + 1],
    amount = tonumber(amount),
    seconds = tonumber(seconds),
    cost = tonumber(cost),
  }
end
"""
_WAIT = (
    _WINDOWS
    + """
local longest = 0
for _, window in ipairs(windows) do
  longest = math.max(longest, wait_of(window))
end
"""
)
# KEYS: windows. ARGV: of each amount, seconds and cost, in one text, because each argument costs
# the client more than all else here. Return the seconds to wait, as text.
WAIT = _WAIT + "return tostring(longest)"
TAKE = (
    _WAIT
    + """
if longest == 0 then
  for _, window in ipairs(windows) do
    count(window)
  end
end
return tostring(longest)
"""
)
ADD = (
    _WINDOWS
    + """
for _, window in ipairs(windows) do
  if window.cost <= window.amount and wait_of(window) == 0 then
    count(window)
  end
end
"""
)
GIVE_BACK = (
    _WINDOWS
    + """
for _, window in ipairs(windows) do
  redis.call('LTRIM', window.key, window.cost, -1)
end
"""
)


class RedisRateCounts:
    """RateCounts of all processes; while Redis is away each counts its own share in its memory."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._local = LocalRateCounts()
        self._wait = connection.script(WAIT)
        self._take = connection.script(TAKE)
        self._add = connection.script(ADD)
        self._give_back = connection.script(GIVE_BACK)

    def wait(self, *claims: Claim) -> float:
        """Seconds until all of them may be done: 0 for now, inf for never. Counts nothing."""
        if _is_never(claims):
            return inf
        try:
            return float(self._run(self._wait, claims))
        except Away:
            return self._local.wait(*self._shares(claims))

    def take(self, *claims: Claim) -> float:
        """Counts all of them and returns 0; or counts none and returns the seconds to wait."""
        if _is_never(claims):
            return inf
        try:
            return float(self._run(self._take, claims))
        except Away:
            return self._local.take(*self._shares(claims))

    def add(self, *claims: Claim) -> None:
        """Counts them as far as there is room: what is known only afterwards."""
        try:
            self._run(self._add, claims)
        except Away:
            self._local.add(*self._shares(claims))

    def give_back(self, *claims: Claim) -> None:
        """Takes back what was taken a moment ago."""
        try:
            self._run(self._give_back, claims)
        except Away:
            self._local.give_back(*self._shares(claims))

    def _run(self, script: Any, claims: Sequence[Claim]) -> Any:
        """The result of a script. Raises Away."""
        keys: list[str] = []
        numbers: list[str] = []
        for claim in claims:
            for rate in claim.rates:
                keys.append(self._connection.key("rate", rate.key_for(*claim.name)))
                numbers.append(f"{rate.amount} {rate.get_expiry()} {claim.cost}")
        return self._connection.run(script, keys, [" ".join(numbers)]) if keys else 0

    def _shares(self, claims: Sequence[Claim]) -> Iterator[Claim]:
        """The same for one of so many processes that know nothing of each other."""
        for claim in claims:
            rates = [self._share(rate, claim.cost) for rate in claim.rates]
            yield Claim(rates, claim.name, claim.cost)

    def _share(self, rate: RateLimitItem, cost: int) -> RateLimitItem:
        amount = max(cost, rate.amount // self._connection.processes)
        return type(rate)(amount, rate.multiples)


def _is_never(claims: Sequence[Claim]) -> bool:
    return any(claim.cost > rate.amount for claim in claims for rate in claim.rates)
