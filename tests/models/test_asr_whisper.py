"""The Whisper engine, through openai-whisper's own code, with checkpoints that are built here.

A scripted checkpoint says one text in every window, with a known time for every token, so what
must come out is known: token k begins at 0.3 s + 0.2 s × k of the window's sound.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import ModelDimensions, Whisper

from models import whisper_torch
from models.asr_whisper import WhisperTranscriber
from models.cleaning import Reason
from models.languages import primary_language
from models.scripted import scripted_checkpoint, scripted_words
from models.whisper_decoder import EncodedSound, TextDecoder
from models.word_pieces import assemble
from observer.errors import EngineError, MissingWeights
from observer.media import Audio, Samples
from observer.timeline import Span
from observer.transcript import Transcript

LESSON = "同学们好，今天我们学习分数。谁来说一说？"
NOISE = Audio.of(np.random.default_rng(0).normal(scale=0.1, size=40 * Audio.RATE))
SPEECH = [Span(1.0, 9.0), Span(12.0, 19.0)]

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Scripted checkpoints, each built once."""
    made: dict[str, Path] = {}

    def build(text: str, language: str = "zh", **script: object) -> Path:
        key = repr((text, language, script))
        if key not in made:
            path = tmp_path_factory.mktemp("weights") / "scripted.pt"
            made[key] = scripted_checkpoint(path, text, language, **script)  # type: ignore[arg-type]
        return made[key]

    return build


def texts(transcript: Transcript) -> list[str]:
    return [u.text for u in transcript]


def test_mandarin_text_sentences_and_language(build: Build) -> None:
    engine = WhisperTranscriber(model=build(LESSON))
    found = engine.transcribe(NOISE, SPEECH)
    assert found.language == "zh"
    assert found.source == "whisper"
    assert texts(found) == ["同学们好，今天我们学习分数。", "谁来说一说？"] * 2
    assert [u.id for u in found] == ["u1", "u2", "u3", "u4"]
    assert engine.dropped == ()
    assert "'zh'" in engine.notes[0].en


def test_english_text_and_language(build: Build) -> None:
    engine = WhisperTranscriber(model=build(" What is one half? Tell me.", "en"))
    found = engine.transcribe(NOISE, [Span(1.0, 9.0)])
    assert found.language == "en"
    assert texts(found) == ["What is one half?", "Tell me."]
    assert [w.text for w in found.utterances[0].words] == ["What", "is", "one", "half?"]


def test_word_times_are_those_of_the_script(build: Build) -> None:
    # the sound of a window begins 0.2 s before its speech (1.0 → 0.8); the first word takes the
    # silence before it, as Whisper's alignment does, cut where the speech begins
    found = WhisperTranscriber(model=build(LESSON)).transcribe(NOISE, SPEECH)
    heard = [w for u in found.utterances[:2] for w in u.words]
    script = assemble(scripted_words(LESSON), "zh")
    assert [w.text for w in heard] == [w.text for w in script]
    assert heard[0].start == 1.0
    for word, planned in zip(heard, script, strict=True):
        assert word.end == pytest.approx(0.8 + planned.end, abs=0.04)
        assert word.confidence == pytest.approx(1.0, abs=0.02)
    for word, planned in zip(heard[1:], script[1:], strict=True):
        assert word.start == pytest.approx(0.8 + planned.start, abs=0.04)


def test_times_stay_in_the_windows_and_never_go_back(build: Build) -> None:
    # the script takes 4.9 s; the windows are shorter, have holes, and end with the sound
    windows = [Span(1, 4.5), Span(10, 11.5), Span(38.5, 40)]
    speech = [Span(1, 2.2), Span(3.0, 3.4), Span(3.9, 4.5), *windows[1:]]
    found = WhisperTranscriber(model=build(LESSON)).transcribe(NOISE, speech)
    words = [w for u in found for w in u.words]
    times = [t for w in words for t in (w.start, w.end)]
    assert times == sorted(times)
    assert all(any(s.start <= w.start <= w.end <= s.end for s in windows) for w in words)


def test_traditional_characters_come_out_simplified(build: Build) -> None:
    found = WhisperTranscriber(model=build("同學們，誰來說？")).transcribe(NOISE, SPEECH[:1], "zh")
    assert texts(found) == ["同学们，谁来说？"]
    assert "".join(w.text for w in found.utterances[0].words) == "同学们，谁来说？"


def test_english_inside_mandarin_stays_whole(build: Build) -> None:
    text = "这个叫 numerator，对吗？"
    found = WhisperTranscriber(model=build(text)).transcribe(NOISE, SPEECH[:1], "zh-CN")
    assert texts(found) == ["这个叫numerator，对吗？"]
    assert "numerator，" in [w.text for w in found.utterances[0].words]


def test_unpunctuated_mandarin_is_punctuated(build: Build) -> None:
    found = WhisperTranscriber(model=build("三角形有几个角呢")).transcribe(NOISE, SPEECH[:1], "zh")
    assert texts(found) == ["三角形有几个角呢？"]


def test_a_stock_phrase_over_little_speech_is_dropped_and_reported(build: Build) -> None:
    # blips of 0.3 s, 1.9 s apart: a window with 0.9 s of speech in 4.7 s
    speech = [Span(1.0, 1.3), Span(3.2, 3.5), Span(5.4, 5.7)]
    engine = WhisperTranscriber(model=build("字幕由 Amara.org 社群提供", pace=0.35))
    found = engine.transcribe(NOISE, speech, "zh")
    assert texts(found) == []
    assert [d.reason for d in engine.dropped] == [Reason.STOCK_PHRASE]
    assert "Amara" in engine.dropped[0].text
    assert any("Amara" in note.en for note in engine.notes)


def test_a_window_that_whisper_itself_finds_silent_is_dropped(build: Build) -> None:
    engine = WhisperTranscriber(model=build("我们学习", no_speech=True, certainty=0.3))
    assert texts(engine.transcribe(NOISE, SPEECH[:1], "zh")) == []
    assert [d.reason for d in engine.dropped] == [Reason.NO_SPEECH]


def test_a_loop_that_no_temperature_breaks_is_said_once(build: Build) -> None:
    engine = WhisperTranscriber(model=build("我们学习分数，" * 6, certainty=2.0))
    found = engine.transcribe(NOISE, [Span(1.0, 15.0)], "zh")
    assert texts(found) == ["我们学习分数，"]
    assert [(d.reason, d.text) for d in engine.dropped] == [
        (Reason.REPETITION, "我们学习分数，" * 5)
    ]


def test_a_loop_is_broken_by_a_higher_temperature_and_told(build: Build) -> None:
    # gzip shrinks the loop by more than 2.4; sampling at temperature 1 changes some tokens
    engine = WhisperTranscriber(model=build("我们学习分数，" * 6, certainty=0.4))
    runs = [engine.transcribe(NOISE, [Span(1.0, 15.0)], "zh") for _ in range(2)]
    assert runs[0] == runs[1]
    assert "".join(texts(runs[0])) != "我们学习分数，" * 6
    assert any("1 of 1 windows were decoded at a higher temp" in n.en for n in engine.notes)


def test_the_mandarin_prompt_stands_before_every_window(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, object]] = []
    real = TextDecoder.decode

    def watched(
        self: TextDecoder, sound: EncodedSound, options: DecodingOptions
    ) -> list[DecodingResult]:
        seen.append((len(sound), options.prompt))
        return real(self, sound, options)

    monkeypatch.setattr(TextDecoder, "decode", watched)
    engine = WhisperTranscriber(model=build(LESSON), batch_size=2)
    engine.transcribe(NOISE, [Span(1, 5), Span(8, 12), Span(15, 19)], "zh")
    assert seen == [(2, "以下是普通话的句子。"), (1, "以下是普通话的句子。")]


def test_hot_words_are_in_the_prompt_and_in_the_version(build: Build) -> None:
    words = ("分子", "分母")
    engine = WhisperTranscriber(model=build(LESSON, hot_words=words), hot_words=words)
    assert texts(engine.transcribe(NOISE, SPEECH[:1], "zh"))[0] == "同学们好，今天我们学习分数。"
    assert "分子" in engine.version


def test_memory_that_does_not_suffice_halves_the_batch_for_good(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder refuses more than two windows, with the error torch raises on a full GPU:
    7 do not fit, 3 do not, 1 does."""
    speech = [Span(5.0 * i, 5.0 * i + 1.9) for i in range(7)]
    expected = WhisperTranscriber(model=build("好，谁来说？")).transcribe(NOISE, speech, "zh")
    sizes: list[int] = []
    real = whisper_torch.encode

    def small(model: Whisper, waves: Sequence[Samples], *, bf16: bool) -> torch.Tensor:
        sizes.append(len(waves))
        if len(waves) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(model, waves, bf16=bf16)

    monkeypatch.setattr(whisper_torch, "encode", small)
    engine = WhisperTranscriber(model=build("好，谁来说？"), batch_size=8)
    assert engine.transcribe(NOISE, speech, "zh") == expected
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert [n.en for n in engine.notes] == [
        "Memory did not suffice: windows were recognised 1 at a time."
    ]

    def none(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(whisper_torch, "encode", none)
    with pytest.raises(EngineError, match="smaller model"):
        engine.transcribe(NOISE, speech, "zh")


def test_other_errors_of_the_library_are_not_taken_for_memory(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(whisper_torch, "encode", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        WhisperTranscriber(model=build("好，谁来说？")).transcribe(NOISE, SPEECH, "zh")


def test_batches_of_any_size_and_beams_say_the_same(build: Build) -> None:
    speech = [Span(3.0 * i, 3.0 * i + 0.9) for i in range(6)]
    model = build("好，谁来说？")
    by_one = WhisperTranscriber(model=model, batch_size=1, bf16=False)
    by_four = WhisperTranscriber(model=model, batch_size=4, bf16=False, beam_size=2)
    assert by_one.transcribe(NOISE, speech, "zh") == by_four.transcribe(NOISE, speech, "zh")


def test_random_weights_of_the_true_architecture_run_through(tmp_path: Path) -> None:
    # nothing may depend on the scripted structure: 2 layers, 4 heads, 16 tokens a window
    torch.manual_seed(3)
    dims = ModelDimensions(80, 1500, 16, 4, 2, 51865, 32, 16, 4, 2)
    model = Whisper(dims)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path / "random.pt"
    torch.save({"dims": dims.__dict__, "model_state_dict": model.state_dict()}, path)
    runs = [WhisperTranscriber(model=path).transcribe(NOISE, SPEECH) for _ in range(2)]
    assert runs[0] == runs[1]
    for utterance in runs[0]:
        assert utterance.span is not None
        assert any(s.start <= utterance.span.start <= s.end for s in SPEECH)


def test_missing_weights_say_what_is_there_and_what_to_do(build: Build, tmp_path: Path) -> None:
    here = tmp_path / "base.pt"
    here.write_bytes(build(LESSON).read_bytes())
    with pytest.raises(MissingWeights) as error:
        WhisperTranscriber(model="no-such-model", folder=tmp_path).transcribe(NOISE, SPEECH)
    assert "no-such-model.pt" in error.value.en
    assert "base" in error.value.en
    assert str(tmp_path) in error.value.zh


def test_nothing_is_loaded_when_nothing_was_said(tmp_path: Path) -> None:
    engine = WhisperTranscriber(model="no-such-model", folder=tmp_path)
    assert engine.transcribe(NOISE, []) == Transcript("und", (), "whisper")


@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_a_damaged_checkpoint_is_named(build: Build, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "large-v3-turbo.pt"
    whole = build(LESSON).read_bytes()
    if damage == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"<html>404</html>")
    with pytest.raises(EngineError) as error:
        WhisperTranscriber(model="turbo", folder=tmp_path).transcribe(NOISE, SPEECH, "zh")
    assert "large-v3-turbo.pt" in error.value.en
    assert "large-v3-turbo.pt" in error.value.zh


def test_a_language_whisper_does_not_know_is_refused(build: Build) -> None:
    with pytest.raises(EngineError, match="xx"):
        WhisperTranscriber(model=build(LESSON)).transcribe(NOISE, SPEECH, "xx")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said(build: Build) -> None:
    with pytest.raises(EngineError, match="no GPU"):
        WhisperTranscriber(model=build(LESSON), device="cuda").transcribe(NOISE, SPEECH)


def test_torch_threads_are_as_before_afterwards(build: Build) -> None:
    before = torch.get_num_threads()
    WhisperTranscriber(model=build(LESSON), threads=2).transcribe(NOISE, SPEECH[:1], "zh")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("tag", "code"),
    [("zh-CN", "zh"), ("cmn", "zh"), ("EN_us", "en"), ("auto", None), (None, None), ("und", None)],
)
def test_language_tags(tag: str | None, code: str | None) -> None:
    assert primary_language(tag) == code
