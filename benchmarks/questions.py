"""How well the question rules read: the tables that models/cards/questions_rules.md quotes.

    python benchmarks/questions.py DATA              # development figures
    python benchmarks/questions.py DATA --split train
    python benchmarks/questions.py DATA --estimate   # rewrite models/rules/*.measured.toml

DATA holds questions_zh/{train,dev}.jsonl, talkmoves/{train,dev}.jsonl.gz and, for praise,
dialogid/train.csv.gz. Estimation uses the train splits only. Counts that were made by reading
(basis "read: …") are kept: no labelled data exists for them.
"""

import argparse
import csv
import gzip
import json
import re
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.questions import RuleLabeller
from models.rules import TAXONOMY_OF, load_rules
from models.rules.reading import Reading, read
from observer.sentences import sentences
from observer.timeline import Role
from observer.transcript import Transcript, Utterance

RULES = Path(__file__).parents[1] / "models" / "rules"
FIELD = {"demand": "cog", "sihe": "sihe", "openness": "open"}
OPEN = {"1": "open", "0": "closed"}
CLASSES = {
    "question_form": ("none", "real", "tag", "self"),
    "question_demand": ("manage", "recall", "reason"),
    "sihe": ("what", "why", "how"),
    "openness": ("open", "closed"),
}
MARKS = re.compile(r"[?!.,;:\"“”，。？！；：…]")
NATURAL_ENOUGH = 30


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of one class, with its number of true cases."""

    precision: float
    recall: float
    f1: float
    n: int


def score(gold: Sequence[str], predicted: Sequence[str | None], code: str) -> Score:
    """Figures of `code`; a class that is neither true nor predicted has 0 throughout."""
    right = sum(g == p == code for g, p in zip(gold, predicted, strict=True))
    said, true = predicted.count(code), gold.count(code)
    return Score(
        right / said if said else 0.0,
        right / true if true else 0.0,
        2 * right / (said + true) if said + true else 0.0,
        true,
    )


def macro(gold: Sequence[str], predicted: Sequence[str | None], codes: Iterable[str]) -> float:
    """Mean F1 of `codes`."""
    figures = [score(gold, predicted, code).f1 for code in codes]
    return sum(figures) / len(figures)


def calibration_error(pairs: Sequence[tuple[float, bool]], bins: int = 15) -> float:
    """Expected calibration error: mean |confidence − accuracy| over equal-width bins."""
    groups: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for probability, right in pairs:
        groups[min(bins - 1, int(probability * bins))].append((probability, right))
    gaps = (abs(sum(p - r for p, r in group)) for group in groups.values())
    return sum(gaps) / len(pairs) if pairs else 0.0


def mandarin(data: Path, split: str, bare: bool = False) -> list[dict[str, Any]]:
    """Sentences of questions_zh with what the rules read, kinds of every true question too."""
    rules = load_rules("zh")
    rows = []
    for line in (data / "questions_zh" / f"{split}.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        text = MARKS.sub("", row["text"]) if bare else row["text"]
        row["gold"] = {"question_form": row["form"]}
        if row["form"] == "real":
            row["gold"]["question_demand"] = row["cog"]
            row["gold"]["openness"] = OPEN[row["open"]]
            if row["sihe"] != "-":
                row["gold"]["sihe"] = row["sihe"]
        row["read"] = read(text, rules)
        rows.append(row)
    return rows


def report_mandarin(data: Path, split: str) -> None:
    """Form on all sentences; kinds where both the truth and the rules say `real`."""
    for bare in (False, True):
        rows = mandarin(data, split, bare)
        for part in ("natural", "enriched"):
            mine = [r for r in rows if r["part"] == part]
            print(f"\nzh {split} {part}{' bare' if bare else ''}: {len(mine)} sentences")
            for taxonomy, codes in CLASSES.items():
                kept = [
                    r
                    for r in mine
                    if taxonomy in r["gold"] and (len(codes) == 4 or taxonomy in r["read"])
                ]
                gold = [r["gold"][taxonomy] for r in kept]
                said = [r["read"][taxonomy].code for r in kept]
                sure = [
                    (r["read"][taxonomy].probability, g == p)
                    for r, g, p in zip(kept, gold, said, strict=True)
                ]
                cells = []
                for code in codes:
                    s = score(gold, said, code)
                    sides = f"P {s.precision:.2f} R {s.recall:.2f} n {s.n}"
                    cells.append(f"{code} {s.f1:.3f} ({sides})")
                print(
                    f"  {taxonomy:16} macro {macro(gold, said, codes):.3f}  "
                    f"ECE {calibration_error(sure):.3f}  n {len(kept)}  " + "  ".join(cells)
                )


def answered(data: Path, split: str) -> Iterator[tuple[bool, bool]]:
    """(truth says self-answered, the context says so) of questions_zh cut into sentences.

    Kept: sentences of transcription in which a question that alone reads as real stands right
    before another sentence. Truth is the label of the whole.
    """
    labeller = RuleLabeller()
    for row in mandarin(data, split):
        parts = sentences(str(row["text"]), "zh")
        spoken = tuple(Utterance(str(i), t, role=Role.TEACHER) for i, t in enumerate(parts))
        forms = [r.get("question_form") for r in labeller.readings(Transcript("zh", spoken))]
        alone = [read(t, load_rules("zh"))["question_form"].code for t in parts]
        if "real" in alone[:-1] and "self" not in alone:
            found = any(f is not None and f.rule == "context.answered" for f in forms)
            yield row["form"] == "self", found


def report_answered(data: Path, split: str) -> None:
    """The context rule for self-answered questions, on pairs of sentences."""
    pairs = list(answered(data, split))
    taken = [true for true, hit in pairs if hit]
    true = [hit for true, hit in pairs if true]
    print(f"\nzh {split} answered in the next sentence ({len(pairs)} pairs):")
    print(f"  P {mean(taken):.3f} of {len(taken)}  R {mean(true):.3f} of {len(true)}")


def report_asked_on(data: Path, split: str) -> None:
    """How many of a teacher's questions follow a question of the teacher's own at once."""
    labeller, asked, straight, again, own = RuleLabeller(), 0, 0, 0, 0
    for rows in lessons(data, split):
        spoken = tuple(
            Utterance(str(i), str(r["sentence"]), role=Role(str(r["role"])))
            for i, r in enumerate(rows)
        )
        before: set[str] | None = None
        for u, readings in zip(spoken, labeller.readings(Transcript("en", spoken)), strict=True):
            form = readings.get("question_form")
            taught = u.role is Role.TEACHER and form is not None
            own += taught and form is not None and form.rule == "context.answered"
            words = None
            if taught and form is not None and form.code == "real":
                words = set(MARKS.sub("", u.text.lower()).split())
                asked, straight = asked + 1, straight + (before is not None)
                again += before is not None and len(words & before) >= 0.75 * len(words)
            before = words
    print(
        f"\nen {split}: {asked} real questions, {straight} right after one of the teacher's own, "
        f"{again} of them in its words (3/4); {own} answered in the next sentence"
    )


def lessons(data: Path, split: str) -> Iterator[list[dict[str, Any]]]:
    """Sentences of each TalkMoves lesson that have a role."""
    with gzip.open(data / "talkmoves" / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            lesson = json.loads(line)
            rows = next(v for v in lesson.values() if isinstance(v, list))
            yield [r for r in rows if r["role"] in ("teacher", "student") and r["sentence"]]


def report_english(data: Path, split: str) -> None:
    """Question or not, without punctuation; the truth is the transcriber's question mark."""
    rules = load_rules("en")
    for role in ("teacher", "student"):
        gold, said, sure = [], [], []
        for rows in lessons(data, split):
            for row in rows:
                if row["role"] != role:
                    continue
                form = read(MARKS.sub(" ", row["sentence"]).strip(), rules)["question_form"]
                asks = form.code != "none" and not form.rule.startswith("prompt.")
                gold.append("yes" if "?" in row["sentence"] else "no")
                said.append("yes" if asks else "no")
                if not form.rule.startswith("prompt."):
                    sure.append((form.probability, gold[-1] == said[-1]))
        s = score(gold, said, "yes")
        print(
            f"\nen {split} {role} bare, question or not: F1 {s.f1:.3f} P {s.precision:.3f} "
            f"R {s.recall:.3f} n {s.n} of {len(gold)}  ECE {calibration_error(sure):.3f}"
        )


def report_feedback(data: Path, split: str) -> None:
    """Repeats against TalkMoves restating and revoicing, probes against both presses."""
    gold: list[frozenset[str]] = []
    said: list[str] = []
    for tag, reading in feedback(data, split):
        gold.append(tag)
        said.append(reading.code)
    print(f"\nen {split} feedback on {len(said)} teacher sentences: {dict(Counter(said))}")
    for code in ("repeat", "probe"):
        hits = [code in g for g, p in zip(gold, said, strict=True) if p == code]
        true = [p == code for g, p in zip(gold, said, strict=True) if code in g]
        print(f"  {code}: P {mean(hits):.3f} of {len(hits)}  R {mean(true):.3f} of {len(true)}")


def mean(values: Sequence[bool]) -> float:
    """Share of True; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


MEANS = {
    "restating": frozenset({"repeat"}),
    "revoicing": frozenset({"repeat"}),
    "press_accuracy": frozenset({"probe"}),
    "press_reasoning": frozenset({"probe"}),
}


def feedback(data: Path, split: str) -> Iterator[tuple[frozenset[str], Reading]]:
    """(what the teacher's tag means, what the labeller read) of each feedback label."""
    labeller = RuleLabeller()
    for rows in lessons(data, split):
        spoken = Transcript(
            "en",
            tuple(
                Utterance(str(i), str(r["sentence"]), role=Role(str(r["role"])))
                for i, r in enumerate(rows)
            ),
        )
        for row, readings in zip(rows, labeller.readings(spoken), strict=True):
            if "feedback" in readings:
                yield MEANS.get(str(row["teacher_tag"]), frozenset()), readings["feedback"]


def report_speed(data: Path) -> None:
    """Utterances a second through the whole labeller, after loading."""
    for language, texts in (
        ("zh", [str(r["text"]) for r in mandarin(data, "train")]),
        ("en", [str(r["sentence"]) for rows in lessons(data, "dev") for r in rows][:5000]),
    ):
        labeller = RuleLabeller()
        spoken = Transcript(
            language,
            tuple(Utterance(str(i), t, role=Role.TEACHER) for i, t in enumerate(texts)),
        )
        labeller.label(spoken.with_utterances(spoken.utterances[:10]))
        started = time.process_time()
        labeller.label(spoken)
        print(f"\n{language}: {len(texts) / (time.process_time() - started):,.0f} utterances/CPU-s")


Counts = dict[str, dict[str, dict[str, object]]]


def estimate_mandarin(data: Path) -> Counts:
    """Right and n of every rule on train.

    Enriched sentences were drawn by their words, so given the words the labels are as in
    nature; still, a rule with enough natural cases is counted on those alone.
    """
    parts: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for row in mandarin(data, "train"):
        for table, taxonomy in TAXONOMY_OF.items():
            if taxonomy in row["read"] and taxonomy in row["gold"]:
                reading = row["read"][taxonomy]
                right = reading.code == row["gold"][taxonomy]
                parts[table, reading.rule][str(row["part"])].append(right)
    counts: Counts = defaultdict(dict)
    for (table, rule), seen in parts.items():
        alone = len(seen["natural"]) >= NATURAL_ENOUGH
        hits = seen["natural"] + ([] if alone else seen["enriched"])
        basis = "questions_zh train, " + ("natural" if alone else "natural and enriched")
        counts[table][rule] = {"right": sum(hits), "n": len(hits), "basis": basis}
    hits = [true for true, hit in answered(data, "train") if hit]
    basis = "questions_zh train, cut into sentences"
    counts["form"]["context.answered"] = {"right": sum(hits), "n": len(hits), "basis": basis}
    counts["feedback"]["feedback.praise"] = estimate_praise(data)
    return counts


def estimate_praise(data: Path) -> dict[str, object]:
    """DialogID's label 0 (commending) among sentences that the praise rule takes."""
    hits = [commends for commends, taken in praised(data, "train") if taken]
    return {"right": sum(hits), "n": len(hits), "basis": "DialogID train, commending"}


def praised(data: Path, split: str) -> Iterator[tuple[bool, bool]]:
    """(whether DialogID says that it commends, whether the praise rule takes it) of sentences."""
    rules = load_rules("zh")
    praise = {r.name: r for r in rules.tables["feedback"]}["feedback.praise"]
    with gzip.open(data / "dialogid" / f"{split}.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.reader(lines):
            if len(row) < 2 or not any(c.strip().isdigit() for c in row):
                continue
            label = next(c.strip() for c in row if c.strip().isdigit())
            text = rules.folded(max(row, key=len))
            taken = praise.match.search(text) and not (praise.unless and praise.unless.search(text))
            yield label == "0", bool(taken)


def report_praise(data: Path, split: str) -> None:
    """The Mandarin praise rule against DialogID's commending, sentence by sentence."""
    pairs = list(praised(data, split))
    taken = [commends for commends, hit in pairs if hit]
    true = [hit for commends, hit in pairs if commends]
    print(f"\nzh {split} praise (DialogID, {len(pairs)} sentences):")
    print(f"  P {mean(taken):.3f} of {len(taken)}  R {mean(true):.3f} of {len(true)}")


def estimate_english(data: Path) -> Counts:
    """Bare rules against the question mark, repeats and probes against talk moves."""
    rules = load_rules("en")
    forms: dict[str, list[bool]] = defaultdict(list)
    for rows in lessons(data, "train"):
        for row in rows:
            if row["role"] == "teacher":
                text = MARKS.sub(" ", str(row["sentence"])).strip()
                form = read(text, rules)["question_form"]
                asked = "?" in str(row["sentence"])
                if form.rule.startswith("prompt."):
                    pressed = str(row["teacher_tag"]) in MEANS or asked
                    forms[form.rule].append(pressed)
                else:
                    forms[form.rule].append(asked == (form.code != "none"))
    basis = "TalkMoves train, question marks removed"
    counts: Counts = {
        "form": {
            rule: {"right": sum(hits), "n": len(hits), "basis": basis}
            for rule, hits in forms.items()
        },
        "feedback": {},
    }
    seen: dict[str, list[bool]] = defaultdict(list)
    for meant, reading in feedback(data, "train"):
        seen[reading.rule].append(reading.code in meant)
    for rule in ("feedback.repeat", "feedback.probe", "feedback.probe_tied"):
        move = "restating, revoicing" if rule == "feedback.repeat" else "press"
        counts["feedback"][rule] = {
            "right": sum(seen[rule]),
            "n": len(seen[rule]),
            "basis": f"TalkMoves train, {move}",
        }
    return counts


def write_measured(language: str, counts: Counts) -> None:
    """Write the counts of every rule there is, keeping those that were made by reading."""
    path = RULES / f"{language}.measured.toml"
    old = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    lines = [
        "# How often each rule was right; rewritten by: benchmarks/questions.py DATA --estimate",
        '# basis "read: …": counted by reading the sentences, because no labelled data exists.',
    ]
    for table, rules in load_rules(language).tables.items():
        context = {"feedback": ["feedback.repeat"], "form": ["context.answered"]}
        names = [r.name for r in rules] + context.get(table, [])
        for name in names:
            kept = old.get(table, {}).get(name, {})
            by_reading = str(kept.get("basis", "")).startswith("read")
            entry = kept if by_reading else counts.get(table, {}).get(name)
            if entry:
                lines.append(f'\n[{table}."{name}"]\nright = {entry["right"]}\nn = {entry["n"]}')
                lines.append(f'basis = "{entry["basis"]}"')
    path.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="dev", choices=("train", "dev"))
    parser.add_argument("--estimate", action="store_true")
    chosen = parser.parse_args()
    if chosen.estimate:
        write_measured("zh", estimate_mandarin(chosen.data))
        write_measured("en", estimate_english(chosen.data))
        return
    report_mandarin(chosen.data, chosen.split)
    report_answered(chosen.data, chosen.split)
    report_asked_on(chosen.data, chosen.split)
    report_english(chosen.data, chosen.split)
    report_feedback(chosen.data, chosen.split)
    report_praise(chosen.data, chosen.split)
    report_speed(chosen.data)


if __name__ == "__main__":
    main()
