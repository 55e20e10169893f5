"""`auto`: the best recogniser with weights on this machine, and why."""

from pathlib import Path

import pytest

from models.asr import choose
from models.whisper_weights import find, installed, weights_folder


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whisper's own folder of whoever runs the tests stays out of them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    for name in names:
        (folder / f"{name}.pt").write_bytes(b"")
    return folder


def test_without_weights_mandarin_has_none_and_the_reason_says_what_to_do(tmp_path: Path) -> None:
    choice = choose("zh", tmp_path)
    assert choice.name == "none"
    assert "large-v3-turbo.pt" in choice.reason_en
    assert "large-v3-turbo.pt" in choice.reason_zh
    assert "--transcript" in choice.reason_zh


def test_without_weights_english_has_pocketsphinx(tmp_path: Path) -> None:
    choice = choose("en-GB", tmp_path)
    assert choice.name == "pocketsphinx"
    assert "unreliable" in choice.reason_en


def test_an_unknown_language_without_weights_has_none_and_a_hint(tmp_path: Path) -> None:
    choice = choose(None, tmp_path)
    assert choice.name == "none"
    assert "--language en" in choice.reason_en


def test_with_weights_the_best_that_a_cpu_can_carry(tmp_path: Path) -> None:
    folder = put(tmp_path, "tiny", "large-v3", "large-v3-turbo", "base")
    choice = choose("zh", folder, device="cpu")
    assert choice.name == "whisper"
    assert choice.settings["model"] == str(folder / "large-v3-turbo.pt")
    assert "large-v3 is more accurate" in choice.reason_en
    on_gpu = choose("zh", folder, device="cuda")
    assert on_gpu.settings["model"] == str(folder / "large-v3.pt")


def test_english_only_weights_are_not_for_mandarin(tmp_path: Path) -> None:
    folder = put(tmp_path, "base.en")
    assert choose("zh", folder, device="cpu").name == "none"
    assert choose(None, folder, device="cpu").name == "none"
    assert choose("en", folder, device="cpu").settings["model"] == str(folder / "base.en.pt")


def test_small_weights_are_used_and_better_ones_named(tmp_path: Path) -> None:
    choice = choose("zh", put(tmp_path / "whisper", "tiny").parent, device="cpu")
    assert choice.name == "whisper"
    assert "tiny" in choice.reason_en
    assert "large-v3-turbo.pt" in choice.reason_en


def test_somebodys_own_checkpoint_comes_first(tmp_path: Path) -> None:
    folder = put(tmp_path, "large-v3", "our-school-zh")
    assert [c.name for c in installed(folder)] == ["our-school-zh", "large-v3"]


def test_names_aliases_and_paths_find_the_file(tmp_path: Path) -> None:
    folder = put(tmp_path, "large-v3-turbo", "mine")
    assert find("turbo", folder).path == folder / "large-v3-turbo.pt"
    assert find("mine", folder).path == folder / "mine.pt"
    assert find(folder / "mine.pt", None).name == "mine"


def test_the_folder_is_named_by_the_environment() -> None:
    assert weights_folder({"OBSERVER_MODELS": "/srv/models"}) == Path("/srv/models")
    assert weights_folder({"OBSERVER_MODELS": " "}) is None
    assert weights_folder({}) is None


@pytest.mark.parametrize("language", ["zh", "en", None])
def test_no_reason_names_a_folder_of_this_machine(tmp_path: Path, language: str | None) -> None:
    """Reasons stand in observation.json and on the page, which leave the machine."""
    for folder in (tmp_path, put(tmp_path / "some", "tiny"), None):
        choice = choose(language, folder, device="cpu")
        for reason in (choice.reason_en, choice.reason_zh):
            assert str(tmp_path) not in reason
            assert "/" not in reason.replace("/分钟", "")
            assert "$OBSERVER_MODELS" in reason


def put_folders(folder: Path, *places: str) -> Path:
    files = {"faster-whisper": ("model.bin", "config.json"), "funasr": ("model.pt", "config.yaml")}
    for place in places:
        for name in files.get(place.split("/")[0], ("model.int8.onnx", "tokens.txt")):
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / name).write_bytes(b"")
    return folder


def test_mandarin_on_a_cpu_prefers_sherpa_then_faster_whisper_then_whisper(tmp_path: Path) -> None:
    folder = put(tmp_path, "large-v3-turbo")
    first = choose("zh", folder, device="cpu")
    assert first.name == "whisper"
    assert "`observer models pull sense-voice-small`" in first.reason_en
    put_folders(folder, "faster-whisper/large-v3-turbo")
    second = choose("zh", folder, device="cpu")
    assert second.name == "faster-whisper"
    assert second.settings["model"] == str(folder / "faster-whisper" / "large-v3-turbo")
    assert "CTranslate2" in second.reason_zh
    put_folders(folder, "sherpa-onnx/paraformer-zh", "sherpa-onnx/sense-voice-small")
    third = choose("zh-CN", folder, device="cpu")
    assert third.name == "sherpa-onnx"
    assert "sense-voice-small" in third.reason_en
    assert "a third of Whisper's" in third.reason_en
    assert choose("en", folder, device="cpu").name == "faster-whisper"
    assert choose(None, folder, device="cpu").name == "faster-whisper"


def test_mandarin_on_a_gpu_prefers_funasr_where_its_library_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import models.asr

    folder = put_folders(tmp_path, "funasr/paraformer-large", "sherpa-onnx/sense-voice-small")
    put_folders(folder, "faster-whisper/large-v3")
    monkeypatch.setattr(models.asr, "find_spec", lambda name: name != "funasr")
    assert choose("zh", folder, device="cuda").name == "faster-whisper"
    monkeypatch.setattr(models.asr, "find_spec", lambda name: name)
    assert choose("zh", folder, device="cuda").name == "funasr"
    assert choose("zh", folder, device="cpu").name == "sherpa-onnx"


def test_a_better_checkpoint_goes_before_a_faster_library(tmp_path: Path) -> None:
    folder = put_folders(put(tmp_path, "large-v3-turbo"), "faster-whisper/tiny")
    assert choose("en", folder, device="cpu").name == "whisper"


def test_an_engine_whose_library_is_not_installed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import models.asr

    monkeypatch.setattr(models.asr, "find_spec", lambda _: None)
    folder = put_folders(tmp_path, "sherpa-onnx/paraformer-zh", "faster-whisper/base")
    assert choose("zh", folder, device="cpu").name == "none"
