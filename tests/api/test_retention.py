"""What is deleted is gone: rows, stored files, work folders, and the bytes of the database file."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from api.cli import app
from api.columns import now
from api.db import Database
from api.deps import Site
from api.problems import NotFoundError
from api.retention import Caretaker, collect, delete_lesson, sweep
from api.storage import storage_of
from api.tables import (
    AuditEntry,
    Consent,
    Figure,
    IdempotencyKey,
    Lesson,
    Recording,
    Removal,
    Run,
    School,
    Share,
    Step,
    Upload,
)
from tests.service_factory import People, actor, people
from tests.service_site import site_in

SECRET = "欧阳娜娜的分数课"
"""Stands in every row that tells of the lesson and in every file that belongs to it."""


@pytest.fixture
def site(tmp_path: Path, sqlite_database: Database) -> Site:
    """An installation in a folder; its job engine has no tables, which retention must survive."""
    return site_in(tmp_path, sqlite_database)


@pytest.fixture
def either(tmp_path: Path, database: Database) -> Site:
    """The same on each kind of database."""
    return site_in(tmp_path, database)


def stored(site: Site, words: str, folder: Path) -> str:
    """A file with these words, in storage."""
    file = folder / "file"
    file.write_text(words, encoding="utf-8")
    return site.storage.put(file)


def observed(site: Site, folder: Path) -> People:
    """The district of the factory, whose lesson has files, a consent, a share and remains."""
    known = people(site.database)
    with site.database.system("test") as session:
        consent = Consent(school_id=known.school.id, covers=SECRET)
        session.add(consent)
        session.flush()
        lesson = session.get_one(Lesson, known.lesson.id)
        lesson.title, lesson.consent_id = SECRET, consent.id
        recording = session.get_one(Recording, known.recording.id)
        recording.name, recording.sha256 = f"{SECRET}.mp4", stored(site, f"{SECRET} 1", folder)
        recording.expires = recording.created + timedelta(days=365)
        run = session.get_one(Run, known.run.id)
        run.artefacts = {"observation.json": stored(site, f"{SECRET} 2", folder)}
        step = session.exec(select(Step).where(Step.run_id == run.id)).one()
        step.sha256 = stored(site, f"{SECRET} 3", folder)
        session.add_all(
            [
                Share(lesson_id=lesson.id, school_id=known.other_school.id),
                Upload(
                    user_id=known.researcher.id,
                    size=3,
                    offset=3,
                    details={"filename": f"{SECRET}.mp4", "title": SECRET},
                    outcome={"lesson": lesson.id},
                    expires=now(),
                ),
                IdempotencyKey(
                    user_id=known.researcher.id,
                    key="k",
                    fingerprint="f",
                    status=201,
                    body=f'{{"id": "{lesson.id}", "title": "{SECRET}"}}',
                ),
            ]
        )
    work = site.settings.data / "work" / f"{known.run.id}.1"
    work.mkdir(parents=True)
    (work / "waveform").write_text(SECRET, encoding="utf-8")
    return known


def remains(*roots: Path) -> list[Path]:
    """Files that still hold the words, in UTF-8 or as JSON writes them."""
    needles = (SECRET.encode(), SECRET.encode("unicode_escape"))
    files = (f for root in roots for f in root.rglob("*") if f.is_file())
    return [f for f in files if any(n in f.read_bytes() for n in needles)]


def rows(site: Site) -> dict[str, int]:
    """How many rows of each table that tells of a lesson."""
    kinds = (Lesson, Recording, Run, Step, Figure, Share, Upload, Consent, IdempotencyKey, Removal)
    with site.database.system("test") as session:
        return {k.__name__: len(session.exec(select(k)).all()) for k in kinds}


def test_nothing_but_the_audit_line_remains(either: Site, tmp_path: Path) -> None:
    known = observed(either, tmp_path)
    (tmp_path / "file").unlink()
    assert remains(tmp_path / "data")
    delete_lesson(either, known.lesson.id, actor(either.database, known.teacher), "request-1")
    assert set(rows(either).values()) == {0}
    assert list(either.storage.stored()) == []
    assert remains(tmp_path) == []
    with either.database.system("test") as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "lesson.delete")).one()
    assert (entry.actor_id, entry.lesson_id) == (known.teacher.id, known.lesson.id)
    assert entry.request_id == "request-1"
    assert entry.school_id == known.school.id


def test_the_database_file_no_longer_holds_the_words(tmp_path: Path) -> None:
    """SQLite overwrites deleted rows (secure_delete) and its journal is emptied; the job engine
    forgets the run."""
    site = site_in(tmp_path)
    site.jobs.prepare()
    known = observed(site, tmp_path)
    (tmp_path / "file").unlink()
    assert any("sqlite" in f.name for f in remains(tmp_path))
    site.jobs.enqueue(known.run.id, 10)
    delete_lesson(site, known.lesson.id, actor(site.database, known.researcher))
    assert remains(tmp_path) == []
    assert site.jobs.client.list_workflows(workflow_ids=[known.run.id]) == []


@pytest.mark.parametrize("who", ["colleague", "leader", "administrator", "staff", "stranger"])
def test_others_cannot_delete(site: Site, tmp_path: Path, who: str) -> None:
    known = observed(site, tmp_path)
    with pytest.raises(NotFoundError):
        delete_lesson(site, known.lesson.id, actor(site.database, known.users()[who]))
    assert rows(site)["Lesson"] == 1


def test_content_that_another_lesson_has_stays(either: Site, tmp_path: Path) -> None:
    """Both lessons were made of the same film: deleting one must leave the other's."""
    known = observed(either, tmp_path)
    with either.database.system("test") as session:
        sha = session.get_one(Recording, known.recording.id).sha256
        other = Lesson(school_id=known.school.id, uploader_id=known.researcher.id, title="b")
        session.add(other)
        session.flush()
        session.add(
            Recording(
                lesson_id=other.id,
                sha256=sha,
                size=1,
                name="b.mp4",
                media_type="video/mp4",
                expires=now() + timedelta(days=9),
            )
        )
    delete_lesson(either, known.lesson.id, actor(either.database, known.teacher))
    assert [s for s, _ in either.storage.stored()] == [sha]
    delete_lesson(either, other.id, actor(either.database, known.researcher))
    assert list(either.storage.stored()) == []


def test_files_go_after_a_crash_in_between(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies when the rows are gone and the files are not: the next sweep does it."""
    known = observed(site, tmp_path)

    def power_cut(_: Site) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("api.retention.collect", power_cut)
        with pytest.raises(KeyboardInterrupt):
            delete_lesson(site, known.lesson.id, actor(site.database, known.teacher))
    assert rows(site)["Lesson"] == 0
    assert len(list(site.storage.stored())) == 3
    assert sweep(site).files == 3
    assert list(site.storage.stored()) == []
    assert rows(site)["Removal"] == 0


def test_a_lesson_goes_when_its_time_is_over(either: Site, tmp_path: Path) -> None:
    """365 days are the school's: on the 364th day it stays, on the 366th it goes, once."""
    observed(either, tmp_path)
    assert sweep(either, now() + timedelta(days=364)).lessons == 0
    swept = sweep(either, now() + timedelta(days=366))
    assert (swept.lessons, swept.files) == (1, 3)
    assert set(rows(either).values()) == {0}
    assert sweep(either, now() + timedelta(days=366)).lessons == 0
    with either.database.system("test") as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "lesson.delete")).one()
    assert entry.actor_id is None


def test_a_shorter_retention_holds_for_what_is_there(site: Site, tmp_path: Path) -> None:
    known = observed(site, tmp_path)
    with site.database.system("test") as session:
        session.get_one(School, known.school.id).retention_days = 30
    assert sweep(site, now() + timedelta(days=29)).lessons == 0
    with site.database.system("test") as session:
        file = session.get_one(Recording, known.recording.id)
        assert file.expires == file.created + timedelta(days=30)
    assert sweep(site, now() + timedelta(days=31)).lessons == 1


def test_a_consent_ends_with_its_day(site: Site, tmp_path: Path) -> None:
    """A consent until 2026-12-31 covers that day and not the next."""
    known = observed(site, tmp_path)
    start = datetime(2026, 12, 1, tzinfo=UTC)
    with site.database.system("test") as session:
        lesson = session.get_one(Lesson, known.lesson.id)
        session.get_one(Consent, lesson.consent_id).until = date(2026, 12, 31)
        session.get_one(Recording, known.recording.id).created = start
    assert sweep(site, datetime(2026, 12, 31, 23, 59, tzinfo=UTC)).lessons == 0
    assert sweep(site, datetime(2027, 1, 1, 0, 1, tzinfo=UTC)).lessons == 1


def test_files_that_no_row_names_go_after_a_day(site: Site, tmp_path: Path) -> None:
    known = observed(site, tmp_path)
    lost = stored(site, "a worker stored this while its lesson was deleted", tmp_path)
    assert sweep(site).orphans == 0
    assert sweep(site, now() + timedelta(days=2)).orphans == 1
    assert not site.storage.exists(lost)
    assert rows(site)["Lesson"] == 1
    assert len(list(site.storage.stored())) == 3
    assert known.lesson.id


def test_object_storage_is_swept_too(site: Site, tmp_path: Path) -> None:
    """The same through obstore: what no row names is found by listing and goes after a day."""
    bucket = replace(site, storage=storage_of("memory:///"))
    lost = stored(bucket, "lost", tmp_path)
    assert [sha for sha, _ in bucket.storage.stored()] == [lost]
    assert sweep(bucket).orphans == 0
    assert sweep(bucket, now() + timedelta(days=2)).orphans == 1
    assert list(bucket.storage.stored()) == []


def test_collecting_twice_is_harmless(site: Site) -> None:
    assert collect(site) == 0
    assert collect(site) == 0


def test_the_command_sweeps_and_says_what_went(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same installation, named by the environment as for `observer serve`."""
    known = observed(site, tmp_path)
    with site.database.system("test") as session:
        session.get_one(Recording, known.recording.id).created = now() - timedelta(days=400)
    monkeypatch.setenv("OBSERVER_DATA", str(site.settings.data))
    monkeypatch.setenv("OBSERVER_DATABASE_URL", site.database.url)
    monkeypatch.setenv("OBSERVER_LANG", "en")
    told = CliRunner().invoke(app, ["retention"])
    assert told.exit_code == 0, told.output
    assert "1 lessons, 3 of their files" in told.output or "1 节课、其 3 个文件" in told.output
    assert rows(site)["Lesson"] == 0


def test_the_caretaker_sweeps_and_ends(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    known = observed(site, tmp_path)
    with site.database.system("test") as session:
        session.get_one(Recording, known.recording.id).created = now() - timedelta(days=400)
    monkeypatch.setattr(Caretaker, "FIRST", 0.0)
    with Caretaker(site):
        until = time.monotonic() + 10
        while rows(site)["Lesson"] and time.monotonic() < until:
            time.sleep(0.05)
    assert rows(site)["Lesson"] == 0
