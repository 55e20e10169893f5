"""FIAS: matrix and indices agree with the hand-worked examples to the last digit."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from observer.discourse import Discourse, Label
from observer.fias import INDICES, LEFT_OUT, RULES, indices, transition_matrix
from observer.indicators import Indicator, Material, measure
from observer.structure.categories import Coding, strongest
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance
from tests.observer.test_indicators_worked import example, material

DATA: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "worked" / "fias.json").read_text("utf-8")
)


def coding() -> Coding:
    lesson = material(example("fias"))
    assert lesson.duration is not None
    return Coding(lesson.timeline, lesson.discourse, lesson.duration)


def test_the_codes_are_those_worked_out_by_hand() -> None:
    assert [s.code for s in coding().samples] == DATA["codes"]


def test_each_code_of_speech_points_at_its_words() -> None:
    samples = coding().samples
    assert [s.utterance for s in samples[:4]] == ["u1", "u2", "u2", "u3"]
    assert samples[4].utterance is None  # silence
    assert samples[16].utterance == "u15"  # the chorus that ties with the tag question
    assert samples[17].utterance is None  # a group, of which no words are known


def test_the_matrix_is_the_one_worked_out_by_hand() -> None:
    m = transition_matrix(DATA["codes"])
    found = {f"{i + 1}-{j + 1}": int(m[i, j]) for i, j in zip(*np.nonzero(m), strict=True)}
    assert found == DATA["matrix"]


@pytest.mark.parametrize("case", DATA["sequences"], ids=lambda c: c["about"][:20])
def test_every_index_is_the_fraction_worked_out_by_hand(case: dict[str, Any]) -> None:
    m = transition_matrix(case["codes"])
    assert m.sum(axis=1).tolist() == case["tallies"]
    assert m.sum(axis=0).tolist() == case["tallies"]  # the 10s around it balance the matrix
    found = indices(m)
    assert set(found) == set(INDICES)
    for name, fraction in case["indices"].items():
        if fraction is None:
            assert math.isnan(found[name]), name
        else:
            assert found[name] == fraction[0] / fraction[1], name  # to the last digit


def test_many_matrices_at_once_are_each_like_one_alone() -> None:
    codes = np.random.default_rng(1).integers(1, 11, (7, 40))
    together = indices(transition_matrix(codes))
    for i, row in enumerate(codes):
        alone = indices(transition_matrix(row.tolist()))
        for name in INDICES:
            assert together[name][i] == pytest.approx(float(alone[name]), nan_ok=True)


def test_a_code_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        transition_matrix([5, 11])


def test_in_doubt_the_category_farther_from_5_and_never_10() -> None:
    """4 and 5 for 1.5 s each: 4. 9 and 1 are both 4 away: 1. 10 and 5: 5."""
    rows = np.zeros((3, 10))
    rows[0, [3, 4]] = 1.5
    rows[1, [8, 0]] = 1.5
    rows[2, [9, 4]] = 1.5
    assert strongest(rows).tolist() == [4, 1, 5]


# -- rules -------------------------------------------------------------------------------


def said(*lines: tuple[Role, str], language: str = "zh", **codes: str) -> list[int]:
    """Categories of one-line turns; `codes` as u0_question_form="real"."""
    spoken = tuple(
        Utterance(f"u{i}", text, 3.0 * i, 3.0 * i + 3, role=role)
        for i, (role, text) in enumerate(lines)
    )
    labels = tuple(
        Label(key.split("_", 1)[0], key.split("_", 1)[1], code, 1.0, "hand")
        for key, code in codes.items()
    )
    heard = tuple(RoleSpan(3.0 * i, 3.0 * i + 3, r, 1.0) for i, (r, _) in enumerate(lines))
    found = Coding(heard, Discourse(Transcript(language, spoken), labels), 3.0 * len(lines))
    return [s.code for s in found.samples]


T, S, C, G, M = Role.TEACHER, Role.STUDENT, Role.CHORAL, Role.GROUP, Role.MEDIA


def test_every_category_has_a_rule_with_its_definition_or_is_left_out() -> None:
    assert {r.code for r in RULES} | {x.code for x in LEFT_OUT} == set(range(1, 11))
    assert {x.code for x in LEFT_OUT} == {7}
    for rule in RULES:
        assert rule.definition.startswith(f"{rule.code} ")
        assert not rule.zh.isascii()
        assert rule.en


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [
        ("别紧张，你先说。", "zh", 1),
        ("不用怕说错。", "zh", 1),
        ("别的同学有想法。", "zh", 5),
        ("请把书翻开。", "zh", 6),
        ("请问三角形的内角和是多少。", "zh", 5),  # asks by its words; no label says so
        ("同学们，打开课本。", "zh", 6),
        ("小组讨论一下。", "zh", 6),
        ("我们看三角形的角。", "zh", 5),
        ("Don't worry about the mistake.", "en", 1),
        ("Okay, open your books.", "en", 6),
        ("Please sit down.", "en", 6),
        ("Look at the board.", "en", 6),
        ("It looks like a square.", "en", 5),
        ("Writing is hard.", "en", 5),
        ("Stop.", "en", 6),
    ],
)
def test_what_is_said_outright(text: str, language: str, code: int) -> None:
    assert said((T, text), language=language) == [code]


def test_labels_decide_what_words_leave_open() -> None:
    assert said((T, "几度？"), u0_question_form="real") == [4]
    assert said((T, "几度？就是六十度。"), u0_question_form="self") == [5]
    assert said((T, "是不是？"), (T, "我们往下看吧各位。"), u0_question_form="tag")[0] == 5
    assert said((T, "是不是？"), (C, "是。"), u0_question_form="tag") == [4, 8]
    assert said((T, "给你点个赞。"), u0_instruction="commending") == [2]
    assert said((T, "记到本子上。"), u0_instruction="note_taking") == [6]
    assert said((T, "So a half."), language="en", u0_teacher_move="revoice") == [3]
    assert said((T, "Tell us why."), language="en", u0_teacher_move="press_reasoning") == [4]
    assert said((T, "Hm."), language="en", u0_uptake="high") == [3]
    assert said((T, "不对。"), u0_feedback="negate") == [5]  # an opinion about content


def test_who_opens_makes_response_or_initiation() -> None:
    asked = {"u0_question_form": "real"}
    assert said((T, "几度？"), (S, "六十。"), **asked) == [4, 8]
    assert said((T, "三角形有三个角。"), (S, "我有个想法。")) == [5, 9]
    assert said((S, "老师好。")) == [9]
    # A word or two between answers leaves the question standing.
    assert said((T, "几度？"), (S, "五十。"), (T, "嗯。"), (S, "六十。"), **asked)[3] == 8
    told = said((T, "几度？"), (S, "五十。"), (T, "我们先来看这个。"), (S, "六十。"), **asked)
    assert told[3] == 9
    back = said((T, "几度？"), (S, "哪个角？"), u0_question_form="real", u1_question_form="real")
    assert back == [4, 9]
    assert said((T, "翻到第三页。"), (C, "三角形。")) == [6, 8]
    assert said((G, "……"), (M, "播放。")) == [10, 5]


def test_an_unclear_label_counts_as_none() -> None:
    label = Label("u0", "question_form", "real", 0.4, "x-1", unclear=True)
    words = Transcript("zh", (Utterance("u0", "几度。", 0, 3, role=T),))
    found = Coding((RoleSpan(0, 3, T, 1.0),), Discourse(words, (label,)), 3.0)
    assert [s.code for s in found.samples] == [5]


def test_voices_without_words_are_telling_and_responding() -> None:
    spans = (RoleSpan(0, 3, T, 1.0), RoleSpan(3, 6, S, 1.0))
    found = Coding(spans, Discourse(Transcript("zh")), 6.0)
    assert [s.code for s in found.samples] == [5, 8]
    assert found.unread() == 1.0


# -- as indicators -----------------------------------------------------------------------


def measured(lesson: Material) -> dict[str, Indicator]:
    return {i.name: i for i in measure(lesson) if i.name.startswith("fias")}


def test_without_times_words_or_labels_each_figure_says_why() -> None:
    lesson = material(example("fias"))
    bare = Discourse(lesson.discourse.transcript)
    unread = Material(60, lesson.timeline, bare, (), ())
    silent = Material(60, lesson.timeline, Discourse(Transcript("zh")), (), ())
    for lacking in (unread, silent):
        found = measured(lacking)
        assert len(found) == 26
        assert all(i.value is None and i.missing is not None for i in found.values())


def test_an_index_without_a_denominator_says_what_was_not_coded() -> None:
    words = (Utterance("u0", "三角形一共有三条边。", 0, 9, role=T),)
    labels = (Label("u0", "question_form", "none", 1.0, "hand"),)
    lesson = Material(
        9, (RoleSpan(0, 9, T, 1.0),), Discourse(Transcript("zh", words), labels), (), ()
    )
    found = measured(lesson)
    assert found["fias_tt"].value == pytest.approx(3 / 4)  # three 5s and the 10 of the padding
    assert found["fias_pir"].missing is not None
    assert "8 or 9" in found["fias_pir"].missing.en
    assert found["fias_trr"].value is None


def test_unsure_labels_widen_the_interval() -> None:
    lesson = material(example("fias"))
    labels = tuple(
        Label(x.utterance, x.taxonomy, x.code, 0.6, x.source) for x in lesson.discourse.labels
    )
    unsure = Discourse(lesson.discourse.transcript, labels)
    doubted = Material(60, lesson.timeline, unsure, (), ())
    sure, wide = measured(lesson)["fias_tqr"], measured(doubted)["fias_tqr"]
    assert sure.value == wide.value
    assert None not in (sure.low, sure.high, wide.low, wide.high)
    assert wide.high - wide.low > sure.high - sure.low  # type: ignore[operator]
