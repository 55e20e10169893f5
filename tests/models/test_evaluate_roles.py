"""Scores by hand on a 20-s lesson, and the error rate against pyannote.metrics."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.evaluate.roles import (
    Reliability,
    calibration_error,
    evaluate_roles,
    pooled,
    score_roles,
    summarise,
)
from models.labelled import Truth, read_truth
from observer.errors import RecordingError, UsageError
from observer.timeline import Role, RoleSpan, Span

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lessons"

# 0         8    10    13        18   20
# TTTTTTTTTT......SSSSSS..........GGGG        truth: T 8 s, S 3 s, group 2 s
# TTTTTTTT........SSSSSSSS........GGGG        found: T 7 s, S 4 s, group 2 s
TRUTH = Truth(
    "drawn",
    (
        (Role.TEACHER, Span(0, 8)),
        (Role.STUDENT, Span(10, 13)),
        (Role.GROUP, Span(18, 20)),
    ),
    knows_activities=True,
)
FOUND = [
    RoleSpan(0, 7, Role.TEACHER, 0.9),
    RoleSpan(10, 14, Role.STUDENT, 0.7),
    RoleSpan(18, 20, Role.GROUP, 0.9),
]


def test_shares_and_times() -> None:
    score = score_roles(TRUTH, FOUND, 20.0)
    assert score.teacher_share == pytest.approx(8 / 13)
    assert score.teacher_share_found == pytest.approx(7 / 13)
    assert score.share_error == pytest.approx(-1 / 13)
    assert (score.group, score.group_found) == (2, 2)
    assert (score.choral, score.choral_found) == (0, 0)


def test_error_rate_leaves_the_collars_out() -> None:
    # collars of ±.125 s at 0, 8, 10, 13, 18, 20 leave 7.75 + 2.75 + 1.75 = 12.25 s of speech
    # missed 7 .. 7.875 = .875; false alarm 13.125 .. 14 = .875
    score = score_roles(TRUTH, FOUND, 20.0)
    assert score.missed == pytest.approx(0.875 / 12.25, abs=0.002)
    assert score.false_alarm == pytest.approx(0.875 / 12.25, abs=0.002)
    assert score.confusion == 0
    assert score.error_rate == pytest.approx(1.75 / 12.25, abs=0.003)


def test_swapped_roles_are_all_confusion() -> None:
    swapped = [RoleSpan(0, 8, Role.STUDENT, 0.9), RoleSpan(10, 13, Role.TEACHER, 0.9)]
    truth = Truth("swapped", TRUTH.spans[:2], knows_activities=True)
    score = score_roles(truth, swapped, 20.0)
    assert score.confusion == pytest.approx(1)


def test_waits_are_measured_at_both_edges() -> None:
    # the wait 8 .. 10: found end 7 (-1 s), found start 10 (0 s)
    score = score_roles(TRUTH, FOUND, 20.0)
    assert score.wait_boundaries == pytest.approx((-1.0, 0.0))
    assert score.waits_missed == 0


def test_calibration_by_hand() -> None:
    # teacher: stated .9, 7 of 7 s right. student: stated .7, 3 s right, 1 s nobody (left out)
    # ECE = (7·|.9 - 1| + 3·|.7 - 1|) / 10 = .16
    score = score_roles(TRUTH, FOUND, 20.0)
    assert calibration_error(score.reliability) == pytest.approx(0.16, abs=0.001)


def test_bins_of_lessons_are_pooled_by_time() -> None:
    one, two = Reliability(0.9, 1.0, 30, 0.95, 1.0), Reliability(0.9, 1.0, 10, 0.91, 0.6)
    (both,) = pooled([one, two])
    assert both.seconds == 40
    assert both.stated == pytest.approx(0.94)
    assert both.right == pytest.approx(0.9)
    assert calibration_error([]) is None


def test_a_lesson_without_speech_has_no_rates() -> None:
    score = score_roles(Truth("empty", (), knows_activities=True), [], 5.0)
    assert score.teacher_share is None
    assert score.error_rate is None
    assert summarise([score], ()).mean_share_error is None


def test_pyannote_finds_the_same_error_rate() -> None:
    """Identification error of pyannote.metrics, an independent implementation, collar .25."""
    core = pytest.importorskip("pyannote.core")
    metrics = pytest.importorskip("pyannote.metrics.identification")
    rng = np.random.default_rng(5)

    def drawn() -> list[RoleSpan]:
        spans = []
        for role in (Role.TEACHER, Role.STUDENT):
            edges = np.sort(rng.choice(np.arange(1, 1000), 20, replace=False)) * 0.1
            spans += [RoleSpan(a, b, role, 0.9) for a, b in edges.reshape(-1, 2).tolist()]
        return spans

    truth, found = drawn(), drawn()
    known = Truth("random", tuple((s.role, s.span) for s in truth), knows_activities=True)
    annotations = []
    for spans in (truth, found):
        annotation = core.Annotation()
        for i, s in enumerate(spans):
            annotation[core.Segment(s.start, s.end), i] = s.role.value
        annotations.append(annotation)
    metric = metrics.IdentificationErrorRate(collar=0.25)
    expected = metric(*annotations, uem=core.Timeline([core.Segment(0, 100)]))
    assert expected > 0.5
    assert score_roles(known, found, 100.0).error_rate == pytest.approx(expected, abs=0.01)


def test_truth_is_read_from_json_and_rttm(tmp_path: Path) -> None:
    segments = [
        {"start": 1, "end": 4, "role": "teacher", "kind": "speech", "speech": [[1, 2], [3, 4]]},
        {"start": 5, "end": 6, "role": "student", "kind": "groupwork", "speech": [[5, 6]]},
        {"start": 7, "end": 8, "role": "student", "kind": "choral"},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"segments": segments}))
    truth = read_truth(tmp_path / "a.json")
    assert truth.of(Role.TEACHER) == [Span(1, 2), Span(3, 4)]
    assert truth.of(Role.GROUP) == [Span(5, 6)]
    assert truth.of(Role.CHORAL) == [Span(7, 8)]

    lines = ["SPEAKER a 1 1.0 2.0 <NA> <NA> T <NA> <NA>", "SPEAKER a 1 4 1 <NA> <NA> S07 <NA> <NA>"]
    (tmp_path / "a.rttm").write_text("\n".join(lines))
    truth = read_truth(tmp_path / "a.rttm")
    assert truth.of(Role.TEACHER) == [Span(1, 3)]
    assert truth.of(Role.STUDENT) == [Span(4, 5)]
    assert not truth.knows_activities


def test_a_damaged_truth_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(RecordingError, match=r"bad\.json"):
        read_truth(tmp_path / "bad.json")
    with pytest.raises(UsageError, match="no recording"):
        evaluate_roles(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        evaluate_roles(tmp_path / "nowhere")


def test_the_mandarin_fixture_is_heard_right(tmp_path: Path) -> None:
    """End to end on synthetic voices: the allowance of issue 2 for clean sound is .04."""
    for suffix in (".opus", ".json"):
        (tmp_path / f"lesson{suffix}").symlink_to(FIXTURES / f"zh_triangle{suffix}")
    result = evaluate_roles(tmp_path)
    assert [s.lesson for s in result.lessons] == ["lesson"]
    assert result.worst_share_error is not None
    assert result.worst_share_error < 0.04
    assert result.lessons[0].error_rate is not None
    assert result.lessons[0].error_rate < 0.08
    assert result.wait_boundary_error is not None
    assert result.wait_boundary_error < 0.15
