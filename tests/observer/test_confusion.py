"""Counts corrected for what a labeller is known to mistake for what."""

from dataclasses import replace

import numpy as np
import pytest

from observer.confusion import (
    NONE,
    UNCLEAR,
    Confusion,
    chances,
    dumps,
    loads,
    measure_confusion,
    true_counts,
)
from observer.discourse import Correction, Discourse, Label
from observer.indicators import Indicator, Material, measure
from observer.taxonomies import SIHE, TEACHER_MOVE
from observer.timeline import Role
from observer.transcript import Transcript, Utterance, Word

MOVES = TEACHER_MOVE.names
SOURCE = "x-1"


def confusion(counts: list[list[int]], codes: tuple[str, ...] = ("none", "a")) -> Confusion:
    """A confusion of steady lessons whose shares differ widely."""
    names = (*codes, UNCLEAR)[: len(counts[0])]
    rows = tuple(tuple(row) for row in counts)
    return Confusion(SOURCE, codes, names, rows, (500.0,) * len(codes), 2.0, 50, "by hand")


def expected(known: Confusion, read: dict[str, int]) -> list[float]:
    return [float(x) for x in true_counts(known, read).mean(axis=0)]


# -- inference ---------------------------------------------------------------------------


def test_a_reader_without_errors_needs_no_correction() -> None:
    assert expected(confusion([[5000, 0], [0, 5000]]), {"none": 60, "a": 40}) == pytest.approx(
        [60, 40], abs=0.5
    )


def test_missed_cases_are_added_and_false_ones_taken_off() -> None:
    """Half of the true a are missed, a tenth of the none are read as a: 100 none and 60 a are
    read as 100 · .9 + 60 · .5 = 120 none and 100 · .1 + 60 · .5 = 40 a."""
    known = confusion([[4500, 500], [2500, 2500]])
    assert expected(known, {"none": 120, "a": 40}) == pytest.approx([100, 60], abs=4)


def test_what_is_unclear_counts_in_the_truth() -> None:
    """A tenth of the none and half of the a are unclear, the rest is right: 100 none and 60 a
    are read as 90 none, 30 a and 40 unclear."""
    known = confusion([[4500, 0, 500], [0, 2500, 2500]])
    assert expected(known, {"none": 90, "a": 30, UNCLEAR: 40}) == pytest.approx([100, 60], abs=3)


def test_every_utterance_is_counted_once() -> None:
    draws = true_counts(confusion([[4500, 500], [2500, 2500]]), {"none": 120, "a": 40})
    assert set(draws.sum(axis=1).tolist()) == {160.0}


def test_same_seed_same_draws() -> None:
    known = confusion([[4500, 500], [2500, 2500]])
    read = {"none": 12, "a": 4}
    assert np.array_equal(true_counts(known, read, seed=3), true_counts(known, read, seed=3))


def test_a_code_that_was_never_measured_is_refused() -> None:
    with pytest.raises(KeyError, match="never measured"):
        true_counts(confusion([[9, 1], [1, 9]]), {"b": 1})


def width(draws: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> float:
    low, high = np.percentile(draws[:, 1], [2.5, 97.5])
    return float(high - low)


def test_unsteady_lessons_and_unsure_words_widen_the_interval() -> None:
    steady = confusion([[4500, 500], [1500, 3500]])
    unsteady = replace(steady, steadiness=(20.0, 20.0))
    read = {"none": 120, "a": 40}
    narrow = width(true_counts(steady, read))
    assert width(true_counts(unsteady, read)) > 1.2 * narrow
    assert width(true_counts(steady, read, blur=0.3)) > 1.2 * narrow


def test_intervals_cover_lessons_that_differ() -> None:
    """Lessons are made as the model says; of 90 % intervals at least 82 % must hold the truth
    (60 lessons: fewer than that has a chance below 3 %)."""
    rng = np.random.default_rng(4)
    rates = np.array([[0.9, 0.06, 0.04], [0.3, 0.65, 0.05], [0.25, 0.05, 0.7]])
    names = ("none", "a", "b")
    lessons = []
    for _ in range(120):
        shares = rng.dirichlet([14, 4, 2])
        true = rng.choice(3, 150, p=shares)
        own = np.array([rng.dirichlet(30 * row) for row in rates])
        read = [int(rng.choice(3, p=own[t])) for t in true]
        lessons.append(([names[t] for t in true], [names[r] for r in read]))
    known = measure_confusion(SOURCE, names, lessons[:60], "made")
    assert all(10 < s < 90 for s in known.steadiness)  # 30
    assert 8 < known.evenness < 50  # 20
    inside, total, counted = [], np.zeros(3), np.zeros(3)
    for true_codes, read_codes in lessons[60:]:
        draws = true_counts(known, {c: read_codes.count(c) for c in names})
        low, high = np.percentile(draws, [5, 95], axis=0)
        actual = np.array([true_codes.count(c) for c in names])
        inside.append((np.floor(low) <= actual) & (actual <= np.ceil(high)))
        total, counted = total + actual, counted + draws.mean(axis=0)
    assert np.mean(inside) > 0.82
    assert counted / total == pytest.approx([1, 1, 1], abs=0.1)


# -- measuring and keeping ---------------------------------------------------------------


def test_measuring_counts_truth_against_reading() -> None:
    lessons = [
        (["a", "a", "none"], ["a", "none", "none"]),
        (["none", "a"], [UNCLEAR, "a"]),
    ]
    known = measure_confusion(SOURCE, ("none", "a"), lessons, "two lessons")
    assert known.predicted == ("none", "a", UNCLEAR)
    assert known.counts == ((1, 0, 1), (1, 2, 0))
    assert known.lessons == 2
    assert loads(dumps({"teacher_move.en": known})) == {"teacher_move.en": known}


def test_a_truth_outside_the_codes_is_refused() -> None:
    with pytest.raises(ValueError, match="not among"):
        measure_confusion(SOURCE, ("none", "a"), [(["b"], ["a"])], "wrong")


def test_the_rest_of_a_probability_goes_where_the_confusion_says() -> None:
    """Read as a with .7; of what was read as a, 30 were none and 10 were b: .3 is parted 3 to 1."""
    known = Confusion(
        SOURCE, ("none", "a", "b"), ("none", "a", "b"),
        ((100, 30, 0), (0, 60, 0), (0, 10, 100)), (30.0,) * 3, 10.0, 5, "by hand",
    )  # fmt: skip
    label = Label("u", "t", "a", 0.7, SOURCE)
    found = chances(label, ("none", "a", "b"), known)
    assert found == pytest.approx([0.225, 0.7, 0.075], abs=0.003)
    evenly = chances(replace(label, source="other"), ("none", "a", "b"), known)
    assert evenly == pytest.approx([0.15, 0.7, 0.15])


# -- in the figures of a lesson ----------------------------------------------------------


def lesson(
    codes: list[str],
    known: Confusion | None,
    *,
    confidence: float | None = None,
    unclear: int = 0,
    corrections: tuple[Correction, ...] = (),
    source: str = SOURCE,
) -> dict[str, Indicator]:
    words = () if confidence is None else (Word("x", 0, 1, confidence),)
    said = tuple(
        Utterance(f"u{i}", "So a half.", 4.0 * i, 4.0 * i + 3, role=Role.TEACHER, words=words)
        for i in range(len(codes))
    )
    labels = tuple(
        Label(f"u{i}", "teacher_move", c, 0.8, source, unclear=i < unclear)
        for i, c in enumerate(codes)
    )
    discourse = Discourse(Transcript("en", said), labels).corrected(corrections)
    confusions = {} if known is None else {"teacher_move.en": known}
    found = measure(Material(600.0, (), discourse, (), (), confusions=confusions))
    return {i.name: i for i in found}


def moves() -> Confusion:
    """Restating is right half of the time when read, and never missed; the rest is right."""
    k = len(MOVES)
    table = np.diag([1000] * k)
    table[0, MOVES.index("restate")] = 1000
    rows = tuple(tuple(int(x) for x in row) for row in table)
    return Confusion(SOURCE, MOVES, MOVES, rows, (500.0,) * k, 3.0, 50, "by hand")


READ = ["none"] * 40 + ["restate"] * 20 + ["revoice"] * 10


def test_without_confusions_the_count_stands_as_it_was_read() -> None:
    found = lesson(READ, None)["teacher_move_restate"]
    assert (found.value, found.uncorrected) == (20, None)
    assert "Poisson-binomial" in found.method


def test_with_confusions_the_count_is_corrected_and_the_raw_one_kept() -> None:
    """Half of the none is read as restating: 40 none read mean 80 none, of which 40 would be
    read as restating; there are only 20, so nearly all restating read is none."""
    found = lesson(READ, moves())["teacher_move_restate"]
    assert found.uncorrected == 20
    assert found.value is not None
    assert found.value < 12
    assert "corrected" in found.method
    assert len(found.evidence) == 20


def test_the_rate_is_the_count_over_the_lesson() -> None:
    """600 s are 10 minutes: the same number."""
    found = lesson(READ, moves())
    rate, count = found["teacher_move_revoice_per_10_min"], found["teacher_move_revoice"]
    assert rate.value == count.value
    assert (rate.low, rate.high) == (count.low, count.high)


def test_a_teachers_correction_is_certain() -> None:
    corrected = tuple(Correction(f"u{i}", "teacher_move", "restate") for i in range(40, 60))
    found = lesson(READ, moves(), corrections=corrected)["teacher_move_restate"]
    assert found.value == pytest.approx(20, abs=0.6)  # 20 certain ones, and none read by the model
    plain = lesson(READ, None, corrections=corrected)["teacher_move_restate"]
    assert plain.value == 20


def test_unclear_labels_are_told_and_not_counted_as_found() -> None:
    codes = ["restate"] * 20 + ["none"] * 40
    found = lesson(codes, None, unclear=8)
    assert found["teacher_move_restate"].value == 12
    assert found["moves_unclear"].value == 8
    assert found["moves_unclear"].evidence == tuple(f"u{i}" for i in range(8))
    assert "unclear = 8" in found["teacher_move_restate"].method
    assert found["teacher_move_restate"].high is not None
    assert found["teacher_move_restate"].high > 12


def test_labels_of_another_source_are_not_corrected() -> None:
    found = lesson(READ, moves(), source="y-transferred")
    assert found["teacher_move_restate"].uncorrected is None
    assert "transferred, unvalidated" in found["teacher_move_restate"].method
    # What the transferred reading never says is no zero.
    assert found["teacher_move_get_relate"].value is None
    assert found["teacher_move_get_relate"].missing is not None


def test_unsure_words_widen_the_interval_of_the_report() -> None:
    sure = lesson(READ, moves(), confidence=0.98)["teacher_move_revoice"]
    unsure = lesson(READ, moves(), confidence=0.8)["teacher_move_revoice"]
    assert None not in (sure.low, sure.high, unsure.low, unsure.high)
    assert unsure.high - unsure.low > 1.1 * (sure.high - sure.low)  # type: ignore[operator]


def test_codes_with_few_true_cases_are_not_corrected() -> None:
    table = tuple(
        tuple(int(x) for x in row) for row in np.diag([1000, 1000, 1000, 10, 1000, 1000, 1000])
    )
    few = replace(moves(), counts=table)
    found = lesson(READ, few)
    assert MOVES[3] == "restate"
    assert found["teacher_move_restate"].uncorrected is None
    assert found["teacher_move_revoice"].uncorrected == 10


def test_kinds_of_questions_count_what_was_not_read_as_a_question() -> None:
    """Half of the why questions are not found at all: 20 found mean about 40."""
    codes = (*SIHE.names, NONE)
    table = np.diag([1000] * 5)
    table[1] = [0, 500, 0, 0, 500]
    table[4, 4] = 20000
    rows = tuple(tuple(int(x) for x in row) for row in table)
    known = Confusion(SOURCE, codes, codes, rows, (500.0,) * 5, 2.0, 50, "by hand")
    said = tuple(Utterance(f"u{i}", "为什么？", role=Role.TEACHER) for i in range(400))
    labels = []
    for i in range(400):
        form = "real" if i < 20 else "none"
        labels.append(Label(f"u{i}", "question_form", form, 1.0, SOURCE))
        if i < 20:
            labels.append(Label(f"u{i}", "sihe", "why", 1.0, SOURCE))
    discourse = Discourse(Transcript("zh", said), tuple(labels))
    found = {
        i.name: i
        for i in measure(Material(None, (), discourse, (), (), confusions={"sihe.zh": known}))
    }
    assert found["questions_sihe_why"].uncorrected == 20
    assert found["questions_sihe_why"].value == pytest.approx(40, abs=10)
