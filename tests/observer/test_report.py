"""Claims rest on what was measured; a report refuses those that do not."""

from dataclasses import replace

import pytest

from observer.discourse import Label
from observer.discretion import gives_verdict, names_person
from observer.errors import InvalidReport
from observer.observation import Observation
from observer.phrases import PHRASES, phrase
from observer.report import Claim, Report, claims
from observer.timeline import Role
from observer.transcript import Transcript
from tests.observation_factory import english_lesson, mandarin_lesson, without_recording


@pytest.fixture(scope="module")
def lesson() -> Observation:
    return mandarin_lesson(minutes=12)


@pytest.fixture(scope="module")
def english() -> Observation:
    return english_lesson()


def with_claim(lesson: Observation, **changes: object) -> Report:
    """A report with one claim that is right except for `changes`."""
    right = Claim("c1", "教师的声音占七成左右。", ("u0",), "teacher_share_of_speech")
    return Report(lesson.with_claims((replace(right, **changes),)))


def test_a_right_claim_passes(lesson: Observation) -> None:
    with_claim(lesson).validate()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_reports_own_claims_pass(
    lesson: Observation, english: Observation, language: str
) -> None:
    for observation in (lesson, english, without_recording(lesson)):
        made = claims(observation, language)
        assert made
        Report(observation.with_claims(made)).validate()


def test_refuses_a_claim_without_evidence(lesson: Observation) -> None:
    with pytest.raises(InvalidReport) as caught:
        with_claim(lesson, evidence=()).validate()
    assert "no evidence" in caught.value.en
    assert "没有证据" in caught.value.zh


@pytest.mark.parametrize("name", ["u99999", "w99999", "x99999", "t99999", ""])
def test_refuses_evidence_that_does_not_exist(lesson: Observation, name: str) -> None:
    with pytest.raises(InvalidReport, match="does not hold"):
        with_claim(lesson, evidence=("u0", name)).validate()


def test_refuses_evidence_that_cannot_be_played(lesson: Observation) -> None:
    mute = replace(lesson.transcript.utterances[0], start=None, end=None)
    words = lesson.transcript.with_utterances((mute, *lesson.transcript.utterances[1:]))
    with pytest.raises(InvalidReport, match="cannot be played"):
        with_claim(replace(lesson, transcript=words)).validate()


def test_a_transcript_alone_may_show_what_it_cannot_play(lesson: Observation) -> None:
    bare = without_recording(lesson)
    with_claim(bare, indicator="questions_total").validate()


def test_refuses_an_indicator_without_a_value(lesson: Observation) -> None:
    bare = without_recording(lesson)
    assert bare.indicator("teacher_share_of_speech").value is None
    with pytest.raises(InvalidReport, match="no value"):
        with_claim(bare).validate()


def test_refuses_an_indicator_that_was_not_measured(lesson: Observation) -> None:
    with pytest.raises(InvalidReport, match="no value"):
        with_claim(lesson, indicator="charisma").validate()


def test_refuses_silence_and_doubles(lesson: Observation) -> None:
    with pytest.raises(InvalidReport, match="says nothing"):
        with_claim(lesson, text="  ").validate()
    twice = with_claim(lesson).observation.claims * 2
    with pytest.raises(InvalidReport, match="Two claims"):
        Report(lesson.with_claims(twice)).validate()


@pytest.mark.parametrize(
    "text",
    [
        "王小明同学回答了三次。",
        "小红同学声音最响。",
        "学生A说得最多。",
        "Student 3 spoke most.",
        "A boy named Tom answered.",
    ],
)
def test_refuses_a_named_student(lesson: Observation, text: str) -> None:
    with pytest.raises(InvalidReport, match="names a student"):
        with_claim(lesson, text=text).validate()


def test_refuses_a_student_named_by_the_transcripts_label(lesson: Observation) -> None:
    """Imported transcripts may carry names as speaker labels: "欧阳朵朵：六十度。"""
    student = next(u for u in lesson.transcript if u.role is Role.STUDENT)
    named = [replace(u, speaker="欧阳朵朵") if u.id == student.id else u for u in lesson.transcript]
    observation = replace(lesson, transcript=lesson.transcript.with_utterances(named))
    with pytest.raises(InvalidReport, match="names a student"):
        with_claim(observation, text="欧阳朵朵答得最长。").validate()


@pytest.mark.parametrize("text", ["本课得分很高。", "全校排名第二。", "The lesson scored 84."])
def test_refuses_scores_and_ranks(lesson: Observation, text: str) -> None:
    with pytest.raises(InvalidReport, match="scores or ranks"):
        with_claim(lesson, text=text).validate()


@pytest.mark.parametrize(
    "text",
    [
        "各位同学都听到了。",
        "有同学先开口。",
        "学生 15 分钟后开始小组活动。",
        "Students spoke for 3 minutes.",
        "安静占 12 分钟。",
    ],
)
def test_ordinary_sentences_pass(text: str) -> None:
    assert not names_person(text.replace(" 15 ", "十五"))
    assert not gives_verdict(text)


def test_no_phrase_judges_or_points() -> None:
    """The templates themselves: no praise, no verdict, no person, both languages filled."""
    judging = (
        "应该",
        "必须",
        "太少",
        "太多",
        "优秀",
        "不足",
        "should",
        "must",
        "too ",
        "good",
        "poor",
    )
    for key, both in PHRASES.items():
        assert set(both) == {"zh", "en"}, key
        for text in both.values():
            assert not any(word in text for word in judging), key
            assert not gives_verdict(text), key
            assert not names_person(text), key


def test_uncertainty_is_said_in_words(lesson: Observation) -> None:
    figure = lesson.indicator("teacher_share_of_speech")
    assert figure.low is not None
    assert figure.high is not None
    first = claims(lesson, "en")[0]
    assert f"between {100 * figure.low:.0f}% and {100 * figure.high:.0f}%" in first.text


def _waiting(lesson: Observation, seconds: float) -> Observation:
    """The lesson with every counted wait `seconds` long."""
    waits = tuple(replace(w, end=w.start + seconds) for w in lesson.waits)
    figures = tuple(
        replace(i, value=seconds, low=seconds, high=seconds)
        if i.name == "wait_time_1_median"
        else i
        for i in lesson.indicators
    )
    return replace(lesson, waits=waits, indicators=figures)


def test_longer_waits_are_invited_only_where_waits_are_short(lesson: Observation) -> None:
    short, long = phrase("wait_ask_short", "en"), phrase("wait_ask_long", "en")

    def said(observation: Observation) -> str:
        found = claims(observation, "en")
        return next(c.text for c in found if c.indicator == "wait_time_1_median")

    assert short in said(_waiting(lesson, 1.0))
    assert short not in said(_waiting(lesson, 4.0))
    assert long in said(_waiting(lesson, 4.0))


def test_few_waits_carry_no_sentence(lesson: Observation) -> None:
    """Four counted waits: fewer than ENOUGH_WAITS (5), so nothing is said of their median."""
    ones = [w for w in lesson.waits if w.kind == 1 and w.excluded is None][:4]
    told = claims(replace(lesson, waits=tuple(ones)), "zh")
    assert not any(c.indicator.startswith("wait_time") for c in told)


def test_a_type_never_comes_without_its_probability(lesson: Observation) -> None:
    text = next(c.text for c in claims(lesson, "zh") if c.indicator == "st_rt")
    for word in ("练习型", "讲授型", "对话型", "混合型"):
        if word in text:
            assert text.split(word)[1].lstrip().split("%")[0].isdigit()


def test_nothing_measured_nothing_said(lesson: Observation) -> None:
    empty = replace(
        lesson, indicators=(), timeline=(), waits=(), exchanges=(), labels=(), claims=()
    )
    assert claims(replace(empty, transcript=Transcript("und")), "zh") == ()


def test_claims_are_the_same_every_time(lesson: Observation) -> None:
    assert claims(lesson, "zh") == claims(lesson, "zh")


def test_what_students_ask_is_not_counted_as_the_teachers(lesson: Observation) -> None:
    """A student's question with a kind label must not raise the counts in the sentence."""
    student = next(u for u in lesson.transcript if u.role is Role.STUDENT)
    asked = (
        Label(student.id, "question_form", "real", 0.9, "rules 1"),
        Label(student.id, "question_demand", "reason", 0.9, "rules 1"),
    )
    changed = replace(lesson, labels=(*lesson.labels, *asked))
    assert claims(changed, "zh") == claims(lesson, "zh")
