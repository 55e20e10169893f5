"""What funasr's documented answers become; the library itself is not installed here.

Exercised: reading of its answers, batches, memory, marks, missing library, weights. Not exercised:
funasr's own loading and arithmetic (it needs torchaudio; see the module's docstring). The stand-in
below is the documented form of `AutoModel.generate` of funasr 1.4, nothing more.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.asr_funasr import FunasrTranscriber, marked, timed
from observer.errors import EngineError, MissingWeights
from observer.media import Audio
from observer.timeline import Span

NOISE = Audio.of(np.random.default_rng(0).normal(scale=0.1, size=40 * Audio.RATE))
SPEECH = [Span(1.0, 6.0), Span(12.0, 17.0), Span(22.0, 27.0)]
ANSWER = {
    "key": "x",
    "text": "谁 来 说 numerator 呢",
    "timestamp": [[300, 540], [540, 780], [780, 1000], [1100, 1600], [1600, 1800]],
}


class Documented:
    """Answers like funasr, for batches that fit into its memory."""

    def __init__(self, fits: int, text: str | None = None) -> None:
        self.fits = fits
        self.text = text
        """What ct-punc makes of it, if there is one."""
        self.asked: list[int] = []

    def generate(self, *, batch_size: int, **given: Any) -> list[dict[str, Any]]:
        assert given.get("return_raw_text", False) == (self.text is not None)
        waves = given["input"]
        self.asked.append(len(waves))
        assert batch_size == len(waves)
        assert all(wave.dtype == np.float32 for wave in waves)
        if len(waves) > self.fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if self.text is None:
            return [ANSWER for _ in waves]
        return [{**ANSWER, "text": self.text, "raw_text": ANSWER["text"]} for _ in waves]


def test_words_times_and_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FunasrTranscriber()
    monkeypatch.setattr(FunasrTranscriber, "_model", Documented(fits=1))
    found = engine.transcribe(NOISE, SPEECH, "zh")
    assert [u.text for u in found] == ["谁来说numerator呢？"] * 3
    words = found.utterances[0].words
    assert [(w.start, w.end) for w in words[:2]] == [(1.1, 1.34), (1.34, 1.58)]
    assert words[0].confidence is None
    assert engine._model.asked == [3, 1, 1, 1]  # three did not fit: halved, for good


def put_weights(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / "funasr" / name).mkdir(parents=True)
        for file in ("model.pt", "config.yaml"):
            (folder / "funasr" / name / file).write_bytes(name.encode())
    return folder


def test_ct_punc_sets_the_marks_where_its_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FunasrTranscriber(folder=put_weights(tmp_path, "ct-punc", "paraformer-large"))
    assert engine.weights.name == "paraformer-large"  # ct-punc has the same files
    monkeypatch.setattr(FunasrTranscriber, "_model", Documented(16, "谁来，说 Numerator, 呢？"))
    found = engine.transcribe(NOISE, SPEECH[:1], "zh")
    # no pause in it is long enough for a comma of ours: these are ct-punc's
    assert [u.text for u in found] == ["谁来，说Numerator,呢？"]
    assert len(found.utterances[0].words) == 5


def test_marks_are_laid_on_the_words_they_follow() -> None:
    assert marked(["好", "的"], "好，的。") == ["好，", "的。"]
    assert marked(["so", "what", "呢"], "So what? 呢") == ["So", "what?", "呢"]
    # another text, or more of it: no marks rather than wrong ones
    assert marked(["好", "的"], "好，得。") == ["好", "的"]
    assert marked(["好", "的"], "好的。啊") == ["好", "的"]


def test_text_and_times_that_do_not_fit_are_refused() -> None:
    with pytest.raises(EngineError, match="do not fit"):
        timed({"text": "谁 来", "timestamp": [[0, 100]]})


def test_other_languages_are_refused() -> None:
    with pytest.raises(EngineError, match="Mandarin only"):
        FunasrTranscriber().transcribe(NOISE, SPEECH, "en")


def test_missing_weights_and_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingWeights, match="observer models pull paraformer-large"):
        _ = FunasrTranscriber(folder=tmp_path).weights
    import models.engine_folders as place

    monkeypatch.setattr(place, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match=r"observer\[funasr\]"):
        FunasrTranscriber(folder=tmp_path).transcribe(NOISE, SPEECH, "zh")
