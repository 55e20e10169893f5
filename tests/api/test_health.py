"""Health and metrics of an installation of real parts, whole and with a part taken away."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from api.app import create_app
from api.db import Database
from api.deps import Site
from api.routes.health import Readiness, allowed
from api.storage import storage_of
from api.tables import Run, RunState, Worker
from tests.service_factory import People, people
from tests.service_site import settings_in, site_in


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An installation whose queue is ready."""
    site = site_in(tmp_path)
    site.jobs.prepare()
    yield site
    site.jobs.close()
    site.database.close()


def client(site: Site, address: str = "127.0.0.1") -> TestClient:
    """A program on the machine at `address`."""
    app = create_app(site.settings, site=site)
    return TestClient(app, client=(address, 50000), raise_server_exceptions=False)


def test_whole_it_lives_and_is_ready(site: Site) -> None:
    there = client(site, "203.0.113.9")  # from anywhere, without signing in
    live, ready = there.get("/health/live"), there.get("/health/ready")
    assert (live.status_code, live.json()["status"]) == (200, "ok")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "missing": []})
    assert list(site.storage.stored()) == []  # what was written to try it is gone


def test_what_is_missing_is_named_and_no_reason_given(tmp_path: Path) -> None:
    """Nothing was migrated or prepared, and the folder of the files is gone and cannot be made."""
    site = site_in(tmp_path, Database(f"sqlite:///{tmp_path / 'empty.sqlite'}"))
    files = site.settings.data / "files"
    shutil.rmtree(files)
    files.write_text("a file where the folder was")
    there = client(site)
    answer = there.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "missing": ["database", "storage", "jobs"]}
    assert str(tmp_path) not in answer.text
    assert there.get("/health/live").status_code == 200
    site.database.close()


def test_an_object_store_is_tried_too(site: Site) -> None:
    storage = storage_of("memory:///")
    assert Readiness(Site(site.settings, site.database, storage, site.jobs)).look().missing == []
    assert list(storage.stored()) == []


def test_an_answer_is_kept_for_a_while_so_that_asking_costs_nothing(site: Site) -> None:
    for kept, seen in ((60.0, []), (-1.0, ["storage"])):
        files = site.settings.data / "files"
        files.mkdir(exist_ok=True)
        readiness = Readiness(site, kept=kept)
        assert readiness.look().missing == []
        shutil.rmtree(files)
        files.write_text("")
        assert readiness.look().missing == seen
        files.unlink()


def test_a_look_that_hangs_holds_nobody_up(site: Site) -> None:
    """The database's own part: a lock on SQLite would be waited for; here it waits for us."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Database):
        def ready(self) -> None:
            begun.set()
            go_on.wait(10)

    slow = Slow(site.database.url)
    readiness = Readiness(Site(site.settings, slow, site.storage, site.jobs), patience=0.05)
    first = threading.Thread(target=readiness.look)
    first.start()
    assert begun.wait(10)
    assert readiness.look().missing == ["database"]
    go_on.set()
    first.join()
    assert readiness.look().missing == []
    slow.close()


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values → value."""
    return {
        (sample.name, *(sample.labels[k] for k in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def queue(site: Site, school: People) -> None:
    """Two runs wait, one is worked on by the only worker; the factory's run is done."""
    states = (RunState.QUEUED, RunState.QUEUED, RunState.WORKING)
    with site.database.system("test") as session:
        session.add_all(Run(lesson_id=school.lesson.id, state=s.value) for s in states)
        session.add(Worker(id="host-1", host="host"))


def test_metrics_of_the_queue(site: Site) -> None:
    queue(site, people(site.database))
    found = figures(client(site).get("/metrics").text)
    assert found["observer_queue_length",] == 2
    assert found["observer_runs_working",] == 1
    assert found["observer_runs", "done"] == 1
    assert found["observer_workers",] == 1
    assert found["observer_deliveries_waiting",] == 0
    assert 0 < found["observer_queue_oldest_seconds",] < 60
    assert found["observer_storage_free_bytes",] > 0
    assert found["observer_database_up",] == 1
    assert found["process_resident_memory_bytes",] > 0


def test_requests_are_counted_by_template_and_never_by_address(site: Site) -> None:
    there = client(site)
    before = figures(there.get("/metrics").text)
    for method in ("GET", "GET", "MADEUP"):
        there.request(method, "/api/v1/lessons/5ec2e7/observation")
    there.get("/nothing/here/5ec2e7")
    text = there.get("/metrics").text
    after = figures(text)

    def more(*labels: str) -> float:
        return after[labels] - before.get(labels, 0.0)

    route = "/api/v1/lessons/{lesson_id}/observation"
    assert more("observer_requests_total", "GET", route, "401") == 2
    assert more("observer_request_seconds_count", "GET", route) == 2
    assert more("observer_requests_total", "GET", "-", "404") == 1
    assert "5ec2e7" not in text
    assert "MADEUP" not in text


def test_without_a_database_the_rest_is_told(tmp_path: Path) -> None:
    site = site_in(tmp_path, Database(f"sqlite:///{tmp_path / 'missing' / 'observer.sqlite'}"))
    answer = client(site).get("/metrics")
    found = figures(answer.text)
    assert answer.status_code == 200
    assert found["observer_database_up",] == 0
    assert ("observer_queue_length",) not in found
    assert found["observer_storage_free_bytes",] > 0


def test_metrics_are_for_the_addresses_of_the_settings(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, metrics_addresses=("10.0.0.5", "192.168.7.0/24"))
    made = site_in(tmp_path)
    site = Site(settings, made.database, made.storage, made.jobs)
    for address, status in (("10.0.0.5", 200), ("192.168.7.9", 200), ("127.0.0.1", 403)):
        answer = client(site, address).get("/metrics")
        assert answer.status_code == status, address
    assert "observer_" not in answer.text
    assert "OBSERVER_METRICS_FROM" in answer.text  # what to do about it
    forged = client(site, "127.0.0.1").get("/metrics", headers={"x-forwarded-for": "10.0.0.5"})
    assert forged.status_code == 403
    made.database.close()


@pytest.mark.parametrize(
    ("address", "may", "fine"),
    [
        ("127.0.0.1", ("127.0.0.1", "::1"), True),
        ("::1", ("127.0.0.1", "::1"), True),
        ("::ffff:127.0.0.1", ("127.0.0.1",), True),  # as a socket for both kinds tells it
        ("127.0.0.2", ("127.0.0.1",), False),
        ("10.9.8.7", ("10.0.0.0/8",), True),
        ("10.9.8.7", ("monitoring", ""), False),  # no addresses: nobody
        ("testclient", ("127.0.0.1",), False),
        ("", ("127.0.0.1",), False),
        ("127.0.0.1", (), False),
    ],
)
def test_addresses_that_may_read_metrics(address: str, may: tuple[str, ...], fine: bool) -> None:
    assert allowed(address, may) is fine
