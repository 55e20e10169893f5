"""Hot words: from a file, from the command line, from the lesson's title; as many as fit."""

import pkgutil
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from api.compose import TAKES_HOT_WORDS, EngineNames, Loaded, build
from models.hot_words import MOST_CHARACTERS, fitting, read_hot_words, title_words
from models.scripted import scripted_checkpoint
from models.whisper_conversion import convert
from models.whisper_decoding import prompt_for
from observer.errors import UsageError
from observer.media import Audio
from observer.timeline import Span


def test_a_list_and_a_file(tmp_path: Path) -> None:
    assert read_hot_words("分子，分母、numerator, denominator") == (
        *("分子", "分母", "numerator", "denominator"),
    )
    glossary = tmp_path / "words.txt"
    glossary.write_bytes("\ufeff分子\r\n分母, 通分  # 三年级\n\n# remark\n分子\n".encode())
    assert read_hot_words(str(glossary)) == ("分子", "分母", "通分")
    glossary.write_bytes("分子".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-8"):
        read_hot_words(str(glossary))


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("三年级数学-认识分数-公开课", ("认识分数",)),
        ("20260312_第三课 乌鸦喝水 课堂实录", ("乌鸦喝水",)),
        ("王老师_二元一次方程组", ("二元一次方程组",)),
        ("Fractions and decimals lesson 3", ("Fractions", "decimals")),
        ("IMG_2031", ()),
        ("录音 (3)", ()),
        ("GMT20240312-080000_Recording", ()),
    ],
)
def test_a_title_gives_its_content_and_no_names_of_devices(
    title: str, words: tuple[str, ...]
) -> None:
    assert title_words(title) == words


def test_no_more_than_a_prompt_carries() -> None:
    many = [f"生词{n:03d}" for n in range(100)]
    kept = fitting(many)
    assert kept == tuple(many[: len(kept)])
    assert len("、".join(kept)) <= MOST_CHARACTERS
    prompt = prompt_for("zh", many)
    assert prompt is not None
    assert prompt.startswith("以下是普通话的句子。生词000、")
    assert prompt.endswith(f"{kept[-1]}。")


@pytest.mark.parametrize("asr", ["whisper", "faster-whisper", "funasr", "sherpa-onnx"])
def test_engines_get_what_they_can_use(asr: str) -> None:
    """Every engine with weights gets folder, device and threads; hot words where there are any."""
    names = EngineNames(asr=asr, device="cpu", threads=2, hot_words=("分子",))
    engines = build(
        names, language="zh", report_language="en", weights=Path("w"), has_transcript=False
    )
    engine = engines.transcriber
    assert engine is not None
    assert (engine.folder, engine.device, engine.threads) == (Path("w"), "cpu", 2)  # type: ignore[attr-defined]
    assert engine.hot_words == (("分子",) if asr in TAKES_HOT_WORDS else ())  # type: ignore[attr-defined]


TITLES = ("分子和分母", "三角形的内角和", "Fractions")
NOISE = Audio.of(np.random.default_rng(0).normal(scale=0.1, size=8 * Audio.RATE))


def whisper(folder: Path, _: Any) -> Path:
    return scripted_checkpoint(folder / "s.pt", "同学们好。", "zh")


def faster_whisper(folder: Path, _: Any) -> Path:
    return convert(whisper(folder, _), folder / "s")


def sense_voice(folder: Path, onnx_script: Any) -> Path:
    made: Path = onnx_script.sense_voice(folder / "sv", ["同", "学", "们", "好", "。"])
    return made


@pytest.mark.parametrize(
    ("asr", "made", "loader"),
    [
        ("whisper", whisper, "models.whisper_weights.load"),
        ("faster-whisper", faster_whisper, "models.whisper_ct2.load"),
        ("sherpa-onnx", sense_voice, "sherpa_onnx.OfflineRecognizer.from_sense_voice"),
        ("funasr", None, "funasr.AutoModel"),
    ],
)
def test_lessons_with_different_titles_load_the_weights_once(
    asr: str, made: Any, loader: str, tmp_path: Path, onnx_script: Any, monkeypatch: Any
) -> None:
    model = fake_funasr(tmp_path, monkeypatch) if made is None else made(tmp_path, onnx_script)
    module, _, name = loader.rpartition(".")
    place: Any = pkgutil.resolve_name(module)
    load, loads, loaded = getattr(place, name), [], Loaded()
    monkeypatch.setattr(place, name, lambda *a, **k: loads.append(a) or load(*a, **k))
    versions = set()
    for number, title in enumerate(TITLES):
        engines = build(
            EngineNames(asr=asr, model=str(model), device="cpu", hot_words=title_words(title)),
            language="zh",
            report_language=("en", "zh", "en")[number],
            weights=None,
            has_transcript=False,
            loaded=loaded,
        )
        assert engines.transcriber is not None
        engines.transcriber.transcribe(NOISE, [Span(1.0, 6.0)], "zh")
        versions.add(engines.transcriber.version)
        build(  # a lesson in between that comes with its words
            EngineNames(), language="zh", report_language="zh", weights=None, has_transcript=True,
            loaded=loaded,
        )  # fmt: skip
    assert len(loads) == 1
    # Words that change what is recognised are part of a checkpoint's fingerprint.
    assert len(versions) == (3 if asr in TAKES_HOT_WORDS else 1)


def fake_funasr(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The library is not installed: what its documentation says comes out of `generate`."""

    class Documented:
        def __init__(self, **_: object) -> None:
            pass

        def generate(self, *, input: list[object], hotword: str, **_: object) -> list[Any]:  # noqa: A002
            assert hotword
            return [{"text": "同 学", "timestamp": [[0, 200], [200, 400]]} for _ in input]

    library = ModuleType("funasr")
    library.AutoModel = Documented  # type: ignore[attr-defined]
    library.__spec__ = ModuleSpec("funasr", None)
    monkeypatch.setitem(sys.modules, "funasr", library)
    monkeypatch.setattr("models.asr_funasr.version_of", lambda _: "1")
    monkeypatch.setattr("models.asr_funasr.require", lambda *_: None)
    model = folder / "paraformer-large"
    model.mkdir()
    for name in ("model.pt", "config.yaml"):
        (model / name).write_bytes(b"weights")
    return model
