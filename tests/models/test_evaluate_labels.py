"""Scores of labels against hand arithmetic and scikit-learn; corpora of a few lines."""

import gzip
import json
from math import isnan, sqrt
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, matthews_corrcoef

from models.evaluate.labels import TASKS, _paired, evaluate_labels
from models.evaluate.scores import calibration_error, score
from models.labeller import READERS
from models.predictions import Prediction
from observer.errors import MissingWeights, UsageError

# true   none none none a    a    b
# read   none none a    a    b    b
TRUE = ["none", "none", "none", "a", "a", "b"]
READ = ["none", "none", "a", "a", "b", "b"]
SURE = [0.9, 0.9, 0.5, 0.9, 0.5, 0.9]
CODES = ("none", "a", "b", "never")


def test_figures_of_a_small_table() -> None:
    """none: P 2/2, R 2/3, F1 .8; a: P 1/2, R 1/2, F1 .5; b: P 1/2, R 1/1, F1 2/3.

    micro without none: hits 2 (one a, one b), true 3, read 4 → 2·2/7. Calibration: of the bin
    at .9 four of four are right (gap .1), at .5 none of two (gap .5): (4·.1 + 2·.5)/6.
    """
    found = score("x", "y", TRUE, READ, SURE, CODES)
    none, a, b = (found.of(c) for c in ("none", "a", "b"))
    assert (none.precision, none.recall, none.f1) == (1.0, pytest.approx(2 / 3), pytest.approx(0.8))
    assert (a.precision, a.recall, a.f1) == (0.5, 0.5, 0.5)
    assert (b.precision, b.recall, b.f1) == (0.5, 1.0, pytest.approx(2 / 3))
    assert (none.bias, a.bias, b.bias) == (pytest.approx(2 / 3), 1.0, 2.0)
    assert isnan(found.of("never").f1)
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.macro == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert found.macro_found == pytest.approx((0.5 + 2 / 3) / 2)
    assert found.micro_found == pytest.approx(4 / 7)
    assert found.calibration_error == pytest.approx((4 * 0.1 + 2 * 0.5) / 6)


def test_mcc_of_two_codes_is_the_four_fold_formula() -> None:
    """TP 3, FP 1, FN 2, TN 4: (3·4 − 1·2) / √(4·5·5·6)."""
    true = ["y"] * 5 + ["n"] * 5
    read = ["y"] * 3 + ["n"] * 2 + ["y"] + ["n"] * 4
    found = score("x", "y", true, read, [1.0] * 10, ("n", "y"))
    assert found.mcc == pytest.approx(10 / sqrt(4 * 5 * 5 * 6))


def test_another_implementation_agrees() -> None:
    rng = np.random.default_rng(0)
    codes = ("none", "a", "b", "c")
    true = [codes[i] for i in rng.integers(0, 4, 300)]
    read = [t if rng.random() < 0.6 else codes[rng.integers(0, 4)] for t in true]
    found = score("x", "y", true, read, [0.5] * 300, codes)
    assert found.macro == pytest.approx(f1_score(true, read, average="macro"))
    told = [c for c in codes if c != "none"]
    assert found.micro_found == pytest.approx(f1_score(true, read, average="micro", labels=told))
    assert found.kappa == pytest.approx(cohen_kappa_score(true, read))
    assert found.mcc == pytest.approx(matthews_corrcoef(true, read))


def test_a_single_code_has_no_kappa() -> None:
    found = score("x", "y", ["a"], ["a"], [1.0], ("a", "b"))
    assert isnan(found.kappa)
    assert isnan(found.mcc)
    assert found.calibration_error == 0.0


def test_a_certain_probability_falls_into_the_last_bin() -> None:
    assert calibration_error([False], [1.0]) == 1.0


def test_only_what_is_labelled_and_read_is_compared() -> None:
    """Three sentences: the second has no truth, the third was not read."""
    rows = np.array([[0.2, 0.8], [0.9, 0.1], [np.nan, np.nan]], np.float32)
    found = _paired(["b", None, "a"], [Prediction("x", ("a", "b"), rows, "s")])
    assert found[:2] == (["b"], ["b"])
    assert found[2] == [pytest.approx(0.8)]


def test_every_task_names_a_reader() -> None:
    for language, place, _ in TASKS.values():
        assert READERS[language][place].folder


def test_an_unknown_task_and_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="instruction, moves, questions"):
        evaluate_labels("bloom", tmp_path)
    (tmp_path / "talkmoves").mkdir()
    said = {"sentence": "Why?", "role": "teacher", "teacher_tag": "none", "student_tag": None}
    with gzip.open(tmp_path / "talkmoves" / "dev.jsonl.gz", "wt") as file:
        file.write(json.dumps({"lesson_id": 1, "utterances": [said]}) + "\n")
    with pytest.raises(MissingWeights):
        evaluate_labels("moves", tmp_path, weights=tmp_path / "none")
