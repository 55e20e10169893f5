"""The web application, put together."""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import structlog
from anyio import to_thread
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope
from structlog.typing import Processor

from api.answers import install
from api.deps import Site
from api.problems import PROBLEMS
from api.routes import routers
from api.security import Guard
from api.settings import ServiceSettings
from observer.errors import OutputError

SCHEMA = "/api/v1/openapi.json"
THREADS = 8
"""Requests worked on at a time; more would only wait for each other, with memory of their own."""


class Service(FastAPI):
    """FastAPI whose whole stack is guarded, its pages about defects included."""

    def __init__(self, site: Site, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.state.site = site

    def build_middleware_stack(self) -> ASGIApp:
        """What FastAPI builds, with the guard outside of everything."""
        site: Site = self.state.site
        return Guard(super().build_middleware_stack(), site.settings)


class Static(StaticFiles):
    """Files of api/static; an address with a version in it may be kept for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        lasting = scope["query_string"].startswith(b"v=")
        response.headers["cache-control"] = (
            "public, max-age=31536000, immutable" if lasting else "public, no-cache"
        )
        return response


def create_app(settings: ServiceSettings, *, site: Site | None = None) -> FastAPI:
    """The application on `site`, by default one made of `settings` and closed with it."""
    own = site is None
    here = site or make_site(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        here.database.ready()
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        if own:
            here.jobs.close()
            here.database.close()

    app = Service(
        here,
        title="Observer",
        version=version("observer"),
        lifespan=lifespan,
        openapi_url=SCHEMA,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    install(app)
    for router in routers():
        app.include_router(router, responses=PROBLEMS)
    app.mount("/static", Static(directory=str(files("api") / "static")), name="static")
    return app


def make_site(settings: ServiceSettings) -> Site:
    """Database, storage and jobs as the settings say."""
    from api.db import Database
    from api.jobs import Jobs
    from api.storage import storage_of

    _make_writable(settings.data)
    database = Database(settings.database_url)
    storage = storage_of(settings.storage_url)
    return Site(settings, database, storage, Jobs(settings, database, storage))


def _make_writable(folder: Path) -> None:
    """The data folder, made when it is not there. Raises OutputError."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            en=f"The data folder {folder} (OBSERVER_DATA) cannot be written to by this user. Run"
            " observer as the user of the service, and look at the folder's owner; under systemd"
            " the unit may write only below its StateDirectory.",
            zh=f"当前用户无法写入数据目录 {folder}（OBSERVER_DATA）。请以服务所用的用户运行"
            " observer，并检查该目录的所有者；在 systemd 下只能写入该单元的 StateDirectory。",
        )


@contextmanager
def opened_site(settings: ServiceSettings) -> Iterator[Site]:
    """As `make_site`, closed at the end of the block."""
    site = make_site(settings)
    try:
        yield site
    finally:
        site.jobs.close()
        site.database.close()


def log_as_json(level: int = logging.INFO) -> None:
    """Everything that is logged becomes one JSON object a line, on standard error."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # uvicorn's own lines hold addresses, and with them one-time links
    logging.getLogger("uvicorn.access").disabled = True
