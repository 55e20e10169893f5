"""Uploads by tus: what arrives is what was sent, whatever breaks on the way; who may, how much."""

import base64
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.columns import now
from api.db import Database
from api.tables import AuditEntry, Lesson, Recording, Run, Upload
from api.uploads import Uploads
from tests.upload_service import (
    CONSENT,
    UPLOADS,
    Installation,
    Sender,
    client_of,
    install,
    lesson_bytes,
    served,
)

MIB = 1 << 20


@pytest.fixture
def client(here: Installation) -> TestClient:
    return client_of(here)


@pytest.fixture
def li(here: Installation, client: TestClient) -> Sender:
    return Sender(client, here.tokens["li"])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """24 MiB and a bit: a WAV of a beep with random bytes behind its sound."""
    wave = bytearray(lesson_bytes(tmp_path_factory.mktemp("media"), suffix="wav"))
    return bytes(wave) + hashlib.shake_256(b"noise").digest(24 * MIB)


def offset(response: httpx2.Response) -> int:
    return int(response.headers["upload-offset"])


def test_a_lesson_arrives_in_three_pieces(tmp_path: Path, database: Database, video: bytes) -> None:
    here = install(tmp_path, database)
    li = Sender(client_of(here), here.tokens["li"])
    sha = hashlib.sha256(video).hexdigest()
    said = {
        "filename": "../../三角形.mp4",
        "sha256": sha,
        "title": "三角形的内角和",
        "grade": "四年级",
        "lesson_type": "公开课",
        "held_on": "2026年11月20日",
        "round": "第二轮",
        "teacher": "WANG",
        **CONSENT,
    }
    made = li.create(len(video), said)
    assert made.status_code == 201
    url = made.headers["location"]
    assert offset(made) == 0
    first, second = len(video) // 3, 2 * len(video) // 3
    assert offset(li.patch(url, 0, video[:first])) == first
    assert offset(li.head(url)) == first
    assert int(li.head(url).headers["upload-length"]) == len(video)
    assert offset(li.patch(url, first, video[first:second])) == second
    last = li.patch(url, second, video[second:])
    assert (last.status_code, offset(last)) == (204, len(video))

    with here.site.database.system("test") as session:
        lesson = session.exec(select(Lesson)).one()
        recording = session.exec(select(Recording)).one()
        run = session.exec(select(Run)).one()
        actions = [e.action for e in session.exec(select(AuditEntry).order_by(AuditEntry.id))]
    assert (lesson.title, lesson.grade, lesson.lesson_type) == (
        "三角形的内角和",
        "四年级",
        "public",
    )
    assert (lesson.held_on.isoformat(), lesson.round) == ("2026-11-20", 2)
    assert lesson.teacher_id == here.people["wang"].user_id
    assert lesson.uploader_id == here.people["li"].user_id
    assert (recording.sha256, recording.size) == (sha, len(video))
    assert (recording.name, recording.media_type) == ("三角形.mp4", "audio/mp4")
    assert recording.duration == pytest.approx(2.0, abs=0.1)
    # retention of a school is 365 days unless it says otherwise
    assert recording.expires - now() == pytest.approx(timedelta(365), abs=timedelta(minutes=1))
    assert (run.lesson_id, run.priority, run.state) == (lesson.id, 10, "queued")
    assert last.headers["observer-lesson"] == lesson.id
    assert last.headers["observer-run"] == run.id
    assert {"lesson.create", "recording.create"} <= set(actions)
    with here.site.storage.open(sha) as file:
        assert file.read() == video
    assert here.parts() == []  # nothing is kept twice
    # Asked again, the answer is the same and nothing is made twice.
    assert li.head(url).headers["observer-recording"] == recording.id
    assert li.patch(url, len(video), b"").headers["observer-run"] == run.id


def test_protocol(here: Installation, client: TestClient, li: Sender, video: bytes) -> None:
    can = client.options(UPLOADS)
    assert can.headers["tus-version"] == can.headers["tus-resumable"] == "1.0.0"
    assert can.headers["tus-max-size"] == str(8 * 1024**3)
    assert "checksum" in can.headers["tus-extension"]

    url = li.create(len(video)).headers["location"]
    old = {**li.headers, "Tus-Resumable": "0.2.2", "Upload-Offset": "0"}
    refused = client.patch(url, headers=old, content=b"x")
    assert (refused.status_code, refused.headers["tus-version"]) == (412, "1.0.0")
    assert client.post(UPLOADS, headers={**li.headers, "Tus-Resumable": ""}).status_code == 412
    assert li.patch(url, 1, b"x").status_code == 409  # a hole
    assert li.patch(url, 0, b"x", **{"Content-Type": "text/plain"}).status_code == 415
    assert li.patch(url, 0, b"x" * (len(video) + 1)).status_code == 413
    assert li.patch(url, 0, b"x", **{"Upload-Checksum": "md5 AAAA"}).status_code == 400
    assert client.patch(url, headers=li.headers, content=b"x").status_code == 422  # no offset
    assert offset(li.head(url)) == 0
    problem = li.patch(url, 7, b"x")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.headers["tus-resumable"] == "1.0.0"
    assert "byte 0, not 7" in problem.json()["detail"]


def test_a_block_with_a_wrong_checksum_is_thrown_away(li: Sender, video: bytes) -> None:
    url = li.create(len(video)).headers["location"]
    half = video[: len(video) // 2]
    sums = {"Upload-Checksum": "sha1 " + base64.b64encode(hashlib.sha1(half).digest()).decode()}
    assert li.patch(url, 0, half[:-1] + b"?", **sums).status_code == 460
    assert offset(li.head(url)) == 0
    assert offset(li.patch(url, 0, half, **sums)) == len(half)


def test_another_sha256_at_the_end(here: Installation, li: Sender, video: bytes) -> None:
    damaged = li.send(video, {**CONSENT, "sha256": "0" * 64, "filename": "a.mp4"})
    assert damaged.status_code == 422
    assert "a.mp4 was damaged on its way" in damaged.json()["detail"]
    assert here.parts() == here.stored() == []
    with here.site.database.system("test") as session:
        assert session.exec(select(Lesson)).all() == []
        entries = session.exec(select(AuditEntry)).all()
    assert [e.action for e in entries if e.action != "token.create"] == ["upload.refuse"]


def test_only_the_owner_reaches_an_upload(
    here: Installation, client: TestClient, li: Sender, video: bytes
) -> None:
    url = li.create(len(video)).headers["location"]
    for who in ("wang", "zhao"):
        other = Sender(client, here.tokens[who])
        assert other.head(url).status_code == 404
        assert other.patch(url, 0, video).status_code == 404
        assert client.delete(url, headers=other.headers).status_code == 404
        assert client.get(url, headers=other.headers).status_code == 404
        assert client.get(UPLOADS, headers=other.headers).json() == []
    nobody = Sender(client, "obs_none")
    assert nobody.create(1).status_code == nobody.patch(url, 0, b"x").status_code == 401
    assert here.parts()[0].stat().st_size == 0  # not a byte of theirs reached the disk
    assert client.get(url, headers=li.headers).json()["offset"] == 0
    for odd in ("x", "..%2f..%2fetc%2fpasswd", "0" * 32, "A" * 32, "%00"):
        assert li.head(f"{UPLOADS}/{odd}").status_code == 404
        assert client.get(f"{UPLOADS}/{odd}", headers=li.headers).status_code == 404


def test_cancelling_removes_the_bytes(here: Installation, client: TestClient, li: Sender) -> None:
    url = li.create(100).headers["location"]
    li.patch(url, 0, b"x" * 60)
    assert client.delete(url, headers=li.headers).status_code == 204
    assert here.parts() == []
    assert li.head(url).status_code == li.patch(url, 60, b"x").status_code == 404


def test_cancelling_what_has_ended_leaves_the_lesson(
    here: Installation, client: TestClient, li: Sender, video: bytes
) -> None:
    for content, left in ((video, 1), (b"no recording at all", 1)):
        url = li.create(len(content)).headers["location"]
        li.patch(url, 0, content)
        assert client.delete(url, headers=li.headers).status_code == 204
        assert client.delete(url, headers=li.headers).status_code == 404
        with here.site.database.system("test") as session:
            assert len(session.exec(select(Lesson)).all()) == left
    assert client.get(UPLOADS, headers=li.headers).json() == []


def test_another_programs_client(here: Installation, large: bytes, tmp_path: Path) -> None:
    """tuspy, the protocol's own Python client: stopped after 10 MiB, gone on with, whole."""
    from tusclient.client import TusClient

    (tmp_path / "课堂.wav").write_bytes(large)
    with served(here) as address:
        client = TusClient(
            address + UPLOADS, headers={"Authorization": f"Bearer {here.tokens['li']}"}
        )
        said = {"filename": "课堂.wav", **CONSENT}
        first = client.uploader(str(tmp_path / "课堂.wav"), chunk_size=5 * MIB, metadata=said)
        first.upload(stop_at=10 * MIB)
        second = client.uploader(str(tmp_path / "课堂.wav"), chunk_size=5 * MIB, url=first.url)
        assert second.offset == 10 * MIB
        second.upload()
    assert here.stored()[0].read_bytes() == large


def test_twenty_at_once(here: Installation, large: bytes) -> None:
    """Twenty senders, each its own 3 MiB in three requests, over one SQLite file."""
    header, pieces = large[:4096], [large[i * MIB : (i + 3) * MIB] for i in range(20)]
    contents = [header + piece for piece in pieces]

    def send(content: bytes) -> int:
        with httpx2.Client(base_url=address, timeout=60) as http:
            li = Sender(http, here.tokens["li"])
            url = li.create(len(content)).headers["location"]
            for first in range(0, len(content), MIB):
                answer = li.patch(url, first, content[first : first + MIB])
            return answer.status_code

    with served(here) as address, ThreadPoolExecutor(20) as threads:
        assert list(threads.map(send, contents)) == [204] * 20
    assert {p.read_bytes() for p in here.stored()} == set(contents)


def test_limits_are_told_before_a_byte_is_sent(tmp_path: Path) -> None:
    small = install(tmp_path / "a", max_upload_bytes=1000)
    full = install(tmp_path / "b", min_free_bytes=1 << 60)
    sender = Sender(client_of(small), small.tokens["li"])
    large = sender.create(3 * MIB)
    assert large.status_code == 413
    assert "3.0 MiB" in large.json()["detail"]
    assert sender.create(0).status_code == 422
    assert sender.create(1000).status_code == 201
    without_room = Sender(client_of(full), full.tokens["li"]).create(1000)
    assert (without_room.status_code, without_room.headers["retry-after"]) == (507, "600")
    assert full.parts() == []


def test_room_that_others_were_promised_is_not_given_twice(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    here = install(tmp_path, min_free_bytes=free // 2, max_upload_bytes=free)
    client = client_of(here)
    # 0.3 + 0.3 of the free space would leave 0.4 free, and 0.5 must stay.
    assert Sender(client, here.tokens["li"]).create(free * 3 // 10).status_code == 201
    assert Sender(client, here.tokens["wang"]).create(free * 3 // 10).status_code == 507


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"title": "课"}, 422, "consent: say whose consent"),
        ({**CONSENT, "consent_until": "2020-01-01"}, 422, "the consent ended on 2020-01-01"),
        ({**CONSENT, "held_on": "yesterday"}, 422, "held_on: 'yesterday' is not a date"),
        ({**CONSENT, "title": "长" * 201}, 422, "title"),
        ({**CONSENT, "titel": "x"}, 422, "titel: no such field"),
        ({**CONSENT, "school": "二中"}, 422, "is not among your schools: 一中"),
        ({**CONSENT, "teacher": "zhao"}, 422, "login of no teacher of 一中"),
        ({**CONSENT, "kind": "virus"}, 422, "kind: give recording"),
        ({**CONSENT, "sha256": "12"}, 422, "64 hexadecimal"),
        ({"lesson": "0" * 32}, 404, "not been shared"),
    ],
)
def test_what_is_said_is_checked_first(
    here: Installation, li: Sender, said: dict[str, str], status: int, words: str
) -> None:
    refused = li.create(10, said)
    assert (refused.status_code, here.parts()) == (status, [])
    assert words in refused.json()["detail"]


def test_teachers_upload_their_own_lessons(
    here: Installation, client: TestClient, video: bytes
) -> None:
    wang = Sender(client, here.tokens["wang"])
    assert wang.send(video).status_code == 204
    with here.site.database.system("test") as session:
        lesson = session.exec(select(Lesson)).one()
    assert lesson.teacher_id == lesson.uploader_id == here.people["wang"].user_id
    assert Sender(client, here.tokens["zhao"]).create(10, {**CONSENT, "teacher": "wang"}).is_error


def test_the_same_file_again_is_told_with_its_lesson(
    here: Installation, client: TestClient, li: Sender, video: bytes
) -> None:
    lesson = li.send(video, {**CONSENT, "title": "分数"}).headers["observer-lesson"]
    sha = {"sha256": hashlib.sha256(video).hexdigest()}
    before = li.create(len(video), CONSENT | sha)  # refused before a byte is sent
    after = li.send(video)  # or when it has arrived, where no checksum was told
    for refused in (before, after):
        assert (refused.status_code, refused.headers["observer-lesson"]) == (409, lesson)
        assert "lesson “分数”" in refused.json()["detail"]
    assert client.head(f"{UPLOADS}/{'0' * 32}", headers=li.headers).status_code == 404
    # Wang does not see Li's lesson, and so learns nothing of it; the file is kept once.
    others = Sender(client, here.tokens["wang"]).send(video, CONSENT | sha)
    assert others.status_code == 204
    assert others.headers["observer-lesson"] != lesson
    assert li.send(video, {**CONSENT, "again": "yes"}).status_code == 204
    assert len(here.stored()) == 1


def test_a_transcript_joins_its_lesson_and_then_it_is_observed(
    here: Installation, client: TestClient, li: Sender, video: bytes
) -> None:
    text = "1\n00:00:00,000 --> 00:00:01,000\n老师：同学们好。\n".encode()
    first = li.send(video, {**CONSENT, "more": "1"})
    lesson = first.headers["observer-lesson"]
    assert "observer-run" not in first.headers  # its transcript is still to come
    joined = li.send(text, {"lesson": lesson, "filename": "a.mp4"})
    assert (joined.status_code, joined.headers["observer-lesson"]) == (204, lesson)
    again = li.send(text, {"lesson": lesson})  # a client that missed the answer
    assert again.headers["observer-recording"] == joined.headers["observer-recording"]
    assert again.headers["observer-run"] == joined.headers["observer-run"]
    other = li.send(text + b"\n\n", {"lesson": lesson})
    assert other.status_code == 409
    assert "has another transcript already" in other.json()["detail"]
    with here.site.database.system("test") as session:
        kinds = {r.kind: r.media_type for r in session.exec(select(Recording))}
        assert len(session.exec(select(Run)).all()) == 1
    assert kinds == {"recording": "audio/mp4", "transcript": "text/plain"}
    zhao = Sender(client, here.tokens["zhao"])
    assert zhao.send(text, {"lesson": lesson}).status_code == 404


def test_what_broke_off_goes_on(here: Installation, large: bytes) -> None:
    """The sender's line is cut in mid-body: what reached the server counts."""
    with served(here) as address, httpx2.Client(base_url=address, timeout=30) as http:
        li = Sender(http, here.tokens["li"])
        url = li.create(len(large)).headers["location"]
        head = "".join(
            f"{k}: {v}\r\n"
            for k, v in {
                **li.headers,
                "Host": "test",
                "Upload-Offset": "0",
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(len(large)),
            }.items()
        )
        port = int(address.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(f"PATCH {url} HTTP/1.1\r\n{head}\r\n".encode() + large[: 18 * MIB])
        deadline = time.monotonic() + 10
        while here.parts()[0].stat().st_size < 18 * MIB and time.monotonic() < deadline:
            time.sleep(0.05)  # asking by HEAD would end a transfer that is still read
        there = offset(li.head(url))
        assert there == 18 * MIB
        done = li.patch(url, there, large[there:])
        assert done.status_code == 204
    with here.site.storage.open(hashlib.sha256(large).hexdigest()) as file:
        assert file.read() == large


def test_a_hanging_transfer_gives_way_to_the_next(here: Installation, large: bytes) -> None:
    """A laptop closed in mid-upload: its connection stays open, and it comes back on another."""
    with served(here) as address, httpx2.Client(base_url=address, timeout=30) as http:
        li = Sender(http, here.tokens["li"])
        url = li.create(len(large)).headers["location"]
        opened = threading.Event()
        over = threading.Event()

        def dripping() -> Iterator[bytes]:
            yield large[: 3 * MIB]
            opened.set()
            over.wait(20)

        def hang() -> None:
            with httpx2.Client(base_url=address, timeout=30) as old:
                Sender(old, here.tokens["li"]).patch(url, 0, dripping())

        thread = threading.Thread(target=hang)
        thread.start()
        opened.wait(10)
        deadline = time.monotonic() + 10
        while here.parts()[0].stat().st_size < 2 * MIB and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
        there = offset(li.head(url))
        assert time.monotonic() - started < 5
        assert there >= 2 * MIB
        over.set()
        thread.join(10)
        assert li.patch(url, there, large[there:]).status_code == 204


SERVER = """
import sys
from pathlib import Path
import uvicorn
from api.app import create_app
from api.settings import ServiceSettings
uvicorn.run(create_app(ServiceSettings(data=Path(sys.argv[1]), min_free_bytes=1)),
            port=int(sys.argv[2]), log_level="warning")
"""


def _start(here: Installation, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(here.site.settings.data), str(port)],
        cwd=Path(__file__).parents[2],
    )
    for _ in range(400):
        try:
            httpx2.options(f"http://127.0.0.1:{port}{UPLOADS}")
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return process
    raise TimeoutError


def test_a_killed_server_loses_at_most_sixteen_mebibytes(here: Installation, large: bytes) -> None:
    """kill -9 in mid-PATCH: the next server cuts the file to what was safe, and goes on.

    |........16 MiB.......|....killed....|.............24 MiB|
     safe and written down  cut off        sent after the start
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = _start(here, port)
    sha = {"sha256": hashlib.sha256(large).hexdigest()}
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        li = Sender(http, here.tokens["li"])
        url = li.create(len(large), CONSENT | sha).headers["location"]

        def until_killed() -> Iterator[bytes]:
            for first in range(0, 20 * MIB, MIB):
                yield large[first : first + MIB]
            part = here.parts()[0]
            while part.stat().st_size < 17 * MIB:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            yield large[20 * MIB : 21 * MIB]

        with pytest.raises(httpx2.TransportError):
            li.patch(url, 0, until_killed())
    assert here.parts()[0].stat().st_size >= 17 * MIB
    li = Sender(client_of(here), here.tokens["li"])  # the server that is started next
    there = offset(li.head(url))
    assert 16 * MIB <= there < 18 * MIB  # a block ends with the packet that fills it
    assert here.parts()[0].stat().st_size == there
    assert li.patch(url, there, large[there:]).status_code == 204
    with here.site.storage.open(sha["sha256"]) as file:
        assert hashlib.sha256(file.read()).hexdigest() == sha["sha256"]
    assert here.parts() == []


def test_bytes_that_were_never_declared_safe_are_cut_off(
    here: Installation, li: Sender, video: bytes
) -> None:
    url = li.create(len(video)).headers["location"]
    half = len(video) // 2
    li.patch(url, 0, video[:half])
    with here.parts()[0].open("ab") as part:
        part.write(b"torn by a crash")
    assert offset(li.head(url)) == half
    assert li.patch(url, half, video[half:]).status_code == 204
    assert here.stored()[0].read_bytes() == video


def test_bytes_that_are_lost_are_asked_for_again(
    here: Installation, li: Sender, video: bytes
) -> None:
    """A database from a backup knows of more than the disk has."""
    url = li.create(len(video)).headers["location"]
    li.patch(url, 0, video[:500])
    os.truncate(here.parts()[0], 100)
    assert offset(li.head(url)) == 100
    assert li.patch(url, 100, video[100:]).status_code == 204


def test_an_end_that_was_interrupted_is_made_up_for(
    here: Installation, li: Sender, video: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between storage and commit; the next question finishes the upload."""
    url = li.create(len(video)).headers["location"]

    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("database gone")

    with monkeypatch.context() as patched:
        patched.setattr(here.site.jobs.__class__, "order", broken)
        with pytest.raises(ConnectionError):
            li.patch(url, 0, video)
    assert len(here.parts()) == 1
    asked = li.head(url)
    assert asked.status_code == 200
    assert asked.headers["observer-lesson"]
    with here.site.database.system("test") as session:
        assert len(session.exec(select(Lesson)).all()) == 1
        assert len(session.exec(select(Run)).all()) == 1


def test_the_sweep_finishes_and_removes(here: Installation, li: Sender, video: bytes) -> None:
    uploads = Uploads(here.site)
    old = li.create(50).headers["location"].rsplit("/", 1)[1]
    whole = li.create(len(video)).headers["location"].rsplit("/", 1)[1]
    folder = here.site.settings.data / "uploads"
    (folder / f"{whole}.part").write_bytes(video)
    (folder / f"{'0' * 32}.part").write_bytes(b"belongs to nobody")
    os.utime(folder / f"{'0' * 32}.part", (0, 0))
    with here.site.database.system("test") as session:
        session.get_one(Upload, old).expires = now() - timedelta(seconds=1)
        session.get_one(Upload, whole).offset = len(video)
    assert li.head(f"{UPLOADS}/{old}").status_code == 410
    assert uploads.sweep() == 2
    assert here.parts() == []
    assert li.head(f"{UPLOADS}/{old}").status_code == 404
    assert li.head(f"{UPLOADS}/{whole}").headers["observer-lesson"]
    assert uploads.sweep() == 0


def test_full_disk_in_mid_upload(
    here: Installation, li: Sender, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills after 2 MiB: told as 507, and the upload goes on when there is room."""
    url = li.create(len(large)).headers["location"]
    real = os.pwrite

    def filling(handle: int, data: bytes, at: int) -> int:
        if at >= 2 * MIB:
            raise OSError(28, "No space left on device")
        return real(handle, data[: 2 * MIB - at], at)  # as many as there is room for

    with monkeypatch.context() as patched:
        patched.setattr("api.transfers.os.pwrite", filling)
        refused = li.patch(url, 0, large[: 5 * MIB])
    assert refused.status_code == 507
    assert here.parts()[0].stat().st_size == offset(li.head(url))
    assert li.patch(url, 0, large).status_code == 204


def test_memory_does_not_grow_with_the_file(here: Installation) -> None:
    """96 MiB through the real parser and disk in blocks; tracemalloc sees at most 16 MiB."""
    import tracemalloc

    block = bytes(MIB)
    with served(here) as address, httpx2.Client(base_url=address, timeout=60) as http:
        li = Sender(http, here.tokens["li"])
        url = li.create(96 * MIB).headers["location"]
        tracemalloc.start()
        refused = li.patch(url, 0, (block for _ in range(96)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert refused.status_code == 422  # zeros are no recording
    assert peak < 16 * MIB
    assert here.parts() == []
