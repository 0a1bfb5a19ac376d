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
    """The counters of one server. stats: numbers of the engine, read whenever somebody asks for the metrics."""

    def __init__(self, stats: Callable[[], Any] | None = None) -> None:
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
            registry.register(_Engine(stats))

    def spent(self, model: str, usage: Usage) -> None:
        """Count the tokens of a finished reply: sent, evaluated (not reused), generated."""
        self.tokens.labels(model, "sent").inc(usage.sent)
        self.tokens.labels(model, "evaluated").inc(usage.evaluated)
        self.tokens.labels(model, "generated").inc(usage.generated)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Engine(Collector):
    """Every number of the engine's own counts as `kith_engine_<field>`."""

    def __init__(self, stats: Callable[[], Any]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        for one in fields(stats):
            value = getattr(stats, one.name)
            if isinstance(value, int | float):
                yield GaugeMetricFamily(f"kith_engine_{one.name}", f"Of the engine: {one.name}.", value)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the engine is not asked while the server is being put together."""
        return iter(())
