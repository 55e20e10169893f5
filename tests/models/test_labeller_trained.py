"""What the trained labeller makes of its models' probabilities; the models are scripted here.

The shipped weights are tested where they are read (test_moves_shipped, test_mandarin_shipped).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from models.labeller import TrainedLabeller
from models.predictions import Prediction
from models.questions import said_at_once
from models.transferred import TRANSFERRED, Line, load, overlap
from observer.discourse import Label
from observer.engines import OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

T, S, C = Role.TEACHER, Role.STUDENT, Role.CHORAL
Chances = dict[str, float]
FORM = TAXONOMIES["question_form"].names
DEMAND = TAXONOMIES["question_demand"].names
MOVES = TAXONOMIES["teacher_move"].names


@dataclass
class Scripted:
    """A reader that gives each text the chances a test wrote down; nan where it wrote none."""

    taxonomy: str
    codes: tuple[str, ...]
    said: dict[str, Chances]
    source: str = "scripted-1"

    def predict(
        self, utterances: Sequence[Utterance], on_progress: OnProgress = ignore_progress
    ) -> list[Prediction]:
        rows = [
            [self.said[u.text].get(c, 0.0) for c in self.codes]
            if u.text in self.said
            else [np.nan] * len(self.codes)
            for u in utterances
        ]
        on_progress(1.0)
        shares = np.array(rows, np.float32).reshape(-1, len(self.codes))
        return [Prediction(self.taxonomy, self.codes, shares, self.source)]


def labelled(
    language: str, readers: Sequence[Scripted], *spoken: tuple[Role | None, str]
) -> list[dict[str, Label]]:
    utterances = tuple(Utterance(str(i), t, role=r) for i, (r, t) in enumerate(spoken))
    engine = TrainedLabeller(readers={language: readers})
    found: list[dict[str, Label]] = [{} for _ in utterances]
    for label in engine.label(Transcript(language, utterances)):
        found[int(label.utterance)][label.taxonomy] = label
    return found


def test_the_models_word_goes_before_the_rules() -> None:
    """The rules take “…我们看第一题是……” for telling; the model knows that it invites an answer."""
    text = "那我们看第一题是"
    form = Scripted("question_form", FORM, {text: {"real": 0.8, "none": 0.2}})
    demand = Scripted("question_demand", DEMAND, {text: {"recall": 0.7, "reason": 0.3}})
    (found,) = labelled("zh", [form, demand], (T, text))
    assert (found["question_form"].code, found["question_form"].source) == ("real", "scripted-1")
    assert found["question_form"].probability == pytest.approx(0.8)
    assert found["question_demand"].code == "recall"
    assert found["openness"].source.startswith("rules-")  # nothing said by the model


def test_context_goes_over_the_models_readings() -> None:
    """“什么叫质数呢？” is real alone; the teacher's next sentence answers it, so it is self."""
    asked, told = "什么叫质数呢？", "就是只有两个因数的数。"
    form = Scripted("question_form", FORM, {asked: {"real": 1.0}, told: {"none": 1.0}})
    found = labelled("zh", [form], (T, asked), (T, told))
    assert found[0]["question_form"].code == "self"
    assert found[0]["question_form"].source.startswith("rules-")
    assert "question_demand" not in found[0]


def test_a_managing_question_has_no_sihe() -> None:
    text = "谁来说一说？"
    form = Scripted("question_form", FORM, {text: {"real": 1.0}})
    demand = Scripted("question_demand", DEMAND, {text: {"manage": 1.0}})
    sihe = Scripted("sihe", TAXONOMIES["sihe"].names, {text: {"what": 1.0}})
    (found,) = labelled("zh", [form, demand, sihe], (T, text))
    assert "sihe" not in found


@pytest.mark.parametrize(
    ("text", "taxonomy", "code"),
    [
        ("哪个小组愿意来汇报？", "question_demand", "manage"),  # a call to the class
        ("你还能想出别的办法吗？", "question_demand", "create"),
        ("你同意他的想法吗？", "question_demand", "judge"),
        ("如果没有摩擦力会怎么样？", "sihe", "whatif"),
    ],
)
def test_what_the_corpora_hardly_hold_is_left_to_the_rules(
    text: str, taxonomy: str, code: str
) -> None:
    form = Scripted("question_form", FORM, {text: {"real": 1.0}})
    demand = Scripted("question_demand", DEMAND, {text: {"recall": 1.0}})
    sihe = Scripted("sihe", TAXONOMIES["sihe"].names, {text: {"what": 1.0}})
    (found,) = labelled("zh", [form, demand, sihe], (T, text))
    assert (found[taxonomy].code, found[taxonomy].source[:5]) == (code, "rules")


def test_english_tags_and_prompts_come_from_the_rules_and_the_head() -> None:
    """P(asks) .9 with the rule for tags at the end (right 39 of 40, so 40/42): tag .857."""
    tag, prompt, plain = "So we add both sides, right?", "Tell us how you found it.", "Sit down."
    asks = Scripted(
        "question",
        ("no", "yes"),
        {tag: {"no": 0.1, "yes": 0.9}, prompt: {"no": 0.9, "yes": 0.1}, plain: {"no": 1.0}},
    )
    found = labelled("en", [asks], (T, tag), (T, prompt), (T, plain))
    assert found[0]["question_form"].code == "tag"
    assert found[0]["question_form"].probability == pytest.approx(0.9 * 40 / 42)
    assert found[1]["question_form"].code == "real"
    assert found[2]["question_form"].code == "none"


def test_english_demand_and_openness_follow_the_pressing_moves() -> None:
    """“What do you call it?” reads as recall, pressing for accuracy .9; with pressing for
    reasoning .9 the same words are a question to reason, and open."""
    text = "What do you call it?"
    asks = Scripted("question", ("no", "yes"), {text: {"yes": 1.0}})
    for move, demand, openness in (
        ("press_accuracy", "recall", "closed"),
        ("press_reasoning", "reason", "open"),
    ):
        moves = Scripted("teacher_move", MOVES, {text: {move: 0.9, "none": 0.1}})
        (found,) = labelled("en", [asks, moves], (T, text))
        assert found["question_demand"].code == demand
        assert found["openness"].code == openness
        assert found["question_demand"].source == "scripted-1-derived"
        assert found["teacher_move"].code == move


def test_roles_get_the_taxonomies_that_are_theirs() -> None:
    text = "Why is it so?"
    asks = Scripted("question", ("no", "yes"), {text: {"yes": 1.0}})
    moves = Scripted("teacher_move", MOVES, {text: {"none": 1.0}})
    answers = Scripted("student_move", TAXONOMIES["student_move"].names, {text: {"ask": 1.0}})
    spoken = [(role, text) for role in (T, S, C, Role.GROUP, Role.MEDIA, None)]
    found = labelled("en", [asks, moves, answers], *spoken)
    kinds = {"question_form", "question_demand", "sihe", "openness"}
    assert set(found[0]) == kinds | {"teacher_move"}
    assert set(found[1]) == {"question_form", "student_move"}
    assert set(found[2]) == {"student_move"}
    assert found[3] == found[4] == {}
    assert set(found[5]) == kinds


def test_a_choral_answer_counts_once_however_many_rows_it_has() -> None:
    """Three voices say “Right.” at once; Ben says it after them, Eve something else with them.

    teacher ----
    Ann         ====          “Right.”    read
    Bob          ====         “right”     joins in with Ann
    Cem          ===          “Right!”    joins in
    Eve          ====         “Wrong.”    read
    Ben                ===    “Right.”    read: Ann has ended
    """
    rows = [
        (T, "Is it a half?", 0.0, 4.0),
        (S, "Right.", 4.0, 5.0),
        (S, "right", 4.1, 5.1),
        (C, "Right!", 4.1, 4.9),
        (S, "Wrong.", 4.1, 5.1),
        (S, "Right.", 5.3, 6.0),
    ]
    spoken = tuple(Utterance(str(i), t, a, b, role=r) for i, (r, t, a, b) in enumerate(rows))
    moves = {t: {"claim": 1.0} for _, t, _, _ in rows}
    reader = Scripted("student_move", TAXONOMIES["student_move"].names, moves)
    labels = TrainedLabeller(readers={"en": [reader]}).label(Transcript("en", spoken))
    assert [x.utterance for x in labels if x.taxonomy == "student_move"] == ["1", "4", "5"]
    assert {x.utterance for x in labels} == {"0", "1", "4", "5"}
    untimed = tuple(replace(u, start=None, end=None) for u in spoken)
    assert said_at_once(untimed) == frozenset()


@pytest.mark.parametrize(
    ("said", "move"),
    [
        ("六十度。", "restate"),
        ("也就是说这两个角加起来是六十度对吧？", "revoice"),
        ("请坐。", "none"),
        ("下面看第二题。", "none"),
    ],
)
def test_mandarin_moves_are_carried_over_and_say_so(said: str, move: str) -> None:
    answer = "这两个角是六十度。" if move == "revoice" else "六十度。"
    form = Scripted("question_form", FORM, {
        said: {"tag": 1.0} if "吧" in said else {"none": 1.0}, answer: {"none": 1.0},
    })  # fmt: skip
    found = labelled("zh", [form], (T, "这个角几度"), (S, answer), (T, said))
    label = found[2]["teacher_move"]
    assert label.code == move
    assert label.source.endswith(TRANSFERRED)


def test_mandarin_pressing_follows_the_question() -> None:
    why, what = "为什么是六十度？", "它等于几？"
    form = Scripted("question_form", FORM, {why: {"real": 1.0}, what: {"real": 1.0}})
    demand = Scripted("question_demand", DEMAND, {why: {"reason": 1.0}, what: {"recall": 1.0}})
    found = labelled("zh", [form, demand], (T, why), (T, what))
    assert [x["teacher_move"].code for x in found] == ["press_reasoning", "press_accuracy"]


def test_overlap_is_for_teachers_near_a_student() -> None:
    weights = load()
    assert weights is not None
    lines = [Line.of(role, "half of ten", "en") for role in (T, S, T)]
    chances = overlap(lines, [0.0] * 3, "en", weights)
    assert chances[0].tolist() == [1.0, 0.0, 0.0]  # no student before
    assert np.isnan(chances[1]).all()
    assert chances[2].argmax() == 1  # the very words: restating


def test_unsure_labels_abstain(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(
        '{"abstain_below": {"zh": {"question_form": 0.6, "openness": 0.99}}}'
    )
    sure, unsure = "第一", "第二"
    form = Scripted("question_form", FORM, {
        sure: {"real": 0.61, "none": 0.39}, unsure: {"real": 0.59, "none": 0.41},
    })  # fmt: skip
    engine = TrainedLabeller(tmp_path, readers={"zh": [form]})
    spoken = tuple(Utterance(t, t, role=T) for t in (sure, unsure))
    labels = engine.label(Transcript("zh", spoken))
    unclear = {(x.utterance, x.taxonomy): x.unclear for x in labels}
    assert not unclear[sure, "question_form"]
    assert unclear[unsure, "question_form"]
    assert not unclear[sure, "openness"]  # read by a rule: rules do not abstain


def test_without_weights_the_rules_read_and_say_so(tmp_path: Path) -> None:
    engine = TrainedLabeller(tmp_path)
    spoken = Transcript("zh", (Utterance("1", "这道题怎么做？", role=T),))
    labels = {x.taxonomy: x for x in engine.label(spoken)}
    assert labels["sihe"].code == "how"
    assert labels["sihe"].source.startswith("rules-")
    assert "questions_zh" in engine.notes[0].en
    assert "规则" in engine.notes[0].zh


def test_broken_weights_are_told_and_no_crash() -> None:
    class Broken(Scripted):
        def predict(
            self, utterances: Sequence[Utterance], on_progress: OnProgress = ignore_progress
        ) -> list[Prediction]:
            raise MissingWeights(en="half a file", zh="文件不完整")

    engine = TrainedLabeller(readers={"en": [Broken("question", ("no", "yes"), {})]})
    spoken = Transcript("en", (Utterance("1", "Why is it so?", role=T),))
    assert {x.code for x in engine.label(spoken)} >= {"real", "why"}
    assert "half a file" in engine.notes[0].en


def test_a_lesson_in_two_languages_is_read_by_both() -> None:
    asks = Scripted("question", ("no", "yes"), {"What is this?": {"yes": 1.0}}, "english")
    form = Scripted("question_form", FORM, {"这是什么": {"real": 1.0}}, "mandarin")
    engine = TrainedLabeller(readers={"en": [asks], "zh": [form]})
    spoken = (Utterance("a", "What is this?", role=T), Utterance("b", "这是什么", role=T))
    labels = engine.label(Transcript("zh", spoken))
    form_of = {x.utterance: x.source for x in labels if x.taxonomy == "question_form"}
    assert form_of == {"a": "english", "b": "mandarin"}


def test_progress_rises_over_both_languages() -> None:
    asks = Scripted("question", ("no", "yes"), {}, "english")
    form = Scripted("question_form", FORM, {}, "mandarin")
    told: list[float] = []
    engine = TrainedLabeller(readers={"en": [asks], "zh": [form]})
    spoken = tuple(Utterance(str(i), t, role=T) for i, t in enumerate(["hello", "你好"] * 4))
    listener: Callable[[float], None] = told.append
    engine.label(Transcript("zh", spoken), listener)
    assert told == sorted(told)
    assert told[-1] == 1.0
