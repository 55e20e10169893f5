"""The CTranslate2 engine, through CTranslate2's own code, with scripted checkpoints converted here.

Exercised: conversion, loading, int8 and float32 arithmetic, language vote, batched decoding with
prompt, temperature fallback, alignment, cleaning, damaged and missing folders. Not exercised:
trained weights, models that others converted, and GPUs.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.asr_faster_whisper import FasterWhisperTranscriber
from models.asr_whisper import WhisperTranscriber
from models.cleaning import Reason
from models.scripted import scripted_checkpoint
from models.whisper_conversion import convert
from observer.errors import EngineError, MissingWeights
from observer.media import Audio
from observer.timeline import Span
from observer.transcript import Transcript

LESSON = "同学们好，今天我们学习分数。谁来说一说？"
NOISE = Audio.of(np.random.default_rng(0).normal(scale=0.1, size=40 * Audio.RATE))
SPEECH = [Span(1.0, 9.0), Span(12.0, 19.0)]

Build = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """(checkpoint, converted folder) of a script, each made once."""
    made: dict[str, tuple[Path, Path]] = {}

    def build(text: str, language: str = "zh", **script: object) -> tuple[Path, Path]:
        key = repr((text, language, script))
        if key not in made:
            place = tmp_path_factory.mktemp("weights")
            point = scripted_checkpoint(place / "s.pt", text, language, **script)  # type: ignore[arg-type]
            made[key] = (point, convert(point, place / "s"))
        return made[key]

    return build


def texts(transcript: Transcript) -> list[str]:
    return [u.text for u in transcript]


@pytest.mark.parametrize(("batch", "compute"), [(1, "float32"), (2, "int8")])
def test_it_says_what_whisper_says_at_the_same_times(
    build: Build, batch: int, compute: str
) -> None:
    point, folder = build(LESSON)
    engine = FasterWhisperTranscriber(model=folder, batch_size=batch, compute_type=compute)
    found = engine.transcribe(NOISE, SPEECH)
    expected = WhisperTranscriber(model=point, bf16=False).transcribe(NOISE, SPEECH)
    assert found.language == "zh"
    assert texts(found) == texts(expected)
    assert found.source == "faster-whisper"
    for ours, theirs in zip(found, expected, strict=True):
        assert [w.text for w in ours.words] == [w.text for w in theirs.words]
        for word, other in zip(ours.words, theirs.words, strict=True):
            assert (word.start, word.end) == pytest.approx((other.start, other.end), abs=0.041)
            assert word.confidence == pytest.approx(other.confidence, abs=0.02)


def test_english_and_hot_words(build: Build) -> None:
    words = ("numerator", "denominator")
    _, folder = build(" What is one half? Tell me.", "en", hot_words=words)
    engine = FasterWhisperTranscriber(model=folder, hot_words=words)
    assert texts(engine.transcribe(NOISE, SPEECH[:1], "en")) == ["What is one half?", "Tell me."]
    assert "numerator" in engine.version


def test_a_loop_goes_through_the_same_fallback_and_cleaning(build: Build) -> None:
    _, folder = build("我们学习分数，" * 6, certainty=2.0)
    engine = FasterWhisperTranscriber(model=folder)
    assert texts(engine.transcribe(NOISE, [Span(1.0, 15.0)], "zh")) == ["我们学习分数，"]
    assert [d.reason for d in engine.dropped] == [Reason.REPETITION]


def test_sampling_is_the_same_every_time(build: Build) -> None:
    _, folder = build("我们学习分数，" * 6, certainty=0.4)
    runs = [
        FasterWhisperTranscriber(model=folder).transcribe(NOISE, [Span(1.0, 15.0)], "zh")
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert "".join(texts(runs[0])) != "我们学习分数，" * 6


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    for model in ("auto", "small"):
        with pytest.raises(MissingWeights, match="observer models pull faster-whisper/"):
            FasterWhisperTranscriber(model=model, folder=tmp_path).transcribe(NOISE, SPEECH)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingWeights, match=r"lacks model\.bin, config\.json"):
        FasterWhisperTranscriber(model=tmp_path / "empty").transcribe(NOISE, SPEECH)


def test_a_damaged_model_is_named(build: Build, tmp_path: Path) -> None:
    _, folder = build(LESSON)
    for name in ("config.json", "vocabulary.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:5000])
    with pytest.raises(EngineError, match="models check"):
        FasterWhisperTranscriber(model=tmp_path).transcribe(NOISE, SPEECH)


def test_a_converted_folder_is_read_by_faster_whisper_itself(build: Build, tmp_path: Path) -> None:
    """The peer's own loader and decoder say the same: our folders are what its users know."""
    import tokenizers
    from faster_whisper import WhisperModel
    from whisper.tokenizer import get_tokenizer

    from models.whisper_conversion import vocabulary

    _, folder = build(LESSON)
    names = vocabulary(get_tokenizer(True), 51865)
    words = tokenizers.models.WordLevel({n: i for i, n in enumerate(names)}, unk_token=names[0])
    tokenizers.Tokenizer(words).save(str(folder / "tokenizer.json"))
    peer = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
    wave = NOISE.read(Span(0.8, 9.2))
    segments, info = peer.transcribe(
        wave, without_timestamps=True, condition_on_previous_text=False
    )
    tokens = [t for s in segments for t in s.tokens if t < 50257]
    assert info.language == "zh"
    assert get_tokenizer(True).decode(tokens) == LESSON
