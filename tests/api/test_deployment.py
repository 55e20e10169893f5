"""What administrators install: the files of deploy/, the folder of data, storage that is away."""

import configparser
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from api.app import make_site
from api.cli import app
from api.settings import Environment, ServiceSettings, service_settings
from api.storage import LocalStorage, StorageAway
from api.tables import RunState
from api.work import LessonWork
from observer.errors import OutputError
from tests.scripted_worker import House, Script, end, engines

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def unit(file: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(file.read_text())
    return found


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_units_start_commands_that_there_are(file: Path) -> None:
    service = unit(file)["Service"]
    command, options = re.search(  # type: ignore[union-attr]
        r"/opt/observer/\.venv/bin/observer (\w+)(.*)", service["ExecStart"]
    ).groups()
    known = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    names = {name for option in known.params for name in option.opts}
    assert set(re.findall(r"--[\w-]+", options)) <= names
    assert (service["User"], service["UMask"]) == ("observer", "0077")
    assert service["EnvironmentFile"] == "/etc/observer.env"


def test_units_let_the_service_write_where_its_settings_put_the_data() -> None:
    """ProtectSystem=strict leaves the StateDirectory alone writable."""
    settings = dict(
        line.split("=", 1)
        for line in (DEPLOY / "observer.env").read_text().splitlines()
        if re.match(r"\w+=", line)
    )
    assert service_settings(settings).data == Path("/var/lib/observer")
    for name in ("observer.service", "observer-work@.service"):
        assert unit(DEPLOY / name)["Service"]["StateDirectory"] == "observer"


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="OBSERVER_DATA"):
        make_site(ServiceSettings(data=tmp_path / "file" / "data"))


class Away(LocalStorage):
    """Storage that does not answer."""

    @contextmanager
    def local(self, sha: str) -> Iterator[Path]:
        raise StorageAway(en="away", zh="away")
        yield


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_run_waits_for_storage_and_it_costs_no_attempt(tmp_path: Path, database_url: str) -> None:
    """Three outages must not set a lesson aside, nor one fail it: nothing is wrong with it."""
    script = Script(tmp_path, database_url)
    house = House.of(script)
    house.jobs.prepare()
    run_id = house.order(house.lesson())
    storage: Any = Away(house.storage.folder)
    work = LessonWork(
        house.database,
        storage,
        tmp_path / "work",
        Environment(weights=None, threads=1, language=None),
        build=lambda *_, **__: engines(script),
        leave=end,
    )
    assert not work(run_id, "worker", threading.Event())  # back to the queue
    waiting = house.run(run_id)
    assert (waiting.state, waiting.attempts, waiting.error) == (RunState.QUEUED, 0, {})
    house.close()
