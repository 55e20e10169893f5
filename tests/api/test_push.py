"""`observer push` against a real server: everything arrives once, whatever was stopped before."""

from pathlib import Path

import httpx2
import pytest
from sqlmodel import select
from typer.testing import CliRunner

from api.cli import app
from api.manifest import COLUMNS, read_manifest
from api.push_client import PushError, Server, StoppedError, push_row
from api.tables import Lesson, Recording, Run, Upload, User
from observer.errors import UsageError
from tests.upload_service import Installation, lesson_bytes, served

SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\n老师：同学们好。\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two lessons, one with a transcript; a third whose recording is none."""
    place = tmp_path / "录像"
    place.mkdir()
    (place / "第一节.mp4").write_bytes(lesson_bytes(tmp_path, 2.0))
    (place / "第二节.mp4").write_bytes(lesson_bytes(tmp_path, 3.0))
    (place / "第二节.srt").write_text(SUBTITLES, "utf-8")
    (place / "坏.mp4").write_bytes(b"\x00\x01\x02 no recording" * 10)
    (place / "清单.csv").write_text(
        "文件,转写,标题,年级,教师,知情同意\n"
        "第一节.mp4,,三角形的内角和,四年级,wang,家长与教师\n"
        "第二节.mp4,第二节.srt,分数,五年级,,家长与教师\n"
        "坏.mp4,,坏课,,,家长与教师\n",
        "gb18030",
    )
    return place


def push(here: Installation, folder: Path, address: str) -> tuple[int, str]:
    arguments = ["push", str(folder), "--manifest", str(folder / "清单.csv"), "--server", address]
    result = CliRunner().invoke(
        app,
        [*arguments, "--report-language", "en"],
        env={"OBSERVER_TOKEN": here.tokens["li"]},
    )
    return result.exit_code, " ".join(result.stderr.split())


def test_a_folder_arrives_and_a_second_time_changes_nothing(
    here: Installation, folder: Path
) -> None:
    with served(here) as address:
        code, said = push(here, folder, address)
        again, said_again = push(here, folder, address)
    assert "✓ 三角形的内角和: sent" in said
    assert "✗ 坏课: 坏.mp4 is not a recording that can be read" in said
    assert "3 lessons: 2 sent, 0 were there already, 1 failed." in said
    assert "✓ 三角形的内角和: was there already" in said_again
    assert code == again == 1
    with here.site.database.system("test") as session:
        lessons = {x.title: x for x in session.exec(select(Lesson))}
        files = sorted((r.name, r.kind) for r in session.exec(select(Recording)))
        runs = session.exec(select(Run)).all()
    assert files == [
        ("第一节.mp4", "recording"),
        ("第二节.mp4", "recording"),
        ("第二节.srt", "transcript"),
    ]
    assert lessons["三角形的内角和"].teacher_id == here.people["wang"].user_id
    # one run a lesson, ordered when the last of its files was there
    assert sorted(r.lesson_id for r in runs) == sorted(x.id for x in lessons.values())
    assert here.parts() == []


def test_what_was_stopped_goes_on_where_it_was(
    here: Installation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 1 kB; the sender dies after its third; another one sends the rest."""
    monkeypatch.setattr("api.push_client.BLOCK", 1000)
    row = read_manifest(folder / "清单.csv")[0]
    size = (folder / "第一节.mp4").stat().st_size
    seen: list[int] = []

    def dying(count: int) -> None:
        seen.append(count)
        if sum(seen) >= 3000:
            raise KeyboardInterrupt

    with served(here) as address:
        server = Server(address, here.tokens["li"])
        with pytest.raises(KeyboardInterrupt):
            push_row(server, row, server.unfinished(), dying)
        with here.site.database.system("test") as session:
            assert session.exec(select(Upload)).one().offset == 3000
        sent: list[int] = []
        other = Server(address, here.tokens["li"])
        done = push_row(other, row, other.unfinished(), sent.append)
    assert done.lesson_id
    assert not done.known
    assert sum(sent) == size
    assert 3000 in sent  # what was there already is counted in one step, not sent again
    with here.site.database.system("test") as session:
        assert len(session.exec(select(Upload)).all()) == 1


def test_the_help_names_every_column() -> None:
    said = " ".join(CliRunner().invoke(app, ["push", "--help"]).output.split())
    for column, aliases in COLUMNS.items():
        assert any(f"{column} ({alias}" in said for alias in aliases)


class Flaky(httpx2.BaseTransport):
    """A line that loses every third request, some before and some after they arrived."""

    def __init__(self) -> None:
        self._real = httpx2.HTTPTransport()
        self._count = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._count += 1
        if self._count % 3 == 0:
            if self._count % 2:
                self._real.handle_request(request).read()
            raise httpx2.ReadError("line lost", request=request)
        return self._real.handle_request(request)


def test_a_bad_line_only_takes_longer(
    here: Installation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.push_client.BLOCK", 700)
    rows = read_manifest(folder / "清单.csv")[:2]
    pauses: list[float] = []
    with served(here) as address, httpx2.Client(transport=Flaky(), timeout=30) as client:
        server = Server(address, here.tokens["li"], client=client, pause=pauses.append)
        started = server.unfinished()
        sent = [push_row(server, row, started, lambda _: None) for row in rows]
    assert all(s.lesson_id for s in sent)
    assert pauses
    contents = {p.read_bytes() for p in here.stored()}
    assert contents == {
        (folder / n).read_bytes() for n in ("第一节.mp4", "第二节.mp4", "第二节.srt")
    }


def test_a_server_that_is_not_there(here: Installation, folder: Path) -> None:
    pauses: list[float] = []
    server = Server("http://127.0.0.1:9", "obs_x", pause=pauses.append)
    with pytest.raises(PushError, match="does not answer, though it was tried 8 times"):
        server.unfinished()
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]  # doubled, at most half a minute
    with pytest.raises(UsageError):
        Server("observer.example.edu", "obs_x")


def test_a_token_that_is_not_accepted_stops_everything(here: Installation, folder: Path) -> None:
    with served(here) as address:
        with pytest.raises(StoppedError, match="token"):
            Server(address, "obs_wrong", language="en").unfinished()
        with here.site.database.system("test") as session:
            session.exec(select(User).where(User.login == "li")).one().active = False
        code, said = push(here, folder, address)
    assert code == 1
    assert "lessons" not in said
