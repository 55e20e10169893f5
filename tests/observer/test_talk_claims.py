"""No suggestion to do what the lesson already shows; carried-over readings say what they are."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from observer.discourse import Discourse, Label
from observer.indicators import Material, measure
from observer.observation import Observation
from observer.phrases import phrase
from observer.report import Report, claims
from observer.timeline import Role
from tests.observation_factory import english_lesson, mandarin_lesson

SUGGESTIONS = {
    "why": ("questions_ask_few", "moves_ask_why"),
    "revoice": ("moves_ask_revoice",),
    "relate": ("moves_ask_relate",),
    "follow_up": ("feedback_ask",),
}
SOURCE = "en-1"


@pytest.fixture(scope="module")
def lesson() -> Observation:
    return english_lesson(minutes=8)


def relabelled(lesson: Observation, labels: Iterable[Label]) -> Observation:
    """The lesson with other labels, measured again."""
    new = tuple(labels)
    assert lesson.recording is not None
    figures = measure(
        Material(
            lesson.recording.duration,
            lesson.timeline,
            Discourse(lesson.transcript, new),
            lesson.exchanges,
            lesson.waits,
        )
    )
    return replace(lesson, labels=new, indicators=figures)


def plain(lesson: Observation) -> list[Label]:
    """Ten recall questions, answers that are only affirmed, and one harmless move."""
    teacher = [u for u in lesson.transcript if u.role is Role.TEACHER]
    places = {u.id: i for i, u in enumerate(lesson.transcript)}
    labels = []
    for n, utterance in enumerate(teacher):
        asks = n < 10
        labels.append(Label(utterance.id, "question_form", "real" if asks else "none", 0.9, SOURCE))
        if asks:
            labels.append(Label(utterance.id, "question_demand", "recall", 0.9, SOURCE))
            labels.append(Label(utterance.id, "sihe", "what", 0.9, SOURCE))
        before = places[utterance.id] - 1
        if before >= 0 and lesson.transcript.utterances[before].role is Role.STUDENT:
            labels.append(Label(utterance.id, "feedback", "praise", 0.9, SOURCE))
        move = "keep_together" if n == 10 else "none"
        labels.append(Label(utterance.id, "teacher_move", move, 0.9, SOURCE))
    return labels


def told(observation: Observation) -> str:
    made = claims(observation, "en")
    Report(observation.with_claims(made)).validate()
    return " ".join(c.text for c in made)


def suggested(observation: Observation, practice: str) -> bool:
    text = told(observation)
    return any(phrase(key, "en") in text for key in SUGGESTIONS[practice])


def changed(labels: list[Label], taxonomy: str, code: str, *, unclear: bool = False) -> list[Label]:
    """The labels with one teacher's utterance read as `code`."""
    index = next(
        i
        for i, x in enumerate(labels)
        if x.taxonomy == taxonomy and x.code in ("none", "praise", "what")
    )
    other = replace(labels[index], code=code, unclear=unclear)
    return [*labels[:index], other, *labels[index + 1 :]]


def test_what_was_not_found_may_be_asked_about(lesson: Observation) -> None:
    observation = relabelled(lesson, plain(lesson))
    assert suggested(observation, "why")
    assert suggested(observation, "follow_up")


@pytest.mark.parametrize(
    ("practice", "taxonomy", "code"),
    [
        ("why", "sihe", "why"),
        ("why", "teacher_move", "press_reasoning"),
        ("why", "feedback", "probe"),
        ("revoice", "teacher_move", "revoice"),
        ("revoice", "teacher_move", "restate"),
        ("revoice", "feedback", "repeat"),
        ("relate", "teacher_move", "get_relate"),
        ("follow_up", "feedback", "probe"),
        ("follow_up", "teacher_move", "press_reasoning"),
    ],
)
def test_what_the_lesson_already_shows_is_not_suggested(
    lesson: Observation, practice: str, taxonomy: str, code: str
) -> None:
    observation = relabelled(lesson, changed(plain(lesson), taxonomy, code))
    assert not suggested(observation, practice)


def test_an_unclear_reading_is_enough_to_keep_silent(lesson: Observation) -> None:
    labels = changed(plain(lesson), "teacher_move", "press_reasoning", unclear=True)
    assert not suggested(relabelled(lesson, labels), "why")


def test_after_reasons_the_next_missing_practice_is_asked_about(lesson: Observation) -> None:
    labels = changed(plain(lesson), "sihe", "why")
    observation = relabelled(lesson, labels)
    assert suggested(observation, "revoice")
    assert not suggested(observation, "relate")  # one question at a time


def test_what_is_there_is_to_be_played(lesson: Observation) -> None:
    labels = changed(plain(lesson), "teacher_move", "press_reasoning")
    observation = relabelled(lesson, labels)
    claim = next(c for c in claims(observation, "en") if "press for reasons" in c.text)
    pressed = {x.utterance for x in labels if x.code == "press_reasoning"}
    assert claim.evidence[0] in pressed


def test_short_waits_are_not_asked_about_where_a_long_one_was_heard(lesson: Observation) -> None:
    first = [w for w in lesson.waits if w.kind == 1 and w.excluded is None]
    waits = tuple(
        replace(w, end=w.start + (4.0 if w.id == first[0].id else 1.0)) for w in lesson.waits
    )
    observation = replace(lesson, waits=waits)
    figures = tuple(
        replace(i, value=1.0, low=0.9, high=1.1) if i.name == "wait_time_1_median" else i
        for i in observation.indicators
    )
    assert phrase("wait_ask_short", "en") not in told(replace(observation, indicators=figures))


def test_carried_over_moves_say_that_nobody_validated_them() -> None:
    observation = mandarin_lesson(minutes=6)
    zh = [c.text for c in claims(observation, "zh") if c.indicator.startswith("teacher_move")]
    assert len(zh) == 1
    assert phrase("moves_transferred", "zh") in zh[0]
    assert "未在普通话课堂验证" in zh[0]
    # Nothing is suggested from a reading that nobody validated.
    for practice in ("why", "revoice", "relate"):
        assert phrase(f"moves_ask_{practice}", "zh") not in zh[0]
