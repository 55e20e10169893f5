"""What every engine of a kind must do, whichever it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from models.scripted import scripted_checkpoint
from models.whisper_conversion import convert
from observer.engines import Transcriber
from observer.errors import UnknownEngine
from observer.media import Audio, decode
from observer.timeline import Span
from observer.transcript import Transcript, Utterance, Word

LESSON = Path(__file__).parents[2] / "fixtures" / "lessons" / "en_fractions.opus"

# 0.8      2.3   4.4   5.4   9.8      12.3   (s)    speech of the lesson's first 13 seconds
SPEECH = [Span(0.8, 2.35), Span(4.38, 5.42), Span(9.8, 11.0), Span(11.2, 12.3)]

GIVEN = Transcript(
    "en",
    (
        Utterance("a", "Good morning.", 0.8, 2.3, words=(Word("Good", 0.8, 1.2),)),
        Utterance("b", "Nobody said this.", 7.0, 8.0),
        Utterance("c", "Today.", 9.9, 14.0, speaker="T"),
    ),
)

Make = Callable[[], Transcriber]


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    _, whole = decode(LESSON, tmp_path_factory.mktemp("sound") / "audio.s16")
    return Audio(np.array(whole.samples[: 13 * Audio.RATE]))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "scripted.pt"
    return scripted_checkpoint(path, " Good morning. What is a half?", "en", pace=0.15)


@pytest.fixture(scope="module")
def converted(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoint in CTranslate2's format."""
    return convert(weights, tmp_path_factory.mktemp("weights") / "scripted")


@pytest.fixture(scope="module")
def spoken(onnx_script: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SenseVoice that says “good morning”."""
    tokens = ["▁good", "▁mor", "ning", "."]
    folder: Path = onnx_script.sense_voice(tmp_path_factory.mktemp("weights"), tokens, "en")
    return folder


@pytest.fixture(scope="module", params=sorted(set(models.TRANSCRIBERS) - {"funasr"}))
def make(request: pytest.FixtureRequest, weights: Path, converted: Path, spoken: Path) -> Make:
    """Builds the transcriber anew; a new engine in the table needs its settings here.

    funasr cannot be installed beside a CPU build of torch: test_asr_funasr.py says what is tested.
    """
    settings = {
        "whisper": {"model": weights},
        "faster-whisper": {"model": converted},
        "sherpa-onnx": {"model": spoken},
        "pocketsphinx": {},
        "replay": {"transcript": GIVEN},
    }
    return lambda: models.load(models.TRANSCRIBERS, request.param, **settings[request.param])


@pytest.fixture(scope="module")
def found(make: Make, audio: Audio) -> tuple[Transcript, list[float]]:
    heard: list[float] = []
    return make().transcribe(audio, SPEECH, "en", heard.append), heard


Found = tuple[Transcript, list[float]]


def test_a_transcriber_names_itself_its_version_and_its_trust(make: Make) -> None:
    engine = make()
    assert engine.name in models.TRANSCRIBERS
    assert engine.version
    assert isinstance(engine.low_accuracy, bool)


def test_utterances_are_numbered_in_order_and_inside_the_sound(found: Found, audio: Audio) -> None:
    transcript, _ = found
    assert len(transcript) > 0
    assert [u.id for u in transcript] == [f"u{n}" for n in range(1, len(transcript) + 1)]
    spans = [u.span for u in transcript]
    assert all(s is not None and 0 <= s.start <= s.end <= audio.duration for s in spans)
    starts = [s.start for s in spans if s is not None]
    assert starts == sorted(starts)


def test_utterances_touch_speech_and_say_something(found: Found) -> None:
    for utterance in found[0]:
        assert utterance.text.strip()
        assert utterance.span is not None
        assert any(utterance.span.overlap(s) > 0 for s in SPEECH)


def test_words_are_in_order_inside_their_utterance(found: Found) -> None:
    for utterance in found[0]:
        assert utterance.span is not None
        times = [t for w in utterance.words for t in (w.start, w.end)]
        assert times == sorted(times)
        assert all(utterance.span.start <= t <= utterance.span.end for t in times)
        assert all(w.confidence is None or 0 <= w.confidence <= 1 for w in utterance.words)


def test_nobody_is_named_yet(found: Found) -> None:
    assert all(u.role is None and u.speaker is None for u in found[0])
    assert found[0].language == "en"
    assert found[0].source in models.TRANSCRIBERS


def test_progress_grows_and_reaches_one(found: Found) -> None:
    assert found[1] == sorted(found[1])
    assert found[1][-1] == 1.0


def test_no_speech_no_words(make: Make, audio: Audio) -> None:
    heard: list[float] = []
    transcript = make().transcribe(audio, [], "en", heard.append)
    assert transcript.utterances == ()
    assert heard[-1] == 1.0


def test_the_same_sound_gives_the_same_words(make: Make, audio: Audio, found: Found) -> None:
    engine = make()
    assert engine.transcribe(audio, SPEECH, "en") == found[0]
    if engine.name != "pocketsphinx":  # slow; its second run is the line above
        assert engine.transcribe(audio, SPEECH, "en") == found[0]
    assert engine.version == make().version


def test_work_can_be_stopped(make: Make, audio: Audio) -> None:
    class Stopped(Exception):
        pass

    def stop(_share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        make().transcribe(audio, SPEECH[:1], "en", stop)


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(UnknownEngine, match="faster-whisper, funasr, pocketsphinx, replay, sherpa"):
        models.load(models.TRANSCRIBERS, "siri")
