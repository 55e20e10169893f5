"""Engines that tell voices apart themselves, and how their voices become main and others.

Exercised: which voice is the main one, leftovers, overlaps and probabilities, by hand; sherpa-onnx
2.0 on made-up models; what pyannote.audio 4 answers in its documented form, as a real
`pyannote.core.Annotation`. Not exercised: real weights of either, and pyannote.audio's own
loading and arithmetic (it cannot be imported beside a CPU build of torch).
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from models import DIARIZERS, VADS, load
from models.diarization_clusters import attributed
from models.diarization_pyannote import PyannoteDiarizer, check_config
from models.diarization_sherpa import SherpaDiarizer, shift_ratio
from observer.engines import SpeakerSpan
from observer.errors import EngineError, MissingWeights
from observer.media import Audio
from observer.timeline import Span, intersection, total

LESSON = Path(__file__).parents[2] / "fixtures" / "lessons" / "zh_triangle.json"


def span(start: float, end: float, speaker: str, probability: float = 1.0) -> SpeakerSpan:
    return SpeakerSpan(start, end, speaker, probability)


def told(found: list[SpeakerSpan]) -> list[tuple[float, float, str]]:
    return [(s.start, s.end, s.speaker) for s in found]


def test_the_voice_that_the_witness_hears_as_the_teachers_is_the_main_one() -> None:
    # speech   ##########..##########     witness says main in 0-6 and 12-20
    #          0        10 12       22
    # engine   1 in 0-5 and 12-22 (15 s, of which 13 shared), 0 in 5-10 (1 of 5 s shared)
    speech = [Span(0, 10), Span(12, 22)]
    witness = [
        span(0, 6, "main", 0.8), span(6, 10, "others", 0.9),
        span(12, 20, "main", 0.8), span(20, 22, "others", 0.6),
    ]  # fmt: skip
    turns = [span(0, 5, "1"), span(5, 10, "0"), span(12, 22, "1")]
    found = attributed(turns, witness, speech)
    assert told(found) == [(0, 5, "main"), (5, 10, "others"), (12, 22, "main")]
    # 0-5: both say main: .9·.8 / (.9·.8 + .1·.2) = .973
    # 5-10: the witness says others with (1·.2 + 4·.9)/5 = .76: .684 / (.684 + .024) = .966
    # 12-22: (8·.8 + 2·.4)/10 = .72 → .648 / (.648 + .028) = .959
    assert [s.probability for s in found] == pytest.approx([0.973, 0.966, 0.959], abs=5e-4)


def test_doubt_about_the_whole_lesson_is_not_lessened_by_the_engine() -> None:
    # the witness's .68 holds a doubt of .2: without it (.68 - .2)/(1 - .4) = .8 → .973 as above,
    # and with it again .973·.8 + .027·.2 = .784
    found = attributed([span(0, 5, "a")], [span(0, 5, "main", 0.68)], [Span(0, 5)], swap=0.2)
    assert found[0].probability == pytest.approx(0.784, abs=5e-4)
    even = attributed([span(0, 5, "a")], [span(0, 5, "main", 0.5)], [Span(0, 5)], swap=0.5)
    assert even[0].probability == 0.5


def test_the_witness_doubts_an_engine_but_does_not_overrule_it() -> None:
    witness = [span(0, 8, "main", 0.9), span(8, 10, "main", 0.99)]
    found = attributed([span(0, 8, "a"), span(8, 10, "b")], witness, [Span(0, 10)])
    # b shares all its time with the main voice: it is the same voice, split by the engine
    assert {s.speaker for s in found} == {"main"}
    mixed = [span(0, 8, "main", 0.9), span(8, 9.7, "main", 0.99), span(9.7, 10, "others", 0.99)]
    found = attributed([span(0, 8, "a"), span(8, 10, "b")], mixed, [Span(0, 10)])
    # .85 of it is below SAME: it stays another voice, but not a sure one:
    # (1.7·.01 + .3·.99)/2 = .157 → .9·.157 / (.9·.157 + .1·.843) = .626
    assert told(found) == [(0, 8, "main"), (8, 10, "others")]
    assert found[1].probability == pytest.approx(0.626, abs=5e-4)


def test_overlapping_voices_overlap_and_leftovers_find_a_voice() -> None:
    # speech   ####################  0-10           engine a 0.2-4, b 3-7; 7-7.3 and 9-10 nobody
    speech = [Span(0, 7.3), Span(9, 10)]
    witness = [span(0, 4, "main"), span(4, 7.3, "others"), span(9, 10, "main", 0.7)]
    found = attributed([span(0.2, 4, "a"), span(3, 7, "b")], witness, speech)
    # .2 s and .3 s at the edges go to the voice beside them; 9-10 is as the witness says
    assert told(found) == [(0, 4, "main"), (3, 7.3, "others"), (9, 10, "main")]
    assert found[2].probability == 0.7


def test_without_any_turn_the_witness_decides() -> None:
    witness = [span(0, 4, "main", 0.8), span(4, 6, "others", 0.7)]
    assert attributed([], witness, [Span(0, 6)]) == witness


def test_long_recordings_are_looked_at_in_larger_steps() -> None:
    assert shift_ratio(45 * 60, 10.0) == 0.1
    assert shift_ratio(2 * 3600, 10.0) == pytest.approx(0.18)  # 7200 s / (4000 · 10 s)
    assert shift_ratio(24 * 3600, 10.0) == 1.0


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        ({"num_classes": None}, "num_classes"),
        ({"output_dim": None}, "output_dim"),
        ({"framework": "mine"}, "framework=3d-speaker"),
        ({"sample_rate": 8000}, "sample_rate=16000"),
    ],
)
def test_models_that_would_end_the_program_are_refused(
    tmp_path: Path, make_voice_models: Callable[..., Path], lack: dict[str, Any], said: str
) -> None:
    engine = SherpaDiarizer(folder=make_voice_models(tmp_path, **lack))
    with pytest.raises(EngineError, match=said):
        engine.diarize(Audio.of(np.zeros(16000)), [Span(0, 1)])


def test_damaged_and_missing_models_are_named(tmp_path: Path, voices_folder: Path) -> None:
    with pytest.raises(MissingWeights) as error:
        _ = SherpaDiarizer(folder=tmp_path).version
    both = "observer models pull pyannote-segmentation && observer models pull campplus-zh"
    assert both in error.value.en
    assert both in error.value.zh
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(b"\x08\x08 not a model")
    whole = voices_folder / "sherpa-onnx" / "campplus-zh" / "model.onnx"
    engine = SherpaDiarizer(segmentation=damaged, embedding=whole)
    with pytest.raises(EngineError, match="observer models check"):
        engine.diarize(Audio.of(np.zeros(16000)), [Span(0, 1)])


class Documented:
    """A pipeline of pyannote.audio 4 that hears what it is given, as its documentation says."""

    def __init__(self, turns: list[tuple[float, float, str]]) -> None:
        self.found = Annotation()
        for number, (start, end, speaker) in enumerate(turns):
            self.found[Segment(start, end), number] = speaker

    def __call__(self, file: dict[str, Any], *, hook: Callable[..., None]) -> SimpleNamespace:
        assert file["sample_rate"] == 16000
        assert file["waveform"].shape[0] == 1
        for step in ("segmentation", "speaker_counting", "embeddings", "discrete_diarization"):
            for completed in (1, 2):
                hook(step, None, file=file, total=2, completed=completed)
        return SimpleNamespace(speaker_diarization=self.found)


def test_pyannotes_voices_become_teacher_and_others(
    fixture_lesson: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the truth of the lesson's first 90 s, voice by voice, the teacher comes out of it."""
    lesson = Audio(fixture_lesson.samples[: 90 * Audio.RATE])
    said = [s for s in json.loads(LESSON.read_text("utf-8"))["segments"] if s["end"] < 90]
    turns = [(a, b, f"SPEAKER_{ord(s['speaker'])}") for s in said for a, b in s["speech"]]
    monkeypatch.setattr(PyannoteDiarizer, "_pipeline", Documented(turns))
    heard: list[float] = []
    speech = load(VADS, "silero").speech(lesson)
    found = load(DIARIZERS, "pyannote").diarize(lesson, speech, None, heard.append)
    taught = [Span(a, b) for s in said if s["role"] == "teacher" for a, b in s["speech"]]
    rest = [Span(a, b) for s in said if s["role"] != "teacher" for a, b in s["speech"]]
    main = [s.span for s in found if s.speaker == "main"]
    assert total(intersection(main, taught)) > 0.97 * total(intersection(speech, taught))
    assert total(intersection(main, rest)) < 0.1 * total(rest)
    assert total(s.span for s in found) == pytest.approx(total(speech), abs=0.01)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)


def pyannote_folder(folder: Path, config: str) -> Path:
    place = folder / "pyannote" / "speaker-diarization-community-1"
    (place / "embedding").mkdir(parents=True)
    (place / "config.yaml").write_text(config, "utf-8")
    (place / "embedding" / "pytorch_model.bin").write_bytes(b"weights")
    return folder


def test_pyannote_says_why_it_cannot_run_here_and_how_its_weights_are_had(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="accept its terms") as missing:
        _ = PyannoteDiarizer(folder=tmp_path).version
    assert "CC-BY-4.0" in missing.value.zh
    engine = PyannoteDiarizer(folder=pyannote_folder(tmp_path, "pipeline: {}"))
    with pytest.raises(EngineError, match=r"pyannote\.audio .*torchaudio") as error:
        _ = engine.version
    assert "--diarizer sherpa-onnx" in error.value.zh


GOOD = """
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params: {segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda}
params: {clustering: {threshold: 0.6}}
"""


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (GOOD, None),
        (GOOD.replace("pyannote.audio.pipelines.SpeakerDiarization", "os.system"), "pipeline"),
        (GOOD + "preprocessors: {audio: {name: os.system, params: {command: x}}}", "preprocessors"),
        (GOOD.replace("$model/embedding", "somebody/embedding"), "embedding"),
        ("[a, b", "ParserError"),
        ("just words", "pipeline"),
    ],
)
def test_a_pipeline_that_would_run_or_fetch_something_else_is_refused(
    tmp_path: Path, config: str, what: str | None
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config, "utf-8")
    if what is None:
        check_config(path)
    else:
        with pytest.raises(EngineError, match=rf"\({what}\)"):
            check_config(path)
