"""The shipped talk-move weights on sentences that leave no doubt, and the reader's promises."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from models.moves import runtime
from models.moves.corruption import bare
from models.moves.runtime import AFTER, BEFORE, MovesReader, shipped
from observer.errors import MissingWeights
from observer.taxonomies import TAXONOMIES
from observer.timeline import Role
from observer.transcript import Utterance

T, S = Role.TEACHER, Role.STUDENT
READER = MovesReader(threads=1)


def said(*spoken: tuple[Role | None, str]) -> list[Utterance]:
    return [Utterance(str(i), text, role=role) for i, (role, text) in enumerate(spoken)]


def read(utterances: list[Utterance], taxonomy: str, *, next_known: bool = True) -> list[str]:
    """The likeliest code of each; "-" where the taxonomy does not apply."""
    (found,) = (
        p for p in READER.predict(utterances, next_known=next_known) if p.taxonomy == taxonomy
    )
    return [
        "-" if np.isnan(row[0]) else found.codes[int(row.argmax())] for row in found.probabilities
    ]


BEFORE_IT = [
    (T, "Let's look at the next problem."),
    (T, "What is three times four?"),
    (S, "I think it is twelve."),
]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("teacher", "code"),
    [
        ("I think it is twelve.", "restate"),
        ("Why do you think that it is twelve?", "press_reasoning"),
        ("How do you know?", "press_reasoning"),
        ("Do you agree with what Maria said?", "get_relate"),
        ("What is five times six?", "press_accuracy"),
        ("Please put your books away.", "none"),
    ],
)
def test_teacher_moves_that_leave_no_doubt(teacher: str, code: str, plain: bool) -> None:
    spoken = [*BEFORE_IT, (T, teacher), (S, "Because three and three and three and three.")]
    if plain:
        spoken = [(role, bare(text)) for role, text in spoken]
    assert read(said(*spoken), "teacher_move")[3] == code


def test_revoicing_says_it_in_other_words() -> None:
    spoken = [
        (S, "You take the two pieces and you get like the same as the big one."),
        (T, "So you're saying that two of the pieces are the same as the big one."),
    ]
    assert read(said(*spoken), "teacher_move") == ["-", "revoice"]


@pytest.mark.parametrize(
    ("student", "code"),
    [
        ("Because three times four is twelve and you add one.", "evidence"),
        ("It's twelve.", "claim"),
        ("What do you mean?", "ask"),
        ("I agree with Maria.", "relate"),
    ],
)
def test_student_moves_that_leave_no_doubt(student: str, code: str) -> None:
    spoken = [*BEFORE_IT[:2], (S, student), (T, "Okay, let's go on.")]
    assert read(said(*spoken), "student_move")[2] == code


def test_questions_with_and_without_mark_and_role() -> None:
    spoken = ["What is three times four", "We did that yesterday", "Why is that?", "Sit down."]
    for role in (T, None):
        assert read(said(*((role, x) for x in spoken)), "question") == ["yes", "no", "yes", "no"]


def test_each_role_gets_its_own_taxonomy() -> None:
    """Choral answers are read as students'; group talk, media and empty text not at all."""
    spoken = said(
        (T, "How many?"), (Role.CHORAL, "Four."), (None, "Yes."), (Role.GROUP, "a b"), (T, " ")
    )
    table = {
        p.taxonomy: (~np.isnan(p.probabilities).all(1)).tolist() for p in READER.predict(spoken)
    }
    assert table == {
        "teacher_move": [True, False, False, False, False],
        "student_move": [False, True, False, False, False],
        "question": [True, True, True, False, False],
    }


def test_codes_are_those_of_the_taxonomies() -> None:
    for found in READER.predict(said((T, "Why?"))):
        if found.taxonomy in TAXONOMIES:
            assert found.codes == TAXONOMIES[found.taxonomy].names
        assert found.source == READER.source


def lesson(n: int) -> list[Utterance]:
    words = ["four", "why is that", "because two and two", "okay so", "what did you get there"]
    return said(*((S if i % 3 == 1 else T, f"{words[i % 5]} {i % 7}") for i in range(n)))


def test_one_by_one_is_as_in_a_batch() -> None:
    """Activations are quantised by fixed ranges, so that a sentence's company does not matter; what
    is left is the order of float sums, which can move one to the next of 256 steps."""
    spoken = lesson(60)
    whole = {p.taxonomy: p.probabilities for p in READER.predict(spoken)}
    for i in range(0, 60, 7):
        first = max(0, i - BEFORE)
        part = READER.predict(spoken[first : i + AFTER + 1])
        for found in part:
            alone, among = found.probabilities[i - first], whole[found.taxonomy][i]
            assert alone == pytest.approx(among, abs=0.01, nan_ok=True)


def test_windows_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = lesson(50)
    whole = READER.predict(spoken)
    monkeypatch.setattr(runtime, "_WINDOW", 16)
    told: list[float] = []
    parts = READER.predict(spoken, told.append)
    for one, other in zip(whole, parts, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=0.01, nan_ok=True)
    assert told == [16 / 50, 32 / 50, 48 / 50, 1.0]


def test_live_reading_does_not_look_ahead() -> None:
    """Without the next sentence the reading is the same whatever follows."""
    start = [*BEFORE_IT, (T, "Why?")]
    ends = [(S, "Because four."), (T, "Okay, sit down.")]
    one, other = (
        READER.predict(said(*start, end), next_known=False)[0].probabilities[3] for end in ends
    )
    assert one == pytest.approx(other, abs=0.01)
    assert read(said(*start), "teacher_move")[3] == "press_reasoning"


def test_nothing_said_is_nothing_read() -> None:
    assert [p.probabilities.shape for p in READER.predict([])] == [(0, 7), (0, 5), (0, 2)]


def test_weights_load_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    real = runtime._load

    def counted(folder: Path, threads: int) -> object:
        loads.append(folder)
        return real(folder, threads)

    monkeypatch.setattr(runtime, "_load", counted)
    reader = MovesReader(threads=1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: reader.predict(lesson(4))[0].probabilities, range(4)))
    assert len(loads) == 1
    assert all(np.array_equal(found[0], other, equal_nan=True) for other in found)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights) as told:
        MovesReader(tmp_path).predict(lesson(1))
    for text in (told.value.en, told.value.zh):
        assert "model.onnx" in text
        assert "observer train moves" in text


def test_settings_describe_the_files_beside_them() -> None:
    row = json.loads((shipped() / "settings.json").read_text(encoding="utf-8"))
    for name, digest in row["sha256"].items():
        assert sha256((shipped() / name).read_bytes()).hexdigest() == digest
    assert (shipped() / "model.onnx").stat().st_size < 30e6
    assert row["learnt_from"]["licence"] == "CC BY-NC-SA 4.0"
    for taxonomy in ("teacher_move", "student_move"):
        counts = np.array(row["confusion"][taxonomy]["bare"])
        assert counts.shape == (len(row["codes"][taxonomy]),) * 2
