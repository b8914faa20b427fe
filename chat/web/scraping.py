"""The numbers of this process as Prometheus reads them: what was counted, and how things are just now.

Imported by whoever asks for them first: the library costs 1.3 MB and a twentieth of a second.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from chat.answers.metrics import Times
from chat.services import Services
from chat.storage.sqlite import StorageError

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
PREFIX = "zhiye"


def told(services: Services) -> bytes:
    """All numbers, as text of the type CONTENT_TYPE. What the database would have to say is left out while
    it does not answer.
    """
    registry = CollectorRegistry()
    registry.register(_Site(services))
    ProcessCollector(namespace=PREFIX, registry=registry)
    return generate_latest(registry)


class _Site(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        yield self._answers()
        metrics = self._services.metrics
        first = "Seconds until an answer's first words, by platform"
        yield _histogram("first_words_seconds", first, metrics.first)
        yield _histogram(
            "answer_seconds", "Seconds until an answer's end, by platform", metrics.whole
        )
        refusals = _counter("refusals", "Requests refused, by reason", "code")
        for code, count in list(metrics.refusals.items()):
            refusals.add_metric([code], count)
        yield refusals
        requests = _counter(
            "requests", "Requests, by part of the site and class of status", "part", "status"
        )
        for pair, count in list(metrics.requests.items()):
            requests.add_metric(pair, count)
        yield requests
        yield from self._now()
        yield from self._stored()

    def _answers(self) -> Metric:
        family = _counter(
            "answers",
            "Answers that ended, by agent and how they ended",
            "agent",
            "platform",
            "outcome",
        )
        # From 0 on: whoever watches the rate sees the first one too.
        none_yet = {(one.id, one.platform, "done"): 0 for one in self._services.agents.all}
        for names, count in {**none_yet, **self._services.metrics.answers}.items():
            family.add_metric(names, count)
        return family

    def _now(self) -> Iterator[Metric]:
        yield _gauge(
            "live_answers", "Answers that are being made", self._services.live_answers.count()
        )
        waiting: Counter[str] = Counter()
        for account, platform in {
            one.account: one.platform for one in self._services.agents.all
        }.items():
            waiting[platform] += account.waiting
        name = f"{PREFIX}_waiting_questions"
        family = GaugeMetricFamily(
            name, "Questions in line for their platform's account", labels=["platform"]
        )
        for platform, count in waiting.items():
            family.add_metric([platform], count)
        yield family
        yield _gauge("event_streams", "Event streams that are open", self._services.streams.open)

    def _stored(self) -> Iterator[Metric]:
        try:
            count, size = self._services.uploads.kept()
            in_files = self._services.storage.disk.size
        except (StorageError, OSError):
            return
        yield _gauge("uploads", "Files of visitors that are kept", count)
        yield _gauge("uploads_bytes", "Size of the files of visitors that are kept", size)
        yield _gauge("database_bytes", "Size of the database on disk, with its log", in_files)


def _counter(name: str, help: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}_{name}", help, labels=labels)


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help, value=value)


def _histogram(name: str, help: str, times: Times) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"{PREFIX}_{name}", help, labels=["platform"])
    names = [*map(str, times.bounds), "+Inf"]
    for platform, (counts, total) in times.told().items():
        family.add_metric([platform], list(zip(names, counts, strict=True)), total)
    return family
