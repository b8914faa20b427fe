"""What this process has done, counted by prometheus-client; chat/web/ops/scraping.py writes it out.

Labels come from fixed sets: the agents of the site, the reasons of the contract, our routes. So
nobody from outside can make them many.
"""

from prometheus_client import disable_created_metrics
from prometheus_client.metrics import Counter, Histogram
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

PREFIX = "zhiye"
FIRST_WORDS_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
ANSWER_S = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# The moment at which each series began would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The numbers of one process, with a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = self._counter(
            "answers", "Answers that ended, by agent and how they ended", "agent platform outcome"
        )
        self._first_words = self._histogram(
            "first_words_seconds",
            "Seconds until an answer's first words, by platform",
            FIRST_WORDS_S,
        )
        self._whole_answers = self._histogram(
            "answer_seconds", "Seconds until an answer's end, by platform", ANSWER_S
        )
        self._refusals = self._counter("refusals", "Requests refused, by reason", "code")
        self._banned = self._counter(
            "banned_words", "Questions refused and answers masked for a word", "where"
        )
        self._requests = self._counter(
            "requests", "Requests, by part of the site and class of status", "part status"
        )
        ProcessCollector(namespace=PREFIX, registry=self.registry)

    def expect_agent(self, agent: str, platform: str) -> None:
        """Begins an agent's series at 0, so that whoever watches the rate sees its first answer."""
        self._answers.labels(agent, platform, "done")

    def count_answer(self, agent: str, platform: str, outcome: str) -> None:
        """An answer has ended: `outcome` is done, stopped, or the reason of its failure."""
        self._answers.labels(agent, platform, outcome).inc()

    def observe_seconds(self, platform: str, first_s: float | None, whole_s: float) -> None:
        """How long an answer took to its first words, None when there were none, and to its end."""
        if first_s is not None:
            self._first_words.labels(platform).observe(first_s)
        self._whole_answers.labels(platform).observe(whole_s)

    def count_refusal(self, code: str) -> None:
        """A request was refused for a reason of the contract."""
        self._refusals.labels(code).inc()

    def count_banned(self, where: str) -> None:
        """A banned word was met: `where` is question or answer."""
        self._banned.labels(where).inc()

    def count_request(self, part: str, status: int) -> None:
        """A request to a part of the site, one of our blueprints or "none", was answered."""
        self._requests.labels(part, f"{status // 100}xx").inc()

    def _counter(self, name: str, help: str, labels: str) -> Counter:
        return Counter(name, help, labels.split(), namespace=PREFIX, registry=self.registry)

    def _histogram(self, name: str, help: str, bounds: tuple[float, ...]) -> Histogram:
        return Histogram(
            name, help, ["platform"], namespace=PREFIX, registry=self.registry, buckets=bounds
        )
