"""Whether the service lives, whether it can work, and figures for Prometheus.

Anybody may ask the first two, so they name parts and tell no reasons: those are in the log.
"""

import ipaddress
import os
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Site, TheSite
from api.metrics import exposition
from api.problems import NotAllowedError
from api.storage import Storage
from observer.errors import ObserverError

router = APIRouter(tags=["health"])
KEPT = 10.0
"""Seconds that an answer of /health/ready holds: strangers must not make the disk work."""
PATIENCE = 3.0
"""Seconds that a request waits for a look that another one is taking."""
_log = structlog.get_logger("observer.health")


class Health(BaseModel):
    """What works."""

    status: Literal["ok", "unavailable"] = "ok"
    missing: list[Literal["database", "storage", "jobs"]] = []
    """What does not."""


@router.get("/health/live")
def live() -> Health:
    """The process answers; nothing else is looked at."""
    return Health()


@router.get("/health/ready", responses={503: {"model": Health}})
def ready(request: Request, response: Response, site: TheSite) -> Health:
    """Database at this version, storage writable, job engine reachable; 503 names what is not."""
    state = request.app.state
    if getattr(state, "readiness", None) is None:
        state.readiness = Readiness(site)
    found: Health = state.readiness.look()
    if found.missing:
        response.status_code = 503
    return found


@router.get("/metrics", response_class=Response)
def metrics(request: Request, site: TheSite) -> Response:
    """Figures for Prometheus, for the addresses of OBSERVER_METRICS_FROM."""
    asking = request.client.host if request.client else ""
    if not allowed(asking, site.settings.metrics_addresses):
        raise NotAllowedError(
            en="Metrics are not told to your address. The server's administrator names those that"
            " may read them in OBSERVER_METRICS_FROM.",
            zh="您的地址无权读取运行指标。服务器管理员可用 OBSERVER_METRICS_FROM 设置允许的地址。",
        )
    return Response(exposition(site), headers={"content-type": CONTENT_TYPE_LATEST})


def allowed(address: str, may: tuple[str, ...]) -> bool:
    """Whether `address` is one of `may`, or in one of its networks (10.0.0.0/8)."""
    try:
        asking = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = asking.ipv4_mapped if isinstance(asking, ipaddress.IPv6Address) else None
    return any((mapped or asking) in network for network in map(_network, may) if network)


def _network(written: str) -> "ipaddress.IPv4Network | ipaddress.IPv6Network | None":
    """None for what is no address: it lets nobody in."""
    try:
        return ipaddress.ip_network(written, strict=False)
    except ValueError:
        return None


class Readiness:
    """Looks at the parts of a site, at most once in `KEPT` seconds."""

    def __init__(self, site: Site, *, kept: float = KEPT, patience: float = PATIENCE) -> None:
        self.kept = kept
        self.patience = patience
        self._checks: dict[Literal["database", "storage", "jobs"], Callable[[], object]] = {
            "database": site.database.ready,
            "storage": lambda: write_and_delete(site.storage),
            "jobs": site.jobs.held_by,
        }
        self._lock = threading.Lock()
        self._last: Health | None = None
        self._until = 0.0
        self._at: Literal["database", "storage", "jobs"] = "database"

    def look(self) -> Health:
        """What works. While another look hangs, what it hangs at is said to be missing."""
        if not self._lock.acquire(timeout=self.patience):
            return Health(status="unavailable", missing=[self._at])
        try:
            if self._last is None or time.monotonic() > self._until:
                self._last = self._look()
                self._until = time.monotonic() + self.kept
            return self._last
        finally:
            self._lock.release()

    def _look(self) -> Health:
        missing: list[Literal["database", "storage", "jobs"]] = []
        for name, check in self._checks.items():
            self._at = name
            try:
                check()
            except _failures() as error:
                _log.error("not_ready", missing=name, error=type(error).__name__)
                missing.append(name)
        return Health(status="unavailable" if missing else "ok", missing=missing)


def write_and_delete(storage: Storage) -> None:
    """Put a file and delete it; random, as deleting it must not take another's content along."""
    with TemporaryDirectory(prefix="observer-") as folder:
        file = Path(folder) / "probe"
        file.write_bytes(os.urandom(32))
        storage.delete(storage.put(file))


def _failures() -> tuple[type[Exception], ...]:
    """What a part that is away raises; object stores have errors of their own."""
    known = (SQLAlchemyError, ObserverError, OSError)
    if find_spec("obstore") is None:
        return known
    from obstore.exceptions import BaseError

    return (*known, BaseError)
