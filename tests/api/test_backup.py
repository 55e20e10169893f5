"""A backup of a running service, and the service that comes of it."""

import io
import json
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select
from typer.testing import CliRunner

from api.backup import backup, restore
from api.backup_file import BrokenBackup
from api.cli import app
from api.db import Database
from api.deps import Site
from api.settings import service_settings
from api.snapshots import copy_engine
from api.tables import Lesson, Recording, Run, School, User
from observer.errors import ObserverError, UsageError
from tests.furnished import Furnished, furnish
from tests.service_site import client_of, site_in

SOUND = b"RIFF" + bytes(range(256)) * 9000  # 2.3 MB: more than one block


@pytest.fixture
def furnished(tmp_path: Path) -> Iterator[Furnished]:
    """A service on SQLite with people, lessons, a recording and a report."""
    sound = tmp_path / "lesson.wav"
    sound.write_bytes(SOUND)
    site = site_in(tmp_path / "first")
    site.jobs.prepare()
    yield furnish(site, sound)
    site.jobs.close()
    site.database.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites without tables, as a new machine has them."""
    made: list[Site] = []

    def make(name: str = "second", **changes: object) -> Site:
        folder = tmp_path / name
        url = str(changes.get("database_url") or f"sqlite:///{folder}/data/observer.sqlite")
        made.append(site_in(folder, Database(url), **changes))
        return made[-1]

    yield make
    for site in made:
        site.jobs.close()
        site.database.close()


def rows_of(site: Site) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables that people see."""
    with site.database.system("test: compare") as session:
        return {
            kind.__name__: sorted(
                (row.model_dump() for row in session.exec(select(kind))), key=lambda r: r["id"]
            )
            for kind in (Lesson, Recording, Run, School, User)
        }


def test_a_restored_copy_starts_and_shows_the_same(
    furnished: Furnished, empty: Callable[..., Site], tmp_path: Path
) -> None:
    file = tmp_path / "observer.tar"
    done = backup(furnished.site, file)
    assert file.stat().st_mode & 0o077 == 0  # recordings of children: for this user alone
    with tarfile.open(file) as archive:
        assert archive.getnames()[-1] == "manifest.json"
    target = empty()
    again = restore(target, file)
    assert (again.lessons, again.files) == (done.lessons, done.files)
    assert rows_of(target) == rows_of(furnished.site)
    target.database.ready()
    teacher, lesson = furnished.people.teacher.id, furnished.lesson.id
    for address in (f"/lessons/{lesson}", f"/lessons/{lesson}/report", "/lessons"):
        answers = [client_of(s, user_id=teacher).get(address) for s in (furnished.site, target)]
        assert [a.status_code for a in answers] == [200, 200], address
        assert "三角形的内角和" in answers[1].text
    media = f"/api/v1/lessons/{lesson}/media"
    assert client_of(target, user_id=teacher).get(media).content == SOUND
    # Whom the lesson is not shared with finds nothing in the copy either.
    stranger = client_of(target, user_id=furnished.people.stranger.id)
    assert stranger.get(f"/lessons/{lesson}").status_code == 404


def test_copies_one_moment_while_others_write(
    furnished: Furnished, empty: Callable[..., Site], tmp_path: Path
) -> None:
    """Schools are written in pairs, in one transaction: a copy never has half of one."""
    end = threading.Event()
    district = furnished.people.district.id

    def write() -> None:
        number = 0
        while not end.is_set():
            with furnished.site.database.system("test: writes meanwhile") as session:
                pair = [School(district_id=district, name=f"{x}{number}") for x in "甲乙"]
                session.add_all(pair)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup(furnished.site, tmp_path / f"{number}.tar")
    finally:
        end.set()
        writer.join()
    for number in range(3):
        target = empty(f"copy{number}")
        restore(target, tmp_path / f"{number}.tar")
        with target.database.system("test") as session:
            names = {s.name for s in session.exec(select(School))}
        first = {n[1:] for n in names if n.startswith("甲")}
        assert first == {n[1:] for n in names if n.startswith("乙")}


def test_tells_which_files_are_not_there(
    furnished: Furnished, empty: Callable[..., Site], tmp_path: Path
) -> None:
    """A file that is gone and one that rotted are named; the rest is backed up all the same."""
    site = furnished.site
    with site.database.system("test") as session:
        media = session.exec(
            select(Recording).where(col(Recording.lesson_id) == furnished.lesson.id)
        ).all()
        run = session.exec(select(Run).where(Run.lesson_id == furnished.lesson.id)).first()
    assert run is not None
    rotten, missing = media[0].sha256, run.artefacts["observation.json"]
    site.storage.delete(missing)
    place = site.storage.path(rotten)
    assert place is not None
    place.write_bytes(b"rot")
    done = backup(site, tmp_path / "observer.tar")
    assert {rotten, missing} <= set(done.lost)
    assert done.gone == ()
    target = empty()
    assert set(restore(target, tmp_path / "observer.tar").lost) == set(done.lost)
    assert not target.storage.exists(rotten)


def test_restores_only_into_what_is_empty(
    furnished: Furnished, empty: Callable[..., Site], tmp_path: Path
) -> None:
    file = tmp_path / "observer.tar"
    backup(furnished.site, file)
    before = rows_of(furnished.site)
    with pytest.raises(UsageError, match="not empty"):
        restore(furnished.site, file)
    assert rows_of(furnished.site) == before
    target = empty()
    stray = tmp_path / "stray"
    stray.write_bytes(b"somebody's")
    target.storage.put(stray)
    with pytest.raises(UsageError, match="not empty"):
        restore(target, file)
    assert not (target.settings.data / "observer.sqlite").exists()


def rewritten(
    source: Path, target: Path, change: Callable[[str, bytes], tuple[str, bytes]]
) -> Path:
    """A copy of a backup with its members changed."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            name, data = change(member.name, content.read())
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return target


def test_what_is_not_whole_or_was_changed_is_refused_before_anything_is_written(
    furnished: Furnished, empty: Callable[..., Site], tmp_path: Path
) -> None:
    whole = tmp_path / "observer.tar"
    backup(furnished.site, whole)
    data = whole.read_bytes()

    def flip(name: str, content: bytes) -> tuple[str, bytes]:
        rots = name.startswith("files/")
        return name, content[:-1] + bytes([content[-1] ^ 1]) if rots else content

    def climb(name: str, content: bytes) -> tuple[str, bytes]:
        return ("files/../../../escaped" if name.startswith("files/") else name), content

    def newer(name: str, content: bytes) -> tuple[str, bytes]:
        if name != "manifest.json":
            return name, content
        return name, json.dumps({**json.loads(content), "version": "9999"}).encode()

    linked = tmp_path / "linked.tar"
    with tarfile.open(linked, "w") as archive:
        link = tarfile.TarInfo("service.copy")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    torn = [tmp_path / f"torn{n}.tar" for n in range(3)]
    for file, length in zip(torn, (0, len(data) // 2, len(data) - 12_000), strict=True):
        file.write_bytes(data[:length])
    text = tmp_path / "text.tar"
    text.write_text("not a backup " * 100)
    wrong = [
        rewritten(whole, tmp_path / "flipped.tar", flip),
        rewritten(whole, tmp_path / "climbing.tar", climb),
        linked,
        text,
        tmp_path / "absent.tar",
        *torn,
    ]
    target = empty()
    before = sorted(p.name for p in target.settings.data.rglob("*"))
    for file in wrong:
        with pytest.raises(BrokenBackup):
            restore(target, file)
    with pytest.raises(UsageError, match="newer version"):
        restore(target, rewritten(whole, tmp_path / "newer.tar", newer))
    assert sorted(p.name for p in target.settings.data.rglob("*")) == before
    assert not list(tmp_path.rglob("escaped"))
    restore(target, whole)  # and the whole one is taken by the same target


def test_a_failed_backup_leaves_the_one_before(furnished: Furnished, tmp_path: Path) -> None:
    file = tmp_path / "observer.tar"
    file.write_bytes(b"the backup of yesterday")
    with closing(sqlite3.connect(furnished.site.settings.data / "observer.sqlite")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
        database.commit()
    with pytest.raises(ObserverError, match="version"):
        backup(furnished.site, file)
    assert file.read_bytes() == b"the backup of yesterday"
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".observer")]


def test_a_restore_that_failed_can_be_tried_again(
    furnished: Furnished,
    empty: Callable[..., Site],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database fails last, when the files are there already: they must not stay in the way."""
    file = tmp_path / "observer.tar"
    backup(furnished.site, file)
    target = empty()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("api.backup.load", full)
        with pytest.raises(OSError, match="No space"):
            restore(target, file)
    assert not list(target.storage.stored())
    restore(target, file)


def test_the_commands_tell_what_is_missing(
    furnished: Furnished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 wakes whoever watches the nightly backup: the factory's other lessons have no
    files."""
    monkeypatch.setenv("OBSERVER_DATA", str(furnished.site.settings.data))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    file = str(tmp_path / "observer.tar")
    done = CliRunner().invoke(app, ["backup", file])
    assert done.exit_code == 1
    assert "missing or damaged" in done.output
    again = CliRunner().invoke(app, ["restore", file])
    assert again.exit_code == 2
    assert "not empty" in again.output
    monkeypatch.setenv("OBSERVER_DATA", str(tmp_path / "new"))
    assert CliRunner().invoke(app, ["restore", file]).exit_code == 0


def test_without_postgresqls_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ObserverError) as failure:
        copy_engine("postgresql+psycopg://observer:secret@localhost/observer", tmp_path / "copy")
    for text in (failure.value.en, failure.value.zh):
        assert "postgresql-client" in text
        assert "secret" not in text


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="no pg_dump on this machine")
def test_postgresql_with_its_policies(
    postgres_url: str,
    postgres_role: str,
    empty: Callable[..., Site],
    tmp_path: Path,
) -> None:
    """pg_dump is bound by row-level security: the copy must have the rows all the same."""
    from tests.postgres import new_database

    sound = tmp_path / "lesson.wav"
    sound.write_bytes(SOUND)
    url = service_settings({"OBSERVER_DATABASE_URL": postgres_url}).database_url
    first = empty("first", database_url=url)
    first.database.migrate()
    first.jobs.prepare()
    there = furnish(first, sound)
    done = backup(first, tmp_path / "observer.tar")
    other = service_settings({"OBSERVER_DATABASE_URL": new_database(postgres_role)}).database_url
    target = empty("second", database_url=other)
    assert restore(target, tmp_path / "observer.tar").lessons == done.lessons
    target.database.ready()
    assert rows_of(target) == rows_of(first)
    lesson = there.lesson.id
    answer = client_of(target, user_id=there.people.teacher.id).get(f"/lessons/{lesson}/report")
    assert answer.status_code == 200
    stranger = client_of(target, user_id=there.people.stranger.id)
    assert stranger.get(f"/lessons/{lesson}").status_code == 404
    with pytest.raises(UsageError, match="not empty"):
        restore(target, tmp_path / "observer.tar")
    with pytest.raises(UsageError, match="postgresql"):
        restore(empty("third"), tmp_path / "observer.tar")
