"""The web application, put together."""

from fastapi import FastAPI

from api.deps import Site
from api.routes import routers
from api.settings import ServiceSettings


def create_app(settings: ServiceSettings, *, site: Site | None = None) -> FastAPI:
    """The application on `site`, by default one made of `settings`."""
    app = FastAPI(
        title="observer", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    app.state.site = site or make_site(settings)
    for router in routers():
        app.include_router(router)
    return app


def make_site(settings: ServiceSettings) -> Site:
    """Database, storage and jobs as the settings say."""
    from api.db import Database
    from api.jobs import Jobs
    from api.storage import storage_of

    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    storage = storage_of(settings.storage_url)
    return Site(settings, database, storage, Jobs(settings, database, storage))
