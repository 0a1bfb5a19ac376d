"""What the server measures, in Prometheus' format: one registry for each application, nothing global."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kithnet.runtime.chat import Usage

FIRST_TOKEN_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SECONDS = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The counters of one server. stats, experts: numbers of the engine and of offloading, read whenever somebody asks
    for the metrics; `experts` returns None where nothing is offloaded."""

    def __init__(self, stats: Callable[[], Any] | None = None, experts: Callable[[], Any] | None = None) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "kith_http_requests", "Answered requests.", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "kith_http_seconds",
            "From a request to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("kith_http_in_flight", "Requests being answered.", registry=registry)
        self.first_token = Histogram(
            "kith_first_token_seconds", "From a request to the first piece of its reply.", ["model"],
            buckets=FIRST_TOKEN_SECONDS, registry=registry,
        )  # fmt: skip
        self.tokens = Counter("kith_tokens", "Tokens of chat models, by kind.", ["model", "kind"], registry=registry)
        self.embedded = Counter("kith_embedded_texts", "Texts embedded.", registry=registry)
        self.sessions = Gauge("kith_sessions", "Open conversations with personal agents.", registry=registry)
        if stats is not None:
            registry.register(_Numbers("engine", "Of the engine", stats))
        if experts is not None:
            registry.register(_Numbers("experts", "Of offloaded experts", experts))

    def spent(self, model: str, usage: Usage) -> None:
        """Count the tokens of a finished reply: sent, evaluated (not reused), generated."""
        self.tokens.labels(model, "sent").inc(usage.sent)
        self.tokens.labels(model, "evaluated").inc(usage.evaluated)
        self.tokens.labels(model, "generated").inc(usage.generated)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Numbers(Collector):
    """Every number of a dataclass as `kith_<what>_<field>`; nothing where there is none."""

    def __init__(self, what: str, about: str, stats: Callable[[], Any]) -> None:
        self._what, self._about, self._stats = what, about, stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        for one in fields(stats) if stats is not None else ():
            value = getattr(stats, one.name)
            if isinstance(value, int | float):
                yield GaugeMetricFamily(f"kith_{self._what}_{one.name}", f"{self._about}: {one.name}.", value)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the engine is not asked while the server is being put together."""
        return iter(())
