"""Files under the address of their content, on disk and behind obstore (its memory store)."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.object_storage import ObjectStorage
from api.storage import (
    BLOCK,
    LocalStorage,
    MissingContent,
    Storage,
    StorageAway,
    storage_of,
)
from observer.errors import UsageError

CONTENT = bytes(range(256)) * 8 * 1024 + b"end"  # 2 MiB and 3 bytes: more than two blocks
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return storage_of(
        (tmp_path / "kept").as_uri() if request.param == "file" else "memory:///",
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "课堂.mp4"
    path.write_bytes(CONTENT)
    return path


def test_what_is_put_comes_back_byte_for_byte(storage: Storage, file: Path) -> None:
    assert storage.put(file) == SHA
    assert storage.exists(SHA)
    assert storage.size(SHA) == len(CONTENT)
    with storage.open(SHA) as opened:
        assert opened.read() == CONTENT
    with storage.local(SHA) as place:
        assert place.read_bytes() == CONTENT
    assert file.exists()  # a copy was kept, the file stays the caller's


def test_streams_stretches_in_blocks(storage: Storage, file: Path) -> None:
    storage.put(file)
    blocks = list(storage.stream(SHA))
    assert b"".join(blocks) == CONTENT
    assert max(map(len, blocks)) == BLOCK
    assert b"".join(storage.stream(SHA, 3, BLOCK + 5)) == CONTENT[3 : BLOCK + 5]
    assert b"".join(storage.stream(SHA, len(CONTENT) - 3, 10**12)) == b"end"
    assert list(storage.stream(SHA, 5, 5)) == []


def test_the_same_content_is_kept_once(storage: Storage, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "again"
    other.write_bytes(CONTENT)
    assert storage.put(file) == storage.put(other, link=True)
    assert other.read_bytes() == CONTENT
    if isinstance(storage, LocalStorage):
        assert [p.name for p in storage.folder.rglob("*") if p.is_file()] == [SHA]


def test_deletes_for_good_and_says_what_is_missing(storage: Storage, file: Path) -> None:
    storage.put(file, link=True)
    file.unlink()
    assert storage.exists(SHA)  # the second name outlives the first
    storage.delete(SHA)
    storage.delete(SHA)  # gone already: nothing happens
    assert not storage.exists(SHA)
    if isinstance(storage, LocalStorage):
        assert list(storage.folder.iterdir()) == []  # empty folders are gone too
    for read in (storage.size, storage.path, storage.open, lambda s: next(storage.stream(s))):
        with pytest.raises(MissingContent):
            read(SHA)
    with pytest.raises(MissingContent), storage.local(SHA):
        pass


@pytest.mark.parametrize("address", ["../../etc/passwd", "", SHA.upper(), SHA + "/..", "ab\n"])
def test_only_an_address_reaches_the_disk(storage: Storage, address: str) -> None:
    with pytest.raises(MissingContent):
        storage.open(address)
    with pytest.raises(MissingContent):
        storage.delete(address)


def test_a_failed_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path / "kept")
    (tmp_path / "file").write_bytes(CONTENT)

    def broken(source: Path, target: Path) -> None:
        target.write_bytes(CONTENT[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr("api.storage.shutil.copyfile", broken)
    with pytest.raises(KeyboardInterrupt):
        storage.put(tmp_path / "file")
    assert [p for p in storage.folder.rglob("*") if p.is_file()] == []


def test_local_files_are_for_their_owner_alone(tmp_path: Path, file: Path) -> None:
    storage = LocalStorage(tmp_path / "kept")
    storage.put(file, link=True)
    place = storage.path(SHA)
    assert place is not None
    assert place.stat().st_mode & 0o777 == 0o600
    assert storage.free_bytes() > 0


def test_addresses_of_storages(tmp_path: Path) -> None:
    assert isinstance(storage_of((tmp_path / "录像 1").as_uri()), LocalStorage)
    assert (tmp_path / "录像 1").is_dir()
    assert isinstance(storage_of("s3://bucket/prefix?region=eu-west-1"), ObjectStorage)
    for wrong in ("ftp://host/x", "", "/srv/data", "file://host/share"):
        with pytest.raises(UsageError):
            storage_of(wrong)


# -- an S3 store that does not do as it should ---------------------------------------------------


class Refusing(BaseHTTPRequestHandler):
    """An S3 server for which our credentials are wrong."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = answer  # noqa: N815 - http.server's names

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    yield storage_of("s3://lessons/observer")
    server.shutdown()
    server.server_close()


def test_a_store_that_refuses_is_away_and_its_files_are_not_missing(
    refusing: Storage, file: Path
) -> None:
    # MissingContent would make a worker give the lesson up, and a page say that it was removed.
    for use in (
        lambda: refusing.put(file),
        lambda: refusing.exists(SHA),
        lambda: next(refusing.stream(SHA)),
        lambda: refusing.delete(SHA),
        lambda: next(iter(refusing.stored())),
    ):
        with pytest.raises(StorageAway) as told:
            use()
        assert told.value.status == 503


def test_an_old_object_that_is_put_again_is_young(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else retention's sweep could take it away before the row that refers to it is written.
    storage = storage_of("memory:///")
    storage.put(file)
    ((_, first),) = storage.stored()
    storage.put(file)
    assert [at for _, at in storage.stored()] == [first]  # young: left alone
    monkeypatch.setattr("api.object_storage.YOUNG", timedelta(0))
    storage.put(file)
    assert [at for _, at in storage.stored()] > [first]
