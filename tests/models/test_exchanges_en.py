"""Uptake and focusing: which turns make an exchange, what is seen of it, what is learnt."""

import csv
import gzip
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from models.exchanges.examples import GUISES, rated, shown, truth
from models.exchanges.runtime import (
    CODES,
    HEARD,
    SETTINGS,
    WEIGHTS,
    Exchange,
    ExchangeReader,
    Regression,
    exchanges,
    figures,
    grams,
    rated_part,
)
from models.exchanges.training import (
    ABSTAIN_BELOW,
    VERSION,
    Held,
    _folds,
    confusion,
    held_out,
    train,
)
from models.labeller import SETTINGS as BELOW
from models.labeller import WEIGHTS as ALL_WEIGHTS
from models.labeller import TrainedLabeller
from models.moves.runtime import MODEL, QUESTION_CODES
from models.predictions import Prediction
from observer.confusion import loads
from observer.engines import OnProgress, ignore_progress
from observer.errors import MissingWeights
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

T, S, G, C = Role.TEACHER, Role.STUDENT, Role.GROUP, Role.CHORAL
SHIPPED = ALL_WEIGHTS / "exchanges_en"
PRESSES = 6
"""Column of press_reasoning."""


@dataclass
class Moves:
    """Talk moves that are known beforehand: who says "why" presses for reasoning and asks."""

    folder: Path
    source: str = "scripted-1"

    def predict(
        self, utterances: list[Utterance], on_progress: OnProgress = ignore_progress
    ) -> list[Prediction]:
        acts = np.zeros((len(utterances), 7), np.float32)
        asks = np.zeros((len(utterances), 2), np.float32)
        for i, u in enumerate(utterances):
            why = "why" in u.text.lower()
            acts[i, PRESSES if why else 0] = 1.0
            asks[i, int(why)] = 1.0
        told = np.eye(5, dtype=np.float32)[np.full(len(utterances), 3)]
        on_progress(1.0)
        table = (("teacher_move", acts), ("student_move", told), ("question", asks))
        codes = {"question": QUESTION_CODES} | {k: TAXONOMIES[k].names for k, _ in table[:2]}
        return [Prediction(k, codes[k], v, self.source) for k, v in table]


def said(*spoken: tuple[Role | None, str]) -> list[Utterance]:
    return [Utterance(f"u{i}", text, role=role) for i, (role, text) in enumerate(spoken)]


def found(*spoken: tuple[Role | None, str]) -> list[Exchange]:
    return list(exchanges(said(*spoken)))


def test_an_exchange_is_a_students_turn_and_the_teachers_right_after_it() -> None:
    spoken = [
        (T, "What do you see?"),
        (S, "I see a half"),
        (S, "and a quarter."),
        (T, " "),  # nothing said: passed over
        (T, "A half."),
        (T, "Where?"),
        (S, "There on the left side."),
        (T, "Good."),
    ]
    assert found(*spoken) == [Exchange((1, 2), (4, 5)), Exchange((6,), (7,))]


@pytest.mark.parametrize(
    "spoken",
    [
        [(S, "A half, yes."), (T, "Why?")],  # three words
        [(S, "I see a half."), (G, "so many voices"), (T, "Why?")],
        [(C, "We see a half."), (T, "Why?")],
        [(S, "I see a half."), (None, "Hm."), (T, "Why?")],
        [(S, "I see a half.")],
        [(T, "I see a half."), (T, "Why?")],
    ],
)
def test_what_raters_never_saw_is_no_exchange(spoken: list[tuple[Role | None, str]]) -> None:
    assert found(*spoken) == []


def test_a_long_turn_of_the_teacher_is_cut_at_an_utterance() -> None:
    """Utterances of 25 words: after 25 and 50 it is not `HEARD` = 60 yet, after 75 it is."""
    assert HEARD == 60
    spoken = [(S, "I see a half."), *((T, "so " * 25) for _ in range(5))]
    assert found(*spoken) == [Exchange((0,), (1, 2, 3))]


def test_figures_begin_with_the_overlap_of_the_turns(tmp_path: Path) -> None:
    """The teacher's words {half, of, eight} are all the student's; of the student's 5 words 3
    come back. Of the whole: equal 0, part of it 1, contains it 0, there is one 1."""
    spoken = said((S, "You take half of eight."), (T, "Half of"), (T, "eight. Why?"))
    spoken[2] = Utterance("u2", "eight.", role=T)
    (one,) = exchanges(spoken)
    moves = {p.taxonomy: p.probabilities for p in Moves(tmp_path).predict(spoken)}
    row = figures(spoken, one, moves)
    assert row[:6] == pytest.approx([1.0, 3 / 5, 0.0, 1.0, 0.0, 1.0])
    assert len(row) == 2 * 64 + 4 * 7 + 5 + 6


def test_words_of_the_teacher_are_marked_where_they_come_first() -> None:
    spoken = said((S, "I see a half."), (T, "Why a half of it all, my dear?"))
    assert grams(spoken, Exchange((0,), (1,))) == {
        *("why", "a", "half", "of", "it", "all", "my", "dear"),
        *("why a", "a half", "half of", "of it", "it all", "all my", "my dear"),
        *("^why", "^a", "^half", "^of", "^it", "^all", "^why a"),
    }


def tiny() -> Regression:
    """Two figures, two words; rarity 3 and 4, so that both words together have length 5."""
    uptake = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return Regression(
        np.array([1.0, 0.0]),
        np.array([2.0, 1.0]),
        {"a": 0, "b": 1},
        np.array([3.0, 4.0]),
        {"uptake": uptake, "focusing": uptake[:3]},
        {"uptake": np.zeros(4), "focusing": np.array([0.0, 0.0, 0.5])},
    )


def test_regression_is_a_softmax_of_figures_and_words() -> None:
    """Figures (5, 1) scale to (2, 1), the word a alone to 6 · 3/3 = 6: logits 2, 1, 6 and 0."""
    odds = np.exp([2, 1, 6, 0])
    assert tiny().read("uptake", [5.0, 1.0], {"a", "x"}) == pytest.approx(odds / odds.sum())
    odds = np.exp([2, 1, 6 * 3 / 5 + 0.5])
    assert tiny().read("focusing", [5.0, 1.0], {"a", "b"}) == pytest.approx(odds / odds.sum())


def test_weights_come_back_and_are_the_same_bytes(tmp_path: Path) -> None:
    tiny().save(tmp_path / "a.npz")
    back = Regression.load(tmp_path / "a.npz")
    back.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert back.terms == tiny().terms
    assert back.read("uptake", [5.0, 1.0], {"a"}) == pytest.approx(
        tiny().read("uptake", [5.0, 1.0], {"a"}), abs=1e-3
    )


def test_what_raters_would_not_rate_is_not_read() -> None:
    assert rated_part(np.array([0.2, 0.1, 0.1, 0.6])) is None
    assert rated_part(np.array([0.3, 0.3, 0.0, 0.4])) == pytest.approx([0.5, 0.5, 0.0])
    assert rated_part(np.array([0.5, 0.2, 0.3])) == pytest.approx([0.5, 0.2, 0.3])


STUDENT = "it is the number {} there"
ANSWERS = {
    "0.0": "Sit down please.",
    "1.0": "Okay the number {}.",
    "2.0": "Why is it the number {}?",
}
"""Number of the majority in both corpora → what the teacher says."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty exchanges of twenty lessons in the corpora's layout; three ways to answer, and in
    every lesson one that nobody rated for uptake."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "english").mkdir()
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    uptake, focus = [], []
    for lesson in range(20):
        for k, (code, answer) in enumerate(ANSWERS.items()):
            one = {
                "obs_id": str(lesson),
                "student_text": STUDENT.format(words[(lesson + k) % 10]),
                "teacher_text": answer.format(words[(lesson + k) % 10]),
            }
            uptake.append({**one, "uptake_majority": code, "uptake": code})
            focus.append({**one, "follow_up_unfiltered_majority": code,
                          "follow_up_unfiltered_zscore": "0.1"})  # fmt: skip
        off = {"student_text": f"may I go out {words[lesson % 10]}", "teacher_text": "Later."}
        uptake.append({"obs_id": str(lesson), **off, "uptake_majority": "", "uptake": ""})
    for name, rows in (("uptake_dev", uptake), ("funneling_dev", focus)):
        file = folder / "english" / f"{name}.csv.gz"
        with gzip.open(file, "wt", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def moves(tmp_path_factory: pytest.TempPathFactory) -> Moves:
    folder = tmp_path_factory.mktemp("moves")
    (folder / MODEL).write_bytes(b"scripted")
    return Moves(folder)


@pytest.fixture(scope="module")
def trained(data: Path, moves: Moves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("weights") / "exchanges_en"
    train(data, out, moves=moves)  # type: ignore[arg-type]
    return out


def test_both_corpora_are_one_list(data: Path) -> None:
    cases, origins = rated(data)
    assert len(cases) == 80
    assert [o.name for o in origins] == ["NCTE uptake", "NCTE focusing and funneling"]
    assert np.bincount(truth(cases, "uptake")).tolist() == [20, 20, 20, 20]
    assert np.bincount(truth(cases, "focusing") + 1).tolist() == [20, 20, 20, 20]


def test_a_lesson_is_in_one_fold() -> None:
    lessons = [str(i // 3) for i in range(60)]
    fold = _folds(lessons, 0)
    assert all(len(set(fold[3 * k : 3 * k + 3])) == 1 for k in range(20))
    assert np.bincount(fold).tolist() == [12] * 5


def test_what_differs_plainly_is_learnt_across_lessons(data: Path, moves: Moves) -> None:
    cases, _ = rated(data)
    parts = {k: shown(cases, moves, guise) for k, guise in GUISES}  # type: ignore[arg-type]
    held, _ = held_out(cases, parts, "uptake")
    assert [h.condition for h in held] == ["punctuated", "bare"]
    for one in held:
        codes = [CODES["uptake"][k] for k in one.read.shares.argmax(1)]
        assert codes == list(one.read.true)
        assert len(codes) == 60


def test_settings_say_what_was_learnt_from_and_what_is_mistaken(trained: Path) -> None:
    row = json.loads((trained / SETTINGS).read_text("utf-8"))
    assert row["sha256"][WEIGHTS] == sha256((trained / WEIGHTS).read_bytes()).hexdigest()
    assert row["moves"]["source"] == "scripted-1"
    read = loads(json.dumps(row["confusions"]))
    assert sorted(read) == ["focusing.en", "uptake.en"]
    assert read["uptake.en"].codes == TAXONOMIES["uptake"].names
    assert sum(map(sum, read["uptake.en"].counts)) == 60


def test_training_twice_gives_the_same_bytes(
    data: Path, moves: Moves, trained: Path, tmp_path: Path
) -> None:
    train(data, tmp_path, moves=moves)  # type: ignore[arg-type]
    for name in (WEIGHTS, SETTINGS):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_unsure_readings_are_a_column_of_their_own() -> None:
    """Two exchanges, the second below one half; the third is not read at all."""
    shares = np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [np.nan] * 3])
    table = confusion(Held("bare", ("low", "low", "mid"), shares), "uptake", "s", "w")
    assert table.predicted == ("low", "mid", "high", "unclear")
    assert table.counts[0] == (1, 0, 0, 1)
    assert table.counts[1] == (0, 0, 0, 0)


LESSON = [
    (T, "What is it?"),
    (S, "It is the number four there."),
    (T, "Why is it the number four?"),
    (T, "Sit down please."),
    (S, "Okay."),
    (T, "Good."),
]


def test_the_first_utterance_of_the_teachers_turn_carries_the_label(
    trained: Path, moves: Moves
) -> None:
    reader = ExchangeReader(trained, moves=moves)  # type: ignore[arg-type]
    uptake, focusing = reader.predict(said(*LESSON))
    for prediction in (uptake, focusing):
        read = ~np.isnan(prediction.probabilities).any(1)
        assert read.tolist() == [False, False, True, False, False, False]
        assert prediction.codes == TAXONOMIES[prediction.taxonomy].names
        assert prediction.probabilities[2].sum() == pytest.approx(1.0)
        assert prediction.source == f"exchanges-en-{VERSION}"
    assert uptake.probabilities[2].argmax() == 2


def test_without_talk_moves_nothing_is_followed(trained: Path) -> None:
    assert ExchangeReader(trained).follow(said(*LESSON), []) == []


def test_the_labeller_follows_the_moves_and_knows_the_confusions(
    trained: Path, moves: Moves
) -> None:
    reader = ExchangeReader(trained, moves=moves)  # type: ignore[arg-type]
    engine = TrainedLabeller(readers={"en": (moves, reader)}, own=trained.parent)  # type: ignore[dict-item]
    labels = engine.label(Transcript("en", tuple(said(*LESSON))))
    (uptake,) = (x for x in labels if x.taxonomy == "uptake")
    assert (uptake.utterance, uptake.code, uptake.source) == (
        "u2",
        "high",
        f"exchanges-en-{VERSION}",
    )
    assert engine.confusions["uptake.en"].source == uptake.source


def test_missing_weights_are_named(tmp_path: Path, moves: Moves) -> None:
    with pytest.raises(MissingWeights) as told:
        ExchangeReader(tmp_path, moves=moves).predict(said(*LESSON))  # type: ignore[arg-type]
    for text in (told.value.en, told.value.zh):
        assert WEIGHTS in text
        assert "observer train exchanges" in text


# -- the shipped weights ---------------------------------------------------------------------


def test_shipped_weights_are_small_and_described() -> None:
    row = json.loads((SHIPPED / SETTINGS).read_text("utf-8"))
    assert row["sha256"][WEIGHTS] == sha256((SHIPPED / WEIGHTS).read_bytes()).hexdigest()
    assert (SHIPPED / WEIGHTS).stat().st_size < 1e6
    assert all("development only" in origin["licence"] for origin in row["learnt_from"])
    below = json.loads((ALL_WEIGHTS / BELOW).read_text("utf-8"))["abstain_below"]["en"]
    for taxonomy, codes in CODES.items():
        assert codes == TAXONOMIES[taxonomy].names
        assert below[taxonomy] == ABSTAIN_BELOW
        assert loads(json.dumps(row["confusions"]))[f"{taxonomy}.en"].codes == codes


@pytest.mark.parametrize(
    ("student", "teacher", "uptake", "focusing"),
    [
        (
            "I think it's twelve because four times three is twelve.",
            ["How did you get from there to twelve?"],
            "high",
            "focusing",
        ),
        (
            "Because both have the same denominator.",
            [
                "So you noticed that the denominators are the same.",
                "Why does that help us compare them?",
            ],
            "high",
            "focusing",
        ),
        ("Because both have the same denominator.", ["Yes."], "mid", "none"),
        ("You have to add the two numbers.", ["And what is four plus two?"], None, "funneling"),
        ("Can I go to the bathroom please?", ["Yes."], "-", "none"),
    ],
)
def test_exchanges_that_leave_little_doubt(
    student: str, teacher: list[str], uptake: str | None, focusing: str
) -> None:
    """ "-": off task, not rated. The fourth is between mid and high."""
    spoken = said((S, student), *((T, text) for text in teacher))
    for found, code in zip(
        ExchangeReader(SHIPPED).predict(spoken), (uptake, focusing), strict=True
    ):
        row = found.probabilities[1]
        if code is not None:
            assert ("-" if np.isnan(row).any() else found.codes[int(row.argmax())]) == code
