"""Scores roles against labelled lessons: talk shares, diarization error, waits, calibration."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from models import DIARIZERS, ROLES, VADS, load
from models.labelled import Truth, labelled_lessons, read_truth
from observer.engines import Diarizer, RoleAssigner, Vad
from observer.media import decode
from observer.timeline import Role, RoleSpan, Seconds, Span, of_role

Flags = npt.NDArray[np.bool_]
STEP: Seconds = 0.01
"""Times are compared on a grid of 10 ms."""
COLLAR: Seconds = 0.25
"""Left out around every true boundary, half before and half after (as pyannote.metrics does)."""
BINS = 10
MATCH: Seconds = 1.0
"""A boundary found further than this from the true one is missed."""
STUDENTS = (Role.STUDENT, Role.CHORAL, Role.GROUP)


@dataclass(frozen=True, slots=True)
class Reliability:
    """One bin of the reliability diagram."""

    low: float
    high: float
    seconds: Seconds
    stated: float
    """Mean probability that was stated."""
    right: float
    """Share of the time in which it was right."""


@dataclass(frozen=True, slots=True)
class LessonScore:
    """One lesson: truth and estimate side by side; times in seconds, errors as shares."""

    lesson: str
    duration: Seconds
    teacher_share: float | None
    """True T / (T + S); None when nobody speaks."""
    teacher_share_found: float | None
    student_share: float | None
    """True S / (T + S)."""
    student_share_found: float | None
    error_rate: float | None
    """Teacher/student diarization error: (missed + false alarm + confusion) / true speech."""
    missed: float | None
    false_alarm: float | None
    confusion: float | None
    choral: Seconds | None
    choral_found: Seconds
    group: Seconds | None
    group_found: Seconds
    wait_boundaries: tuple[Seconds, ...]
    """Signed errors (found - true) at the teacher's ends and students' starts around waits."""
    waits_missed: int
    """Boundaries without a counterpart within a second."""
    reliability: tuple[Reliability, ...]

    @property
    def share_error(self) -> float | None:
        """Estimate minus truth of teacher_share_of_speech."""
        if self.teacher_share is None or self.teacher_share_found is None:
            return None
        return self.teacher_share_found - self.teacher_share


@dataclass(frozen=True, slots=True)
class RolesEvaluation:
    """All lessons of a folder, and what they have in common."""

    lessons: tuple[LessonScore, ...]
    engines: tuple[str, ...]
    mean_share_error: float | None
    """Mean absolute error of teacher_share_of_speech."""
    worst_share_error: float | None
    error_rate: float | None
    """Mean teacher/student diarization error."""
    wait_boundary_error: Seconds | None
    """Median absolute error of the boundaries of waits."""
    calibration_error: float | None
    """Expected calibration error of teacher and student probabilities, weighted by time."""
    reliability: tuple[Reliability, ...]


def evaluate_roles(
    folder: Path,
    *,
    vad: Vad | None = None,
    diarizer: Diarizer | None = None,
    roles: RoleAssigner | None = None,
    on_lesson: Callable[[LessonScore], None] = lambda _score: None,
) -> RolesEvaluation:
    """Score every recording of `folder` that has a truth beside it (same name, .json or .rttm).

    JSON is preferred: it holds ``segments`` of ``role``, ``kind`` and ``speech`` spans; in RTTM
    the speakers T, teacher or 老师 are the teacher. Raises UsageError when there is no such
    pair, RecordingError when a recording cannot be read.
    """
    vad = vad or load(VADS, "silero")
    diarizer = diarizer or load(DIARIZERS, "ge2e")
    roles = roles or load(ROLES, "acoustic")
    scores = []
    for sound, truth_file in labelled_lessons(folder):
        with TemporaryDirectory() as scratch:
            _, audio = decode(sound, Path(scratch, "samples"))
            speech = vad.speech(audio)
            timeline = roles.assign(audio, speech, diarizer.diarize(audio, speech))
            scores.append(score_roles(read_truth(truth_file), timeline, audio.duration))
            del audio
        on_lesson(scores[-1])
    used = tuple(f"{e.name} {e.version}" for e in (vad, diarizer, roles))
    return summarise(scores, used)


def score_roles(truth: Truth, timeline: Sequence[RoleSpan], duration: Seconds) -> LessonScore:
    """Compare a timeline with the truth of the same recording."""
    count = round(duration / STEP)
    teacher, student = (_flags(truth.of(*r), count) for r in ((Role.TEACHER,), STUDENTS))
    taught = _flags(of_role(timeline, Role.TEACHER), count)
    heard = _flags(of_role(timeline, *STUDENTS), count)
    spoken, estimated = teacher.sum() + student.sum(), taught.sum() + heard.sum()
    kept = ~_collars([*truth.of(Role.TEACHER), *truth.of(*STUDENTS)], count)
    errors = _errors(teacher, student, taught, heard, kept)
    boundaries, missed = _wait_boundaries(truth, timeline)
    share = float(teacher.sum() / spoken) if spoken else None
    found = float(taught.sum() / estimated) if estimated else None
    knows = truth.knows_activities
    return LessonScore(
        lesson=truth.name,
        duration=duration,
        teacher_share=share,
        teacher_share_found=found,
        student_share=None if share is None else 1 - share,
        student_share_found=None if found is None else 1 - found,
        error_rate=sum(errors) if errors else None,
        missed=errors[0] if errors else None,
        false_alarm=errors[1] if errors else None,
        confusion=errors[2] if errors else None,
        choral=_length(truth.of(Role.CHORAL)) if knows else None,
        choral_found=_length(of_role(timeline, Role.CHORAL)),
        group=_length(truth.of(Role.GROUP)) if knows else None,
        group_found=_length(of_role(timeline, Role.GROUP)),
        wait_boundaries=tuple(boundaries),
        waits_missed=missed,
        reliability=_reliability(timeline, teacher & ~student, student & ~teacher),
    )


def _length(spans: Sequence[Span]) -> Seconds:
    return sum(span.duration for span in spans)


def _flags(spans: Iterable[Span], count: int) -> Flags:
    flags = np.zeros(count, bool)
    for span in spans:
        flags[max(0, round(span.start / STEP)) : max(0, round(span.end / STEP))] = True
    return flags


def _collars(spans: Iterable[Span], count: int) -> Flags:
    edges = [edge for span in spans for edge in (span.start, span.end)]
    return _flags((Span(e - COLLAR / 2, e + COLLAR / 2) for e in edges), count)


def _errors(
    teacher: Flags, student: Flags, taught: Flags, heard: Flags, kept: Flags
) -> tuple[float, float, float] | None:
    """(missed, false alarm, confusion) over true speech, as in Bredin's pyannote.metrics (2017).

    Roles are names, so nothing is mapped: a lesson with the roles swapped is all confusion.
    """
    true = teacher.astype(int) + student
    found = taught.astype(int) + heard
    right = (teacher & taught).astype(int) + (student & heard)
    total = int(true[kept].sum())
    if total == 0:
        return None
    missed = np.maximum(0, true - found)[kept].sum()
    alarm = np.maximum(0, found - true)[kept].sum()
    confused = (np.minimum(true, found) - right)[kept].sum()
    return float(missed / total), float(alarm / total), float(confused / total)


def _wait_boundaries(truth: Truth, timeline: Sequence[RoleSpan]) -> tuple[list[Seconds], int]:
    """Errors at both sides of every silence from the teacher's end to a student's start."""
    teacher = [(s.end, s) for s in truth.of(Role.TEACHER)]
    students = truth.of(*STUDENTS)
    ends = np.array([s.end for s in of_role(timeline, Role.TEACHER)])
    starts = np.array([s.start for s in of_role(timeline, *STUDENTS)])
    voices = sorted([*(s for _, s in teacher), *students])
    errors: list[Seconds] = []
    missed = 0
    for before, after in pairwise(voices):
        if before not in students and after in students and after.start - before.end > 0.2:
            for true, found in ((before.end, ends), (after.start, starts)):
                gaps = found - true
                near = float(gaps[np.argmin(np.abs(gaps))]) if len(gaps) else np.inf
                if abs(near) <= MATCH:
                    errors.append(near)
                else:
                    missed += 1
    return errors, missed


def _reliability(
    timeline: Sequence[RoleSpan], teacher: Flags, student: Flags
) -> tuple[Reliability, ...]:
    """Stated probability against truth, over the time in which one of the two speaks alone."""
    seconds, stated, right = np.zeros(BINS), np.zeros(BINS), np.zeros(BINS)
    truth = {Role.TEACHER: (teacher, student), Role.STUDENT: (student, teacher)}
    for item in timeline:
        if item.role not in truth:
            continue
        here = slice(round(item.start / STEP), round(item.end / STEP))
        good, bad = (STEP * float(flags[here].sum()) for flags in truth[item.role])
        index = min(BINS - 1, int(item.probability * BINS))
        seconds[index] += good + bad
        stated[index] += item.probability * (good + bad)
        right[index] += good
    return tuple(
        Reliability(i / BINS, (i + 1) / BINS, s, stated[i] / s, right[i] / s)
        for i, s in enumerate(seconds.tolist())
        if s > 0
    )


def pooled(bins: Iterable[Reliability]) -> tuple[Reliability, ...]:
    """Bins of several lessons as one diagram."""
    together: dict[float, list[Reliability]] = {}
    for item in bins:
        together.setdefault(item.low, []).append(item)
    merged = []
    for low, same in sorted(together.items()):
        seconds = sum(b.seconds for b in same)
        stated = sum(b.stated * b.seconds for b in same) / seconds
        right = sum(b.right * b.seconds for b in same) / seconds
        merged.append(Reliability(low, same[0].high, seconds, stated, right))
    return tuple(merged)


def calibration_error(bins: Sequence[Reliability]) -> float | None:
    """Expected calibration error: mean |stated - right|, weighted by time (Naeini et al. 2015)."""
    seconds = sum(b.seconds for b in bins)
    if seconds == 0:
        return None
    return sum(b.seconds * abs(b.stated - b.right) for b in bins) / seconds


def summarise(scores: Sequence[LessonScore], engines: tuple[str, ...]) -> RolesEvaluation:
    """What the lessons have in common."""
    errors = [abs(s.share_error) for s in scores if s.share_error is not None]
    rates = [s.error_rate for s in scores if s.error_rate is not None]
    waits = [abs(e) for s in scores for e in s.wait_boundaries]
    bins = pooled(b for s in scores for b in s.reliability)
    return RolesEvaluation(
        lessons=tuple(scores),
        engines=engines,
        mean_share_error=sum(errors) / len(errors) if errors else None,
        worst_share_error=max(errors) if errors else None,
        error_rate=sum(rates) / len(rates) if rates else None,
        wait_boundary_error=median(waits) if waits else None,
        calibration_error=calibration_error(bins),
        reliability=bins,
    )
