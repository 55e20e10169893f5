"""Who speaks, by the words: how well the cues tell, and what they mend.

    python benchmarks/role_cues.py --data DIR          # development lessons
    python benchmarks/role_cues.py --data DIR --fit    # rewrite models/role_cues.measured.toml

DIR holds talkmoves/{train,dev}.jsonl.gz and, for Mandarin teachers' sentences, dialogid/. Weights
and strengths come from the train lessons only. The sound is simulated: every turn of a lesson is a
stretch, given to the wrong role with the probability that it carries.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import reload
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import models.role_cues as cues
from models.datasets.mandarin import read_dialogid
from models.datasets.talkmoves import MovesSentence, read_talkmoves
from models.moves.corruption import word_errors
from observer.engines import CueEvidence, Swap
from observer.role_cues import join_cues
from observer.timeline import Role, RoleSpan
from observer.transcript import Transcript, Utterance

MEASURED = Path(__file__).parents[1] / "models" / "role_cues.measured.toml"
SECONDS_A_WORD, PAUSE = 0.35, 0.5
STRENGTH = 0.1
"""Inverse strength of the L2 penalty; .05 to 1 give the same to three digits."""
FRAGMENTS = (15, 30, 60, 120)
LOW_ACCURACY = 0.4
"""Word error rate for which the strength of poor recognition is measured."""
TRUST = {"en": 0.9, "zh": 0.8, "low_accuracy": 0.6}
"""Judgements: in 498 of 498 English mathematics lessons the cues told; other subjects, Mandarin
lessons and wrong words were not measured."""

UNKNOWN = dict.fromkeys(("contrast", "between", "within", "level"), 1.0)
"""Strength while it is being measured."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Lessons:
    """Evidence of the utterances of many lessons."""

    log_odds: Floats
    teacher: Bools
    lesson: NDArray[np.intp]


def spoken(lessons: Sequence[Sequence[MovesSentence]], rate: float) -> Iterator[list[str]]:
    """The texts of each lesson, with word errors at `rate`."""
    rng = np.random.default_rng(0)
    vocabulary = sorted({w for lesson in lessons[:40] for s in lesson for w in s.text.split()})
    for lesson in lessons:
        yield [" ".join(word_errors(s.text.split(), rate, vocabulary, rng)) for s in lesson]


def read_lessons(folder: Path, split: str) -> list[list[MovesSentence]]:
    """The sentences with a role of each lesson."""
    lessons = [[s for s in x.sentences if s.role] for x in read_talkmoves(folder, split)[0]]
    return [lesson for lesson in lessons if lesson]


# -- fitting -------------------------------------------------------------------------------


def fit(folder: Path) -> None:
    """Learn weights and strengths from the train lessons and write them."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    lessons = read_lessons(folder, "train")
    rows, teacher = [], []
    for lesson, texts in zip(lessons, spoken(lessons, 0.0), strict=True):
        rows += cues.features(texts)
        teacher += [s.role is Role.TEACHER for s in lesson]
    names = sorted({name for row in rows for name, _ in row})
    place = {name: i for i, name in enumerate(names)}
    cells = [(i, place[n], v) for i, row in enumerate(rows) for n, v in row]
    at, column, value = zip(*cells, strict=True)
    found = csr_matrix((value, (at, column)), shape=(len(rows), len(names)))
    model = LogisticRegression(C=STRENGTH, solver="liblinear").fit(found, teacher)
    share = float(np.mean(teacher))
    constant = float(model.intercept_[0]) - np.log(share / (1 - share))
    weights = dict(zip(names, model.coef_[0].round(3), strict=True))
    write(weights, constant, {})
    clean = strength(measured(lessons, 0.0))
    poor = strength(measured(lessons, LOW_ACCURACY))
    write(weights, constant, {"en": clean, "zh": clean, "low_accuracy": poor})


def write(
    weights: dict[str, float], constant: float, strengths: dict[str, dict[str, float]]
) -> None:
    """The measured file, whole."""
    MEASURED.write_text(HEADER, "utf-8")
    with MEASURED.open("a", encoding="utf-8") as out:
        out.write(f'version = "1"\nconstant = {constant:.3f}\n')
        for name, values in (strengths or {"en": UNKNOWN}).items():
            out.write(f"\n[strength.{name}]\n")
            out.writelines(f"{key} = {value:.3f}\n" for key, value in values.items())
            out.write(f"trust = {TRUST[name]}\n")
        out.write("\n[weight]\n")
        out.writelines(f'"{name}" = {value:.3f}\n' for name, value in weights.items())
    reload(cues)


HEADER = """\
# How much each cue of role_cues.toml speaks for the teacher (+) or a student (−): log-odds.
# Rewritten by: benchmarks/role_cues.py --data DIR --fit
#
# Weights: logistic regression on the 454 train lessons of TalkMoves (English mathematics, grades
# K-12; 185,324 sentences), as numbers of named cues, not of words. `strength`: how the summed
# log-odds of a lesson differ between its teacher and its students, from fragments of 15 to 120
# utterances of the same lessons; "low_accuracy" with 40 % of the words wrong.
#
# UNVALIDATED: there is no corpus of Mandarin lessons with student speech. "zh" takes the English
# weights and strengths over for the patterns of the same name, with less trust. docs/decisions/
# 0003-roles.md says what was looked at.
"""


def measured(lessons: Sequence[Sequence[MovesSentence]], rate: float) -> Lessons:
    """The shipped engine's log-odds of each utterance."""
    engine = cues.WordCues()
    odds, teacher, number = [], [], []
    for k, (lesson, texts) in enumerate(zip(lessons, spoken(lessons, rate), strict=True)):
        found = engine.evidence(transcript_of(texts)).log_odds
        for sentence, x in zip(lesson, found, strict=True):
            if x is not None:
                odds.append(x)
                teacher.append(sentence.role is Role.TEACHER)
                number.append(k)
    return Lessons(np.array(odds), np.array(teacher), np.array(number))


def transcript_of(texts: Sequence[str]) -> Transcript:
    """Utterances without times."""
    return Transcript("en", tuple(Utterance(f"u{i}", t) for i, t in enumerate(texts)))


def slopes(data: Lessons, length: int | None = None) -> Floats:
    """(slope, 1 / (n · var m)) of each lesson, or of its fragments of `length`; shape (k, 2)."""
    found = []
    for k in np.unique(data.lesson):
        here = data.lesson == k
        x, m = data.log_odds[here], data.teacher[here].astype(float)
        size = length or len(x)
        for first in range(0, len(x) - size + 1, size):
            a, b = x[first : first + size], m[first : first + size]
            if 3 <= b.sum() <= size - 3:
                spread = size * b.var()
                found.append((float((a - a.mean()) @ (b - b.mean())) / spread, 1 / spread))
    return np.array(found)


def strength(data: Lessons) -> dict[str, float]:
    """Contrast between lessons and its variance within and between, by fragments of many sizes."""
    pieces = [slopes(data, n) for n in FRAGMENTS]
    informed = np.array([p[:, 1].mean() for p in pieces])
    variance = np.array([p[:, 0].var() for p in pieces])
    within, between = np.polyfit(informed, variance, 1)
    rest = data.log_odds - np.where(
        data.teacher, data.log_odds[data.teacher].mean(), data.log_odds[~data.teacher].mean()
    )
    levels = [
        rest[data.lesson == k].mean()
        for k in np.unique(data.lesson)
        if np.count_nonzero(data.lesson == k) > 100
    ]
    return {
        "contrast": float(slopes(data)[:, 0].mean()),
        "between": float(np.sqrt(between)),
        "within": float(np.sqrt(within)),
        "level": float(np.std(levels)),
    }


# -- measuring -----------------------------------------------------------------------------


def calibration(probability: Floats, right: Bools) -> float:
    """Expected calibration error of stated probabilities, 15 bins from 0 to 1."""
    bins = np.minimum((probability * 15).astype(int), 14)
    return float(
        sum(
            np.mean(bins == b) * abs(probability[bins == b].mean() - right[bins == b].mean())
            for b in np.unique(bins)
        )
    )


def auc(score: Floats, positive: Bools) -> float:
    """Area under the ROC curve, ties counted half."""
    from scipy.stats import rankdata

    rank = rankdata(score)
    n, k = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * k))


def tell(folder: Path) -> None:
    """Print all tables of the development lessons."""
    lessons = read_lessons(folder, "dev")
    print(f"{len(lessons)} lessons, {sum(map(len, lessons))} sentences\n")
    print("words wrong | accuracy | balanced | AUC | ECE | slope mean ± SD (least) | slope < 0")
    for rate in (0.0, 0.2, LOW_ACCURACY):
        data = measured(lessons, rate)
        t, x = data.teacher, data.log_odds
        share = t.mean()
        p = 1 / (1 + np.exp(-(x + np.log(share / (1 - share)))))
        balanced = (np.mean(x[t] > 0) + np.mean(x[~t] <= 0)) / 2
        slope = slopes(data)[:, 0]
        print(
            f"{rate:.0%} | {np.mean((p > 0.5) == t):.3f} (all teacher {share:.3f}) | "
            f"{balanced:.3f} | {auc(x, t):.3f} | {calibration(p, t):.3f} | "
            f"{slope.mean():.2f} ± {slope.std():.2f} ({slope.min():.2f}) | {np.sum(slope < 0)}"
        )
    mandarin(folder, lessons)
    mended(lessons)


def mandarin(folder: Path, lessons: Sequence[Sequence[MovesSentence]]) -> None:
    """Single sentences of Mandarin teachers (speech recognition) beside English ones."""
    engine = cues.WordCues()

    def alone(texts: Sequence[str]) -> Floats:
        found = [engine.evidence(transcript_of([t])).log_odds[0] for t in texts]
        return np.array([x for x in found if x is not None])

    sentences = [s for lesson in lessons for s in lesson]
    groups = {
        "Mandarin teachers (DialogID dev)": [s.text for s in read_dialogid(folder, "dev")[0]],
        "English teachers": [s.text for s in sentences if s.role is Role.TEACHER],
        "English students": [s.text for s in sentences if s.role is Role.STUDENT],
    }
    print("\nlog-odds of single sentences without neighbours: mean, share above 0")
    for name, texts in groups.items():
        x = alone(texts)
        print(f"{name}: {x.mean():+.2f}, {np.mean(x > 0):.2f} (n = {len(x)})")


# -- what the words mend -------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """A lesson as simulated sound has it, and as it was."""

    timeline: list[RoleSpan]
    truth: list[Role]
    transcript: Transcript


def heard(
    lesson: Sequence[MovesSentence], error: float, rng: np.random.Generator, main: str = "teacher"
) -> Heard:
    """Turns as stretches; the voice `main` is held for the teacher's.

    Each stretch is of the wrong voice with its own probability, whose mean is `error`. `main`
    "students" takes all students for the teacher, "one" 40 % of their turns.
    """
    turns: list[list[MovesSentence]] = []
    for sentence in lesson:
        if turns and turns[-1][-1].role is sentence.role:
            turns[-1].append(sentence)
        else:
            turns.append([sentence])
    spans: list[RoleSpan] = []
    truth: list[Role] = []
    utterances: list[Utterance] = []
    at = 0.0
    for turn in turns:
        role = turn[0].role or Role.STUDENT
        start = at
        for sentence in turn:
            end = at + SECONDS_A_WORD * max(1, len(sentence.text.split()))
            utterances.append(Utterance(f"u{len(utterances)}", sentence.text, at, end))
            at = end
        wrong = min(0.5, rng.exponential(error)) if error else 0.0
        is_main = role is Role.TEACHER
        if main != "teacher":
            is_main = role is Role.STUDENT and (main == "students" or rng.random() < 0.4)
        is_main ^= rng.random() < wrong
        found = Role.TEACHER if is_main else Role.STUDENT
        spans.append(RoleSpan(start, at, found, 1 - wrong))
        truth.append(role)
        at += PAUSE
    return Heard(spans, truth, Transcript("en", tuple(utterances)))


def share_of_teacher(lesson: Heard) -> float:
    """Share of the others' talk that is the teacher's."""
    others = [(s.end - s.start, t) for s, t in zip(lesson.timeline, lesson.truth, strict=True)
              if s.role is Role.STUDENT]  # fmt: skip
    return sum(d for d, t in others if t is Role.TEACHER) / max(1e-9, sum(d for d, _ in others))


def doubted(lesson: Heard, doubt: float) -> list[RoleSpan]:
    """The timeline with the doubt of the whole lesson in its probabilities, as engines give it."""
    return [
        replace(s, probability=s.probability * (1 - doubt) + (1 - s.probability) * doubt)
        for s in lesson.timeline
    ]


def mended(lessons: Sequence[Sequence[MovesSentence]]) -> None:
    """Stretches and whole lessons before and after the words were heard."""
    engine = cues.WordCues()
    evidence = [engine.evidence(transcript_of([s.text for s in x])) for x in lessons]
    print("\nstretches: wrong by sound | wrong right share of T/(T+S) error, before → after")
    for error in (0.02, 0.05, 0.1, 0.2):
        print(f"{error:.0%} | " + flips(lessons, evidence, error))
    print("\nwhole lessons (doubt of the diarizer before; 5 % of stretches wrong)")
    for main in ("teacher", "students", "one"):
        for doubt in (0.0, 0.1, 0.3, 0.45):
            print(f"main voice: {main}, doubt {doubt} | " + swaps(lessons, evidence, main, doubt))


def flips(
    lessons: Sequence[Sequence[MovesSentence]], evidence: Sequence[CueEvidence], error: float
) -> str:
    rng = np.random.default_rng(1)
    rows: list[tuple[float, bool, float, bool, float]] = []
    shares = []
    for lesson, words in zip(lessons, evidence, strict=True):
        sound = heard(lesson, error, rng)
        after = join_cues(sound.timeline, Swap(), sound.transcript, words).timeline
        rows += [
            (a.probability, a.role is t, b.probability, b.role is t, a.duration)
            for a, b, t in zip(sound.timeline, after, sound.truth, strict=True)
        ]
        real = [replace(s, role=t) for s, t in zip(sound.timeline, sound.truth, strict=True)]
        shares.append([abs(talk(x) - talk(real)) for x in (sound.timeline, after)])
    p, right, q, now, _ = (np.array(column) for column in zip(*rows, strict=True))
    mended_, broken = np.mean(~right & now), np.mean(right & ~now)
    before, after_ = np.mean(shares, axis=0)
    return (
        f"wrong {np.mean(~right):.3f} → {np.mean(~now):.3f} (mended {mended_:.4f}, broken "
        f"{broken:.4f}); ECE {calibration(p, right):.3f} → {calibration(q, now):.3f}; "
        f"share error {before:.4f} → {after_:.4f}; "
        f"log loss {loss(p, right):.3f} → {loss(q, now):.3f}"
    )


def loss(p: Floats, right: Bools) -> float:
    """Mean log loss of stated probabilities, clipped at .001."""
    return float(-np.log(np.clip(np.where(right, p, 1 - p), 1e-3, 1)).mean())


def talk(timeline: Sequence[RoleSpan]) -> float:
    """The teacher's share of the seconds."""
    teacher = sum(s.duration for s in timeline if s.role is Role.TEACHER)
    return teacher / sum(s.duration for s in timeline)


def swaps(
    lessons: Sequence[Sequence[MovesSentence]],
    evidence: Sequence[CueEvidence],
    main: str,
    doubt: float,
) -> str:
    rng = np.random.default_rng(2)
    right, stated, told, wrong = [], [], [], []
    for lesson, words in zip(lessons, evidence, strict=True):
        sound = heard(lesson, 0.05, rng, main)
        swap = Swap(doubt, 1.0 if main == "teacher" else share_of_teacher(sound))
        joined = join_cues(doubted(sound, doubt), swap, sound.transcript, words)
        good = [a.role is t for a, t in zip(joined.timeline, sound.truth, strict=True)]
        same = np.mean(
            [a.role is b.role for a, b in zip(sound.timeline, joined.timeline, strict=True)]
        )
        right.append(np.mean(good))
        wrong.append(
            np.mean([a.role is not t for a, t in zip(sound.timeline, sound.truth, strict=True)])
        )
        stated.append(joined.swap.probability)
        told.append(same < 0.5)
    return (
        f"exchanged {np.sum(told)} of {len(told)}; stretches right {1 - np.mean(wrong):.3f} → "
        f"{np.mean(right):.3f}; doubt after: median {np.median(stated):.4f}, "
        f"most {np.max(stated):.3f}, ≥ .05 in {np.sum(np.array(stated) >= 0.05)}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fit", action="store_true", help="rewrite the measured weights")
    options = parser.parse_args()
    if options.fit:
        fit(options.data)
    tell(options.data)
