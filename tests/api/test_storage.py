"""Files under the address of their content, on disk and behind obstore (its memory store)."""

import hashlib
from pathlib import Path

import pytest

from api.storage import BLOCK, LocalStorage, MissingContent, ObjectStorage, Storage, storage_of
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
