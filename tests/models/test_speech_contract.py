"""What every Vad, Diarizer and RoleAssigner must keep to, whatever its name.

Not exercised: "pyannote" (pyannote.audio cannot be imported beside a CPU build of torch;
test_diarization_engines.py reads its documented answers) and "sherpa-onnx" with real weights:
here its library runs with made-up models (conftest.voice_models), which shows that it is called
rightly and not how well it tells voices apart.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models import DIARIZERS, ROLES, VADS, load
from observer.engines import Diarizer
from observer.media import Audio
from observer.timeline import Role, Span, complement, total

SILENT = Audio.of(np.zeros(16000 * 3))
EMPTY = Audio.of(np.zeros(0))
TINY = Audio.of(0.1 * np.random.default_rng(0).standard_normal(4800))


@pytest.fixture(scope="module")
def lesson(fixture_lesson: Audio) -> Audio:
    """The first minute of the Mandarin fixture."""
    return Audio(fixture_lesson.samples[: 16000 * 60])


@pytest.fixture(scope="module")
def speech(lesson: Audio) -> list[Span]:
    return load(VADS, "silero").speech(lesson)


Make = Callable[..., Diarizer]


@pytest.fixture(scope="module", params=sorted(DIARIZERS.keys() - {"pyannote"}))
def diarizer(request: pytest.FixtureRequest, voices_folder: Path) -> Make:
    """Builds the diarizer anew; a new engine in the table needs its settings here."""
    settings = {"ge2e": {}, "sherpa-onnx": {"folder": voices_folder}}[request.param]
    return lambda **more: load(DIARIZERS, request.param, **settings, **more)


@pytest.mark.parametrize("table", [VADS, ROLES], ids=["vad", "roles"])
def test_an_engine_is_called_as_in_its_table(table: Mapping[str, str]) -> None:
    for name in table:
        engine = load(table, name)
        assert engine.name == name
        assert engine.version
        assert load(table, name, threads=2).version == engine.version


def test_a_diarizer_is_called_as_in_its_table(diarizer: Make) -> None:
    engine = diarizer()
    assert engine.name in DIARIZERS
    assert engine.version
    assert diarizer(threads=2).version == engine.version


@pytest.mark.parametrize("name", VADS)
def test_speech_is_disjoint_in_order_and_repeatable(name: str, lesson: Audio) -> None:
    heard: list[float] = []
    found = load(VADS, name).speech(lesson, heard.append)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(0 <= s.start < s.end <= lesson.duration for s in found)
    assert 10 < total(found) < 50
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)
    assert load(VADS, name).speech(lesson) == found


@pytest.mark.parametrize("name", VADS)
@pytest.mark.parametrize("audio", [EMPTY, TINY, SILENT], ids=["empty", "tiny", "silent"])
def test_nothing_to_hear_is_no_speech(name: str, audio: Audio) -> None:
    assert load(VADS, name).speech(audio) == []


def test_speakers_cover_the_speech(diarizer: Make, lesson: Audio, speech: list[Span]) -> None:
    heard: list[float] = []
    found = diarizer().diarize(lesson, speech, None, heard.append)
    assert [s.start for s in found] == sorted(s.start for s in found)
    assert {s.speaker for s in found} == {"main", "others"}
    assert all(0.5 <= s.probability <= 1 for s in found if s.speaker == "main")
    assert all(0 <= s.probability <= 1 for s in found)
    assert total(s.span for s in found) == pytest.approx(total(speech), abs=0.01)
    assert heard == sorted(heard)
    assert diarizer().diarize(lesson, speech) == found


def test_a_listener_can_stop_the_work(diarizer: Make, lesson: Audio, speech: list[Span]) -> None:
    class Stop(Exception):
        """What a caller raises to stop."""

    def stop(_share: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        diarizer().diarize(lesson, speech, None, stop)


def test_short_and_silent_speech_is_diarized(diarizer: Make) -> None:
    engine = diarizer()
    assert engine.diarize(SILENT, []) == []
    assert len(engine.diarize(TINY, [Span(0.0, 0.3)])) == 1
    assert len(engine.diarize(SILENT, [Span(0.0, 3.0)])) >= 1


@pytest.mark.parametrize("name", ROLES)
def test_the_timeline_covers_the_recording(name: str, lesson: Audio, speech: list[Span]) -> None:
    speakers = load(DIARIZERS, "ge2e").diarize(lesson, speech)
    timeline = load(ROLES, name).assign(lesson, speech, speakers)
    assert [s.start for s in timeline] == sorted(s.start for s in timeline)
    assert complement((s.span for s in timeline), Span(0, lesson.duration)) == []
    assert all(0 <= s.start < s.end <= lesson.duration for s in timeline)
    assert all(0.5 <= s.probability <= 1 for s in timeline)
    silent = [s.span for s in timeline if s.role == Role.SILENCE]
    voiced = [s.span for s in timeline if s.role != Role.SILENCE]
    assert total([*silent, *voiced]) == pytest.approx(total(silent) + total(voiced))


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("audio", [TINY, SILENT], ids=["tiny", "silent"])
def test_no_speech_is_silence(name: str, audio: Audio) -> None:
    timeline = load(ROLES, name).assign(audio, [], [])
    assert [(s.start, s.end, s.role) for s in timeline] == [(0.0, audio.duration, Role.SILENCE)]


@pytest.mark.parametrize("name", ROLES)
def test_an_empty_recording_has_an_empty_timeline(name: str) -> None:
    assert load(ROLES, name).assign(EMPTY, [], []) == []
