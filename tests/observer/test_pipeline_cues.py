"""The main job with words: they reach the timeline, the utterances, the notes and a checkpoint."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from models.questions import RuleLabeller
from models.role_cues import WordCues
from observer.engines import MAIN_SPEAKER, SpeakerSpan, Swap
from observer.job import Engines, Settings, Source
from observer.observation import Observation
from observer.pipeline import observe
from observer.timeline import Role, RoleSpan, Span
from tests.media_files import write_media

LINES = """
T Good morning, everybody. Today we are going to look at seeds.
T Who can tell me what a seed is made of?
S A shell and some food.
T Very good. So what does the food do?
S It helps it grow.
T Okay, and why would a plant send its seeds so far away?
S Because they take each other's light.
T Excellent. Does anyone have another idea?
S I think maybe the animals carry them.
T Great. Can you explain how they do that?
S Um, they eat it and walk.
T Open your books, please, and write that down.
""".strip().splitlines()
SPANS = [Span(3.0 * i, 3.0 * i + 2.5) for i in range(len(LINES))]
SECONDS = 3.0 * len(LINES)


@dataclass
class Scripted:
    """Voice activity, voices and roles of a lesson whose sound holds them the wrong way round."""

    name: str = "scripted"
    version: str = "1"
    notes: tuple = ()
    swap: Swap = field(default_factory=lambda: Swap(0.3))

    def speech(self, audio, on_progress=None):
        return SPANS

    def diarize(self, audio, speech, teacher_voice=None, on_progress=None):
        voices = [("others", MAIN_SPEAKER)[line[0] == "S"] for line in LINES]
        return [SpeakerSpan(s.start, s.end, v, 0.7) for s, v in zip(SPANS, voices, strict=True)]

    def assign(self, audio, speech, speakers, on_progress=None):
        role = {MAIN_SPEAKER: Role.TEACHER, "others": Role.STUDENT}
        return [RoleSpan(s.start, s.end, role[s.speaker], s.probability) for s in speakers]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise that is loud where somebody speaks."""
    rate = 44_100
    wave = np.random.default_rng(0).normal(0, 0.001, round(SECONDS * rate))
    for span in SPANS:
        first, last = round(span.start * rate), round(span.end * rate)
        wave[first:last] *= 100
    path = tmp_path_factory.mktemp("lesson") / "lesson.wav"
    return write_media(path, [wave])


def transcript(folder: Path, *, declared: bool) -> Path:
    """The lesson's words as subtitles; `declared` says who speaks."""
    label = {"T": "Teacher: ", "S": "Student: "} if declared else {"T": "", "S": ""}
    cues = [
        f"00:00:{s.start:06.3f} --> 00:00:{s.end:06.3f}\n{label[line[0]]}{line[2:]}\n"
        for s, line in zip(SPANS, LINES, strict=True)
    ]
    path = folder / "lesson.vtt"
    path.write_text("WEBVTT\n\n" + "\n".join(cues), "utf-8")
    return path


def observed(recording: Path, words: Path, folder: Path, *, cues: bool) -> Observation:
    scripted = Scripted()
    engines = Engines(
        vad=scripted,
        diarizer=scripted,
        roles=scripted,
        labeller=RuleLabeller(),
        cues=WordCues() if cues else None,
    )
    settings = Settings(language="en", report_language="en")
    return observe(Source(recording, words), engines, settings, folder / "work")


def figure(observation: Observation, name: str) -> tuple[float | None, float | None, float | None]:
    found = next(i for i in observation.indicators if i.name == name)
    return found.value, found.low, found.high


def test_words_without_labels_settle_who_the_teacher_is(recording: Path, tmp_path: Path) -> None:
    """Seven of twelve equal stretches are the teacher's: 7 / 12 = .583; by the sound 5 / 12."""
    words = transcript(tmp_path, declared=False)
    sound = observed(recording, words, tmp_path / "a", cues=False)
    both = observed(recording, words, tmp_path / "b", cues=True)
    assert figure(sound, "teacher_share_of_speech")[0] == pytest.approx(5 / 12, abs=0.001)
    assert figure(both, "teacher_share_of_speech")[0] == pytest.approx(7 / 12, abs=0.001)
    assert both.transcript.utterances[1].role is Role.TEACHER
    assert any("exchanged" in note for note in both.provenance.notes)
    assert "role_cues" in {e.kind for e in both.provenance.engines}
    assert (tmp_path / "b" / "work" / "role_cues.json").exists()
    assert observed(recording, words, tmp_path / "b", cues=True) == both


def test_declared_roles_stay_and_turn_the_sound(recording: Path, tmp_path: Path) -> None:
    words = transcript(tmp_path, declared=True)
    found = observed(recording, words, tmp_path, cues=True)
    roles = {u.text: u.role for u in found.transcript}
    assert roles["A shell and some food."] is Role.STUDENT
    assert roles["Who can tell me what a seed is made of?"] is Role.TEACHER
    assert all(u.role_probability is None for u in found.transcript)
    assert figure(found, "teacher_share_of_speech")[0] == pytest.approx(7 / 12, abs=0.001)
