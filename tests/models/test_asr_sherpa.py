"""SenseVoice and Paraformer through sherpa-onnx's own code, with ONNX files that are built here.

Exercised: loading, features, CTC and CIF decoding, languages, times, sentences, errors. The files
answer the same whatever they hear, so nothing is said about accuracy or speed of trained models.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.asr_sherpa import SherpaTranscriber, installed
from observer.errors import EngineError, MissingWeights
from observer.media import Audio
from observer.timeline import Span
from observer.transcript import Transcript

NOISE = Audio.of(np.random.default_rng(0).normal(scale=0.1, size=40 * Audio.RATE))
SPEECH = [Span(1.0, 6.0), Span(12.0, 17.0)]
SAID = ["同", "学", "们", "好", "，", "谁", "来", "说", "▁half", "？"]


@pytest.fixture(scope="module")
def sense_voice(onnx_script: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = onnx_script.sense_voice(tmp_path_factory.mktemp("weights") / "sv", SAID)
    return folder


def texts(transcript: Transcript) -> list[str]:
    return [u.text for u in transcript]


def test_sense_voice_says_its_tokens_at_their_times_with_its_marks(sense_voice: Path) -> None:
    engine = SherpaTranscriber(model=sense_voice)
    found = engine.transcribe(NOISE, SPEECH)
    assert found.language == "zh"
    assert engine.notes[0].en == "Language 'zh': heard in 2 of 2 windows."
    assert texts(found) == ["同学们好，谁来说half？"] * 2
    # the sound begins 0.2 s before the speech at 1.0: token k at 0.8 + 0.30 + 0.24 k
    words = found.utterances[0].words
    assert [w.text for w in words] == ["同", "学", "们", "好，", "谁", "来", "说", "half？"]
    assert [w.start for w in words[:4]] == pytest.approx([1.1, 1.34, 1.58, 1.82], abs=0.011)
    assert words[4].start == pytest.approx(0.8 + 0.3 + 5 * 0.24, abs=0.011)
    assert [w.end for w in words[:3]] == [w.start for w in words[1:4]]
    assert words[-1].end <= words[-1].start + 0.41


def test_sense_voice_votes_for_english(onnx_script: Any, tmp_path: Path) -> None:
    onnx_script.sense_voice(tmp_path, ["▁what", "▁is", "▁one", "▁ha", "lf", "?"], "en")
    found = SherpaTranscriber(model=tmp_path).transcribe(NOISE, SPEECH[:1])
    assert found.language == "en"
    assert texts(found) == ["what is one half?"]


def test_paraformer_gets_its_marks_and_joins_its_pieces(onnx_script: Any, tmp_path: Path) -> None:
    onnx_script.paraformer(tmp_path, ["谁", "来", "说", "hal@@", "ves", "吗"])
    engine = SherpaTranscriber(model=tmp_path)
    found = engine.transcribe(NOISE, SPEECH[:1], "zh-CN")
    assert texts(found) == ["谁来说halves吗？"]
    assert [w.start for w in found.utterances[0].words[:3]] == pytest.approx(
        [1.1, 1.34, 1.58], abs=0.011
    )


def test_a_paraformer_without_times_is_refused(onnx_script: Any, tmp_path: Path) -> None:
    onnx_script.paraformer(tmp_path, ["谁", "来"], times=False)
    with pytest.raises(EngineError, match="no times"):
        SherpaTranscriber(model=tmp_path).transcribe(NOISE, SPEECH, "zh")


def test_languages_a_model_lacks_are_refused(sense_voice: Path) -> None:
    with pytest.raises(EngineError, match="'fr'"):
        SherpaTranscriber(model=sense_voice).transcribe(NOISE, SPEECH, "fr")


def test_missing_and_damaged_models(sense_voice: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="observer models pull sense-voice-small"):
        SherpaTranscriber(folder=tmp_path).transcribe(NOISE, SPEECH)
    (tmp_path / "tokens.txt").write_bytes((sense_voice / "tokens.txt").read_bytes())
    with pytest.raises(EngineError, match=r"model\.onnx"):
        SherpaTranscriber(model=tmp_path).transcribe(NOISE, SPEECH, "zh")
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(EngineError, match="models check"):
        SherpaTranscriber(model=tmp_path).transcribe(NOISE, SPEECH, "zh")


def test_the_best_model_of_the_folder_is_taken(onnx_script: Any, tmp_path: Path) -> None:
    place = tmp_path / "sherpa-onnx"
    onnx_script.paraformer(place / "paraformer-zh", ["谁"])
    onnx_script.sense_voice(place / "sense-voice-small", ["谁"])
    (place / "half.part").mkdir()
    assert [p.name for p in installed(tmp_path)] == ["sense-voice-small", "paraformer-zh"]
    assert SherpaTranscriber(folder=tmp_path).weights.name == "sense-voice-small"
