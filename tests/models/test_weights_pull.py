"""Pulling weights from a real server on this machine that breaks, lies and refuses."""

import hashlib
import json
import resource
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import app
from models.weights_download import Remote, fetch
from models.weights_pull import hub_files, pull
from models.weights_store import Weights, read_sums
from observer.errors import EngineError, OutputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server holds, how it misbehaves, and what it was asked."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next connections break."""
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    """The Range header of every request for a file."""


@pytest.fixture
def site() -> Iterator[Site]:
    held = Site(files={"/large.pt": CONTENT})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = held.files.get(self.path)
            if content is None:
                return self.send_error(404)
            wanted = self.headers.get("Range")
            held.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if wanted and held.ranges and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            start = start if held.ranges else 0
            self.send_response(206 if wanted and held.ranges else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            cut = held.cuts.pop(0) if held.cuts else None
            self.wfile.write(content[start : None if cut is None else start + cut])
            self.close_connection = cut is not None
            return None

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def remote(site: Site, sha256: str | None = DIGEST) -> Remote:
    return Remote(f"{site.address}/large.pt", PurePosixPath("large.pt"), sha256=sha256)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_a_file_arrives_whole_and_its_progress_is_told(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert fetch(remote(site), tmp_path, lambda *step: told.append(step)) == DIGEST
    assert (tmp_path / "large.pt").read_bytes() == CONTENT
    assert names(tmp_path) == ["large.pt"]
    assert told[-1] == (3_000_000, 3_000_000)
    assert [n for n, _ in told] == sorted(n for n, _ in told)


def test_a_cut_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    # 1 000 000, then 500 000 more, then the rest: three connections, no byte sent twice
    site.cuts = [1_000_000, 500_000]
    assert fetch(remote(site), tmp_path, wait=0) == DIGEST
    assert site.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_later_call_goes_on_from_the_part(site: Site, tmp_path: Path) -> None:
    (tmp_path / "large.pt.part").write_bytes(CONTENT[:2_000_000])
    assert fetch(remote(site), tmp_path) == DIGEST
    assert site.asked == ["bytes=2000000-"]
    assert names(tmp_path) == ["large.pt"]


def test_a_server_without_ranges_sends_it_all_again(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    (tmp_path / "large.pt.part").write_bytes(b"x" * 1000)
    assert fetch(remote(site), tmp_path) == DIGEST


@pytest.mark.parametrize("there", [CONTENT, CONTENT + b"more"])
def test_a_part_that_is_whole_or_too_long(site: Site, tmp_path: Path, there: bytes) -> None:
    # whole: the program was killed between the last byte and the renaming
    (tmp_path / "large.pt.part").write_bytes(there)
    assert fetch(remote(site), tmp_path, wait=0) == DIGEST


def test_a_connection_that_brings_nothing_is_given_up_and_the_part_kept(
    site: Site, tmp_path: Path
) -> None:
    site.cuts = [1_000_000, *[0] * 20]
    with pytest.raises(EngineError, match=r"1\.0 MB are kept"):
        fetch(remote(site), tmp_path, wait=0)
    assert names(tmp_path) == ["large.pt.part"]
    site.cuts = []
    assert fetch(remote(site), tmp_path) == DIGEST


def test_a_wrong_checksum_is_refused_and_nothing_stays(site: Site, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="wrong checksum"):
        fetch(remote(site, "0" * 64), tmp_path)
    assert names(tmp_path) == []


def test_a_damaged_file_stays_until_the_right_one_is_there(site: Site, tmp_path: Path) -> None:
    (tmp_path / "large.pt").write_bytes(b"damaged")
    with pytest.raises(EngineError):
        fetch(remote(site, "0" * 64), tmp_path)
    assert (tmp_path / "large.pt").read_bytes() == b"damaged"
    fetch(remote(site), tmp_path)
    assert (tmp_path / "large.pt").read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    fetch(remote(site), tmp_path)
    assert fetch(remote(site), tmp_path) == DIGEST
    assert len(site.asked) == 1


def test_a_file_that_moved_and_a_server_that_is_gone(site: Site, tmp_path: Path) -> None:
    moved = Remote(f"{site.address}/gone.pt", PurePosixPath("gone.pt"), sha256=DIGEST)
    with pytest.raises(EngineError, match="404"):
        fetch(moved, tmp_path)
    nobody = Remote("http://127.0.0.1:9/x.pt", PurePosixPath("x.pt"))
    with pytest.raises(EngineError, match="carry the folder"):
        fetch(nobody, tmp_path, wait=0)
    assert names(tmp_path) == []


def test_a_full_disk_keeps_what_came_and_goes_on_later(site: Site, tmp_path: Path) -> None:
    # the kernel's own refusal: files of this process may not pass 2 000 000 bytes
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(OutputError, match="kept"):
            fetch(remote(site), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["large.pt.part"]
    assert fetch(remote(site), tmp_path) == DIGEST


def test_a_download_larger_than_the_disk_is_not_begun(site: Site, tmp_path: Path) -> None:
    class Endless(bytes):
        def __len__(self) -> int:
            return 10**18

    site.files["/large.pt"] = Endless(b"x")
    with pytest.raises(OutputError, match="1000000000000 MB"):
        fetch(remote(site), tmp_path)
    assert names(tmp_path) == []


# A hub of our own: the two addresses of the real one that are used, with its documented answers.
SMALL = b'{"model_type": "whisper"}'
BLOB = hashlib.sha1(b"blob 25\0" + SMALL).hexdigest()
MODEL = Weights(
    "faster-whisper", "tiny", "", "", 3, "MIT", repo="some/tiny", files=("*.bin", "config.json")
)


@pytest.fixture
def hub(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", site.address)
    large = {"sha256": DIGEST, "size": len(CONTENT), "pointerSize": 134}
    listing = {
        "sha": "f" * 40,
        "siblings": [
            {"rfilename": "README.md", "size": 10, "blobId": "0" * 40},
            {"rfilename": "config.json", "size": len(SMALL), "blobId": BLOB},
            {"rfilename": "model.bin", "size": len(CONTENT), "blobId": "1" * 40, "lfs": large},
        ],
    }
    site.files["/api/models/some/tiny?blobs=true"] = json.dumps(listing).encode()
    site.files[f"/some/tiny/resolve/{'f' * 40}/config.json"] = SMALL
    site.files[f"/some/tiny/resolve/{'f' * 40}/model.bin"] = CONTENT
    return site


def test_a_folder_from_the_hub_comes_whole_with_its_checksums(hub: Site, tmp_path: Path) -> None:
    hub.cuts = [10**9, 10**9, 700_000]  # listing, config.json, then the model breaks once
    told: list[tuple[int, int | None]] = []
    place = pull(MODEL, tmp_path, lambda *step: told.append(step), wait=0)
    assert place == tmp_path / "faster-whisper" / "tiny"
    assert names(place) == ["config.json", "model.bin"]
    assert told[-1] == (3_000_025, 3_000_025)
    sums = read_sums(tmp_path)
    assert sums[PurePosixPath("faster-whisper/tiny/model.bin")] == DIGEST
    assert len(sums) == 2


def test_a_folder_has_its_name_only_when_all_files_are_right(hub: Site, tmp_path: Path) -> None:
    hub.files[f"/some/tiny/resolve/{'f' * 40}/model.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(EngineError, match=r"model\.bin"):
        pull(MODEL, tmp_path)
    assert not (tmp_path / "faster-whisper" / "tiny").exists()
    hub.files[f"/some/tiny/resolve/{'f' * 40}/model.bin"] = CONTENT
    hub.asked.clear()
    pull(MODEL, tmp_path)
    assert len(hub.asked) == 2  # the listing and the model: config.json had come already
    assert names(tmp_path / "faster-whisper") == ["config.json", "model.bin"]


def test_a_small_file_is_checked_by_its_git_id(hub: Site, tmp_path: Path) -> None:
    hub.files[f"/some/tiny/resolve/{'f' * 40}/config.json"] = SMALL.replace(b"w", b"W")
    with pytest.raises(EngineError, match=r"config\.json"):
        pull(MODEL, tmp_path)


def test_a_repo_without_the_files_is_said(hub: Site) -> None:
    other = Weights("sherpa-onnx", "x", "", "", 1, "?", repo="some/tiny", files=("*.onnx",))
    with pytest.raises(EngineError, match="rearranged"):
        hub_files(other)
    with pytest.raises(EngineError, match="404"):
        hub_files(Weights("sherpa-onnx", "x", "", "", 1, "?", repo="no/such", files=("*.onnx",)))


def test_the_command_pulls_records_and_checks(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI's address and checksum of one model stand for the server here."""
    import whisper

    from models import weights_store

    monkeypatch.setitem(whisper._MODELS, "tiny", f"{site.address}/large.pt")
    ours = Weights("whisper", "tiny", "", "", 3, "MIT", sha256=DIGEST)
    monkeypatch.setattr(weights_store, "catalogue", lambda: (ours,))
    environment = {"OBSERVER_MODELS": str(tmp_path / "new"), "LC_ALL": "en_GB.UTF-8"}
    run = CliRunner(env=environment)
    pulled = run.invoke(app, ["models", "pull", "tiny"])
    assert pulled.exit_code == 0, pulled.output
    assert names(tmp_path / "new") == ["SHA256SUMS", "tiny.pt"]
    checked = run.invoke(app, ["models", "check"])
    assert (checked.exit_code, "whole: tiny.pt" in checked.output) == (0, True)
    (tmp_path / "new" / "tiny.pt").write_bytes(CONTENT[:-1])
    checked = run.invoke(app, ["models", "check"])
    assert (checked.exit_code, "DAMAGED" in checked.output) == (5, True)
