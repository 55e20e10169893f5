"""The database: one history for both kinds, sessions that know who asks."""

from api.db import Database
from tests.service_factory import People


def test_migrate(database: Database, people: People) -> None:
    database.ready()
