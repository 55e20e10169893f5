"""What the installation tells Prometheus: requests of its web processes, the state of the queue.

Labels are templates and states, never addresses, titles or people.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from api.columns import now
from api.settings import shared_metrics
from api.tables import Delivery, Run, RunState, Worker

if TYPE_CHECKING:
    from api.deps import Site

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted as one: anybody may make up new ones."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Upper ends of the histogram's classes; the pages' target of 0.3 s is one of them."""
REQUESTS = Counter(
    "observer_requests",
    "Requests answered; status 0: the client went away first.",
    ("route", "method", "status"),
)
LATENCY = Histogram(
    "observer_request_seconds",
    "Seconds until the last byte of an answer; streams and downloads last as long as they last.",
    ("route", "method"),
    buckets=SECONDS,
)


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request; `route` is a template such as /lessons/{lesson_id}."""
    method = method if method in METHODS else "other"
    REQUESTS.labels(route, method, str(status)).inc()
    LATENCY.labels(route, method).observe(seconds)


def exposition(site: "Site") -> bytes:
    """Everything in Prometheus' text format: the web processes here, and the installation."""
    registry = CollectorRegistry()
    registry.register(_Installation(site))
    counted, folder = REGISTRY, shared_metrics()
    if folder is not None:
        counted = CollectorRegistry()
        MultiProcessCollector(counted, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(counted) + generate_latest(registry)


class _Installation(Collector):
    """Gauges that are read when they are asked for; they are the same from every process."""

    def __init__(self, site: "Site") -> None:
        self._site = site

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: asking would read everything once more."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The database's part is left out, and `observer_database_up` is 0, while it is away."""
        try:
            found = [*self._runs(), *self._rest()]
        except SQLAlchemyError:
            yield GaugeMetricFamily("observer_database_up", "1: the database answers.", value=0)
        else:
            yield GaugeMetricFamily("observer_database_up", "1: the database answers.", value=1)
            yield from found
        free = self._site.storage.free_bytes()
        if free is not None:
            yield GaugeMetricFamily(
                "observer_storage_free_bytes", "Room that is left for files.", value=free
            )

    def _runs(self) -> Iterator[Metric]:
        with self._site.database.system("metrics: runs") as session:
            counted = dict(
                session.exec(select(Run.state, func.count()).group_by(col(Run.state))).all()
            )
            oldest = session.exec(
                select(func.min(Run.created)).where(Run.state == RunState.QUEUED.value)
            ).one()
        runs = GaugeMetricFamily("observer_runs", "Runs kept, by state.", labels=("state",))
        for state in RunState:
            runs.add_metric((state.value,), counted.get(state.value, 0))
        yield runs
        yield GaugeMetricFamily(
            "observer_queue_length",
            "Runs that wait for a worker.",
            value=counted.get(RunState.QUEUED.value, 0),
        )
        yield GaugeMetricFamily(
            "observer_runs_working",
            "Runs that a worker has.",
            value=counted.get(RunState.WORKING.value, 0),
        )
        yield GaugeMetricFamily(
            "observer_queue_oldest_seconds",
            "How long the run that waits longest has waited; 0 when none waits.",
            value=(now() - oldest).total_seconds() if oldest else 0,
        )

    def _rest(self) -> Iterator[Metric]:
        with self._site.database.system("metrics: workers and deliveries") as session:
            workers = session.exec(select(func.count()).select_from(Worker)).one()
            waiting = session.exec(
                select(func.count()).select_from(Delivery).where(col(Delivery.due).is_not(None))
            ).one()
        yield GaugeMetricFamily(
            "observer_workers", "Worker processes; the dead are struck off.", value=workers
        )
        yield GaugeMetricFamily(
            "observer_deliveries_waiting",
            "Messages to webhooks that are to be sent, or sent again.",
            value=waiting,
        )
