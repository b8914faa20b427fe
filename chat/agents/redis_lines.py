"""The thread in which a process takes its steps in the lines that it shares through Redis."""

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial

from chat.agents.alone import Shared
from chat.agents.back_off import BackOff
from chat.agents.line import Line, LocalLine
from chat.agents.line_script import KEYS, SIGN, STEP
from chat.agents.queues import LOOK_S, Clock
from chat.agents.redis_line import RedisLine
from chat.shared.connection import Away, Connection
from providers import Limits

CHANNEL = "line"
# After a step that could not be taken.
RETRY_S = 0.25
END_S = 2.0

log = logging.getLogger("chat.redis")


class RedisLines:
    """The lines of a process. Accounts without limits have a line of their own in each process.

    Make them before the connection is made.
    """

    def __init__(
        self,
        connection: Connection,
        address_share: int = 0,
        clock: Clock = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self._connection = connection
        self._address_share = address_share
        self._chance = chance
        self._step_script = connection.script(STEP)
        self._sign_script = connection.script(SIGN)
        self._lines: dict[str, RedisLine] = {}
        self._local: dict[str, LocalLine] = {}
        # Lines whose trouble is in the log already.
        self._reported: set[str] = set()
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        connection.listen(CHANNEL, self._hear)
        connection.at_return(self._come_back)
        connection.at_each_beat(self._sign)
        connection.at_end(self._leave)

    def line(self, name: str, limits: Limits) -> Line:
        back_off, tell = BackOff(self.clock, self._chance), partial(self._tell, name)
        if not limits.qps and not limits.concurrency:
            local = LocalLine(limits, self._address_share, back_off, self.clock, tell)
            self._local[name] = local
            return local
        shared = Shared(
            process=lambda: self._connection.process,
            processes=lambda: self._connection.processes,
            is_away=lambda: self._connection.is_away,
            waiting=partial(self._waiting, name),
            wake=self._wake,
            clock=self.clock,
            chance=self._chance,
        )
        line = RedisLine(limits, self._address_share, back_off, shared, tell)
        self._lines[name] = line
        return line

    def _waiting(self, name: str) -> int | None:
        """How many questions wait in a line, as the last step of any process has left it."""
        try:
            with self._connection.calling() as calls:
                return int(calls.hget(self._connection.key("line", name, "state"), "all") or 0)
        except Away:
            return None

    def _leave(self) -> None:
        """Gives up all that this process has."""
        self._ended.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(END_S)
        for name, line in list(self._lines.items()):
            line.clear()
            self._take_step(name, line)

    def _wake(self) -> None:
        """Has a step taken soon. The thread begins with the first one, so after the fork."""
        self._woken.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._work, name="redis lines", daemon=True
                    )
                    self._thread.start()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._woken.wait(self._pause())
            self._woken.clear()
            for name, line in list(self._lines.items()):
                if line.look_at <= self.clock():
                    self._try_step(name, line)

    def _pause(self) -> float:
        look_at = min((line.look_at for line in self._lines.values()), default=float("inf"))
        return max(0.0, min(LOOK_S, look_at - self.clock()))

    def _try_step(self, name: str, line: RedisLine) -> None:
        try:
            if self._take_step(name, line):
                self._reported.discard(name)
                return
        except Away:
            pass
        except Exception as error:
            self._report(name, error)
        line.fail()
        line.look_at = self.clock() + RETRY_S

    def _take_step(self, name: str, line: RedisLine) -> bool:
        """Whether Redis has taken the step. Raises Away."""
        word, reply = self._run(name, line)
        if word == "lost":
            self._sign()
            line.forget()
            word, reply = self._run(name, line)
        if word == "well":
            line.apply(reply)
        elif word == "broken":
            self._report(name, reply[0])
        return word == "well"

    def _report(self, name: str, error: object) -> None:
        """Says in the log what is wrong with a line, once until a step succeeds."""
        if name not in self._reported:
            self._reported.add(name)
            has_trace = isinstance(error, Exception)
            log.warning("the line of %s begins anew: %r", name, error, exc_info=has_trace)

    def _run(self, name: str, line: RedisLine) -> tuple[str, list[object]]:
        keys = [self._connection.key("line", name, part) for part in KEYS]
        names = [self._connection.process, name, self._connection.key(CHANNEL)]
        arguments = [*names, *line.arguments()]
        word, *reply = self._connection.run(self._step_script, [*keys, self._site], arguments)
        return word.decode(), reply

    @property
    def _site(self) -> str:
        return self._connection.key("line")

    def _sign(self) -> None:
        self._connection.run(self._sign_script, [self._site], [])

    def _come_back(self) -> None:
        self._sign()
        for line in self._lines.values():
            line.forget()

    def _tell(self, name: str, seconds: float | None, refusals: int) -> None:
        process = self._connection.process
        text = f"forgive {process} {name}"
        if seconds is not None:
            text = f"hold {process} {name} {seconds:.3f} {refusals}"
        self._connection.say(CHANNEL, text)

    def _hear(self, text: str) -> None:
        kind, process, name, *words = text.split()
        is_ours = process == self._connection.process
        if kind == "look":
            if is_ours and name in self._lines:
                self._lines[name].look_now()
            return
        line = self._lines.get(name) or self._local.get(name)
        if line is None or is_ours:
            return
        if kind == "hold":
            line.learn(float(words[0]), int(words[1]))
        elif kind == "forgive":
            line.learn(None, 0)
