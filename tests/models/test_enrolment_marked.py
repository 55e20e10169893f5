"""`--teacher-at`: a stretch of the recording itself says which voice is the teacher's.

The lesson is a seminar cut out of the English fixture: one voice (the fixture's T) holds forth
all through it, another (C) says a sentence after every six of those. Here C is the teacher. The
voice that is always there is T's, so without a hint it is taken for the teacher's.

    TTTTTT C TTTTTT C TTTTTT C …      24 sentences of T (55 s), 4 of C (13 s), pauses of 0.8 s
"""

import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.compose import EngineNames, build
from observer.checkpoints import Checkpoints
from observer.errors import UsageError
from observer.hearing import Heard, Hearing, marked_stretches, marked_voice
from observer.job import Engines, Plan, Settings, Source
from observer.media import Audio, decode
from observer.timeline import Role, Span, intersection, total

LESSON = Path(__file__).parents[2] / "fixtures" / "lessons" / "en_fractions"
RATE = Audio.RATE


@dataclass(frozen=True)
class Seminar:
    """The made lesson, and where its teacher and its student truly speak."""

    path: Path
    teacher: list[Span]
    student: list[Span]


@pytest.fixture(scope="module")
def seminar(tmp_path_factory: pytest.TempPathFactory) -> Seminar:
    folder = tmp_path_factory.mktemp("seminar")
    _, lesson = decode(LESSON.with_suffix(".opus"), folder / "audio.s16")
    said = json.loads(LESSON.with_suffix(".json").read_text("utf-8"))["segments"]
    voice = {w: [s for s in said if s["speaker"] == w and s["kind"] == "speech"] for w in "TC"}
    order: list[dict[str, Any]] = []
    for number, sentence in enumerate(voice["T"][:24], 1):
        order.append(sentence)
        if number % 6 == 0:
            order.append(voice["C"][number // 6 % len(voice["C"])])
    pause, sound = np.zeros(int(0.8 * RATE), np.int16), [np.zeros(RATE, np.int16)]
    spans: dict[str, list[Span]] = {"T": [], "C": []}
    for part in order:
        start = sum(map(len, sound)) / RATE
        sound += [lesson.samples[int(part["start"] * RATE) : int(part["end"] * RATE)], pause]
        spans[part["speaker"]].append(Span(start, start + len(sound[-2]) / RATE))
    with wave.open(str(folder / "seminar.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate(sound).tobytes())
    return Seminar(folder / "seminar.wav", spans["C"], spans["T"])


@pytest.fixture(scope="module")
def engines() -> Engines:
    names = EngineNames(asr="none")
    return build(names, language="en", report_language="en", weights=None, has_transcript=False)


def hear(seminar: Seminar, engines: Engines, folder: Path, *marked: Span) -> Heard:
    source = Source(seminar.path, teacher_at=marked)
    plan = Plan.of(source, engines, lambda _step: None)
    hearing = Hearing(seminar.path, source, engines, Settings(), Checkpoints(folder), plan)
    try:
        return hearing.hear()
    finally:
        hearing.close()


def taught(heard: Heard, voice: list[Span]) -> float:
    """Share of what this voice says that is the teacher's by the timeline."""
    teacher = [s.span for s in heard.timeline if s.role is Role.TEACHER]
    return total(intersection(teacher, voice)) / total(voice)


def test_a_marked_stretch_turns_a_seminar_the_right_way_round(
    seminar: Seminar, engines: Engines, tmp_path: Path
) -> None:
    wrong = hear(seminar, engines, tmp_path)
    assert taught(wrong, seminar.student) > 0.8
    assert taught(wrong, seminar.teacher) < 0.2
    longest = max(seminar.teacher, key=lambda span: span.duration)  # 4.5 s: one answer is enough
    right = hear(seminar, engines, tmp_path, longest)
    assert taught(right, seminar.student) < 0.2
    assert taught(right, seminar.teacher) > 0.8
    assert right.key != wrong.key  # the same folder: nothing of the first run was taken again


def test_stretches_as_people_write_them() -> None:
    assert marked_stretches("3:10-3:40") == (Span(190, 220),)
    assert marked_stretches("190–220， 1:02:05～1:02:30") == (Span(190, 220), Span(3725, 3750))
    assert marked_stretches("3:30-3:50, 3:10-3:40") == (Span(190, 230),)  # they overlap


@pytest.mark.parametrize("text", ["3:10", "3:40-3:10", "3:10-3:10", "a-b", "3:75:00-4", "", ","])
def test_what_is_no_stretch_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--teacher-at") as error:
        marked_stretches(text)
    assert "--teacher-at" in error.value.zh


def test_the_clip_is_the_speech_inside_the_stretches() -> None:
    # speech   ##.###....####     stretches  |---|  |---|
    #          0 1 2 3   7   11              .5  4  6   9     → .5-1, 2-4 and 7-9: 4.5 s
    audio = Audio(np.arange(12 * RATE).astype(np.int16))
    speech = [Span(0, 1), Span(2, 5), Span(7, 11)]
    clip = marked_voice(audio, speech, [Span(0.5, 4), Span(6, 9)])
    assert clip.duration == pytest.approx(4.5)
    assert clip.samples[0] == audio.samples[RATE // 2]
    assert clip.samples[-1] == audio.samples[9 * RATE - 1]


def test_stretches_outside_or_nearly_silent_are_refused() -> None:
    audio = Audio(np.zeros(60 * RATE, np.int16))
    with pytest.raises(UsageError, match=r"00:00:50-00:01:10 lies outside .* 00:01:00 long") as out:
        marked_voice(audio, [Span(0, 60)], [Span(50, 70)])
    with pytest.raises(UsageError, match=r"only 2\.5 s of speech") as little:
        marked_voice(audio, [Span(0, 12.5)], [Span(10, 30)])
    assert "超出了录音范围" in out.value.zh
    assert "2.5 秒" in little.value.zh


def test_a_stretch_needs_a_recording_and_no_clip_beside_it() -> None:
    with pytest.raises(UsageError, match="need a recording"):
        Source(transcript=Path("a.srt"), teacher_at=(Span(1, 9),))
    with pytest.raises(UsageError, match="not both"):
        Source(Path("a.mp3"), teacher_voice=Path("b.wav"), teacher_at=(Span(1, 9),))
