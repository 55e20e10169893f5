"""The catalogue is true, and a folder of weights is checked as it stands."""

import hashlib
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from typer.testing import CliRunner

import models
from api.cli import app
from models.weights_pull import pull
from models.weights_store import (
    State,
    catalogue,
    check,
    held,
    named,
    others,
    pull_command,
    read_sums,
)
from models.whisper_weights import GIGABYTES, find
from observer.errors import EngineError, MissingWeights, UsageError


def test_whispers_checksums_are_those_its_own_library_verifies() -> None:
    import whisper

    ours = {w.name: w.sha256 for w in catalogue() if w.engine == "whisper"}
    assert ours == {name: whisper._MODELS[name].split("/")[-2] for name in ours}
    assert set(GIGABYTES) - {"large-v1"} <= set(ours)


def test_faster_whispers_repos_are_those_its_own_library_names() -> None:
    from faster_whisper import utils

    ours = {w.name: w.repo for w in catalogue() if w.engine == "faster-whisper"}
    assert ours == {name: utils._MODELS[name] for name in ours}


def test_every_entry_belongs_to_an_engine_and_has_a_source_and_a_licence() -> None:
    assert len({(w.engine, w.name) for w in catalogue()}) == len(catalogue())
    for weights in catalogue():
        assert weights.engine in {*models.TRANSCRIBERS, *models.DIARIZERS}
        assert weights.licence
        assert weights.megabytes > 0
        assert weights.en
        assert weights.zh
        assert (weights.sha256 is None) == (weights.repo is not None) == bool(weights.files)


def test_names_short_and_long_and_unknown() -> None:
    assert named("small").engine == "whisper"
    assert named("turbo").name == "large-v3-turbo"
    assert named("faster-whisper/small").pull_name == "faster-whisper/small"
    assert named("paraformer-zh").pull_name == "paraformer-zh"
    with pytest.raises(UsageError, match="sherpa-onnx/sense-voice-small"):
        named("whisper-9000")


def test_gated_weights_are_not_pulled_but_told_how_to_get(tmp_path: Path) -> None:
    gated = [w for w in catalogue() if w.gated]
    assert [w.pull_name for w in gated] == ["speaker-diarization-community-1"]
    assert pull_command(gated[0].name, gated[0].engine) is None
    with pytest.raises(EngineError, match="accept its terms") as error:
        pull(gated[0], tmp_path)
    assert "pyannote/speaker-diarization-community-1" in error.value.en
    assert "手工取得" in error.value.zh


def put(folder: Path, path: str, content: bytes) -> str:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_what_is_held_and_what_is_a_schools_own(tmp_path: Path) -> None:
    for path in ("whisper/tiny.pt", "sherpa-onnx/paraformer-zh/model.int8.onnx", "our-zh.pt"):
        put(tmp_path, path, b"")
    assert [w.name for w in held(tmp_path)] == ["tiny", "paraformer-zh"]
    assert others(tmp_path) == [PurePosixPath("our-zh.pt")]


def test_a_check_tells_whole_damaged_gone_unknown_and_unfinished(tmp_path: Path) -> None:
    good = put(tmp_path, "faster-whisper/x/model.bin", b"good")
    bad = put(tmp_path, "our-zh.pt", b"as it was")
    put(tmp_path, "our-zh.pt", b"not as it was")
    put(tmp_path, "tiny.pt", b"not OpenAI's")  # its publisher's checksum is in the catalogue
    put(tmp_path, "mine.onnx", b"?")
    put(tmp_path, "base.pt.part", b"half")
    (tmp_path / "SHA256SUMS").write_text(
        f"{good}  faster-whisper/x/model.bin\n{bad}  our-zh.pt\n{bad}  lost.pt\n# a remark\n"
    )
    found = {str(one.path): one.state for one in check(tmp_path)}
    assert found == {
        "base.pt.part": State.UNFINISHED,
        "faster-whisper/x/model.bin": State.WHOLE,
        "lost.pt": State.GONE,
        "mine.onnx": State.UNKNOWN,
        "our-zh.pt": State.DAMAGED,
        "tiny.pt": State.DAMAGED,
    }


def test_recorded_checksums_are_read_by_sha256sum_too(tmp_path: Path) -> None:
    digest = put(tmp_path, "our-zh.pt", b"ours")
    assert [one.state for one in check(tmp_path, record=True)] == [State.WHOLE]
    assert read_sums(tmp_path) == {PurePosixPath("our-zh.pt"): digest}
    run = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, check=False)
    assert run.returncode == 0


@pytest.mark.parametrize("name", ["large-v3-turbo", "tiny.en", "ours"])
def test_a_missing_model_names_the_command_that_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingWeights) as error:
        find(name, tmp_path)
    command = pull_command(name)
    for text in (error.value.en, error.value.zh):
        assert (command is not None) == ("observer models pull" in text)
        assert command is None or f"`{command}`" in text


def test_the_list_shows_names_licences_and_what_is_here(tmp_path: Path) -> None:
    put(tmp_path, "tiny.pt", b"")
    put(tmp_path, "our-zh.pt", b"")
    run = CliRunner(env={"OBSERVER_MODELS": str(tmp_path), "LC_ALL": "en_GB.UTF-8"})
    lines = run.invoke(app, ["models", "list"]).output.splitlines()
    assert any(line.startswith("✓") and " tiny " in line and "MIT" in line for line in lines)
    assert any(line.startswith("✓") and "our-zh.pt" in line for line in lines)
    assert any("faster-whisper/base" in line and not line.startswith("✓") for line in lines)


def test_without_a_folder_the_command_says_how_to_choose_one() -> None:
    run = CliRunner(env={"OBSERVER_MODELS": "", "LC_ALL": "en_GB.UTF-8"})
    result = run.invoke(app, ["models", "pull", "tiny"])
    assert result.exit_code == 2
    assert "export OBSERVER_MODELS=" in result.output
