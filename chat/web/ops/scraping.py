"""The numbers of this process as Prometheus reads them: counters, and how things are just now."""

import os
import socket
from collections import Counter
from collections.abc import Iterator

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chat.answers.metrics import PREFIX
from chat.services import Services
from chat.storage.engine.kinds import StorageError

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def register_gauges(services: Services) -> None:
    """Adds to the counters of this process what is read at each scrape."""
    services.metrics.registry.register(Gauges(services))


def exposition(services: Services) -> bytes:
    """All numbers, as text of the type CONTENT_TYPE.

    Where several processes may serve the site, each sample says by `process` whose it is.
    """
    registry: Collector = services.metrics.registry
    if services.shared is not None:
        registry = OfOneProcess(registry, f"{socket.gethostname()}:{os.getpid()}")
    return generate_latest(registry)


class OfOneProcess(Collector):
    """The numbers of another collector, each with the name of the process."""

    def __init__(self, numbers: Collector, process: str) -> None:
        self._numbers = numbers
        self._process = process

    def collect(self) -> Iterator[Metric]:
        for metric in self._numbers.collect():
            metric.samples = [
                sample._replace(labels={**sample.labels, "process": self._process})
                for sample in metric.samples
            ]
            yield metric


class Gauges(Collector):
    """How things are just now. While the database does not answer, its numbers are left out."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        """Nothing: else registering would collect, and ask the database before the fork."""
        return []

    def collect(self) -> Iterator[Metric]:
        live_answers = self._services.live_answers.count()
        yield _gauge("live_answers", "Answers that are being made", live_answers)
        yield self._waiting_questions()
        yield _gauge("event_streams", "Event streams that are open", self._services.streams.open)
        yield from self._shared()
        yield from self._stored()

    def _shared(self) -> Iterator[Metric]:
        shared = self._services.shared
        if shared is not None:
            yield _gauge("processes", "Processes that serve the site", shared.processes)
            yield _gauge("redis_away", "Whether Redis cannot be used", shared.is_away)

    def _waiting_questions(self) -> Metric:
        agents = self._services.agents.all
        platforms = {agent.account: agent.platform for agent in agents}
        waiting: Counter[str] = Counter()
        for account, platform in platforms.items():
            waiting[platform] += account.waiting
        family = GaugeMetricFamily(
            f"{PREFIX}_waiting_questions",
            "Questions in line for their platform's account",
            labels=["platform"],
        )
        for platform, count in waiting.items():
            family.add_metric([platform], count)
        return family

    def _stored(self) -> Iterator[Metric]:
        try:
            count, size = self._services.uploads.kept()
            database_size = self._services.storage.disk.size
        except (StorageError, OSError):
            return
        yield _gauge("uploads", "Files of visitors that are kept", count)
        yield _gauge("uploads_bytes", "Size of the files of visitors that are kept", size)
        yield _gauge("database_bytes", "Size of the database on disk, with its log", database_size)


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help, value=value)
